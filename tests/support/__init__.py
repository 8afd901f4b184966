"""What tests of several rooms are made of, to be imported by name; fixtures are in conftest files.

What tests of one room alone share is in a module of that room's folder.
"""
