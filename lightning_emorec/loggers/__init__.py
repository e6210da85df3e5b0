"""Loggers: `metrics.csv` for every run, and W&B where the config has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from lightning_emorec.loggers.metrics_csv import MetricsCsv
from lightning_emorec.loggers.wandb_run import WandbRun

__all__ = ["MetricsCsv", "WandbRun", "loggers_of"]


def loggers_of(
    given: Logger | Iterable[Logger] | bool | None, folder: Path, config: Mapping[str, Any], held: ExitStack
) -> list[Logger]:
    """The loggers of a config, set up for the run folder, and `MetricsCsv`, which the report reads.

    Args:
        given: `trainer.logger`, instantiated; False for no logger at all.
        folder: The run folder.
        config: The run's config, logged to W&B.
        held: Finishes the W&B run when the command ends.
    """
    if given is False:
        return []
    made = list(given) if isinstance(given, Iterable) else [given] if isinstance(given, Logger) else []
    for logger in made:
        if isinstance(logger, WandbRun):
            logger.place(folder, config)
            held.push(logger.end)
    return [*made, MetricsCsv(folder)]
