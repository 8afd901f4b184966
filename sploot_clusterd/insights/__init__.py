"""Insights of images that jobs only name, fetched from the storage service that keeps them."""
