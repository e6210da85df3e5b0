"""What a run logs to."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import yaml
from lightning.pytorch.loggers import Logger

from lightning_emorec.loggers.metrics_csv import MetricsCsv
from lightning_emorec.loggers.wandb_run import WandbRun


def loggers_of(
    given: Logger | Iterable[Logger] | bool | None, folder: Path, config: str, held: ExitStack
) -> list[Logger]:
    """The loggers that a config asks for, in the run folder, and always `metrics.csv`, which the report reads.

    Args:
        given: `trainer.logger`; False for none at all.
        folder: The run folder.
        config: The run's config, as YAML.
        held: Ends what has to be ended, when the command does.
    """
    if given is False:
        return []
    made = list(given) if isinstance(given, Iterable) else [given] if isinstance(given, Logger) else []
    for logger in made:
        if isinstance(logger, WandbRun):
            logger.place(folder, yaml.safe_load(config))
            held.push(logger.end)
    return [*made, MetricsCsv(folder)]
