"""`clusterd demo`: the daemon with a Redis and a storage service of its own, and pets to look at.

Nothing here is for production: the pets are made up, and the token is known to everybody.
"""
