from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lightning_emorec.audio import AudioStore
from lightning_emorec.errors import EmorecError
from lightning_emorec.runs.leakage import known_training_overlap, refuse_shared_recordings
from lightning_emorec.splits import Parts
from lightning_emorec.types import Clip


@pytest.fixture
def clips(tmp_path: Path, tones: Path) -> list[Clip]:
    """Actor 1 twice, actor 2 and actor 3; the second clip of actor 1 is a copy of the first."""
    files = sorted(tones.parent.glob("*.wav"))[:3]
    copy = shutil.copy(files[0], tmp_path / "copy.wav")
    paths = [files[0], Path(copy), files[1], files[2]]
    return [Clip(f"clip {i}", actor, path) for i, (actor, path) in enumerate(zip("1123", paths, strict=True))]


def test_the_same_recording_in_two_parts_is_refused_by_name(clips: list[Clip], tmp_path: Path) -> None:
    store = AudioStore(tmp_path, 16000)
    with pytest.raises(
        EmorecError, match=r"same audio in clip 0 \(train, actor 1\) and clip 1 \(test, actor 1\)"
    ):
        refuse_shared_recordings(Parts([clips[0]], [clips[2]], [clips[1]]), store)


def test_the_same_recording_twice_in_one_part_and_clips_without_audio_pass(
    clips: list[Clip], tmp_path: Path
) -> None:
    mute = [Clip(name, name, None, text="hi") for name in "ab"]
    parts = Parts([*clips[:2], mute[0]], [clips[2]], [clips[3], mute[1]])
    refuse_shared_recordings(parts, AudioStore(tmp_path, 16000))


def test_a_model_that_was_trained_on_the_corpus_is_named() -> None:
    branch = {"class_path": "Encoder", "init_args": {"weights": "EMOTION2VEC/emotion2vec_plus_base"}}
    model = {"class_path": "FusionModule", "init_args": {"branches": {"a": {"model": branch}, "b": [branch]}}}
    (warning,) = known_training_overlap(model, {"class_path": "lightning_emorec.corpora.Ravdess"})
    assert warning.startswith("EMOTION2VEC/emotion2vec_plus_base was trained on Ravdess")
    assert not known_training_overlap(model, {"class_path": "lightning_emorec.corpora.ManifestCorpus"})
