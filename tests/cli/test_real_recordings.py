"""Recordings of several channels and clips of one long file, from training to use."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

from lightning_emorec.__main__ import main
from lightning_emorec.inference import load_model, logits_of
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.run_paths import best_checkpoint, logits_file
from lightning_emorec.types import Clip
from tests.cli.conftest import Project

RATE_HZ = 16000


def with_corpus(project: Project, table: Path, **data: Any) -> None:
    """Let all configs read another table."""
    for name in ("text", "audio", "fused"):
        config = yaml.safe_load(Path(project.config(name)).read_text())
        config["data"]["corpus"]["init_args"]["path"] = str(table)
        config["data"].update(data)
        project.write(name, config)


@pytest.fixture
def stereo(project: Project, tones: Path) -> Path:
    """The tones in the second channel, behind a first one of louder noise."""
    folder = project.folder / "stereo"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for file in tones.parent.glob("?-*.wav"):
        tone, _ = soundfile.read(file)
        noise = 0.3 * draw.standard_normal(len(tone)).clip(-3, 3)
        soundfile.write(folder / file.name, np.stack([noise, tone], axis=1), RATE_HZ)
    return Path(shutil.copy(tones, folder))


def test_a_model_keeps_to_the_channel_that_it_was_trained_on(
    project: Project, stereo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with_corpus(project, stereo, max_s=0.3)
    project.run("fit", "--config", project.config("audio"), "--data.channel", "1")
    run = project.runs / "audio"
    told = project.metrics("audio")["audio"]
    assert told["clips"] == 54
    assert told["found"]["channel 1 of 2"] == 54
    assert 0 < told["found"]["longer than max_s, 0.3 s"] < 54
    assert 0.3 < told["longest_s"] < 0.4
    line = f"audio of 54 clips, the longest {told['longest_s']:.1f} s; longer than max_s, 0.3 s: "
    assert line in (run / "report.html").read_text()

    trained = load_model(run)
    assert trained.front_end.channel == 1
    expected = PartLogits.load(logits_file(run, "test"))
    clips = [Clip(name, "", stereo.parent / name) for name in expected.clip_ids]
    torch.testing.assert_close(logits_of(trained, clips).logits, expected.logits, rtol=0, atol=0)

    file = best_checkpoint(run)
    project.run("test", "--ckpt_path", str(file))
    again = PartLogits.load(logits_file(project.runs / "audio-test", "test"))
    torch.testing.assert_close(again.logits, expected.logits, rtol=0, atol=0)

    content = torch.load(file, weights_only=True)
    del content["datamodule_hyper_parameters"]["channel"]
    torch.save(content, project.folder / "old.ckpt")
    assert load_model(project.folder / "old.ckpt").front_end.channel is None


def test_a_channel_that_is_not_there_is_told_with_its_flag(
    project: Project, tones: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        project.run("fit", "--config", project.config("audio"), "--data.channel", "1")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "54 that are not" in line
    assert "--data.channel (of predict: --channel) below 1" in line


def test_clips_of_one_long_file_are_trained_on_judged_and_degraded(project: Project, tones: Path) -> None:
    sounds, rows, at = [], [], 0
    with tones.open(encoding="utf8") as file:
        for row in csv.DictReader(file):
            sound, _ = soundfile.read(tones.parent / row["path"], dtype="int16")
            sounds.append(sound)
            rows.append(
                {**row, "path": "long.wav", "start": at / RATE_HZ, "end": (at + len(sound)) / RATE_HZ}
            )
            at += len(sound)
    soundfile.write(project.folder / "long.wav", np.concatenate(sounds), RATE_HZ)
    table = project.folder / "long.csv"
    with table.open("w", newline="", encoding="utf8") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    project.run("fit", "--config", project.config("fused"))
    with_corpus(project, table)
    project.run("fit", "--config", project.config("fused"), "--name", "segments")
    whole, cut = (
        PartLogits.load(logits_file(project.runs / name, "test")).logits["pitch"]
        for name in ("fused", "segments")
    )
    assert cut.shape == whole.shape
    assert cut.isfinite().all()
    assert project.metrics("segments")["audio"]["clips"] == 54
    assert project.metrics("segments")["audio"]["longest_s"] < 0.4
    main(["stress", "segments", "--runs", str(project.runs), "--conditions", "white,babble"])
