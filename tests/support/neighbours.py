"""Others on the machine."""

NEIGHBOUR = 64_321
"""A user's number that nobody has."""
