"""The embedded corpus: generated voices, so that everything runs offline on a fresh machine."""

from __future__ import annotations

import logging
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lightning_emorec.corpora.corpus import Corpus
from lightning_emorec.corpora.disk import writing
from lightning_emorec.corpora.manners import draw_manner, draw_voice
from lightning_emorec.corpora.naming import EMOTIONS, INTENSITIES, SEXES, RavdessName, ravdess_tasks
from lightning_emorec.corpora.phones import STATEMENTS, segments
from lightning_emorec.corpora.voices import RATE_HZ, speak
from lightning_emorec.errors import EmorecError
from lightning_emorec.progress import track
from lightning_emorec.types import Clip, Tasks

_log = logging.getLogger(__name__)

_VERSION = 1  # raise it when the same arguments give other audio, so that no old folder is taken for new
_CLIP_BYTES = 80_000
_PREFERENCE = 0.2  # share of an emotion's clips that say its favourite statement whatever chance would pick
_VOICE, _WORDS, _TAKE = range(3)  # what a random stream is for


class Synthetic(Corpus):
    """Eight acted emotions, said by generated voices: for demonstrations and tests, never evidence.

    A source-filter model speaks ten short sentences. Pitch, its range and final movement, tempo, loudness,
    spectral tilt, breath, roughness and tremor follow the emotion in the directions that Banse and Scherer
    (1996), "Acoustic profiles in vocal emotion expression", and Juslin and Laukka (2003), "Communication of
    emotions in vocal expression and music performance", report. Actors differ in pitch, tract, habits and
    in how they play each emotion, so an unseen actor is recognised well above chance and far from always.
    Which sentence is said depends weakly on the emotion, so that a text branch has something to learn.

    Each actor says every emotion twice a repetition: once normal and once strong, and neutral, which has
    no strong form, twice normal. All classes are equally frequent. A clip depends on the seed and its own
    name only: more actors or repetitions leave it as it is. The same arguments give the same bytes on one
    machine; another processor may round a sample differently.

    Args:
        root: Folder that holds one folder of clips for each set of arguments; None is `data/synthetic`.
        actors: 2 to 99; odd numbers are men.
        repetitions: 1 to 99.
        seed: Not negative.

    Raises:
        EmorecError: A number is out of its range.
    """

    synthetic: bool = True

    def __init__(
        self, root: str | None = None, actors: int = 12, repetitions: int = 2, seed: int = 0
    ) -> None:
        _check_range("actors", actors, 2, 99)
        _check_range("repetitions", repetitions, 1, 99)
        _check_range("seed", seed, 0, 2**32 - 1)
        self.actors = actors
        self.repetitions = repetitions
        self.seed = seed
        name = f"{actors}-actors-{repetitions}-repetitions-seed-{seed}-v{_VERSION}"
        self.folder = Path(root or "data/synthetic").expanduser() / name

    @property
    def tasks(self) -> Tasks:
        """Emotion, intensity and sex, as in RAVDESS."""
        return ravdess_tasks()

    def prepare(self) -> None:
        """Generate the clips where their folder is absent.

        They appear all at once, under a temporary name first: neither an interruption nor a second process
        that generates them at the same time leaves half a corpus.

        Raises:
            EmorecError: The disk is full, or the folder cannot be written.
        """
        if self.folder.is_dir():
            return
        names = list(self._names())
        root = self.folder.parent
        with writing(root, len(names) * _CLIP_BYTES):
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".generating-", dir=root) as temporary:
                made = Path(temporary) / "clips"
                self._generate(names, made)
                self._move(made)

    def clips(self) -> list[Clip]:
        """List the clips, sorted by id; `text` is the sentence.

        Raises:
            EmorecError: The clips were not generated, or one was removed.
        """
        if not self.folder.is_dir():
            raise EmorecError(
                "the generated clips", f"no folder {self.folder}", "call prepare() first, as `fit` does"
            )
        present = set(self.folder.glob("*/*.wav"))
        clips = []
        for name in self._names():
            path = _path(self.folder, name)
            if path not in present:
                raise EmorecError(
                    f"the generated clip {path}", "no such file", "delete the folder and run again"
                )
            text = STATEMENTS[name.statement - 1].text
            clips.append(Clip(name.stem, str(name.actor), path, name.labels, text))
        return sorted(clips, key=lambda clip: clip.id)

    def _names(self) -> Iterator[RavdessName]:
        """Yield what is said, actor by actor."""
        for actor in range(1, self.actors + 1):
            for emotion in EMOTIONS:
                for repetition in range(1, self.repetitions + 1):
                    rng = self._rng(_WORDS, actor, EMOTIONS.index(emotion), repetition)
                    # Two different sentences: neutral's two clips would have one name otherwise.
                    drawn = rng.choice(len(STATEMENTS), size=2, replace=False, p=_preferences(emotion))
                    for intensity, statement in zip(INTENSITIES, drawn, strict=True):
                        strength = "normal" if emotion == "neutral" else intensity
                        yield RavdessName(emotion, strength, int(statement) + 1, repetition, actor)

    def _generate(self, names: list[RavdessName], folder: Path) -> None:
        voices = {
            actor: draw_voice(SEXES[(actor - 1) % 2], self._rng(_VOICE, actor))
            for actor in range(1, self.actors + 1)
        }
        for name in track(names, "Generating SYNTHETIC speech"):
            emotion, intensity = EMOTIONS.index(name.emotion), INTENSITIES.index(name.intensity)
            rng = self._rng(_TAKE, name.actor, emotion, intensity, name.statement, name.repetition)
            manner = draw_manner(voices[name.actor], name.emotion, name.intensity, rng)
            phones = segments(STATEMENTS[name.statement - 1].phones)
            audio = speak(voices[name.actor], phones, manner, rng)
            path = _path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            with wave.open(str(path), "wb") as file:
                file.setparams((1, 2, RATE_HZ, len(audio), "NONE", "not compressed"))
                file.writeframes(np.rint(audio * 32767).astype("<i2").tobytes())

    def _move(self, made: Path) -> None:
        try:
            made.rename(self.folder)
        except OSError:
            if not self.folder.is_dir():
                raise
            _log.info("another process generated %s meanwhile; its clips are the same", self.folder)

    def _rng(self, purpose: int, *key: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose, *key])


def _path(folder: Path, name: RavdessName) -> Path:
    return folder / f"Actor_{name.actor:02d}" / f"{name.stem}.wav"


def _preferences(emotion: str) -> list[float]:
    """Probability of each statement, in an emotion."""
    base = (1.0 - _PREFERENCE) / len(STATEMENTS)
    return [base + _PREFERENCE * (statement.favoured_by == emotion) for statement in STATEMENTS]


def _check_range(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise EmorecError(f"{name} from {lowest} to {highest}", str(value), f"set --data.corpus.{name}")
