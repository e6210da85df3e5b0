r"""CPU-seconds a clip of Whisper's transcripts and states, against `whisper.transcribe` and the context of 30 s.

    OMP_NUM_THREADS=1 EMOREC_WHISPER=tiny.en python benchmarks/whisper_speed.py --corpus configs/corpus/ravdess.yaml

The ways take turns on the same clips, which are spread over the corpus; figures are medians of the rounds. The words of
`whisper.transcribe`, which draws again where it is unsure, need not be those of greedy decoding.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import whisper
from jsonargparse import auto_cli

from lightning_emorec import config_loader  # noqa: F401 - sets the loader
from lightning_emorec.audio import AudioStore, sounds_of
from lightning_emorec.corpora import Corpus
from lightning_emorec.features import Feature, WhisperStateStatistics, WhisperTranscript
from lightning_emorec.features.whisper_weights import WhisperWeights


def words(text: str) -> list[str]:
    """The words of a text, without case and punctuation."""
    return ["".join(letter for letter in word.lower() if letter.isalnum()) for word in text.split()]


def main(corpus: Corpus, clips: int = 24, rounds: int = 3) -> None:
    """Print the table, of so many clips."""
    corpus.prepare()
    known = corpus.clips()
    taken = known[:: max(1, len(known) // clips)][:clips]
    with TemporaryDirectory() as folder:
        audio = AudioStore(Path(folder), 16000)
        audio.prepare(sounds_of(taken))
        model: Any = WhisperWeights().load()

        def library() -> list[str]:
            sounds = (np.array(audio.load(sound)) for sound in sounds_of(taken))
            return [cast(str, model.transcribe(sound, language="en", fp16=False)["text"]) for sound in sounds]

        def made(feature: Feature) -> Callable[[], list[Any]]:
            return lambda: list(feature.compute(taken, audio))

        ways: dict[str, Callable[[], list[Any]]] = {
            "transcript: whisper.transcribe": library,
            "transcript, 30 s": made(WhisperTranscript()),
            "transcript, 10 s": made(WhisperTranscript(context_s=10.0)),
            "states, 30 s": made(WhisperStateStatistics(margin_s=None)),
            "states": made(WhisperStateStatistics()),
            "states of four views": made(WhisperStateStatistics(views=4)),
        }
        whisper.log_mel_spectrogram(np.zeros(16000, np.float32))  # imports what all of them use
        next(WhisperStateStatistics(views=4).compute(taken[:1], audio))
        spent: dict[str, list[float]] = {name: [] for name in ways}
        texts: dict[str, list[list[str]]] = {}
        for _ in range(rounds):
            for name, way in ways.items():
                before = resource.getrusage(resource.RUSAGE_SELF)
                values = way()
                after = resource.getrusage(resource.RUSAGE_SELF)
                cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                spent[name].append(cpu_s / len(taken))
                if name.startswith("transcript"):
                    texts[name] = [words(one if isinstance(one, str) else one["text"]) for one in values]
    print("| way | CPU-s a clip | clips with the words of whisper.transcribe |\n|---|---|---|")
    usual = texts["transcript: whisper.transcribe"]
    for name, each in spent.items():
        same = sum(own == text for own, text in zip(texts.get(name, []), usual, strict=False))
        share = f"{same} of {len(taken)}" if name in texts else ""
        print(f"| {name} | {median(each):.3f} | {share} |")


if __name__ == "__main__":
    auto_cli(main, as_positional=False)
