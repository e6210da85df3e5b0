from __future__ import annotations

import csv
from pathlib import Path

from lightning_emorec.loggers.metrics_csv import MetricsCsv


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def log_once(folder: Path, metrics: dict[str, float], step: int) -> None:
    logger = MetricsCsv(folder)
    logger.log_metrics(metrics, step)
    logger.save()


def test_a_second_start_goes_on_with_the_file(tmp_path: Path) -> None:
    log_once(tmp_path, {"loss": 2.0}, 0)
    log_once(tmp_path, {"loss": 1.0}, 1)
    assert [row["loss"] for row in rows(tmp_path)] == ["2.0", "1.0"]


def test_a_new_column_keeps_the_old_rows(tmp_path: Path) -> None:
    log_once(tmp_path, {"loss": 2.0}, 0)
    log_once(tmp_path, {"uar": 0.5}, 1)
    assert [(row["loss"], row["uar"]) for row in rows(tmp_path)] == [("2.0", ""), ("", "0.5")]
