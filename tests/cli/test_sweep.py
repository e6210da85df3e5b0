"""`sweep` as a whole command, with real `fit`s."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from lightning_emorec.__main__ import main
from tests.cli.conftest import Project


def write_sweep(project: Project) -> str:
    sweep = {
        "name": "tiny",
        "method": "grid",
        "metric": {"name": "val/pitch/uar", "goal": "maximize"},
        "command": [
            *(
                "${env}",
                "${interpreter}",
                "-m",
                "lightning_emorec",
                "fit",
                "--config",
                project.config("text"),
            ),
            *(
                "--trainer.logger",
                "lightning.pytorch.loggers.WandbLogger",
                "--test_after_fit",
                "false",
                "${args}",
            ),
        ],
        "parameters": {"model.init_args.lr": {"values": [0.0, 0.01]}},
    }
    return project.write("sweep", sweep)


def test_a_sweep_leaves_a_table_a_page_and_a_config_that_fit_takes(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = main(
        ["sweep", write_sweep(project), "--runs", str(project.runs), "--", "--trainer.max_epochs", "1"]
    )
    assert folder == project.runs / "sweeps" / "tiny"
    with (folder / "trials.csv").open(newline="", encoding="utf8") as lines:
        bad, good = csv.DictReader(lines)
    assert (bad["state"], good["state"]) == ("failed", "done")
    assert "lr above 0" in bad["reason"]  # one bad trial does not end the sweep
    assert f"fit --config {folder / 'best.yaml'}" in capsys.readouterr().out
    assert (folder / "sweep.html").is_file()
    best = yaml.safe_load((folder / "best.yaml").read_text(encoding="utf8"))
    assert (best["model"]["init_args"]["lr"], best["trainer"]["max_epochs"]) == (0.01, 1)
    again = project.folder / "again.yaml"
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--config", str(folder / "best.yaml"), "--resolve_to", str(again)])
    assert stop.value.code == 0
    assert yaml.safe_load(again.read_text(encoding="utf8"))["test_after_fit"] is True


def test_a_sweep_in_which_every_trial_fails_says_why(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["sweep", write_sweep(project), "--trials", "1", "--runs", str(project.runs)])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert "1 that failed, the first by: exit status" in said
    assert "expected lr above 0; found 0.0" in said


@pytest.mark.parametrize(("flag", "value"), [("--trials", "0"), ("--jobs", "0")])
def test_no_trials_or_jobs_are_refused(
    flag: str, value: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["sweep", write_sweep(project), flag, value, "--runs", str(project.runs)])
    assert "at least 1 trial and 1 job" in capsys.readouterr().err


def test_without_optuna_the_package_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lightning_emorec.commands.sweep.verb.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        main(["sweep", write_sweep(project), "--runs", str(project.runs)])
    assert "expected the package optuna" in capsys.readouterr().err


def test_a_branch_to_skip_is_left_out_of_a_fusion_that_is_scored_across_actors(project: Project) -> None:
    cli = project.run(
        "fit",
        *("--config", project.config("fused"), "--model.init_args.branches.audio=skip"),
        *("--data.split.init_args.val=[4, 5]", "--model.init_args.overrides.text.trainer.max_epochs=1"),
    )
    found = project.metrics("fused")
    assert list(found["branches"]) == ["text"]
    across = found["val_across_actors"]["pitch"]
    assert across["clips"] == found["val"]["pitch"]["clips"]
    assert float(
        cli.trainer.logged_metrics.get("val/pitch/uar_across_actors", across["uar"])
    ) == pytest.approx(across["uar"], abs=1e-6)
    assert Path(cli.plan.folder / "config.yaml").read_text().count("audio") == 0
