"""Run folders, what decides a run, and the training of the branches that a fusion lacks."""
