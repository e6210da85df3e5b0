"""The folder of an export: written whole or not at all."""

from __future__ import annotations

import importlib.metadata
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning_emorec.errors import EmorecError
from lightning_emorec.hashing import sha256_of
from lightning_emorec.recognition.onnx_model import MODEL
from lightning_emorec.recognition.speech import speech_weights

SUMS = "SHA256SUMS"

LICENSED = ("lightning-emorec", "openai-whisper", "silero-vad")
"""Distributions whose code or weights an export holds."""


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of `folder` when the block ends without an error.

    Raises:
        EmorecError: `folder` holds something else than an earlier export.
    """
    refuse_other_content(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.unfinished")
    old = unfinished.with_suffix(".old")
    try:
        unfinished.mkdir()
        yield unfinished
        if folder.exists():
            folder.rename(old)
        unfinished.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        for left in (unfinished, old):
            shutil.rmtree(left, ignore_errors=True)


def refuse_other_content(folder: Path) -> None:
    """Check that a folder is new, empty or an earlier export.

    Raises:
        EmorecError: It is neither.
    """
    if not folder.exists():
        return
    if folder.is_dir() and (not any(folder.iterdir()) or is_export(folder)):
        return
    expected = "a new or empty folder, or one of an earlier export"
    raise EmorecError(expected, f"{folder}, which holds something else", "name another FOLDER")


def is_export(folder: Path) -> bool:
    """Whether `export` wrote a folder."""
    return all((folder / name).is_file() for name in (MODEL, SUMS))


def add_speech(folder: Path) -> None:
    """Copy Silero's network, which finds speech in long recordings, from its package.

    Raises:
        UnavailableError: silero-vad is not installed, or a release without the file.
    """
    found = speech_weights(onnx=True)
    shutil.copyfile(found, folder / found.name)


def add_licences(folder: Path) -> None:
    """Copy the notices of what an export holds into `licences/`."""
    (folder / "licences").mkdir()
    for name in LICENSED:
        try:
            files = importlib.metadata.distribution(name).files or []
        except importlib.metadata.PackageNotFoundError:
            continue  # of a clone that is not installed
        for file in (file for file in files if file.name.upper().startswith("LICENSE")):
            text = Path(str(file.locate())).read_text(encoding="utf8")
            (folder / "licences" / f"{name}.txt").write_text(text, encoding="utf8")


def add_checksums(folder: Path) -> None:
    """Write the SHA-256 of every file, as `sha256sum -c` reads them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf8")


def files_as_written(folder: Path) -> list[str]:
    """Paths of an export's files, each of which is as `export` wrote it; what was put beside them is left out.

    Raises:
        EmorecError: It is no export, or a file is missing or changed.
    """
    if not is_export(folder):
        found = f"{folder} without {MODEL} or {SUMS}"
        raise EmorecError("the folder of an export", found, "make it with `export RUN FOLDER`")
    lines = (folder / SUMS).read_text(encoding="utf8").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    changed = [
        name
        for name, digest in sums.items()
        if not (folder / name).is_file() or sha256_of(folder / name) != digest
    ]
    if changed:
        found = f"others: {', '.join(changed)}"
        raise EmorecError(f"the files that {folder / SUMS} lists", found, "export the model again")
    return [*sums, SUMS]
