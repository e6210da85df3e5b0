from __future__ import annotations

from pathlib import Path

import pytest

from lightning_emorec.audio import sounds_of
from lightning_emorec.errors import UnavailableError
from lightning_emorec.types import Clip

HEARD = Clip("heard", "1", Path("heard.wav"))
SILENT = Clip("silent", "1", None)


def test_every_clip_has_its_path_in_order() -> None:
    assert sounds_of([HEARD, Clip("b", "2", Path("b.wav"))]) == [Path("heard.wav"), Path("b.wav")]


def test_a_corpus_of_text_is_told_apart_from_a_missing_file() -> None:
    with pytest.raises(UnavailableError, match="found the corpus has no audio"):
        sounds_of([SILENT, SILENT])
    with pytest.raises(UnavailableError, match=r"found none for 1 of 2 clips, e\.g\. silent"):
        sounds_of([HEARD, SILENT])


def test_no_clips_have_no_paths() -> None:
    assert sounds_of([]) == []
