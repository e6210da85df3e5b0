"""The download of RAVDESS, from a server on loopback that serves a tiny archive."""

from __future__ import annotations

import errno
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lightning_emorec.corpora import Ravdess, ravdess
from lightning_emorec.corpora.download import Archive
from lightning_emorec.errors import EmorecError

STEM = "03-01-05-02-01-01-03"
PADDING = bytes(range(256)) * 1600  # 400 kB: several blocks


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr(f"Actor_03/{STEM}.wav", PADDING)
    return stream.getvalue()


@dataclass
class Server:
    """What the server does, and what it was asked."""

    content: bytes = field(default_factory=zipped)
    resumes: bool = True
    break_after: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""

    def respond(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.resumes else 0
        request.send_response(206 if start else 200)
        if start:
            last, size = len(self.content) - 1, len(self.content)
            request.send_header("Content-Range", f"bytes {start}-{last}/{size}")
        request.send_header("Content-Length", str(len(self.content) - start))
        request.end_headers()
        sent = self.content[start:]
        request.wfile.write(sent[: self.break_after.pop(0)] if self.break_after else sent)


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.respond(self)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        served.url = f"http://127.0.0.1:{http.server_port}/speech.zip"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield served
        http.shutdown()
        thread.join()


@pytest.fixture
def archive(server, monkeypatch) -> Archive:
    content = server.content
    archive = Archive(
        url=server.url,
        size_bytes=len(content),
        md5=hashlib.md5(content).hexdigest(),
        unpacked_bytes=3_000_000,
        notice="licensed CC BY-NC-SA 4.0",
        fix="use a copy",
    )
    monkeypatch.setattr(ravdess, "ARCHIVE", archive)
    return archive


def part_of(root: Path) -> Path:
    return root / "speech.zip.part"


def visible(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if not path.name.startswith("."))


def test_the_archive_is_unpacked_into_the_root_and_removed(tmp_path, archive):
    corpus = Ravdess(str(tmp_path / "new"))
    corpus.prepare()
    (clip,) = corpus.clips()
    assert clip.path == tmp_path / f"new/speech/Actor_03/{STEM}.wav"
    assert clip.path.read_bytes() == PADDING
    assert visible(tmp_path / "new") == ["speech"]


def test_the_licence_is_said_before_the_download(tmp_path, archive, server, capsys):
    server.content = b""
    with pytest.raises(EmorecError):
        Ravdess(str(tmp_path)).prepare()
    assert "CC BY-NC-SA 4.0" in capsys.readouterr().err


def test_the_published_archive_is_announced_with_licence_and_citation():
    assert "CC BY-NC-SA 4.0" in ravdess.ARCHIVE.notice
    assert "Livingstone" in ravdess.ARCHIVE.notice
    assert ravdess.ARCHIVE.name == "Audio_Speech_Actors_01-24.zip"


def test_a_dropped_connection_is_taken_up_where_it_broke(tmp_path, archive, server):
    server.break_after = [100_000, 50_000]
    corpus = Ravdess(str(tmp_path))
    corpus.prepare()
    assert corpus.clips()[0].path.read_bytes() == PADDING
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_a_download_that_got_nowhere_is_kept_and_continued_by_the_next_run(tmp_path, archive, server):
    server.break_after = [100_000, 0]
    with pytest.raises(EmorecError, match=r"closed early, after 0\.1 of 0\.4 MB; .*run again .*use a copy"):
        Ravdess(str(tmp_path)).prepare()
    assert part_of(tmp_path).read_bytes() == server.content[:100_000]
    server.ranges.clear()
    Ravdess(str(tmp_path)).prepare()
    assert server.ranges == ["bytes=100000-"]
    assert len(Ravdess(str(tmp_path)).clips()) == 1


def test_a_server_that_cannot_resume_is_read_from_the_start(tmp_path, archive, server):
    server.resumes = False
    part_of(tmp_path).write_bytes(b"x" * 1000)
    corpus = Ravdess(str(tmp_path))
    corpus.prepare()
    assert corpus.clips()[0].path.read_bytes() == PADDING


def test_a_server_that_cannot_resume_and_always_breaks_off_is_given_up(tmp_path, archive, server):
    server.resumes = False
    server.break_after = [100_000, 100_000, 100_000]
    with pytest.raises(EmorecError, match="closed early"):
        Ravdess(str(tmp_path)).prepare()
    assert len(server.ranges) == 2


def test_a_wrong_md5_is_refused_and_the_file_removed(tmp_path, archive, server):
    server.content = server.content[:-1] + b"?"
    with pytest.raises(EmorecError, match=f"md5 {archive.md5}; found another file"):
        Ravdess(str(tmp_path)).prepare()
    assert visible(tmp_path) == []


def test_a_file_of_another_size_is_not_written(tmp_path, archive, server):
    server.content = b"<html>please log in</html>"
    with pytest.raises(EmorecError, match="a file of 26 bytes instead of"):
        Ravdess(str(tmp_path)).prepare()
    assert part_of(tmp_path).read_bytes() == b""


def test_no_network_is_one_clear_line(tmp_path, archive, monkeypatch):
    monkeypatch.setattr(ravdess, "ARCHIVE", replace(archive, url="http://127.0.0.1:9/speech.zip"))
    with pytest.raises(EmorecError, match=r"refused.* after 0\.0 of 0\.4 MB; check the network") as caught:
        Ravdess(str(tmp_path)).prepare()
    assert "\n" not in str(caught.value)


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


class SmallDisk(io.FileIO):
    """A file on a disk with room for 100 kB."""

    def write(self, block: bytes) -> int:
        if self.tell() + len(block) > 100_000:
            no_space()
        return super().write(block)


def test_a_full_disk_while_downloading_says_how_much_is_needed_and_keeps_what_came(
    tmp_path, archive, monkeypatch
):
    ordinary = Path.open

    def open_on_small_disk(path: Path, mode: str = "r", **options: str) -> object:
        return SmallDisk(path, "r+") if path.suffix == ".part" else ordinary(path, mode, **options)

    monkeypatch.setattr(Path, "open", open_on_small_disk)
    with pytest.raises(EmorecError, match=r"expected 3 MB of free space in .*found a full disk"):
        Ravdess(str(tmp_path)).prepare()
    assert 0 < part_of(tmp_path).stat().st_size <= 100_000


def test_a_full_disk_while_unpacking_keeps_the_archive_and_no_half_corpus(tmp_path, archive, monkeypatch):
    monkeypatch.setattr(zipfile.ZipFile, "extract", no_space)
    with pytest.raises(EmorecError, match="3 MB of free space"):
        Ravdess(str(tmp_path)).prepare()
    assert visible(tmp_path) == ["speech.zip"]
    assert not (tmp_path / ".unpacking").exists()


def test_an_archive_already_there_is_not_downloaded_again(tmp_path, archive, server):
    (tmp_path / "speech.zip").write_bytes(server.content)
    Ravdess(str(tmp_path)).prepare()
    assert server.ranges == []
    assert len(Ravdess(str(tmp_path)).clips()) == 1


def test_two_at_once_download_once(tmp_path, archive, server):
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(Ravdess(str(tmp_path)).prepare) for _ in range(2)]:
            done.result()
    assert len(server.ranges) == 1
    assert len(Ravdess(str(tmp_path)).clips()) == 1
