r"""Compares what `WhisperStatistics` can take of a clip, by leaving groups of actors out in turn.

    python benchmarks/whisper_statistics.py --corpus configs/corpus/ravdess.yaml \
        --actors "[2, 3, 4, 7, 11, 13, 14, 16, 18, 20, 23, 24]"

The first task counts. Differences are to the first row, by actor, with their standard error. With several Whisper
models the row of quantiles is made of each of them, and of all side by side.
"""

from __future__ import annotations

import time
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


def judged(
    clips: list[Clip], tasks: Tasks, features: dict[str, list[Value]], fold_of: NDArray[Any], **options: Any
) -> tuple[NDArray[Any], set[float]]:
    """(clips, 2) accuracy in % and negative log-likelihood of clips left out; the strengths of the folds."""
    (task,) = tasks
    truth = np.array([labels(clip, tasks)[task] for clip in clips])
    found, strengths = np.zeros((len(clips), 2)), set()
    for fold in np.unique(fold_of):
        branch, out = WhisperStatistics(tasks, **options), fold_of == fold
        learned, known = (
            list(compress(clips, ~out)),
            {key: list(compress(of, ~out)) for key, of in features.items()},
        )
        branch.solve(TrainingData(learned, tasks, known))
        rows = branch.rows_of(
            [one.collate(list(compress(features[one.key], out))) for one in branch.features]
        )
        log_p = branch.net(rows)[task].log_softmax(dim=1).numpy()
        own = truth[out]
        found[out] = np.stack([100 * (log_p.argmax(axis=1) == own), -log_p[np.arange(len(own)), own]], axis=1)
        strengths.add(branch.solved_c[task])
    return found, strengths


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
    names, actor_of = np.unique([clip.actor for clip in clips], return_inverse=True)
    made = {name: options | {"whisper": whisper} for name, options in ROWS.items()}
    if whisper and len(whisper) > 1:
        sets = [*([one] for one in whisper), whisper]
        made = {" and ".join(some): ROWS["quantiles, c chosen"] | {"whisper": some} for some in sets}
    print(HEAD)
    first = None
    for name, options in made.items():
        start, tasks = time.process_time(), {task: list(corpus.tasks[task])}
        found, strengths = judged(clips, tasks, values, actor_of % folds, views=views, **options)
        spent_s = (time.process_time() - start) / folds
        by_actor = np.stack([found[actor_of == who].mean(axis=0) for who in range(len(names))])
        first = by_actor if first is None else first
        gain, error = (
            (by_actor - first).mean(axis=0),
            (by_actor - first).std(axis=0, ddof=1) / len(names) ** 0.5,
        )
        (accuracy, nll), told = found.mean(axis=0), ", ".join(f"{c:g}" for c in sorted(strengths))
        scores = (
            f"{accuracy:.1f} / {nll:.3f} | {gain[0]:+.1f} ± {error[0]:.1f} | {gain[1]:+.3f} ± {error[1]:.3f}"
        )
        print(f"| {name} | {scores} | {told} | {spent_s:.0f} |", flush=True)


if __name__ == "__main__":
    auto_cli(main, as_positional=False)
