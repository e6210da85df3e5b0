"""A `metrics.csv` to which a resumed run appends."""

from __future__ import annotations

import csv
import os
from io import StringIO
from pathlib import Path

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter

from lightning_emorec.atomic_write import write_atomically


class MetricsCsv(CSVLogger):
    """Writes `metrics.csv` into the run folder; Lightning's `CSVLogger` would delete the file of a resumed run.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(save_dir=folder, name="", version="", flush_logs_every_n_steps=1)

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        """The writer, created when the first metric is logged."""
        if self._experiment is None:
            self._experiment = _AppendingWriter(log_dir=self.log_dir)
        return self._experiment  # type: ignore[return-value]


class _AppendingWriter(ExperimentWriter):
    def _check_log_dir_exists(self) -> None:
        """Read the columns of an existing file instead of deleting the file."""
        file = Path(self.metrics_file_path)
        if file.is_file():
            with file.open(newline="", encoding="utf8") as lines:
                self.metrics_keys = next(csv.reader(lines), [])

    def save(self) -> None:
        """Append all logged rows, or none of them: a full disk leaves no partial row."""
        if not self.metrics:
            return
        file = Path(self.metrics_file_path)
        if self._record_new_keys() and file.is_file():
            self._rewrite_with_new_header(self.metrics_keys)
        before_bytes = file.stat().st_size if file.is_file() else 0
        try:
            with file.open("a", newline="", encoding="utf8") as lines:
                writer = csv.DictWriter(lines, fieldnames=self.metrics_keys)
                if not before_bytes:
                    writer.writeheader()
                writer.writerows(self.metrics)
        except OSError as error:
            os.truncate(file, before_bytes)
            error.filename = str(file)
            raise
        self.metrics = []

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        file = Path(self.metrics_file_path)
        text = StringIO()
        writer = csv.DictWriter(text, fieldnames=fieldnames)
        writer.writeheader()
        with file.open(newline="", encoding="utf8") as old:
            writer.writerows(csv.DictReader(old))
        write_atomically(file, text.getvalue())
