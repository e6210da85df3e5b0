"""The page as a server: its endpoint, what it keeps of recordings, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from lightning_emorec.__main__ import main
from tests.app.conftest import Page, serving
from tests.cli.conftest import Project

PATIENCE_S = 120.0
"""For a machine that does much else."""


def client_of(page: Page) -> Any:
    """A client of the page's endpoint; of its own accord it waits five seconds for each answer."""
    from gradio_client import Client

    return Client(page.url, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": PATIENCE_S})


@pytest.fixture
def ask(page: Page) -> Callable[[Path], Any]:
    """Ask the endpoint about a recording."""
    from gradio_client import handle_file

    client = client_of(page)
    return lambda path: client.predict(handle_file(path), api_name="/predict")


def test_the_endpoint_answers_what_predict_writes(
    ask: Callable[[Path], Any],
    trained: Project,
    recordings: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(recordings)
    for name in ("angry.wav", "conversation.wav"):
        written = tmp_path / f"{name}.json"
        options = ["--branches", "true", "--ckpt", "audio", "--runs", str(trained.runs)]
        main(["predict", name, *options, "-o", str(written)])
        assert ask(recordings / name) == json.loads(written.read_text())


def test_answers_to_requests_at_once_do_not_mix(page: Page, recordings: Path) -> None:
    from gradio_client import handle_file

    names = ["angry.wav", "happy.wav", "sad.wav"]
    clients = [(name, client_of(page)) for name in [*names, *names]]
    jobs = [
        (name, client.submit(handle_file(recordings / name), api_name="/predict")) for name, client in clients
    ]
    answers = [(name, job.result()) for name, job in jobs]
    assert all([segment["file"] for segment in answer] == [name] for name, answer in answers)
    alone = dict(answers[:3])
    assert all(answer == alone[name] for name, answer in answers[3:])
    assert len({json.dumps(answer[0]["probabilities"]) for answer in alone.values()}) == 3
    assert page.uploads() == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (b"RIFF" + bytes(range(256)) * 20, "cannot be read"),
        (b"a,b\n1,2\n", "it is text"),
    ],
    ids=["empty", "junk", "text"],
)
def test_what_is_no_recording_is_refused_in_one_line_and_removed(
    ask: Callable[[Path], Any], page: Page, tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "call.wav").write_bytes(content)
    with pytest.raises(Exception, match=reason) as caught:
        ask(tmp_path / "call.wav")
    assert str(caught.value).count("\n") == 0
    assert page.uploads() == []


@pytest.mark.parametrize("named", ["/etc/hostname", "http://127.0.0.1:9/call.wav"])
def test_files_of_this_machine_and_addresses_are_refused(page: Page, named: str) -> None:
    given = {"data": [{"path": named, "meta": {"_type": "gradio.FileData"}}, ""]}
    asked = httpx.post(f"{page.url}/gradio_api/call/predict", json=given, timeout=PATIENCE_S).json()[
        "event_id"
    ]
    answer = httpx.get(f"{page.url}/gradio_api/call/predict/{asked}", timeout=PATIENCE_S).text
    assert answer.startswith("event: error")
    assert "cannot be read" not in answer
    assert httpx.get(f"{page.url}/gradio_api/file=/etc/hostname", timeout=PATIENCE_S).status_code == 403


def test_recordings_that_are_too_long_or_too_large_are_refused(
    trained: Project, recordings: Path, tmp_path: Path
) -> None:
    from gradio_client import handle_file

    with serving(trained, tmp_path, "--max_minutes", "0.1", "--max_mb", "1") as page:
        client = client_of(page)
        with pytest.raises(Exception, match=r"expected at most 0\.1 minutes"):
            client.predict(handle_file(recordings / "noise.wav"), api_name="/predict")
        with pytest.raises(httpx.HTTPStatusError, match="413"):
            upload(page, recordings / "conversation.wav")
        assert page.uploads() == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_page_and_removes_what_it_kept(
    trained: Project, recordings: Path, tmp_path: Path, number: int, status: int
) -> None:
    with serving(trained, tmp_path) as page:
        upload(page, recordings / "angry.wav")
        assert page.uploads() == ["angry.wav"]
        page.process.send_signal(number)
        assert page.process.wait(timeout=PATIENCE_S) == status
        assert [path.name for path in page.kept.iterdir()] == ["starting"]


def test_what_a_killed_page_left_goes_at_the_next_start(
    trained: Project, recordings: Path, tmp_path: Path
) -> None:
    with serving(trained, tmp_path) as killed:
        upload(killed, recordings / "angry.wav")
        killed.process.kill()
        killed.process.wait()
        assert killed.uploads() == ["angry.wav"]
    with serving(trained, tmp_path) as first:
        assert first.uploads() == []
        upload(first, recordings / "happy.wav")
        with serving(trained, tmp_path):
            assert first.uploads() == ["happy.wav"]


def test_a_port_that_is_taken_is_told_in_one_line(
    trained: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as caught:
            main(["app", "--ckpt", "audio", "--runs", str(trained.runs), "--port", str(port)])
    assert caught.value.code == 2
    assert f"127.0.0.1:{port}" in capsys.readouterr().err.splitlines()[-1]


def upload(page: Page, path: Path) -> None:
    """Send a recording without asking anything."""
    with path.open("rb") as file:
        httpx.post(
            f"{page.url}/gradio_api/upload", files={"files": (path.name, file)}, timeout=PATIENCE_S
        ).raise_for_status()
    deadline = time.monotonic() + 10
    while path.name not in page.uploads() and time.monotonic() < deadline:
        time.sleep(0.05)
