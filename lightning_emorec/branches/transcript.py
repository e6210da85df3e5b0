"""What branches that read a transcript have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from lightning_emorec.branches.branch import Branch
from lightning_emorec.features import Feature, Transcript, TranscriptSource, transcript_feature
from lightning_emorec.types import Batch, Tasks


class TranscriptBranch(Branch):
    """A branch over the text of a clip.

    Args:
        tasks: Task name -> class names.
        transcript: Where the text comes from: `whisper`, the corpus's `reference`, or a `file`.
        whisper: Name or path of the Whisper model; null means `$EMOREC_WHISPER`, else tiny.en.
        transcript_file: A CSV with the columns clip and text, for `transcript: file`.
        context_s: Pad clips to this and not to 30 s for Whisper: faster, less faithful.
        language: What is spoken, for Whisper, such as pl; other languages than en need a multilingual model.
    """

    def __init__(
        self,
        tasks: Tasks,
        transcript: TranscriptSource = "whisper",
        whisper: str | None = None,
        transcript_file: str | None = None,
        context_s: float | None = None,
        language: str = "en",
        **recipe: Any,
    ) -> None:
        super().__init__(tasks, **recipe)
        self.transcript = transcript_feature(transcript, whisper, transcript_file, context_s, language)

    @classmethod
    def transcript_of(cls, init_args: Mapping[str, Any]) -> Transcript:
        """The transcript that these arguments choose."""
        given = cls.with_defaults(init_args)
        names = ("transcript", "whisper", "transcript_file", "context_s", "language")
        return transcript_feature(*(given[name] for name in names))

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The transcript."""
        return [cls.transcript_of(init_args)]

    def texts(self, batch: Batch) -> list[str]:
        """The transcript of each clip."""
        return cast("list[str]", batch.features[self.feature_keys[0]])
