from __future__ import annotations

import csv
import shutil
import time
from pathlib import Path

import pytest
import torch
import yaml

from lightning_emorec.evaluation.results import wall_s
from lightning_emorec.part_logits import PartLogits
from tests.cli.conftest import Project

SCORES = {"accuracy", "uar", "macro_f1", "weighted_f1", "nll", "ece", "clips"}
AVERAGED = "--trainer.callbacks=[{class_path: lightning_emorec.callbacks.AveragedWeights}]"


def test_a_branch_fits_alone_and_leaves_what_the_contract_says(project: Project) -> None:
    cli = project.run("fit", "--config", project.config("text"))
    assert "test/pitch/uar" in cli.trainer.callback_metrics
    names = {path.name for path in (project.runs / "text").iterdir()}
    assert names >= {
        "config.yaml",
        "metrics.json",
        "predictions.csv",
        "metrics.csv",
        "report.html",
        "checkpoints",
    }
    metrics = project.metrics("text")
    assert set(metrics["test"]["pitch"]) == SCORES
    assert metrics["test"]["pitch"]["clips"] == 9


def test_a_fused_run_trains_its_branches_then_reuses_them(project: Project) -> None:
    project.run("fit", "--config", project.config("fused"))
    stores = sorted((project.runs / "branches").iterdir())
    assert [store.name.split("-")[0] for store in stores] == ["audio", "text"]
    first = project.metrics("fused")
    assert set(first["branches"]) == {"text", "audio"}
    assert set(first["rules"]) == {"average", "weighted", "max_confidence", "log_linear"}
    assert first["fusion"]["rule"] == "log_linear"
    assert sum(first["fusion"]["weights"].values()) == pytest.approx(1)
    assert {"branch text", "branch audio", "branches"} <= set(first["seconds"])
    assert "test" not in yaml.safe_load((stores[0] / "metrics.json").read_text())  # heard once, by the fusion

    changed = {store: (store / "checkpoints" / "best.ckpt").stat().st_mtime_ns for store in stores}
    project.run("fit", "--config", project.config("fused"))
    again = project.metrics("fused-2")
    assert not {"branch text", "branch audio"} & set(again["seconds"])
    assert {store: (store / "checkpoints" / "best.ckpt").stat().st_mtime_ns for store in stores} == changed
    assert again["test"] == first["test"]

    lr = "--model.init_args.overrides.text.model.init_args.lr=0.02"
    project.run("fit", "--config", project.config("fused"), lr)
    assert set(project.metrics("fused-3")["seconds"]) & {"branch text", "branch audio"} == {"branch text"}


def test_kept_branches_are_judged_anew_where_test_clips_have_changed(project: Project, tones: Path) -> None:
    moved = Path(shutil.copytree(tones.parent, project.folder / "tones")) / tones.name
    command = ("fit", "--config", project.config("fused"), f"--data.corpus.init_args.path={moved}")
    project.run(*command)
    moved.write_text(moved.read_text().replace("6-low-0.wav,6,low", "6-low-0.wav,6,high"))
    project.run(*command)
    assert len(list((project.runs / "branches").iterdir())) == 2  # test clips teach nothing
    kept = PartLogits.load(next(project.runs.glob("branches/text-*")) / "logits" / "test.pt")
    assert kept.labels["pitch"][kept.clip_ids.index("6-low-0.wav")] == 2
    shutil.copy(moved.with_name("6-high-0.wav"), moved.with_name("6-low-0.wav"))
    project.run(*command)
    heard = PartLogits.load(next(project.runs.glob("branches/audio-*")) / "logits" / "test.pt")
    rows = [heard.clip_ids.index(clip) for clip in ("6-low-0.wav", "6-high-0.wav")]
    torch.testing.assert_close(heard.logits["pitch"][rows[0]], heard.logits["pitch"][rows[1]])


def test_branches_are_trained_anew_where_classes_have_another_order(project: Project) -> None:
    for order in ("[low, middle, high]", "[high, middle, low]"):
        tasks = f"--data.corpus.init_args.tasks={{pitch: {order}}}"
        alone = "--model.init_args.branches.audio=skip"
        project.run("fit", "--config", project.config("fused"), tasks, alone)
    assert len(list((project.runs / "branches").iterdir())) == 2


def test_branches_trained_side_by_side_are_those_trained_one_after_the_other(project: Project) -> None:
    started = time.monotonic()
    project.run("fit", "--config", project.config("fused"), "--branch_jobs", "2")
    beside = project.metrics("fused")
    assert min(beside["seconds"].values()) >= 0
    assert wall_s(beside) < time.monotonic() - started
    said = {
        path.parent.name.split("-")[0]: path.read_text() for path in project.runs.glob("branches/*/fit.log")
    }
    assert set(said) == {"audio", "text"}
    shutil.rmtree(project.runs)
    project.run("fit", "--config", project.config("fused"))
    after = project.metrics("fused")
    for part in ("val", "test", "branches"):
        assert beside[part] == after[part]


@pytest.mark.parametrize("config", ["audio", "fused"])
def test_training_clips_are_scored_as_they_are(project: Project, config: str) -> None:
    shift = {"class_path": "audiomentations.PolarityInversion", "init_args": {"p": 1.0}}
    cli = project.run(
        "fit",
        "--config",
        project.config(config),
        "--score_training",
        "true",
        f"--data.augment=[{yaml.safe_dump(shift, default_flow_style=True)}]",
        "--data.crop_s=0.1",
    )
    metrics = project.metrics(config)
    assert list(metrics)[:3] == ["train", "val", "test"]
    assert metrics["train"]["pitch"]["clips"] == 36
    with (project.runs / config / "predictions.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    assert len({row["clip"] for row in rows}) == 36
    for batch in cli.datamodule.predict_dataloader():
        assert batch.lengths.min() > 0.1 * cli.datamodule.front_end.rate_hz  # not cropped


def test_a_fused_checkpoint_needs_no_other_file(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run("fit", "--config", project.config("fused"))
    before = PartLogits.load(project.runs / "fused" / "logits" / "test.pt")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (project.runs / "fused" / "checkpoints" / "best.ckpt").rename(moved / "model.ckpt")
    project.runs.rename(tmp_path / "gone")
    for config in tmp_path.glob("*.yaml"):
        config.unlink()
    monkeypatch.chdir(moved)
    project.run("test", "--ckpt_path", "model.ckpt")
    after = PartLogits.load(project.runs / "fused-test" / "logits" / "test.pt")
    torch.testing.assert_close(after.logits["pitch"], before.logits["pitch"])
    assert project.metrics("fused-test")["fusion"]["rule"] == "log_linear"


@pytest.mark.parametrize("adversary", [0.0, 0.1])  # one is built when the actors are known
def test_averaged_weights_are_tested_as_they_are_saved(project: Project, adversary: float) -> None:
    against = f"--model.init_args.adversary={adversary}"
    project.run("fit", "--config", project.config("audio"), AVERAGED, against)
    checkpoint = project.runs / "audio" / "checkpoints" / "best.ckpt"
    project.run("test", "--ckpt_path", str(checkpoint))
    fitted, judged = (
        PartLogits.load(project.runs / name / "logits" / "test.pt").logits["pitch"]
        for name in ("audio", "audio-test")
    )
    torch.testing.assert_close(fitted, judged, rtol=0, atol=0)
    assert "current_model_state" in torch.load(checkpoint, weights_only=True)


def test_the_saved_config_repeats_the_run(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run("fit", "--config", project.config("text"))
    monkeypatch.chdir(tmp_path)
    project.run("fit", "--config", str(project.runs / "text" / "config.yaml"))
    assert predictions(project.runs / "text") == predictions(project.runs / "text-2")


def predictions(folder: Path) -> list[list[str]]:
    with (folder / "predictions.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_the_number_of_workers_does_not_change_the_result(project: Project) -> None:
    for workers in ("0", "2"):
        project.run("fit", "--config", project.config("audio"), f"--data.workers={workers}")
    assert predictions(project.runs / "audio") == predictions(project.runs / "audio-2")


def test_absent_test_actors_leave_the_test_out(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.run("fit", "--config", project.config("text"), "--data.split.init_args.test=[6,77]")
    metrics = project.metrics("text")
    assert "test" not in metrics
    assert metrics["absent_test_actors"] == ["77"]
    assert "77" in capsys.readouterr().out


def test_validate_judges_a_checkpoint_on_the_validation_part(project: Project) -> None:
    project.run("fit", "--config", project.config("text"))
    best = project.runs / "text" / "checkpoints" / "best.ckpt"
    project.run("validate", "--ckpt_path", str(best))
    assert project.metrics("text-validate")["val"] == project.metrics("text")["val"]
    assert "test" not in project.metrics("text-validate")
