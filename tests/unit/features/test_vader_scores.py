from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import soundfile
import torch
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from lightning_emorec.audio import AudioStore
from lightning_emorec.features import (
    FeatureCache,
    FeatureReader,
    ReferenceTranscript,
    Transcript,
    VaderScores,
)
from lightning_emorec.features.feature import Options, Value
from lightning_emorec.types import Clip

TEXTS = ["I love you!", "I don't love you", "", "VERY bad."]


class Listening(Transcript):
    """A transcript that is made from audio; it counts how often."""

    heard = 0

    def options(self) -> Options:
        return {"source": "a test"}

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        for clip in clips:
            self.heard += 1
            yield {"text": clip.text}


def test_the_scores_are_vader_s_own() -> None:
    made = VaderScores(ReferenceTranscript()).collate([{"text": text} for text in TEXTS])
    own = [SentimentIntensityAnalyzer().polarity_scores(text) for text in TEXTS]
    expected = [[scores[name] for name in ("neg", "neu", "pos", "compound")] for scores in own]
    torch.testing.assert_close(made, torch.tensor(expected))


def test_a_text_without_words_scores_zero() -> None:
    assert not VaderScores(ReferenceTranscript()).collate([{"text": ""}]).any()


def test_a_transcript_that_is_cached_is_computed_once_for_itself_and_its_scores(tmp_path: Path) -> None:
    clips = []
    for number, text in enumerate(TEXTS):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, [0.1 * number] * 800, 16000)
        clips.append(Clip(str(number), "1", path, text=text))
    transcript = Listening()
    scores = VaderScores(transcript)
    reader = FeatureReader(
        FeatureCache(tmp_path), [transcript, scores], AudioStore(tmp_path / "decoded", 16000)
    )
    reader.fill(clips)
    values = [reader(clip) for clip in clips]
    assert transcript.heard == len(TEXTS)
    assert scores.collate([value[scores.key] for value in values])[0, 3] > 0.5
    assert transcript.collate([value[transcript.key] for value in values]) == TEXTS


@pytest.mark.parametrize(("transcript", "from_audio"), [(ReferenceTranscript(), False), (Listening(), True)])
def test_scores_are_made_from_audio_if_their_transcript_is(transcript: Transcript, from_audio: bool) -> None:
    scores = VaderScores(transcript)
    assert scores.from_audio is from_audio
    assert scores.key != transcript.key
    assert scores.stored_as == transcript.key
