from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lightning_emorec.audio import AudioStore
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import (
    ReferenceTranscript,
    Transcript,
    TranscriptFile,
    WhisperTranscript,
    transcript_feature,
)
from lightning_emorec.types import Clip


@pytest.fixture
def audio(tmp_path: Path) -> AudioStore:
    return AudioStore(tmp_path / "cache", 16000)


def clip(name: str, text: str | None = None) -> Clip:
    return Clip(id=name, actor="1", path=None, text=text)


def texts(feature: Transcript, clips: list[Clip], audio: AudioStore) -> list[str]:
    return feature.collate(list(feature.compute(clips, audio)))


def write(folder: Path, content: str) -> str:
    path = folder / "transcripts.csv"
    path.write_bytes(content.encode())
    return str(path)


def test_the_reference_is_the_text_of_the_corpus(audio: AudioStore) -> None:
    assert texts(ReferenceTranscript(), [clip("a", "One."), clip("b", "")], audio) == ["One.", ""]


def test_clips_without_a_reference_are_counted_and_the_first_named(audio: AudioStore) -> None:
    clips = [clip("spoken", "One."), *(clip(f"silent{number}") for number in range(7))]
    with pytest.raises(
        EmorecError, match=r"found 7 without: silent0, silent1, silent2, silent3, silent4, \.\.\.;"
    ):
        texts(ReferenceTranscript(), clips, audio)


def test_a_file_gives_the_text_of_each_clip_in_the_order_of_the_clips(
    tmp_path: Path, audio: AudioStore
) -> None:
    path = write(tmp_path, 'clip,text\na,"Yes, now."\nb,\nc,"two\nlines"\n')
    feature = TranscriptFile(path)
    assert texts(feature, [clip("c"), clip("b"), clip("a")], audio) == ["two\nlines", "", "Yes, now."]


def test_a_file_may_have_a_byte_order_mark_and_more_columns(tmp_path: Path, audio: AudioStore) -> None:
    path = write(tmp_path, "\ufeffclip,confidence,text\r\na,0.9,Ja\u0308.\r\n")
    assert texts(TranscriptFile(path), [clip("a")], audio) == ["Ja\u0308."]


def test_clips_that_a_file_lacks_are_counted_and_named(tmp_path: Path, audio: AudioStore) -> None:
    feature = TranscriptFile(write(tmp_path, "clip,text\na,One.\n"))
    with pytest.raises(EmorecError, match=r"a row for every clip in .*found 2 without: b, c;"):
        texts(feature, [clip("a"), clip("b"), clip("c")], audio)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    feature = TranscriptFile(str(tmp_path / "nowhere.csv"))
    with pytest.raises(EmorecError, match=r"nowhere.csv: No such file.*correct transcript_file"):
        feature.check_available()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "the columns clip and text; found nothing"),
        ("id,text\na,One.\n", "the columns clip and text; found id, text"),
        ("clip,text\na,One.\na,Two.\n", "one row a clip; found a twice"),
        ('clip,text\na,"One.\n', "a CSV of transcripts in UTF-8; found"),
    ],
)
def test_a_malformed_file_is_told(tmp_path: Path, content: str, complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        TranscriptFile(write(tmp_path, content)).check_available()


def test_a_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("clip,text\na,schön\n".encode("latin-1"))
    with pytest.raises(EmorecError, match="in UTF-8"):
        TranscriptFile(str(path)).check_available()


def test_an_edited_file_is_another_feature(tmp_path: Path, audio: AudioStore) -> None:
    feature = TranscriptFile(write(tmp_path, "clip,text\na,One.\n"))
    before = feature.key
    assert texts(feature, [clip("a")], audio) == ["One."]
    write(tmp_path, "clip,text\na,Two.\n")
    assert feature.key != before
    assert texts(feature, [clip("a")], audio) == ["Two."]


def test_a_moved_file_is_the_same_feature(tmp_path: Path) -> None:
    path = Path(write(tmp_path, "clip,text\na,One.\n"))
    before = TranscriptFile(str(path)).key
    moved = path.rename(tmp_path / "moved.csv")
    assert TranscriptFile(str(moved)).key == before


def test_the_arguments_of_a_branch_choose_the_transcript() -> None:
    assert isinstance(transcript_feature("reference"), ReferenceTranscript)
    assert isinstance(transcript_feature("file", transcript_file="x.csv"), TranscriptFile)
    whisper = transcript_feature("whisper", whisper="base.en", context_s=10.0)
    assert isinstance(whisper, WhisperTranscript)
    assert (whisper.weights.model, whisper.context_s, whisper.language) == ("base.en", 10.0, "en")
    polish = transcript_feature("whisper", whisper="base", language="pl")
    assert isinstance(polish, WhisperTranscript)
    assert polish.language == "pl"


def test_a_transcript_from_a_file_needs_a_file() -> None:
    with pytest.raises(EmorecError, match="a transcript_file with transcript: file"):
        transcript_feature("file")


def test_importing_the_features_imports_no_speech_recogniser() -> None:
    code = "import sys, lightning_emorec.features; print({'whisper', 'transformers'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
