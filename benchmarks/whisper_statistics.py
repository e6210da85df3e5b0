r"""Compares what `WhisperStatistics` can take of a clip, by leaving groups of actors out in turn.

    python benchmarks/whisper_statistics.py --corpus configs/corpus/ravdess.yaml \
        --actors "[2, 3, 4, 7, 11, 13, 14, 16, 18, 20, 23, 24]"

The first task counts. Differences are to the first row, by actor, with their standard error. With several Whisper
models the row of quantiles is made of each of them, and of all side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import Any

import numpy as np
from jsonargparse import auto_cli
from numpy.typing import NDArray

from lightning_emorec import config_loader  # noqa: F401 - sets the loader
from lightning_emorec.audio import AudioStore, default_cache_folder
from lightning_emorec.branches import WhisperStatistics
from lightning_emorec.corpora import Corpus
from lightning_emorec.dataset import labels
from lightning_emorec.features import FeatureCache, FeatureReader, LazyValues, Value
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import Clip, Tasks

PLAIN = {"convolutions": False, "quantiles": False, "c": 0.003}
ROWS: dict[str, dict[str, Any]] = {
    "mean and deviation, c .003": PLAIN,
    "c chosen": PLAIN | {"c": None},
    "convolutions, c .003": PLAIN | {"convolutions": True},
    "convolutions, c chosen": PLAIN | {"convolutions": True, "c": None},
    "quantiles, c .003": PLAIN | {"quantiles": True},
    "quantiles, c chosen": PLAIN | {"quantiles": True, "c": None},
    "both, c .003": PLAIN | {"convolutions": True, "quantiles": True},
    "both, c chosen": {"convolutions": True, "quantiles": True, "c": None},
}
HEAD = "| row | accuracy / NLL | accuracy: difference | NLL: difference | c | CPU-s a fit |\n|---|---|---|---|---|---|"


@dataclass
class Screening:
    """Clips, who speaks, what is right, and the features of all: key -> values."""

    clips: list[Clip]
    tasks: Tasks
    features: dict[str, list[Value]]
    folds: int

    def __post_init__(self) -> None:
        (self.task,) = self.tasks
        self.truth = np.array([labels(clip, self.tasks)[self.task] for clip in self.clips])
        self.actors, self.actor_of = np.unique([clip.actor for clip in self.clips], return_inverse=True)

    def judged(self, branch_of: Callable[[], WhisperStatistics]) -> tuple[NDArray[Any], list[str]]:
        """(clips, 2) accuracy in % and negative log-likelihood of each clip left out; the strengths of the folds."""
        found, strengths = np.zeros((len(self.clips), 2)), set()
        for fold in range(self.folds):
            branch, out = branch_of(), self.actor_of % self.folds == fold
            branch.solve(TrainingData(*self._some(~out)))
            _, _, values = self._some(out)
            rows = branch.rows_of([one.collate(values[one.key]) for one in branch.features])
            log_p = branch.net(rows)[self.task].log_softmax(dim=1).numpy()
            own = self.truth[out]
            found[out] = np.stack(
                [100 * (log_p.argmax(axis=1) == own), -log_p[np.arange(len(own)), own]], axis=1
            )
            strengths.add(f"{branch.solved_c[self.task]:g}")
        return found, sorted(strengths)

    def _some(self, wanted: NDArray[np.bool_]) -> tuple[list[Clip], Tasks, dict[str, list[Value]]]:
        values = {key: list(compress(of, wanted)) for key, of in self.features.items()}
        return list(compress(self.clips, wanted)), self.tasks, values


def main(
    corpus: Corpus,
    actors: list[int | str] | None = None,
    whisper: list[str] | None = None,
    views: int = 4,
    folds: int = 4,
) -> None:
    """Print the table: of these actors' clips (null: everyone's), parted into so many folds of actors."""
    corpus.prepare()
    clips = [clip for clip in corpus.clips() if actors is None or clip.actor in map(str, actors)]
    task, cache = next(iter(corpus.tasks)), default_cache_folder()
    features = WhisperStatistics.features_of({"whisper": whisper, "views": views})
    reader = FeatureReader(FeatureCache(cache), features, AudioStore(cache, 16000))
    reader.fill(clips)
    values = {feature.key: list(LazyValues(reader, feature.key, clips)) for feature in features}
    screening = Screening(clips, {task: list(corpus.tasks[task])}, values, folds)
    made = {name: options | {"whisper": whisper} for name, options in ROWS.items()}
    if whisper and len(whisper) > 1:
        sets = [*([one] for one in whisper), whisper]
        made = {" and ".join(some): ROWS["quantiles, c chosen"] | {"whisper": some} for some in sets}
    print(HEAD)
    first = None
    for name, options in made.items():
        start = time.process_time()
        found, strengths = screening.judged(
            partial(WhisperStatistics, screening.tasks, views=views, **options)
        )
        spent_s = (time.process_time() - start) / folds
        by_actor = np.stack(
            [found[screening.actor_of == who].mean(axis=0) for who in range(len(screening.actors))]
        )
        first = by_actor if first is None else first
        gain = (by_actor - first).mean(axis=0)
        error = (by_actor - first).std(axis=0, ddof=1) / len(by_actor) ** 0.5
        accuracy, nll = found.mean(axis=0)
        print(
            f"| {name} | {accuracy:.1f} / {nll:.3f} | {gain[0]:+.1f} ± {error[0]:.1f} "
            f"| {gain[1]:+.3f} ± {error[1]:.3f} | {', '.join(strengths)} | {spent_s:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    auto_cli(main, as_positional=False)
