"""Transcripts of clips: from the corpus, from a file, or by speech recognition."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal, cast

from lightning_emorec.audio import AudioStore
from lightning_emorec.errors import EmorecError
from lightning_emorec.features.feature import Feature, Options, Value
from lightning_emorec.types import Clip

TranscriptSource = Literal["whisper", "reference", "file"]
"""Where a branch's text comes from: speech recognition, the corpus, or a CSV."""

_NAMED = 5  # clips that an error names


class Transcript(Feature):
    """Text of each clip. A value is a dict with at least `text`."""

    name: ClassVar[str] = "transcript"
    activity: ClassVar[str] = "transcribing"

    def collate(self, values: Sequence[Value]) -> list[str]:
        """One string a clip; empty where nothing is spoken."""
        return [cast("dict[str, str]", value)["text"] for value in values]


class ReferenceTranscript(Transcript):
    """The text that the corpus gives: that of the script, not of a recogniser."""

    from_audio: ClassVar[bool] = False

    def options(self) -> Options:
        """Nothing but the source."""
        return {"source": "reference"}

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        """Yield `{"text": ...}` of each clip."""
        _refuse_missing(
            [clip.id for clip in clips if clip.text is None],
            "a text for every clip in the corpus",
            "give the corpus a text column, or choose transcript: whisper or file",
        )
        yield from ({"text": clip.text} for clip in clips)


class TranscriptFile(Transcript):
    """Texts from a CSV file with the columns `clip` (a clip's id) and `text`.

    Args:
        path: The file, UTF-8, relative to the working directory.
    """

    from_audio: ClassVar[bool] = False

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def options(self) -> Options:
        """The digest of the file, so that an edited file is another feature."""
        return {"source": "file", "sha256": hashlib.sha256(self._bytes()).hexdigest()}

    def check_available(self) -> None:
        """Read the file."""
        self._texts()

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        """Yield `{"text": ...}` of each clip."""
        texts = self._texts()
        _refuse_missing(
            [clip.id for clip in clips if clip.id not in texts],
            f"a row for every clip in {self.path}",
            "add the rows, with an empty text where nothing is spoken",
        )
        yield from ({"text": texts[clip.id]} for clip in clips)

    def _bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise EmorecError(
                "a CSV of transcripts", f"{self.path}: {error.strerror}", "correct transcript_file"
            ) from error

    def _texts(self) -> dict[str, str]:
        return _parse(str(self.path), self._bytes())


def transcript_feature(
    transcript: TranscriptSource,
    whisper: str | None = None,
    transcript_file: str | None = None,
    context_s: float | None = None,
    language: str = "en",
) -> Transcript:
    """Build the transcript that a branch's plain arguments ask for.

    Args:
        transcript: Where the text comes from.
        whisper: For `whisper`: a model's name or the path of its checkpoint; None means `$EMOREC_WHISPER`,
            else tiny.en.
        transcript_file: For `file`: the path of the CSV.
        context_s: For `whisper`: see `WhisperTranscript`.
        language: For `whisper`: what is spoken, as Whisper abbreviates it.
    """
    if transcript == "reference":
        return ReferenceTranscript()
    if transcript == "whisper":
        from lightning_emorec.features.whisper import WhisperTranscript  # it subclasses Transcript

        return WhisperTranscript(whisper, language=language, context_s=context_s)
    if transcript_file is None:
        raise EmorecError(
            "a transcript_file with transcript: file", "none", "give the path of a CSV with clip,text"
        )
    return TranscriptFile(transcript_file)


def _refuse_missing(clips: Sequence[str], expected: str, fix: str) -> None:
    if clips:
        more = ", ..." if len(clips) > _NAMED else ""
        raise EmorecError(expected, f"{len(clips)} without: {', '.join(clips[:_NAMED])}{more}", fix)


@lru_cache(maxsize=4)
def _parse(path: str, content: bytes) -> dict[str, str]:
    """Clip id -> text; `path` is for the errors."""
    try:
        lines = content.decode("utf-8-sig").splitlines(keepends=True)
        reader = csv.DictReader(lines, strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise EmorecError(
            "a CSV of transcripts in UTF-8", f"{path}: {error}", "correct transcript_file"
        ) from error
    columns = reader.fieldnames or []
    if not {"clip", "text"} <= set(columns):
        raise EmorecError(
            "the columns clip and text",
            f"{', '.join(columns) or 'nothing'} in {path}",
            "correct transcript_file",
        )
    texts: dict[str, str] = {}
    for row in rows:
        if row["clip"] in texts:
            raise EmorecError("one row a clip", f"{row['clip']} twice in {path}", "correct transcript_file")
        texts[row["clip"]] = row["text"] or ""
    return texts
