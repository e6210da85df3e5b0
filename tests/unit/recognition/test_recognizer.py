"""Recordings of any length, judged by a model whose answer is the level of what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lightning_emorec.confidence import Confidence
from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.embeddings import Embeddings
from lightning_emorec.recognition.model import Answer, RecognitionModel, Waveform
from lightning_emorec.recognition.options import Options
from lightning_emorec.recognition.recognizer import SYNTHETIC, UNCALIBRATED, Recognizer
from lightning_emorec.recognition.segment import NO_SPEECH
from lightning_emorec.recognition.sources import Source
from tests.unit.recognition.loud import Loud

KNOWN = Confidence(temperature=2.0, scores=np.linspace(0.05, 0.95, 19), actors=9)


class Level(RecognitionModel):
    """`loud` where the mean magnitude is above 0.45, the more the louder; it notes what it was given."""

    name, version, digest, rate_hz = "level", "1", "0" * 64, 16000
    branches = ("meter",)
    tasks = {"emotion": ["quiet", "loud"], "sex": ["female", "male"]}
    synthetic = False

    def __init__(self, confidence: Confidence | None = KNOWN, reads_text: bool = False) -> None:
        self.confidence = {} if confidence is None else {"emotion": confidence}
        self.reads_text = self.transcribes = reads_text
        self.given: list[tuple[Sequence[Waveform], Sequence[str] | None]] = []

    def transcribe(self, waveforms: Sequence[Waveform]) -> list[str]:
        return [f"{len(waveform) / 16000:.1f}" for waveform in waveforms]

    def judge(
        self,
        waveforms: Sequence[Waveform],
        texts: Sequence[str] | None = None,
        embeddings: bool = False,
        contents: Sequence[str] | None = None,
    ) -> Answer:
        self.given.append((waveforms, texts))
        level = np.array([[0.0, 20 * (np.abs(waveform).mean() - 0.45)] for waveform in waveforms], np.float32)
        logits = {"emotion": level, "sex": -level}
        encoded = {"meter": level[:, 1:]} if embeddings else {}
        return Answer(logits, {"meter": logits}, encoded, self.confidence)


def recognizer(model: Level | None = None, **options: object) -> Recognizer:
    made = Recognizer(model or Level(), Options(**options))  # type: ignore[arg-type]
    made._speech = Loud()  # type: ignore[misc]
    return made


def level(*parts: tuple[float, float]) -> Waveform:
    """(magnitude, seconds) each; its sign changes with every sample."""
    made = np.concatenate([np.full(round(16000 * seconds), of, np.float32) for of, seconds in parts])
    return made * np.where(np.arange(len(made)) % 2, -1, 1).astype(np.float32)


LONG = level((0, 5), (0.6, 9), (0, 3), (0.9, 3))


def test_a_short_recording_is_judged_whole() -> None:
    (found,) = recognizer().predict(level((0.5, 3)), 16000)
    assert (found.start, found.end, found.label) == (0, 3, "loud")
    assert found.score == pytest.approx(1 / (1 + np.exp(-20 * 0.05 / 2)), abs=1e-4)
    assert list(found.probabilities) == ["quiet", "loud"]


def test_a_long_recording_is_told_in_segments_that_tile_it() -> None:
    found = recognizer(step_s=2.0).predict(LONG, 16000)
    assert [found[0].start, found[-1].end] == [0, 20]
    assert all(one.end == pytest.approx(other.start) for one, other in pairwise(found))
    labels = [(segment.label, round(segment.start, 1)) for segment in found]
    assert labels[0] == (NO_SPEECH, 0)
    assert (NO_SPEECH, 14.0) in labels
    assert {label for label, _ in labels} == {NO_SPEECH, "loud"}
    silent = [segment for segment in found if segment.label == NO_SPEECH]
    assert all((one.score, one.probabilities, one.set, one.certain) == (None, {}, [], None) for one in silent)
    first = next(segment for segment in found if 5.5 < segment.start < 8)
    assert first.score == pytest.approx(1 / (1 + np.exp(-20 * 0.15 / 2)), abs=0.01)


def test_five_minutes_of_silence_are_one_stretch_without_speech() -> None:
    model = Level()
    (found,) = recognizer(model).predict(level((0, 300)), 16000)
    assert (found.label, found.start, found.end) == (NO_SPEECH, 0, 300)
    assert not model.given


@pytest.mark.parametrize("samples", [1, 10, 960, 1600])
def test_very_short_recordings_have_an_answer(samples: int) -> None:
    (found,) = recognizer().predict(np.full(samples, 0.5, np.float32), 16000)
    assert found.end == pytest.approx(samples / 16000)


def test_sets_hold_what_cannot_be_ruled_out_and_never_nothing() -> None:
    sure = recognizer(coverage=0.5).predict(level((0.9, 1)), 16000)[0]
    assert (sure.set, sure.certain) == (["loud"], True)
    unsure = recognizer(coverage=0.9).predict(level((0.45, 1)), 16000)[0]
    assert (sorted(unsure.set), unsure.certain) == (["loud", "quiet"], False)
    assert recognizer(coverage=0.01).predict(level((0.46, 1)), 16000)[0].set == ["loud"]


def test_a_model_without_validation_clips_has_no_sets_and_says_so() -> None:
    (found,) = recognizer(Level(confidence=None)).predict(level((0.9, 1)), 16000)
    assert (found.set, found.certain, found.notes) == ([], None, [UNCALIBRATED])


def test_a_coverage_that_the_actors_do_not_back_up_is_nominal() -> None:
    assert recognizer(coverage=0.9).notes == []
    assert recognizer(coverage=0.95).notes == ["coverage 0.95 is nominal; 9 actors"]


def test_a_model_of_synthetic_voices_says_so_in_each_result() -> None:
    model = Level()
    model.synthetic = True
    assert SYNTHETIC in recognizer(model).predict(level((0.5, 1)), 16000)[0].notes


def test_branches_tasks_and_embeddings_are_told_when_asked_for() -> None:
    plain = recognizer().predict(level((0.5, 1)), 16000)[0]
    assert (plain.branches, plain.tasks) == ({}, {})
    embeddings = Embeddings()
    asked = recognizer(branches=True, tasks=("sex",))
    (found,) = asked.judge(Source("a", level((0.5, 1)), 16000), embeddings)
    assert found.branches["meter"]["loud"] == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-3)
    assert found.tasks["sex"]["male"] < 0.5
    assert embeddings.segments == [("a", 0.0, 1.0)]
    assert embeddings.rows["meter"][0].shape == (1,)


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(EmorecError, match="expected tasks among sex; found age"):
        recognizer(tasks=("age",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step_s": 5.0}, "step_s up to window_s"),
        ({"window_s": 0.0}, "positive window_s"),
        ({"min_s": 5.0}, "min_s up to window_s"),
        ({"coverage": 1.0}, "coverage between 0 and 1"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(EmorecError, match=message):
        recognizer(**options)


def test_a_text_that_is_given_is_not_transcribed() -> None:
    model = Level(reads_text=True)
    (found,) = recognizer(model).predict(level((0.5, 1)), 16000, text="oh")
    assert (found.text, model.given[0][1]) == ("oh", ["oh"])
    (found,) = recognizer(model).predict(level((0.5, 1)), 16000)
    assert found.text == "1.0"


def test_long_speech_is_transcribed_in_pieces_that_its_windows_share() -> None:
    model = Level(reads_text=True)
    found = recognizer(model).predict(level((0, 2), (0.6, 25), (0, 2)), 16000)
    texts = [segment.text for segment in found if segment.label != NO_SPEECH]
    assert all(texts)
    assert sum(float(text) for text in dict.fromkeys(" ".join(map(str, texts)).split())) <= 26


def test_each_channel_is_a_speaker_if_asked_for() -> None:
    both = np.stack([level((0.1, 2)), level((0.9, 2))], axis=1)
    found = recognizer(channel="each").predict(both, 16000)
    assert [(segment.speaker, segment.label) for segment in found] == [
        ("channel 0", "quiet"),
        ("channel 1", "loud"),
    ]


@pytest.mark.parametrize(("channel", "label"), [(None, "loud"), (0, "quiet"), (1, "loud"), ("mix", "quiet")])
def test_the_channel_that_the_model_was_trained_on_is_taken_unless_another_is_asked_for(
    channel: int | str | None, label: str
) -> None:
    model = Level()
    model.channel = 1
    both = np.stack([level((0.3, 2)), level((0.5, 2))], axis=1)
    (found,) = recognizer(model, channel=channel).predict(both, 16000)
    assert found.label == label


def test_a_model_of_one_channel_judges_recordings_that_have_but_one() -> None:
    model = Level()
    model.channel = 1
    (found,) = recognizer(model).predict(level((0.5, 2)), 16000)
    assert found.label == "loud"


def test_a_stretch_is_judged_by_itself(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", level((0.1, 4), (0.9, 2), (0.1, 4)), 16000)
    source = Source("a.wav", tmp_path / "a.wav", start=4.0, end=6.0, speaker="B")
    (found,) = recognizer().judge(source)
    assert (found.start, found.end, found.label, found.speaker) == (4.0, 6.0, "loud", "B")


def test_a_stretch_behind_the_end_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", level((0.1, 1)), 16000)
    with pytest.raises(EmorecError, match=r"none of a.wav between 4 s and 6.0 s"):
        list(recognizer().judge(Source("a.wav", tmp_path / "a.wav", start=4.0, end=6.0)))


def test_a_file_in_memory_and_another_rate_are_read() -> None:
    file = BytesIO()
    soundfile.write(file, np.repeat(level((0.5, 1)), 3), 48000, format="WAV")
    file.seek(0)
    assert recognizer().predict(file)[0].end == pytest.approx(1)


def test_an_array_needs_its_rate() -> None:
    with pytest.raises(EmorecError, match="rate_hz"):
        recognizer().predict(level((0.5, 1)))
