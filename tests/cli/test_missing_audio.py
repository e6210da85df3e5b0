"""Clips without audio in a corpus that has audio for the others."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.cli.conftest import Project

MUTE = 4  # of the nine clips of each actor


@pytest.fixture
def partly_mute(project: Project, tones: Path) -> Project:
    """The project over a manifest that names no audio for some clips of each actor."""
    with tones.open(encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row["id"] = row["path"]
        row["path"] = "" if number % 9 < MUTE else row["path"]
    manifest = project.folder / "partly_mute.csv"
    with manifest.open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for name in ("text", "audio", "fused"):
        config = yaml.safe_load(Path(project.config(name)).read_text())
        config["data"]["corpus"]["init_args"].update(
            path=str(manifest), id_column="id", root=str(tones.parent)
        )
        project.write(name, config)
    return project


def test_an_audio_branch_skips_clips_without_audio(partly_mute: Project) -> None:
    partly_mute.run("fit", "--config", partly_mute.config("audio"), "--score_training", "true")
    metrics = partly_mute.metrics("audio")
    assert metrics["train"]["pitch"]["clips"] == 4 * (9 - MUTE)
    assert metrics["test"]["pitch"]["clips"] == 9 - MUTE


def test_a_fusion_judges_every_clip_and_drops_the_branch_that_is_missing(partly_mute: Project) -> None:
    partly_mute.run("fit", "--config", partly_mute.config("fused"), "--model.init_args.rule", "Average")
    metrics = partly_mute.metrics("fused")
    assert metrics["test"]["pitch"]["clips"] == metrics["branches"]["text"]["test"]["pitch"]["clips"] == 9
    assert metrics["branches"]["audio"]["test"]["pitch"]["clips"] == 9 - MUTE
    fused = _probabilities(partly_mute.runs / "fused" / "predictions.csv")
    text, audio = (
        _probabilities(partly_mute.runs / "fused" / "branch_predictions.csv", name)
        for name in ("text", "audio")
    )
    for clip, probabilities in fused.items():
        said = [text[clip], audio[clip]] if clip in audio else [text[clip]]
        assert probabilities == pytest.approx(np.mean(said, axis=0), abs=1e-5)

    checkpoint = str(partly_mute.runs / "fused" / "checkpoints" / "best.ckpt")
    partly_mute.run("test", "--ckpt_path", checkpoint)  # through the branches, not from kept logits
    again = _probabilities(partly_mute.runs / "fused-test" / "predictions.csv")
    assert again == {clip: pytest.approx(values, abs=1e-5) for clip, values in fused.items()}


def _probabilities(file: Path, branch: str | None = None) -> dict[str, list[float]]:
    """Clip -> its probabilities, of the test part."""
    with file.open(encoding="utf8") as rows:
        return {
            row["clip"]: [float(value) for column, value in row.items() if column.startswith("p_")]
            for row in csv.DictReader(rows)
            if row["split"] == "test" and row.get("branch") == branch
        }
