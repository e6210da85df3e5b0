from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger

from lightning_emorec.loggers import WandbRun, loggers_of


def test_metrics_csv_is_written_beside_any_other_logger(tmp_path: Path) -> None:
    wandb, other = WandbRun(offline=True), CSVLogger(tmp_path)
    with ExitStack() as held:
        for given, count in ((None, 1), (True, 1), (wandb, 2), ([wandb, other], 3)):
            made = loggers_of(given, tmp_path / "run", {"name": "run"}, held)
            assert len(made) == count
            assert Path(made[-1].log_dir or "") == tmp_path / "run"


def test_no_logger_is_no_logger(tmp_path: Path) -> None:
    assert loggers_of(False, tmp_path, {}, ExitStack()) == []
