from __future__ import annotations

from dataclasses import replace

import pytest

from lightning_emorec.recognition.annotations import merged, to_rttm, to_srt, to_textgrid, to_vtt
from lightning_emorec.recognition.segment import NO_SPEECH, Segment
from lightning_emorec.recognition.summary import summarise

SILENCE = Segment("a b.wav", 0.0, 1.0, NO_SPEECH)
FIRST = Segment("a b.wav", 1.0, 3.0, "angry", 0.9, {"angry": 0.9, "calm": 0.1}, text="So <what>")
SECOND = Segment("a b.wav", 3.0, 4.0, "angry", 0.6, {"angry": 0.6, "calm": 0.4}, text="& then --> go")
CALM = Segment("a b.wav", 3600.0, 3661.0015, "very calm", 0.5, {"angry": 0.5, "calm": 0.5})
ALL = [SILENCE, FIRST, SECOND, CALM]


def test_neighbours_with_one_label_become_one_with_the_mean_score() -> None:
    found = merged(ALL)
    assert [(segment.start, segment.end) for segment in found] == [(0, 1), (1, 4), (3600, 3661.0015)]
    assert found[1].score == pytest.approx(0.8)
    assert found[1].text == "So <what> & then --> go"


def test_a_text_that_neighbours_share_is_said_once() -> None:
    texts = ["Yes.", "Yes.", "Go on.", "Go on.", "Yes."]
    run = [replace(FIRST, start=at, end=at + 1, text=text) for at, text in enumerate(texts)]
    assert [segment.text for segment in merged(run)] == ["Yes. Go on. Yes."]
    assert summarise(run).text == "Yes. Go on. Yes."


def test_speakers_and_segments_apart_stay_apart() -> None:
    other = replace(SECOND, speaker="right")
    apart = replace(SECOND, start=3.5)
    assert merged([FIRST, other]) == [FIRST, other]
    assert merged([FIRST, apart]) == [FIRST, apart]


def test_neighbours_of_one_speaker_touch_though_another_speaks_between() -> None:
    left, right = [[replace(part, speaker=name) for part in (FIRST, SECOND)] for name in ("left", "right")]
    assert len(merged([left[0], right[0], left[1], right[1]])) == 2


def test_srt() -> None:
    assert to_srt(ALL) == (
        "1\n00:00:01,000 --> 00:00:04,000\nangry 80%\nSo <what> & then -> go\n\n"
        "2\n01:00:00,000 --> 01:01:01,002\nvery calm 50%\n"
    )


def test_vtt_escapes_what_is_markup() -> None:
    assert to_vtt([replace(segment, speaker="A & B") for segment in ALL]) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:04.000\n<v A &amp; B>angry 80%\nSo &lt;what&gt; &amp; then --&gt; go\n\n"
        "01:00:00.000 --> 01:01:01.002\n<v A &amp; B>very calm 50%\n"
    )


def test_an_empty_line_in_a_text_does_not_end_the_cue() -> None:
    assert "one two\n" in to_srt([replace(FIRST, text="one\n\ntwo")])


def test_the_intervals_of_a_textgrid_tile_it_and_quotes_are_doubled() -> None:
    lines = [
        line.strip() for line in to_textgrid([replace(CALM, label='"calm"'), FIRST, SECOND]).splitlines()
    ]
    assert lines[:8] == [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        "xmax = 3661.0015",
        "tiers? <exists>",
        "size = 1",
        "item []:",
    ]
    assert lines[9:11] == ['class = "IntervalTier"', 'name = "emotion"']
    assert [line for line in lines[14:] if line.startswith(("xmin", "xmax"))] == [
        *("xmin = 0", "xmax = 1", "xmin = 1", "xmax = 4"),
        *("xmin = 4", "xmax = 3600", "xmin = 3600", "xmax = 3661.0015"),
    ]
    assert [line for line in lines if line.startswith("text")] == [
        *('text = ""', 'text = "angry"', 'text = ""', 'text = """calm"""'),
    ]


def test_a_textgrid_has_a_tier_a_speaker_as_long_as_the_recording() -> None:
    found = to_textgrid([replace(FIRST, speaker="left"), replace(CALM, speaker="right")])
    assert "size = 2\n" in found
    assert found.count("xmax = 3661.0015") == 5  # the file, two tiers, and the last interval of each


def test_rttm_has_the_label_where_the_speaker_would_be() -> None:
    assert to_rttm([SILENCE, FIRST, SECOND, replace(CALM, speaker="right")]) == (
        "SPEAKER a_b 1 1 3 <NA> <NA> angry 0.800000 <NA>\n"
        "SPEAKER a_b 2 3600 61.0015 <NA> <NA> very_calm 0.500000 <NA>\n"
    )


def test_a_recording_is_the_mean_of_its_speech_by_duration() -> None:
    found = summarise([SILENCE, replace(FIRST, set=["angry"], certain=True), SECOND])
    assert (found.start, found.end, found.label, found.text) == (0, 4, "angry", "So <what> & then --> go")
    assert found.probabilities == pytest.approx({"angry": 0.8, "calm": 0.2})
    assert found.score == pytest.approx(0.8)
    assert (found.set, found.certain) == ([], None)


def test_the_label_of_a_recording_need_not_be_one_of_its_segments() -> None:
    shares = [{"a": 0.5, "b": 0.0, "c": 0.45}, {"a": 0.0, "b": 0.5, "c": 0.45}]
    segments = [
        replace(FIRST, label=max(share, key=lambda name: share[name]), probabilities=share)
        for share in shares
    ]
    assert summarise(segments).label == "c"


def test_one_stretch_of_speech_keeps_its_set() -> None:
    only = replace(FIRST, set=["angry"], certain=True)
    assert summarise([SILENCE, only]) == replace(only, start=0.0)
    assert summarise([SILENCE, replace(SILENCE, start=1.0, end=2.0)]) == replace(SILENCE, end=2.0)
