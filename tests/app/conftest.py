"""A page that serves a small trained model, and a browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.cli.conftest import Project, make_project
from tests.warm_start import COLD

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


@dataclass(frozen=True)
class Page:
    """A process that serves the page, and the folder in which it keeps recordings."""

    process: subprocess.Popen[str]
    url: str
    kept: Path

    def uploads(self) -> list[str]:
        """Names of the audio files that are there, but for the examples."""
        return [
            path.name
            for path in self.kept.rglob("*")
            if path.suffix in (".wav", ".flac", ".mp3") and "examples" not in path.parts
        ]


@pytest.fixture(scope="session")
def gradio() -> None:
    """Tests that need the page skip where its package is absent."""
    pytest.importorskip("gradio", reason="the page needs gradio: pip install 'lightning-emorec[app]'")


@pytest.fixture(scope="session")
def trained(gradio: None, tmp_path_factory: pytest.TempPathFactory, tones: Path) -> Project:
    """A project with the run `audio`."""
    project = make_project(tmp_path_factory.mktemp("trained"), tones)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOREC_CACHE", str(project.folder / "cache"))
        project.run("fit", "--config", project.config("audio"))
    return project


@contextmanager
def serving(project: Project, cache: Path, *args: str) -> Iterator[Page]:
    """The page in a process of its own, which is killed in the end if it is there still."""
    command = [
        sys.executable,
        "-m",
        "lightning_emorec",
        "app",
        "--ckpt",
        "audio",
        "--runs",
        str(project.runs),
    ]
    # Not a fork: one closes the files of the test process, and has answered with nonsense at times.
    process: subprocess.Popen[str] = COLD(
        [*command, "--port", "0", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={**os.environ, "EMOREC_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        found = re.search(r"http://\S+:\d+", told)
        assert found, told
        yield Page(process, found[0], cache / "app")
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def page(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One for all tests of a module."""
    with serving(trained, tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window, and a microphone that beeps."""
    api = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"chromium is not here: no {CHROMIUM}")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*FLAGS, *sandbox])
        yield started
        started.close()


@pytest.fixture(scope="session")
def recordings(gradio: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated voices: `angry.wav`, `happy.wav`, `sad.wav`, `conversation.wav`; and 10 s of noise, `noise.wav`."""
    from lightning_emorec.app.examples import make_examples

    folder = tmp_path_factory.mktemp("recordings")
    make_examples(folder)
    noise = np.random.default_rng(0).normal(0, 0.01, 10 * 16000)
    soundfile.write(folder / "noise.wav", noise, 16000)
    return folder
