"""`fit`s in child processes."""
