"""Sweeps: many `fit`s, each with other values, of which the best is kept. Reads W&B's files, and needs no account."""
