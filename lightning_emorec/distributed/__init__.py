"""The processes of one distributed run: started by torchrun, Slurm or Lightning."""
