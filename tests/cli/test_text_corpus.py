"""A corpus without audio: branches that read fit, branches that hear are left out with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_emorec.part_logits import PartLogits
from tests.cli.conftest import Project

SAID = {"anger": "I hate you, horrible liar!", "joy": "I love it, great", "neutral": "the door is open"}
SENTIMENTS = {"anger": "negative", "joy": "positive", "neutral": "neutral"}


@pytest.fixture
def meld(project: Project) -> dict[str, Any]:
    """The `data` section over a small MELD; `text` and `audio` of the project are on it, and `solved` beside them."""
    for part in ("train", "dev", "test"):
        rows = ["Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID"]
        rows += [
            f'"{text}",{speaker},{emotion},{SENTIMENTS[emotion]},{dialogue},{turn}'
            for dialogue, speaker in enumerate(("Ross", "Monica", "Joey"))
            for turn, (emotion, text) in enumerate(SAID.items())
        ]
        (project.folder / f"{part}_sent_emo.csv").write_text("\n".join(rows))
    data = {
        "corpus": {"class_path": "Meld", "init_args": {"root": str(project.folder)}},
        "split": {"class_path": "Published", "init_args": {"allow_shared_actors": True}},
    }
    trainer = {"max_epochs": 0, "accelerator": "cpu", "enable_progress_bar": False}
    for name, kind in (("svc", "TfidfSvc"), ("vader", "Vader")):
        model = {"class_path": kind, "init_args": {"transcript": "reference"}}
        project.write(name, {"name": name, "model": model, "data": data, "trainer": trainer})
    return {"data": data, "trainer": trainer}


@pytest.mark.parametrize("name", ["svc", "vader"])
def test_a_solved_branch_fits_with_one_command_and_tests_again(
    project: Project, meld: dict[str, Any], name: str
) -> None:
    project.run("fit", "--config", project.config(name))
    assert project.metrics(name)["test"]["emotion"]["weighted_f1"] == pytest.approx(1)
    before = PartLogits.load(project.runs / name / "logits" / "test.pt")
    project.run("test", "--ckpt_path", str(project.runs / name / "checkpoints" / "best.ckpt"))
    after = PartLogits.load(project.runs / f"{name}-test" / "logits" / "test.pt")
    torch.testing.assert_close(after.logits, before.logits)


def test_a_branch_that_hears_is_refused_in_one_line(
    project: Project, meld: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    audio = {"class_path": "AudioCnn", "init_args": {"width": 4, "stages": 2}}
    project.write("deaf", {"name": "deaf", "model": audio, **meld})
    with pytest.raises(SystemExit) as stop:
        project.run("fit", "--config", project.config("deaf"), "--trainer.max_epochs=1")
    assert stop.value.code == 2
    assert "expected audio for every clip; found the corpus has no audio" in capsys.readouterr().err


def test_a_fusion_leaves_out_what_hears_and_what_has_no_weights(
    project: Project, meld: dict[str, Any], tmp_path: Path
) -> None:
    transformer = {"weights": str(tmp_path / "no_model"), "transcript": "reference"}
    project.write("bert", {"model": {"class_path": "TextTransformer", "init_args": transformer}, **meld})
    branches = {name: f"{name}.yaml" for name in ("audio", "bert", "svc", "vader")}
    init_args = {"branches": branches, "missing_branch": "skip"}
    project.write(
        "both", {"name": "both", "model": {"class_path": "FusionModule", "init_args": init_args}, **meld}
    )
    project.run("fit", "--config", project.config("both"))
    metrics = project.metrics("both")
    assert set(metrics["branches"]) == {"svc", "vader"}
    assert set(metrics["left_out"]) == {"audio", "bert"}
    assert "the corpus has no audio" in metrics["left_out"]["audio"]
    assert "no_model" in metrics["left_out"]["bert"]
