"""The arguments that every branch that reads has in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_emorec.features import Transcript, transcript_feature


def transcript_of(init_args: Mapping[str, Any]) -> Transcript:
    """The transcript that `transcript`, `whisper`, `transcript_file` and `context_s` ask for."""
    return transcript_feature(
        init_args.get("transcript", "whisper"),
        init_args.get("whisper"),
        init_args.get("transcript_file"),
        init_args.get("context_s"),
    )
