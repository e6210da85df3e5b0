"""What has been found already, so that a repeated call does only what is missing or differs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.locks import lock
from lightning_emorec.recognition.segment import Segment


class Journal:
    """Segments by the digest of model, options and recording, on disk as JSON lines, each written as it is found.

    Several processes, each with its share of the recordings, write files of their own beside each other and read
    those of all.

    Args:
        file: The journal of all; None keeps nothing.
        rank: Which process this is.
    """

    def __init__(self, file: Path | None, rank: int = 0) -> None:
        self._file = file
        self._rank = rank
        self._failed: dict[str, str] = {}  # digest -> why; tried again by the next call
        self._found = self._read()
        self._open: IO[str] | None = None

    def get(self, digest: str) -> list[Segment] | None:
        """The segments of a recording; None where it has not been judged so."""
        return self._found.get(digest)

    def add(self, digest: str, segments: Sequence[Segment]) -> None:
        """Keep the segments of a recording, where there is a file that they are kept in."""
        if self._file is None:
            return
        self._found[digest] = list(segments)
        self._write({"digest": digest, "segments": [asdict(segment) for segment in segments]})

    def fail(self, digest: str, reason: str) -> None:
        """Note that a recording cannot be judged."""
        self._failed[digest] = reason
        self._write({"digest": digest, "failed": reason})

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        if self._open is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._open = self._part(self._rank).open("a", encoding="utf8")
        self._open.write(_line(row))
        self._open.flush()

    def merge(self, wanted: Sequence[str]) -> bool:
        """Make one journal of all, if every recording has been tried by some process.

        Args:
            wanted: Digests of all recordings; what was found of others is kept too.

        Returns:
            Whether this has been done: else other processes are still at work.
        """
        if self._open is not None:
            self._open.close()
            self._open = None
        if self._file is None:
            return True
        with closing(lock(self._file.with_name(f"{self._file.name}.lock"))):
            self._found = self._read()
            whole = all(digest in self._found or digest in self._failed for digest in wanted)
            if whole:
                lines = (
                    _line({"digest": digest, "segments": [asdict(segment) for segment in segments]})
                    for digest, segments in self._found.items()
                )
                write_atomically(self._file, "".join(lines))
                for part in self._parts():
                    part.unlink(missing_ok=True)
        return whole

    def _part(self, rank: int) -> Path:
        assert self._file is not None
        return self._file.with_name(f"{self._file.name}.{rank}")

    def _parts(self) -> list[Path]:
        assert self._file is not None
        return sorted(self._file.parent.glob(f"{self._file.name}.[0-9]*"))

    def _read(self) -> dict[str, list[Segment]]:
        if self._file is None or not self._file.parent.is_dir():
            return {}
        found: dict[str, list[Segment]] = {}
        for file in [self._file, *self._parts()]:
            for line in file.read_text(encoding="utf8").splitlines() if file.is_file() else []:
                try:
                    row = json.loads(line)
                    if "failed" in row:
                        self._failed[row["digest"]] = row["failed"]
                        continue
                    found[row["digest"]] = [Segment(**of) for of in row["segments"]]
                except (ValueError, TypeError, KeyError):
                    continue  # cut off when the process was killed, or of another version: judged again
        return found


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
