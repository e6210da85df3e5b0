from __future__ import annotations

from pathlib import Path

from lightning_emorec.evaluation.curves import read_curves


def read(folder: Path, text: str) -> dict[str, dict[int, float]]:
    path = folder / "metrics.csv"
    path.write_text(text, encoding="utf8")
    return read_curves(path, ["train/loss", "val/nll"])


def test_each_column_is_read_by_epoch(tmp_path: Path) -> None:
    curves = read(tmp_path, "epoch,step,train/loss,val/nll\n0,9,,1.5\n0,9,2.0,\n1,19,,1.25\n1,19,1.0,\n")
    assert curves == {"train/loss": {0: 2.0, 1: 1.0}, "val/nll": {0: 1.5, 1: 1.25}}


def test_an_epoch_that_was_logged_again_counts_as_it_was_last(tmp_path: Path) -> None:
    curves = read(tmp_path, "epoch,train/loss\n0,3\n1,2\n1,1.5\n")
    assert curves == {"train/loss": {0: 3.0, 1: 1.5}}


def test_a_single_epoch_is_no_curve(tmp_path: Path) -> None:
    assert read(tmp_path, "epoch,val/nll\n0,3\n") == {}


def test_an_unfinished_row_counts_for_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "epoch,train/loss\n0,3\n1,2\n2") == {"train/loss": {0: 3.0, 1: 2.0}}


def test_what_is_no_finite_number_counts_for_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "epoch,train/loss\n0,3\n1,2\n2,nan\n3,x\n") == {"train/loss": {0: 3.0, 1: 2.0}}


def test_an_absent_file_has_no_curves(tmp_path: Path) -> None:
    assert read_curves(tmp_path / "metrics.csv", ["train/loss"]) == {}
