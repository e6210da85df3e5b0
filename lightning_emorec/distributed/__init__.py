"""Processes that work on one run: started by torchrun, Slurm or Lightning."""
