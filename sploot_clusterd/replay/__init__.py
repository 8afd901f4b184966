"""`clusterd replay`: jobs of a file, posted at a rate of one's choice, and a rehearsal's report of how that went."""
