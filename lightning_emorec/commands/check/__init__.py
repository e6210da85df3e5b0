"""`check`: what is in a corpus, and what is wrong with it."""
