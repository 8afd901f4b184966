"""An oracle of views, written from docs/producers.md, readers.md, corrections.md and clustering.md alone.

It is run beside the engine and told the same jobs. What it knows of the engine is what a reader sees.
"""
