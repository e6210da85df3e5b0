"""What has been found already, so that a repeated call does only what is missing or differs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import IO

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
        self._found = self._read()
        self._open: IO[str] | None = None

    def get(self, digest: str) -> list[Segment] | None:
        """The segments of a recording; None where it has not been judged so."""
        return self._found.get(digest)

    def add(self, digest: str, segments: Sequence[Segment]) -> None:
        """Keep the segments of a recording."""
        self._found[digest] = list(segments)
        if self._file is None:
            return
        if self._open is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._open = self._part(self._rank).open("a", encoding="utf8")
        self._open.write(_line(digest, segments))
        self._open.flush()

    def merge(self, wanted: Sequence[str]) -> bool:
        """Make one journal of all, if every recording has been judged by some process.

        Args:
            wanted: Digests of all recordings; others are dropped.

        Returns:
            Whether this has been done, by this process or by another before.
        """
        if self._open is not None:
            self._open.close()
            self._open = None
        if self._file is None:
            return all(digest in self._found for digest in wanted)
        with closing(lock(self._file.with_name(f".{self._file.name}.lock"))):
            self._found = self._read()
            whole = all(digest in self._found for digest in wanted)
            if whole:
                lines = (_line(digest, self._found[digest]) for digest in dict.fromkeys(wanted))
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
                    found[row["digest"]] = [Segment(**of) for of in row["segments"]]
                except (ValueError, TypeError, KeyError):
                    continue  # cut off when the process was killed, or of another version: judged again
        return found


def _line(digest: str, segments: Sequence[Segment]) -> str:
    rows = [asdict(segment) for segment in segments]
    return json.dumps({"digest": digest, "segments": rows}, ensure_ascii=False) + "\n"
