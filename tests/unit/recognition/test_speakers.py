"""A model that is adapted to speakers by other clips of theirs; its answer is the level of what it is given."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from lightning_emorec.errors import EmorecError
from lightning_emorec.fusion import SpeakerAdaptation, found_confidence
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.recognition.known_speaker import FEW
from lightning_emorec.recognition.labelling import Labelling, Place
from lightning_emorec.recognition.model import Answer, RecognitionModel, Waveform
from lightning_emorec.recognition.options import Options
from lightning_emorec.recognition.recognizer import Recognizer
from lightning_emorec.recognition.segment import NO_SPEECH, Segment
from lightning_emorec.recognition.sources import Source, source_of
from lightning_emorec.recognition.speakers import Speakers, first_pass
from lightning_emorec.recognition.unadapted import Unadapted
from tests.unit.recognition.loud import Loud

ACTORS, CLIPS = 4, 20


def validation() -> PartLogits:
    """Two classes, in equal number; some actors speak up, others softly."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.tensor([0, 1] * (ACTORS * CLIPS // 2))
    loud = torch.tensor([-3.0, -1.0, 1.0, 3.0]).repeat_interleave(CLIPS) + (2.0 * labels - 1)
    rows = torch.stack(
        [torch.zeros(len(labels)), loud + 0.5 * torch.randn(len(labels), generator=draw)], dim=1
    )
    return PartLogits([str(row) for row in range(len(rows))], {"emotion": rows}, {"emotion": labels})


class Level(RecognitionModel):
    """`loud` where the mean magnitude is above 0.7, the more the louder."""

    name, version, digest, rate_hz = "level", "1", "0" * 64, 16000
    branches: Sequence[str] = ()
    tasks = {"emotion": ["quiet", "loud"]}
    confidence: dict[str, Any] = {}
    reads_text = transcribes = embeds = synthetic = False

    def __init__(self, adapts: bool = True, founded: bool = True) -> None:
        self.adapts = adapts
        self.judged = 0
        part = validation()
        actors = {clip: str(int(clip) // CLIPS) for clip in part.clip_ids}
        self.adaptation = SpeakerAdaptation({"model": part} if founded else {}, actors)

    def transcribe(self, waveforms: Sequence[Waveform]) -> list[str]:
        return [""] * len(waveforms)

    def judge(
        self,
        waveforms: Sequence[Waveform],
        texts: Sequence[str] | None = None,
        embeddings: bool = False,
        contents: Sequence[str] | None = None,
    ) -> Answer:
        self.judged += len(waveforms)
        rows = torch.tensor([[0.0, 20 * (float(np.abs(of).mean()) - 0.7)] for of in waveforms])
        logits = {"emotion": rows}
        unadapted = Unadapted.of(
            self.adaptation, {"model": logits}, {"model": {}}, logits, self.tasks["emotion"]
        )
        return Answer({"emotion": rows.numpy()}, unadapted=unadapted if self.adapts else None)


def recognizer(**options: Any) -> Recognizer:
    made = Recognizer(Level(options.pop("adapts", True), options.pop("founded", True)), Options(**options))
    made._speech = Loud()  # type: ignore[misc]
    return made


def tone(magnitude: float, seconds: float, seed: int = 0) -> Waveform:
    sign = np.where(np.arange(round(16000 * seconds)) % 2, -1, 1)
    return (sign * (magnitude + seed * 1e-4)).astype(np.float32)


def clips(folder: Path, *magnitudes: float, speaker: str = "ann") -> list[Source]:
    made = []
    for place, magnitude in enumerate(magnitudes):
        path = folder / f"{speaker or 'nobody'}-{place}.wav"
        soundfile.write(path, tone(magnitude, 1, place), 16000, subtype="FLOAT")
        made.append(Source(path.name, path, speaker=speaker))
    return made


SOFT = [0.55, 0.65] * 4
"""Magnitudes of a speaker who speaks softly: all would be `quiet`."""


def labelled(made: Recognizer, sources: list[Source], adapt: Any = "speaker") -> list[Segment]:
    labelling = Labelling(made, sources, Place(None, False, "jsonl"), "segment", None, None, adapt)
    assert labelling.run() == {}
    return [
        segment for source in sources for segment in labelling.journal.get(labelling._digest(source)) or []
    ]


def test_what_is_loud_for_a_speaker_is_found_by_the_others_of_the_speaker(tmp_path: Path) -> None:
    sources = clips(tmp_path, *SOFT)
    assert {segment.label for segment in labelled(recognizer(), sources, None)} == {"quiet"}
    found = labelled(recognizer(), sources)
    assert [segment.label for segment in found] == ["quiet", "loud"] * 4
    assert all("adapted by 7 other clips of the speaker" in segment.notes for segment in found)


def test_each_clip_is_computed_once_in_both_passes(tmp_path: Path) -> None:
    made = recognizer()
    labelled(made, clips(tmp_path, *SOFT))
    assert made.model.judged == len(SOFT)  # type: ignore[attr-defined]


def test_a_set_is_founded_on_clips_adapted_likewise_else_withheld(tmp_path: Path) -> None:
    sources = clips(tmp_path, *SOFT)
    assert all(segment.certain is not None for segment in labelled(recognizer(), sources))
    found = labelled(recognizer(founded=False), sources)
    assert all(segment.certain is None and segment.set == [] for segment in found)


@pytest.mark.parametrize("name", ["", "nan", "Unknown"])
def test_clips_of_nobody_are_not_adapted_as_one_person(tmp_path: Path, name: str) -> None:
    nobody, known = clips(tmp_path, *SOFT, speaker=name), clips(tmp_path, 0.55, 0.65)
    found = labelled(recognizer(), [*nobody, *known])
    assert {segment.label for segment in found[: len(nobody)]} == {"quiet"}
    assert not any("adapted" in note for segment in found[: len(nobody)] for note in segment.notes)
    with pytest.raises(EmorecError, match="name speakers in a column of --list"):
        Speakers(recognizer(), nobody, "speaker")


def test_spellings_of_one_speaker_are_one(tmp_path: Path) -> None:
    first, second = clips(tmp_path, 0.55, 0.65, speaker="1"), clips(tmp_path, 0.55, 0.65, speaker="01")
    assert len(Speakers(recognizer(), [*first, *second], "speaker").recordings(first[0])) == 4


def test_few_clips_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        (found, _) = labelled(recognizer(), clips(tmp_path, 0.55, 0.65))
    assert "ann: adapted by 1 other clip of the speaker" in caplog.messages
    assert f"ann: fewer than {FEW} known clips of the speaker bring little" in caplog.messages
    assert f"fewer than {FEW} known clips of the speaker bring little" in found.notes


def test_a_speaker_with_one_clip_is_not_adapted(tmp_path: Path) -> None:
    (found,) = labelled(recognizer(), clips(tmp_path, 0.65))
    assert found.label == "quiet"
    assert "not adapted: no other clip of the speaker is known" in found.notes


def test_where_the_model_found_no_difference_between_speakers_nothing_is_called_adapted(
    tmp_path: Path,
) -> None:
    made = recognizer()
    part = validation()
    one = dict.fromkeys(part.clip_ids, "1")
    made.model.adaptation = SpeakerAdaptation({"model": part}, one)  # type: ignore[attr-defined]
    found = labelled(made, clips(tmp_path, *SOFT))
    assert {segment.label for segment in found} == {"quiet"}
    said = "not adapted: the model found no difference between the speakers of its own clips"
    assert all(segment.notes[-1] == said for segment in found)


def test_a_plan_names_what_would_be_adapted(tmp_path: Path) -> None:
    sources = [*clips(tmp_path, 0.55, 0.65), *clips(tmp_path, 0.55, speaker="bob")]
    sources += clips(tmp_path, 0.55, speaker="")
    made = recognizer()
    assert Speakers(made, sources, "speaker").plan == (
        "--adapt speaker: 2 recordings of 1 speakers are adapted, in two passes; "
        "1 are the only clip of their speaker, 1 name no speaker"
    )
    assert "0 recordings of 0 speakers" in Speakers(made, sources, "recording").plan
    assert "4 recordings of 4 speakers" in Speakers(recognizer(whole_s=0.9), sources, "recording").plan
    assert made.model.judged == 0  # type: ignore[attr-defined]


def test_a_one_sided_sample_is_warned_of_and_a_varied_one_is_not(tmp_path: Path) -> None:
    loud = first_pass(recognizer(), clips(tmp_path, *[0.95] * 10))
    assert any("look one-sided (loud is" in warning for warning in loud.warnings)
    varied = first_pass(recognizer(), clips(tmp_path, *[0.55, 0.85] * 5, speaker="bob"))
    assert varied.warnings == []


def test_a_long_recording_of_one_speaker_adapts_itself_and_its_windows_count_once() -> None:
    made = recognizer()
    long = np.concatenate([tone(of, 4, place) for place, of in enumerate(SOFT)])
    plain = made.predict(long, 16000)
    adapted = made.predict(long, 16000, adapt="recording")
    assert {segment.label for segment in plain} == {"quiet"}
    assert {segment.label for segment in adapted} == {"quiet", "loud"}
    said = "adapted by other speech of the speaker, as long as 7 windows"
    assert all(said in segment.notes for segment in adapted)


def test_speech_that_windows_share_counts_once() -> None:
    """18 s of speech are 4.5 windows of 4 s, one of which is judged: 3 whole ones are known."""
    long = np.concatenate([tone(of, 4.5, place) for place, of in enumerate(SOFT[:4])])
    known = first_pass(recognizer(step_s=1.0), [source_of(long, 16000, None)])
    assert len(known) > 10
    assert known.clips == pytest.approx(4.5)
    assert known.others == 3


def test_python_may_name_other_recordings_of_the_speaker(tmp_path: Path) -> None:
    first, *others = clips(tmp_path, *SOFT[1:], 0.55)
    made = recognizer()
    assert [of.label for of in made.predict(tmp_path / first.name)] == ["quiet"]
    paths = [tmp_path / source.name for source in others]
    assert [of.label for of in made.predict(tmp_path / first.name, adapt=paths)] == ["loud"]


def test_a_recording_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    bad = Source("bad.wav", tmp_path / "bad.wav", speaker="ann")
    assert first_pass(recognizer(), [bad, *clips(tmp_path, 0.55, 0.65)]).others == 1


def test_a_clip_that_was_not_in_the_first_pass_is_adapted_by_those_that_were(tmp_path: Path) -> None:
    made, (new, *others) = recognizer(), clips(tmp_path, *SOFT[1:])
    known = first_pass(made, others)
    before = [segment.label for of in others for segment in made.judge(of, speaker=known)]
    assert before == ["quiet", "loud"] * 3
    assert [segment.label for segment in made.judge(new, speaker=known)] == ["loud"]
    assert known.others == len(others)


def test_a_segment_without_speech_says_of_the_model_what_it_would_say_without_adaptation(
    tmp_path: Path,
) -> None:
    made = recognizer()
    part = made.model.adaptation.parts["model"]  # type: ignore[attr-defined]
    actors = {clip: str(int(clip) // CLIPS) for clip in part.clip_ids}
    made.model.confidence = {"emotion": found_confidence(part, "emotion", actors)}
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(16000), 16000)
    (before,) = made.predict(silent)
    (after,) = made.predict(silent, adapt="recording")
    assert after.label == NO_SPEECH
    assert after.notes[: len(before.notes)] == before.notes


def test_python_gives_paths_of_other_recordings_in_a_list(tmp_path: Path) -> None:
    (source,) = clips(tmp_path, 0.65)
    with pytest.raises(EmorecError, match="give adapt a list of paths"):
        recognizer().predict(tmp_path / source.name, adapt="other.wav")


def test_a_model_that_was_not_trained_for_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match="adapt speaker; an export is never adapted"):
        first_pass(recognizer(adapts=False), clips(tmp_path, 0.55))
    with pytest.raises(EmorecError, match="--channel each"):
        first_pass(recognizer(channel="each"), clips(tmp_path, 0.55))


def test_a_result_is_settled_by_all_clips_of_its_speaker(tmp_path: Path) -> None:
    sources = [*clips(tmp_path, 0.55, 0.65), *clips(tmp_path, 0.55, speaker="bob")]

    def digests(of: list[Source]) -> list[str]:
        labelling = Labelling(recognizer(), of, Place(None, False, "jsonl"), "segment", None, None, "speaker")
        return [labelling._digest(source) for source in of]

    more = [*sources, *clips(tmp_path / "..", 0.5)]
    before, after = digests(sources), digests(more)
    assert before[0] != after[0]
    assert before[2] == after[2]
