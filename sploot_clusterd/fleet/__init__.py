"""The fleet as its processes tell of it: each has a heartbeat, and who shows the page keeps a short history of them."""
