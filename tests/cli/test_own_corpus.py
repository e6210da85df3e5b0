"""The default run on recordings that are not RAVDESS's: a manifest with the columns path, actor and emotion."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from lightning_emorec.__main__ import main
from lightning_emorec.cli import EmorecCLI
from tests.conftest import CONFIGS, TONES_HZ
from tests.tiny_whisper import save_whisper

pytest.importorskip("opensmile", reason="two of the default branches need openSMILE: the extra `opensmile`")

HEARING = ["whisper_statistics", "audio_cnn", "egemaps_cnn", "compare_svc", "transcript_gru"]
SMALL = {
    "audio_cnn": {"model.init_args.width": 4, "model.init_args.stages": 2, "trainer.max_epochs": 1},
    "egemaps_cnn": {"trainer.max_epochs": 1},
    "transcript_gru": {"trainer.max_epochs": 1},
}


def test_the_default_run_takes_a_manifest_with_emotions_alone(
    tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOREC_WHISPER", str(save_whisper(tmp_path / "tiny.pt")))
    corpus, split = tmp_path / "mine.yaml", CONFIGS / "split" / "kfold.yaml"
    content = (CONFIGS / "corpus" / "manifest.yaml").read_text(encoding="utf8")
    content = content.replace("data/manifest.csv", str(write_manifest(tones)))
    corpus.write_text(content.replace("[neutral, happy, sad, angry]", str([*TONES_HZ])), encoding="utf8")
    overrides = "--model.init_args.overrides"
    cli = main(
        [
            *("fit", "--config", str(CONFIGS / "fused.yaml"), "--name", "mine"),
            *("--runs", str(tmp_path / "runs")),
            *("--data.corpus", str(corpus), "--data.split", str(split)),
            *("--data.split.folds=3", "--data.split.val_actors=2", "--model.init_args.missing_branch=error"),
            *("--refit", "false"),  # the same work again
            "--model.init_args.branches.distilbert=skip",
            *(f"{overrides}.{name}.{key}={of}" for name, small in SMALL.items() for key, of in small.items()),
            *("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
        ]
    )
    assert isinstance(cli, EmorecCLI)
    metrics = json.loads((cli.plan.folder / "metrics.json").read_text(encoding="utf8"))
    assert set(HEARING) <= set(metrics["branches"])
    log = next((tmp_path / "runs" / "branches").glob("audio_cnn-*/fit.log")).read_text(encoding="utf8")
    assert "loss_weights for intensity, sex count nothing: the corpus has the tasks emotion" in log


def write_manifest(tones: Path) -> Path:
    """The manifest of tones, with the columns that the README shows."""
    made = tones.with_name("mine.csv")
    with (
        tones.open(newline="", encoding="utf8") as read,
        made.open("w", newline="", encoding="utf8") as write,
    ):
        rows = csv.writer(write)
        rows.writerow(["path", "actor", "emotion"])
        rows.writerows([row["path"], row["actor"], row["pitch"]] for row in csv.DictReader(read))
    return made
