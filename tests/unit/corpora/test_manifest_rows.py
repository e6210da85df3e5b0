"""What tables of real corpora hold: odd speakers, segments, files listed twice, labels of another spelling."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.errors import EmorecError
from lightning_emorec.speaker_names import canonical
from lightning_emorec.types import Clip

TASKS = {"emotion": ["happy", "sad", "angry"]}
HEADER = "path,actor,emotion"


@pytest.fixture(autouse=True)
def _warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


def corpus(folder: Path, *lines: str, **options: Any) -> ManifestCorpus:
    path = folder / "clips.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ManifestCorpus(str(path), **{"tasks": TASKS, **options})


def read(folder: Path, *lines: str, **options: Any) -> list[Clip]:
    return corpus(folder, *lines, **options).clips()


def by_speakers(*speakers: str) -> list[str]:
    return [HEADER, *(f"{row}.wav,{speaker},sad" for row, speaker in enumerate(speakers))]


def actors(clips: list[Clip]) -> list[str]:
    return [clip.actor for clip in clips]


def test_all_bad_rows_are_told_at_once_with_what_they_may_mean(tmp_path: Path) -> None:
    lines = [HEADER, *(f"{row}.wav,Ann,Happy" for row in range(5)), "x.wav,,sadness", "y.wav,Bo,tired,"]
    with pytest.raises(EmorecError) as caught:
        read(tmp_path, *lines)
    said = str(caught.value)
    assert "emotion to be one of happy, sad, angry, or empty and a speaker in the column actor" in said
    assert "'Happy' (did you mean happy?) in rows 2, 3, 4 and 2 more" in said
    assert "'sadness' (did you mean sad?) in row 7, 'tired' in row 8 and none in row 7: 7 bad rows in" in said
    assert "\n" not in said


def test_a_part_of_another_spelling_gets_a_hint(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=r"'Train' \(did you mean train\?\) in row 2"):
        read(tmp_path, f"{HEADER},part", "a.wav,Ann,sad,Train", part_column="part")


def test_class_names_that_yaml_reads_otherwise_are_to_be_quoted() -> None:
    for classes, found in (
        ([False, True], r"False \(bool\), True \(bool\)"),
        (["a", None, 2], r"None \(null\), 2 \(int\)"),
    ):
        with pytest.raises(
            EmorecError, match=f"class names of mood that are texts; found {found}; quote them"
        ):
            ManifestCorpus("clips.csv", {"mood": classes})
    with pytest.raises(EmorecError, match=r"names of tasks that are texts; found True \(bool\)"):
        ManifestCorpus("clips.csv", {True: ["a", "b"]})


@pytest.mark.parametrize("name", ["1", "01", "1.0", "1.", " 1 ", "１"])
def test_a_number_is_one_speaker_however_it_is_written(name: str) -> None:
    assert canonical(name) == "1"


@pytest.mark.parametrize("name", ["1.5", "-1", "1e3", "p01", "Ann", "1 2"])
def test_other_names_are_no_numbers(name: str) -> None:
    assert canonical(name) == name


def test_spellings_of_a_number_are_one_speaker_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clips = read(tmp_path, *by_speakers("1", "1.0", "01", "02", "3.0", "Ann  Lee", "Ann Lee"))
    assert actors(clips) == ["1", "1", "1", "02", "3.0", "Ann Lee", "Ann Lee"]
    assert "'1' = '1.0' = '01'; 'Ann  Lee' = 'Ann Lee'" in caplog.text


def test_speakers_that_differ_in_case_stay_two_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = corpus(tmp_path, *by_speakers("Anna", "anna", "Ben"))
    assert actors(made.clips()) == actors(made.clips()) == ["Anna", "anna", "Ben"]
    assert len(caplog.records) == 1
    assert "'Anna' = 'anna'" in caplog.text


NOBODY = ["nan", "NaN", "Unknown", "-1", "none", "n/a", "NA", "<NA>", "unk", "-", ""]


def test_clips_without_a_speaker_are_refused_and_counted(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=r"a speaker in the column actor.*11 bad rows in .*no_speaker"):
        read(tmp_path, *by_speakers(*NOBODY, "1", "2"))


def test_clips_without_a_speaker_can_be_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clips = read(tmp_path, *by_speakers("1", *NOBODY, "2"), no_speaker="leave_out")
    assert actors(clips) == ["1", "2"]
    assert "11 of 13 clips of" in caplog.text
    assert "left out" in caplog.text


def test_clips_without_a_speaker_can_be_a_person_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clips = read(tmp_path, *by_speakers(*NOBODY), no_speaker="each_clip")
    assert len(set(actors(clips))) == 11
    assert "may share a voice" in caplog.text


def test_segments_of_a_file_without_speakers_are_never_parted(tmp_path: Path) -> None:
    lines = [f"{HEADER},start,end", "a.wav,,sad,0,1", "a.wav,,happy,1,2", "b.wav,,sad,0,1"]
    first, second, other = actors(read(tmp_path, *lines, no_speaker="each_clip"))
    assert first == second != other


def test_segments_of_a_file_are_clips(tmp_path: Path) -> None:
    lines = [f"{HEADER},start,end", "long.wav,1,happy,0,2", "long.wav,1,sad,2,", "long.wav,1,sad,,"]
    clips = read(tmp_path, *lines)
    assert [(clip.id, clip.start, clip.end) for clip in clips] == [
        ("long.wav", None, None),
        ("long.wav#0-2", 0.0, 2.0),
        ("long.wav#2-", 2.0, None),
    ]
    assert {clip.path for clip in clips} == {tmp_path / "long.wav"}


def test_columns_of_times_can_have_other_names_or_be_passed_over(tmp_path: Path) -> None:
    (clip,) = read(tmp_path, f"{HEADER},from,end", "a.wav,1,sad,1,2", start_column="from")
    assert (clip.start, clip.end) == (1.0, 2.0)
    (clip,) = read(tmp_path, f"{HEADER},start,", "a.wav,1,sad,0:01,x", start_column=None, end_column=None)
    assert (clip.id, clip.start) == ("a.wav", None)
    with pytest.raises(EmorecError, match="the column from"):
        read(tmp_path, HEADER, "a.wav,1,sad", start_column="from")


def test_impossible_times_are_told(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=r"0 <= start < end, in seconds.*'2' to '1' in row 2"):
        read(tmp_path, f"{HEADER},start,end", "a.wav,1,sad,2,1")


@pytest.mark.parametrize("second", ["./a.wav", "x/../a.wav", "link.wav", "hard.wav"])
def test_one_file_under_two_names_is_warned_of_and_refused_with_two_labels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, second: str
) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "a.wav").touch()
    (tmp_path / "link.wav").symlink_to(tmp_path / "a.wav")
    (tmp_path / "hard.wav").hardlink_to(tmp_path / "a.wav")
    assert len(read(tmp_path, HEADER, "a.wav,1,sad", f"{second},1,sad", f"{second}x,1,sad")) == 3
    assert "1 of 3 rows of" in caplog.text
    assert "rows 2 and 3" in caplog.text
    for row, found in ("1,happy", "'sad' and 'happy'"), ("2,sad", "'1' and '2'"):
        with pytest.raises(EmorecError, match=f"{found} in rows 2 and 3 of .* the same file"):
            read(tmp_path, HEADER, "a.wav,1,sad", f"{second},{row}")


def test_an_absent_file_under_two_spellings_is_found_too(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match="'happy' and 'sad' in rows 2 and 3"):
        read(tmp_path, HEADER, "a.wav,1,happy", "./a.wav,1,sad")


def test_labels_are_mapped_and_null_leaves_clips_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [HEADER, "a.wav,1,exc", "b.wav,1,sad", "c.wav,,xxx"]
    clips = read(tmp_path, *lines, labels={"exc": "happy", "xxx": None})
    assert [clip.labels["emotion"] for clip in clips] == ["happy", "sad"]
    assert "1 of 3 clips of" in caplog.text
    with pytest.raises(EmorecError, match=r"or null; found 'Happy' \(did you mean happy\?\)"):
        corpus(tmp_path, *lines, labels={"exc": "Happy"})
    with pytest.raises(EmorecError, match=r"labels that are texts; found False \(bool\)"):
        corpus(tmp_path, *lines, labels={False: "sad"})
    with pytest.raises(EmorecError, match="at least one clip; found none that is kept"):
        read(tmp_path, *lines[:2], labels={"exc": None})


def test_thirty_thousand_rows_are_read_within_seconds(tmp_path: Path) -> None:
    assert len(read(tmp_path, *by_speakers(*(f"s{row}" for row in range(30_000))))) == 30_000
