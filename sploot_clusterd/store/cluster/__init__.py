"""The way to a Redis Cluster: which node serves which slot, connections to each, and what follows a redirection.

Belongs here: all that only a cluster has. Does not belong here: what is asked, and what an answer is worth.
"""
