"""The alerts as commands know them: what docs/alerts.yml says of each, and drills that send them."""
