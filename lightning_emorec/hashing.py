"""SHA-256 of files, and short hashes of plain values."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path


def short_hash(content: object, digits: int = 16) -> str:
    """The first hexadecimal digits of the SHA-256 of bytes, or of plain values as JSON with sorted keys.

    Values that JSON does not support are converted by `str`.
    """
    if not isinstance(content, bytes):
        content = json.dumps(content, sort_keys=True, default=str).encode()
    return hashlib.sha256(content).hexdigest()[:digits]


def sha256_of(path: Path) -> str:
    """Hexadecimal digest of a file, computed in each call."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file, cached in this process until its size or modification time changes."""
    stat = path.stat()
    return _cached_sha256(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _cached_sha256(path: Path, size: int, mtime_ns: int) -> str:  # noqa: ARG001 - size and time are part of the key
    return sha256_of(path)
