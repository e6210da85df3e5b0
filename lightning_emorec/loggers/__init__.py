"""What a run logs to."""

from lightning_emorec.loggers.wandb_run import WandbRun

__all__ = ["WandbRun"]
