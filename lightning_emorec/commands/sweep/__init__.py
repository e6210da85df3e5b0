"""Hyper-parameter sweeps from W&B sweep files, run locally without an account."""
