from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lightning_emorec.errors import EmorecError
from lightning_emorec.runs.arguments import read_command_line


def test_flags_are_taken_out_of_the_command_line_in_both_forms() -> None:
    flag = "--model.init_args.overrides"
    args = ["fit", f"{flag}.cnn.model.lr=1e-2", "--name", "a", f"{flag}.gru.trainer.max_epochs", "3"]
    line = read_command_line(args)
    assert line.args == ["fit", "--name", "a"]
    assert line.branches == {"cnn.model.lr": "1e-2", "gru.trainer.max_epochs": 3}


def test_a_flag_without_a_value_is_an_error() -> None:
    with pytest.raises(EmorecError, match="no value"):
        read_command_line(["fit", "--model.init_args.overrides.cnn.lr"])


def test_flags_of_transforms_are_taken_out_of_the_command_line_in_both_forms() -> None:
    flags = ["--data.augment.Gain.p=0.1", "--data.augment.Gain.max_gain_db", "3"]
    line = read_command_line(["fit", "--data.augment", "some.yaml", *flags])
    assert line.args == ["fit", "--data.augment", "some.yaml"]
    assert line.transforms == {"Gain.p": 0.1, "Gain.max_gain_db": 3}


def test_a_plan_is_taken_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    line = read_command_line(["fit", "--plan", "runs/a/run_plan.json", "--name=a"])
    assert (line.args, line.plan) == (["fit", "--name=a"], Path("runs/a/run_plan.json"))
    assert read_command_line(["fit"]).plan is None


def test_a_rank_of_a_script_that_calls_main_finds_its_plan_in_the_script_s_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["script.py", "--plan", "a.json"])
    assert read_command_line(["fit"]).plan == Path("a.json")
