"""Run folders, the planning of a run, and the training of missing branches."""
