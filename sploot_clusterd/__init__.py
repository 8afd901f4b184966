"""clusterd keeps every pet's photo clusters up to date and serves them."""

__version__ = "0.1.0"
