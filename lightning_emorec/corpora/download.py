"""A published archive: downloaded, resumed when broken off, checked and unpacked."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.request import Request, urlopen

import pooch
from rich.console import Console
from rich.progress import DownloadColumn

from lightning_emorec.errors import EmorecError
from lightning_emorec.progress import progress_bar, track

_TIMEOUT_S = 30.0
_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Archive:
    """A zip file on a server.

    Attributes:
        url: Where it is.
        size_bytes: Its size.
        md5: Its published checksum, in hex.
        unpacked_bytes: Roughly what its files take.
        notice: Licence and citation, said before the download.
        fix: What a user without a network can do instead.
    """

    url: str
    size_bytes: int
    md5: str
    unpacked_bytes: int
    notice: str
    fix: str

    @property
    def name(self) -> str:
        """The file name, which is the end of the URL."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def needed_bytes(self) -> int:
        """Disk space for the archive and its files together."""
        return self.size_bytes + self.unpacked_bytes


class _BrokenOffError(Exception):
    """The server did not answer, or stopped answering."""


def install(archive: Archive, folder: Path) -> None:
    """Put the archive's files into a folder named after it, within `folder`, all at once.

    A download that breaks off stays as `.part` and is continued by the next call.

    Args:
        archive: What to get.
        folder: An existing folder that no other process installs into meanwhile.

    Raises:
        EmorecError: No network, or the file is not the published one (it is then removed).
        OSError: The disk is full or the folder cannot be written.
    """
    Console(stderr=True).print(archive.notice)
    path = _fetch(archive, folder)
    _unpack(path, folder)
    path.unlink()


def _fetch(archive: Archive, folder: Path) -> Path:
    """Download what is missing and check it; an archive that is there already is only checked."""

    # Pooch checks and moves; its own downloaders cannot resume, so it is given one that can.
    def download(_url: str, output_file: str, _pooch: object) -> None:
        part = folder / f"{archive.name}.part"
        _complete(archive, part)
        part.replace(output_file)

    try:
        path: str = pooch.retrieve(
            archive.url, f"md5:{archive.md5}", fname=archive.name, path=folder, downloader=download
        )
    except ValueError as error:
        raise EmorecError(
            f"{archive.name} with the md5 {archive.md5}",
            f"another file at {archive.url}, or a damaged download (removed)",
            f"run again, or {archive.fix}",
        ) from error
    return Path(path)


def _complete(archive: Archive, part: Path) -> None:
    """Append to the `.part` file until it is whole; a connection that gets no further ends it."""
    part.touch()
    with progress_bar(count=DownloadColumn()) as progress:
        task = progress.add_task(archive.name, total=archive.size_bytes)
        while (before := part.stat().st_size) < archive.size_bytes:
            reason = "the connection closed early"
            try:
                with part.open("r+b") as file:
                    for at, block in _blocks(archive, before):
                        file.seek(at)  # not always the end: a server that cannot resume starts at 0 again
                        file.write(block)
                        progress.update(task, completed=at + len(block))
            except _BrokenOffError as error:
                reason = str(error)
            have = part.stat().st_size
            if have <= before:
                raise EmorecError(
                    f"the archive at {archive.url}",
                    f"{reason}, after {have / 1e6:,.1f} of {archive.size_bytes / 1e6:,.1f} MB",
                    f"check the network and run again (it goes on from there), or {archive.fix}",
                )


def _blocks(archive: Archive, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield (position, bytes) from `start` on, or from 0 where the server cannot resume.

    Raises:
        _BrokenOffError: The server is not reached, refuses, has another file, or breaks off.
    """
    headers = {"User-Agent": "lightning-emorec"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        with urlopen(Request(archive.url, headers=headers), timeout=_TIMEOUT_S) as response:
            at = start if response.status == 206 else 0
            size = _announced_bytes(response)
            if size not in (None, archive.size_bytes):
                raise _BrokenOffError(f"a file of {size:,} bytes instead of {archive.size_bytes:,}")
            while block := response.read1(_BLOCK_BYTES):
                yield at, block
                at += len(block)
    except (OSError, HTTPException) as error:
        raise _BrokenOffError(str(error) or type(error).__name__) from error


def _announced_bytes(response: HTTPResponse) -> int | None:
    """Size of the whole file according to the server: a login page must not pass for the archive."""
    if response.status == 206:
        size = response.headers.get("Content-Range", "").rpartition("/")[2]
    else:
        size = response.headers.get("Content-Length", "")
    return int(size) if size.isdigit() else None


def _unpack(path: Path, folder: Path) -> None:
    temporary = folder / ".unpacking"
    shutil.rmtree(temporary, ignore_errors=True)  # left by a process that was killed
    try:
        with zipfile.ZipFile(path) as file:
            for member in track(file.infolist(), f"Unpacking {path.name}"):
                file.extract(member, temporary)
        temporary.rename(folder / path.stem)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
