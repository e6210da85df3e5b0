"""A trained model is judged on a corpus with other classes, by those that both have."""

from __future__ import annotations

import csv

import pytest
import torch

from lightning_emorec.part_logits import PartLogits
from lightning_emorec.run_paths import best_checkpoint, logits_file
from tests.cli.conftest import Project
from tests.cli.test_errors import error_of

OTHER = (
    '--data.corpus.init_args.tasks={"pitch": ["hum", "high", "low"]}',
    '--data.corpus.init_args.labels={"middle": "hum"}',
)


@pytest.mark.parametrize("name", ["audio", "fused"])
def test_a_model_is_judged_on_the_classes_it_shares_with_another_corpus(
    project: Project, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    project.run("fit", "--config", project.config(name))
    best = str(best_checkpoint(project.runs / name))
    project.run("test", "--ckpt_path", best, *OTHER, "--data.split", "AllTested")
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "what model and corpus share, of pitch: low, high" in said
    folder = project.runs / f"{name}-test"
    metrics = project.metrics(folder.name)
    assert metrics["judged_by"] == {
        "classes": {"pitch": ["low", "high"]},
        "classes_not_in_corpus": {"pitch": ["middle"]},
        "tasks_not_judged": [],
        "clips_left_out": {"hum": 18},
    }
    assert metrics["test"]["pitch"]["clips"] == 36
    sets = metrics.get("prediction_sets")  # one validation actor founds none of a fusion
    assert (sets and (sets["validation_actors"], 1 <= sets["mean_size"] <= 2)) == (
        (1, True) if name == "audio" else None
    )
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["predicted"] for row in rows} <= {"low", "high"}
    sums = [sum(float(value) for key, value in row.items() if key.startswith("p_") and value) for row in rows]
    assert sums == pytest.approx([1.0] * 36, abs=1e-5)
    report = (folder / "report.html").read_text()
    assert "18 hum" in report
    assert "this run names no speakers that it learned from" in report

    first, again = (PartLogits.load(logits_file(project.runs / run, "test")) for run in (name, folder.name))
    kept = [clip for clip in first.clip_ids if "middle" not in clip]
    own = first.select(kept).logits["pitch"][:, [0, 2]].log_softmax(-1)
    torch.testing.assert_close(again.select(kept).logits["pitch"].log_softmax(-1), own, atol=1e-4, rtol=1e-4)


def test_nothing_is_trained_where_everyone_is_tested(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    said = error_of(project, capsys, "fit", "--config", project.config("text"), "--data.split", "AllTested")
    assert "clips of training actors" in said
