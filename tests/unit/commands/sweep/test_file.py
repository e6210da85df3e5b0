from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightning_emorec.commands.sweep.file import Hyperband, SweepFile, read_sweep
from lightning_emorec.errors import EmorecError

Write = Callable[..., SweepFile]


def test_values_replace_args_in_the_command(sweep_file: Write) -> None:
    words = ["env", "python", "-m", "lightning_emorec", "fit", "--config", "c.yaml", "${args}", "--last"]
    assert sweep_file(command=words).arguments({"a.b": 0.5, "c": "d"}) == [
        *("--config", "c.yaml"),
        *("--a.b=0.5", "--c=d"),
        "--last",
    ]


def test_what_a_file_leaves_out_is_as_in_wandb(sweep_file: Write) -> None:
    found = sweep_file(metric={"name": "val/emotion/nll"})
    assert (found.goal, found.hyperband) == ("minimize", None)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"min_iter": 5}, Hyperband(5, None, 3)),
        ({"min_iter": 5, "eta": 2}, Hyperband(5, None, 2)),
        ({"max_iter": 27, "s": 2}, Hyperband(3, 27, 3)),
    ],
)
def test_hyperband_is_read_in_both_forms(given: dict[str, Any], meant: Hyperband, sweep_file: Write) -> None:
    assert sweep_file(early_terminate={"type": "hyperband", **given}).hyperband == meant


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"program": "train.py"}, "no key but"),
        ({"method": "annealing"}, "method among bayes, grid, random; found 'annealing'"),
        ({"metric": "val/emotion/uar"}, "metric.name"),
        ({"metric": {"name": "test/emotion/uar"}}, "a metric of the validation part.*found test/emotion/uar"),
        ({"metric": {"name": "val/a", "goal": "more"}}, "metric.goal"),
        ({"command": ["python", "train.py", "${args}"]}, "a command of"),
        ({"command": ["python", "-m", "lightning_emorec", "fit"]}, "args} once"),
        ({"command": ["python", "-m", "lightning_emorec", "fit", "${args_json}", "${args}"]}, "args} once"),
        ({"early_terminate": {"type": "median"}}, "of type hyperband"),
        ({"early_terminate": {"type": "hyperband", "min_iter": 0}}, "min_iter of at least 1"),
    ],
)
def test_an_invalid_file_is_an_error(changes: dict[str, Any], said: str, sweep_file: Write) -> None:
    with pytest.raises(EmorecError, match=said):
        sweep_file(**changes)


def test_an_absent_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match="a sweep file in YAML"):
        read_sweep(tmp_path / "none.yaml")
