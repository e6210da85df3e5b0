"""`predict` with an export, in an environment that has neither torch nor anything else that only training needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lightning_emorec.export.check import check_clips
from tests.cli.installed import Installed, build_wheel, install, link_packages
from tests.warm_start import COLD

LIGHT = ["onnxruntime", "numpy", "soundfile", "soxr", "jsonargparse", "rich", "PyYAML"]
"""All that has to be installed beside the wheel."""

HEAVY = (
    "torch lightning torchmetrics pooch scipy sklearn librosa transformers huggingface_hub silero_vad joblib"
)

CODE = f"""
import sys
from lightning_emorec.__main__ import main
main(sys.argv[1:])
print(*[name for name in "{HEAVY}".split() if name in sys.modules], file=sys.stderr)
"""


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("light")
    found = install(build_wheel(folder), folder / "venv")
    link_packages(LIGHT, found.packages)
    return found


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Generated voices: a short recording, and one that is judged in windows over its speech."""
    clips = check_clips(16000)
    voices = [sound for name, sound in clips.items() if name.endswith("voice")]
    pause = np.zeros(24000, np.float32)
    folder = tmp_path_factory.mktemp("recordings")
    long = np.concatenate([part for voice in [*voices, *voices] for part in (voice, pause)])
    assert len(long) > 15 * 16000
    for name, sound in (("short", voices[0]), ("long", long)):
        soundfile.write(folder / f"{name}.wav", sound, 16000)
    return [str(folder / f"{name}.wav") for name in ("short", "long")]


def test_the_answer_is_that_of_the_full_environment(
    light: Installed, small_export: Path, recordings: list[str], tmp_path: Path
) -> None:
    args = ("predict", *recordings, "--ckpt", str(small_export), "-f", "jsonl")
    found = light.run(tmp_path, "python", "-c", CODE, *args)
    assert found.returncode == 0, found.stderr
    full = COLD(
        [sys.executable, "-c", CODE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    printed, told = full.communicate()
    assert (found.stdout, found.stderr.splitlines()[-1], told.splitlines()[-1]) == (printed, "", "")
    rows = [json.loads(line) for line in printed.splitlines()]
    spoken = [row for row in rows if row["file"] == recordings[1] and row["label"] != "no speech"]
    assert len(spoken) > 3
    assert len(rows) - len(spoken) > 3  # of pauses, and the short recording


def test_torch_cannot_be_imported_there(light: Installed, tmp_path: Path) -> None:
    for name in HEAVY.split():
        assert "ModuleNotFoundError" in light.run(tmp_path, "python", "-c", f"import {name}").stderr


def test_the_command_has_its_help_and_its_errors(
    light: Installed, small_export: Path, tmp_path: Path
) -> None:
    assert "--whole_s" in light.run(tmp_path, "lightning-emorec", "predict", "--help").stdout
    args = ("predict", "none.wav", "--ckpt", str(small_export))
    done = light.run(tmp_path, "lightning-emorec", *args)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (3, "1 of 1 recordings could not be labelled")
    on_hub = light.run(tmp_path, "lightning-emorec", "predict", "a.wav", "--ckpt", "hf:some/body")
    assert "pip install huggingface_hub" in on_hub.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "status", "words"),
    [
        (
            ("--embeddings", "e.npz"),
            2,
            "error: expected a model with embeddings for --embeddings; found small",
        ),
        (("--device", "cuda:0"), 2, "found cuda:0; leave out --device"),
        (("--task", "sex"), 2, "error: expected no --task: the model has one; found sex; set --task"),
        (("--no_text",), 0, "WARNING --no_text changes nothing: the model reads no text"),
        (("--text", "oh"), 0, "WARNING texts are given but not used: the model reads no text"),
    ],
)
def test_a_flag_that_an_export_cannot_follow_is_told(
    light: Installed,
    small_export: Path,
    recordings: list[str],
    flags: tuple[str, ...],
    status: int,
    words: str,
) -> None:
    args = ("predict", recordings[0], "--ckpt", str(small_export), *flags)
    done = light.run(light.wheel.parent, "lightning-emorec", *args)
    assert (done.returncode, words in done.stderr) == (status, True), done.stderr
