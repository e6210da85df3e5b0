"""metrics.csv that a second start goes on with."""

from __future__ import annotations

import csv
from pathlib import Path

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter


class MetricsCsv(CSVLogger):
    """Writes `metrics.csv` into the run folder; Lightning's own logger would delete the file on a second start.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(save_dir=folder, name="", version="", flush_logs_every_n_steps=1)

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        """The writer, made when the first metric is logged."""
        if self._experiment is None:
            self._experiment = _AppendingWriter(log_dir=self.log_dir)
        return self._experiment  # type: ignore[return-value]


class _AppendingWriter(ExperimentWriter):
    def _check_log_dir_exists(self) -> None:
        """Learn the columns of a file that is there, in place of deleting it."""
        file = Path(self.metrics_file_path)
        if file.is_file():
            with file.open(newline="", encoding="utf8") as lines:
                self.metrics_keys = next(csv.reader(lines), [])

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        file = Path(self.metrics_file_path)
        unfinished = file.with_suffix(".unfinished")
        with (
            file.open(newline="", encoding="utf8") as old,
            unfinished.open("w", newline="", encoding="utf8") as new,
        ):
            writer = csv.DictWriter(new, fieldnames=fieldnames)
            writer.writeheader()
            writer.writerows(csv.DictReader(old))
        unfinished.replace(file)
