r"""Compares ways to adapt `WhisperStatistics` to a speaker by k unlabelled clips, by leaving actors out in turn.

    python benchmarks/adaptation.py --corpus configs/corpus/ravdess.yaml \
        --actors "[2, 3, 4, 7, 11, 13, 14, 16, 18, 20, 23, 24]"

The first task counts, and `c` is 0.003. Rows are brought to their first 500 principal components, without which each
solution takes a minute. A figure is accuracy / NLL of the clips left out; k clips of the same actor, never the judged
one, are drawn three times. The last columns know one-sided samples: up to 24 clips of three classes, and up to 4 of the
first class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import compress
from typing import cast

import numpy as np
import torch
from jsonargparse import auto_cli
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from lightning_emorec import config_loader  # noqa: F401 - sets the loader
from lightning_emorec.audio import AudioStore, default_cache_folder
from lightning_emorec.branches import WhisperStatistics
from lightning_emorec.branches.calibrated import calibrate
from lightning_emorec.branches.readout import LIMIT
from lightning_emorec.corpora import Corpus
from lightning_emorec.dataset import labels
from lightning_emorec.features import FeatureCache, FeatureReader
from lightning_emorec.fusion.known_clips import DrawnClips
from lightning_emorec.speaker_scores import divergence, variance_ratio

Array = NDArray[np.float64]
Solution = tuple[Array, Array]
Ratio = float | Array

COMPONENTS, DRAWS, C = 500, 3, 3e-3
KNOWN = (0, 1, 2, 4, 8, 16, None)
SKEWED = ("angry", "happy", "fearful")


@dataclass
class Fold:
    """Rows of the actors to learn from and to judge, (clips, views, size); class, actor of each clip."""

    rows: tuple[Array, Array]
    truth: tuple[NDArray[np.int64], NDArray[np.int64]]
    actors: tuple[list[str], list[str]]
    solved: dict[tuple[float, bool], Solution] = field(default_factory=dict)

    def solution(self, share: float, pooled: bool = False) -> Solution:
        """Solved on training rows from which a share of their actor's mean, by view or over all views, is taken."""
        if (share, pooled) not in self.solved:
            rows = self.rows[0].copy()
            for actor in set(self.actors[0]):
                own = [other == actor for other in self.actors[0]]
                mean = rows[own].mean(axis=0)
                rows[own] -= share * (mean.mean(axis=0) if pooled else mean)
            views = rows.shape[1]
            truth = np.repeat(self.truth[0], views)
            self.solved[share, pooled] = calibrate(
                rows.reshape(-1, rows.shape[2]), truth, C / views, int(truth.max()) + 1
            )
        return self.solved[share, pooled]


@dataclass(frozen=True)
class Way:
    """A way to adapt.

    Attributes:
        solution: k / (k + ratio) -> which solution judges.
        by_number: A ratio for each component, in place of one for all.
        shrunk: Whether the mean is shrunk at all.
        pooled: Whether the mean is taken over the views too.
        label_share: Divergence of the sample's probable labels -> the share of their effect that is taken out.
    """

    solution: Callable[[Fold, float], Solution]
    by_number: bool = False
    shrunk: bool = True
    pooled: bool = False
    label_share: Callable[[Array], Array] = np.zeros_like


def mixed(fold: Fold, share: float) -> Solution:
    """The unadapted and the wholly adapted solution, mixed."""
    first, last = fold.solution(0.0), fold.solution(1.0)
    return (1 - share) * first[0] + share * last[0], (1 - share) * first[1] + share * last[1]


def one(fold: Fold, share: float) -> Solution:
    """The wholly adapted solution as soon as a clip is known."""
    return fold.solution(1.0 if share else 0.0)


WAYS = {
    "mean removed, unadapted solution": Way(lambda fold, _: fold.solution(0.0)),
    "one adapted solution": Way(one),
    "the same, mean over all views": Way(
        lambda fold, share: fold.solution(1.0 if share else 0.0, pooled=True), pooled=True
    ),
    "the same, a ratio for each component": Way(one, by_number=True),
    "the same, not shrunk": Way(one, shrunk=False),
    "a solution for each k": Way(lambda fold, share: fold.solution(round(share, 3))),
    "two solutions mixed": Way(mixed),
    "mixed, half of the labels' effect out": Way(mixed, label_share=lambda far: 0 * far + 0.5),
    "mixed, all of it out": Way(mixed, label_share=lambda far: 0 * far + 1.0),
    "mixed, D / (D + 0.5) of it out": Way(mixed, label_share=lambda far: far / (far + 0.5)),
    "mixed, D / (D + 0.2) of it out": Way(mixed, label_share=lambda far: far / (far + 0.2)),
}


def ratio_of(fold: Fold, by_number: bool) -> Ratio:
    """Variance within an actor over variance between actors, at most 1,000."""
    rows = torch.from_numpy(fold.rows[0].mean(axis=1))
    if not by_number:
        return variance_ratio(rows, fold.actors[0])
    return np.array([min(variance_ratio(column[:, None], fold.actors[0]), 1e3) for column in rows.T])


def judged(way: Way, fold: Fold, ratio: Ratio, counts: Array) -> Array:
    """(clips, classes) log-probabilities; counts, (clips, clips), are the clips that are known for each."""
    known = counts.sum(axis=1, keepdims=True)
    k = float(known.max())
    shares = np.where(known > 0, known / (known + ratio), 0) if way.shrunk else np.minimum(known, 1)
    weight, bias = way.solution(fold, k / (k + variance_of(fold)) if k else 0.0)
    scores = fold.rows[1] @ weight.T + bias
    if not k:
        return np.asarray(log_softmax(scores, axis=2).mean(axis=1))
    draw = counts / known.clip(1)
    classes = len(weight)
    first = fold.solution(0.0)
    plain = log_softmax(fold.rows[1] @ first[0].T + first[1], axis=2).mean(axis=1)
    labels_of = draw @ np.exp(log_softmax(plain, axis=1))
    prior = np.bincount(fold.truth[0], minlength=classes) / len(fold.truth[0])
    effects = np.array([fold.rows[0][fold.truth[0] == of].mean(axis=(0, 1)) for of in range(classes)])
    far = divergence(torch.from_numpy(labels_of), torch.from_numpy(prior)[None]).numpy()
    moved = np.einsum("jc,cvp->jvp", draw, fold.rows[1])
    moved -= (way.label_share(far)[:, None] * ((labels_of - prior) @ effects))[:, None]
    moved = moved.mean(axis=1, keepdims=True) if way.pooled else moved
    adapted: Array = log_softmax(scores - (shares[:, None] * moved) @ weight.T, axis=2).mean(axis=1)
    return adapted


def variance_of(fold: Fold) -> float:
    """The pooled ratio."""
    return float(np.mean(ratio_of(fold, by_number=False)))


def samples(fold: Fold, names: list[str]) -> dict[str, list[Array]]:
    """Column -> (clips, clips) counts of the clips known for each, of every draw."""
    ids = [str(row) for row in range(len(fold.truth[1]))]
    speakers: dict[str, list[str]] = {}
    for clip, actor in zip(ids, fold.actors[1], strict=True):
        speakers.setdefault(actor, []).append(clip)

    def drawn(k: int | None, classes: tuple[str, ...] = ()) -> list[Array]:
        made = []
        for seed in range(DRAWS if k else 1):
            whole = np.zeros((len(ids), len(ids)))
            pool = {clip for clip in ids if not classes or names[fold.truth[1][int(clip)]] in classes}
            for block in DrawnClips(speakers, k, seed, pool.__contains__).blocks():
                own = [int(clip) for clip in block.ids]
                whole[np.ix_([own[row] for row in block.rows], own)] = block.counts.numpy()
            made.append(whole)
        return made

    return {
        **{"all" if k is None else str(k): drawn(k) for k in KNOWN},
        "of three classes": drawn(24, SKEWED),
        f"{names[0]} only": drawn(4, (names[0],)),
    }


def folds_of(corpus: Corpus, actors: list[int], folds: int) -> tuple[list[Fold], list[str]]:
    """The folds, and the names of the classes."""
    corpus.prepare()
    clips = [clip for clip in corpus.clips() if int(clip.actor) in actors]
    task, names = next(iter(corpus.tasks.items()))
    branch = WhisperStatistics({task: names})
    cache = default_cache_folder()
    reader = FeatureReader(FeatureCache(cache), branch.features, AudioStore(cache, 16000))
    reader.fill(clips, show=True)
    values = [feature.collate([reader(clip)[feature.key] for clip in clips]) for feature in branch.features]
    rows = branch.rows_of(cast(list[Tensor], values)).numpy()  # (clips, views, size)
    truth = np.array([labels(clip, {task: names})[task] for clip in clips])
    speaking = [clip.actor for clip in clips]
    order = sorted(set(speaking), key=int)
    made = []
    for number in range(folds):
        left_out = np.array([actor in order[number::folds] for actor in speaking])
        parts = (~left_out, left_out)
        scaler = StandardScaler().fit(rows[~left_out].reshape(-1, rows.shape[2]).astype(np.float64))
        standard = [
            np.clip(scaler.transform(rows[of].reshape(-1, rows.shape[2])), -LIMIT, LIMIT) for of in parts
        ]
        values_of, vectors = np.linalg.eigh(standard[0] @ standard[0].T)
        basis = standard[0].T @ vectors[:, -COMPONENTS:] / np.sqrt(values_of[-COMPONENTS:])
        short = [(of @ basis).reshape(-1, rows.shape[1], COMPONENTS) for of in standard]
        actors_of = [list(compress(speaking, of)) for of in parts]
        made.append(
            Fold((short[0], short[1]), (truth[~left_out], truth[left_out]), (actors_of[0], actors_of[1]))
        )
    return made, names


def main(corpus: Corpus, actors: list[int], folds: int = 4) -> None:
    """Print the table.

    Args:
        corpus: Of the clips.
        actors: To learn from and to judge; no other actor's clips are read.
        folds: Groups of actors that are left out in turn.
    """
    made, names = folds_of(corpus, actors, folds)
    known = [samples(fold, names) for fold in made]
    print(f"| known | {' | '.join(known[0])} |\n|---{'|---' * len(known[0])}|", flush=True)
    for name, way in WAYS.items():
        cells = []
        for column in known[0]:
            right, loss = [], []
            for fold, of in zip(made, known, strict=True):
                ratio = ratio_of(fold, way.by_number)
                for counts in of[column]:
                    logits = judged(way, fold, ratio, counts)
                    truth = fold.truth[1]
                    right.append(np.mean(logits.argmax(axis=1) == truth))
                    made_sure = log_softmax(logits, axis=1)[np.arange(len(truth)), truth]
                    loss.append(-made_sure.mean())
            cells.append(f"{100 * np.mean(right):.1f} / {np.mean(loss):.3f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    auto_cli(main, as_positional=False)
