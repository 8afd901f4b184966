"""Measures the engine on labelled albums, in order of arrival and without Redis: `clusterd eval FILE`.

Labels are only ever looked at to score what the engine made without them, and to keep an album's own out of what its
profile is learned from.
"""
