"""Evaluation of a model that is adapted to each test speaker by unlabelled clips: transductive, never the headline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lightning_emorec.confidence import covered
from lightning_emorec.evaluation.formats import count
from lightning_emorec.evaluation.intervals import DEFAULT, Bootstrap, Estimate
from lightning_emorec.evaluation.prediction_sets import ASKED
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.evaluation.results import Fold, Results
from lightning_emorec.evaluation.significance import sign_flip_p
from lightning_emorec.metrics import Array, score, scores_of
from lightning_emorec.types import UNLABELLED

if TYPE_CHECKING:
    from lightning_emorec.fusion import SpeakerAdaptation
    from lightning_emorec.fusion.known_clips import DrawnClips, Scores
    from lightning_emorec.part_logits import PartLogits

GRID = (1, 2, 4, 8, 16, None)
DRAWS = 5
SKEWED = ("angry", "happy", "fearful")

Kind = Literal["unadapted", "others", "with the judged clip", "some classes", "one class"]


@dataclass(frozen=True)
class Sample:
    """Which clips of a test speaker are known.

    Attributes:
        kind: `others` are drawn among all other clips of the speaker.
        clips: How many; None is all.
        classes: Only of these classes; empty for all.
    """

    kind: Kind
    clips: int | None
    classes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """As in `8 other clips` and `all other clips that are neutral`."""
        if self.kind == "unadapted":
            return "unadapted"
        number = "all" if self.clips is None else str(self.clips)
        if self.kind == "with the judged clip":
            return f"{number} with the judged clip"
        of = f" that are {', '.join(self.classes)}" if self.classes else ""
        return f"{number} other clip{'s' * (self.clips != 1)}{of}"


@dataclass(frozen=True)
class AdaptedRow:
    """Scores with one kind of sample, means over the draws.

    Attributes:
        sample: The sample.
        accuracy: With an interval over actors.
        uar: The same.
        uar_gain: Over the unadapted model.
        p: `accuracy` and `uar` -> uncorrected p of the gain, by a permutation test over actors.
        nll: Mean negative log-likelihood.
        ece: Expected calibration error.
        coverage: Share of clips with the right class in the prediction set; None without confidence of this mode.
        branches: Branch -> UAR.
    """

    sample: Sample
    accuracy: Estimate
    uar: Estimate
    uar_gain: Estimate
    p: dict[str, float]
    nll: float
    ece: float
    coverage: float | None
    branches: dict[str, float]


def samples_of(classes: Sequence[str]) -> list[Sample]:
    """The learning curve, the same with the judged clip, and samples that are one-sided."""
    skewed = tuple(name for name in SKEWED if name in classes)
    skewed = skewed if len(skewed) == len(SKEWED) else tuple(classes[:3])
    alone = "neutral" if "neutral" in classes else classes[0]
    return [
        Sample("unadapted", 0),
        *(Sample("others", clips) for clips in GRID),
        *(Sample("with the judged clip", clips) for clips in GRID),
        Sample("some classes", None, skewed),
        Sample("one class", None, (alone,)),
    ]


def adapted_rows(results: Results, bootstrap: Bootstrap = DEFAULT) -> list[AdaptedRow]:
    """Scores on the test clips of the first seed, pooled over folds; empty for a model that is not adapted.

    Every sample is drawn several times, unless it takes all. Nothing is learned here: what adapts a fold's model to
    speakers has been learned from its training and validation actors.
    """
    folds = results.of(results.seeds[0])
    if results.part != "test" or any(fold.adaptation is None for fold in folds):
        return []
    systems = results.branches or [results.chosen]
    parts = [{system.name: fold.logits[system]["test"] for system in systems} for fold in folds]
    scores = [_scores(fold, of, results.task) for fold, of in zip(folds, parts, strict=True)]
    rows: list[AdaptedRow] = []
    base: Array | None = None
    for sample in samples_of(results.tasks[results.task]):
        draws = 1 if sample.clips in (0, None) else DRAWS
        drawn = [
            [_judged(results, *fold, sample, draw) for fold in zip(folds, parts, scores, strict=True)]
            for draw in range(1, draws + 1)
        ]
        row, base = _row(results, sample, drawn, base, bootstrap)
        rows.append(row)
    return rows


@dataclass(frozen=True)
class _Judged:
    """The test clips of one fold with one draw: adapted logits, and whether each set has the right class."""

    whole: PartLogits
    branches: dict[str, PartLogits]
    inside: list[bool] | None


def _scores(fold: Fold, parts: Mapping[str, PartLogits], task: str) -> Scores:
    """What adaptation takes of the test clips, of one task alone."""
    assert fold.adaptation is not None
    found = fold.adaptation.scores(parts)
    return {name: {task: of[task]} if task in of else {} for name, of in found.items()}


def _judged(
    results: Results, fold: Fold, parts: dict[str, PartLogits], scores: Scores, sample: Sample, draw: int
) -> _Judged:
    assert fold.adaptation is not None
    known = _known(results, parts, sample, draw)
    adapted = fold.adaptation.adapted(parts, known, scores) if sample.clips != 0 else parts
    counts = known.numbers()
    whole = (
        fold.logits[results.chosen]["test"] if sample.clips == 0 else fold.adaptation.fused(adapted, counts)
    )
    branches = adapted if results.branches else {}
    return _Judged(whole, branches, _inside(fold, fold.adaptation, whole, counts, results.task))


def _known(results: Results, parts: Mapping[str, PartLogits], sample: Sample, draw: int) -> DrawnClips:
    from lightning_emorec.fusion.known_clips import DrawnClips, clips_of_speakers  # it needs torch

    actors = {clip: results.clips[clip].actor for part in parts.values() for clip in part.clip_ids}
    speakers = clips_of_speakers(parts, actors)

    def taken(clip: str) -> bool:
        return not sample.classes or results.clips[clip].labels.get(results.task) in sample.classes

    with_own = sample.kind == "with the judged clip"
    return DrawnClips(speakers, sample.clips, draw, taken, with_own)


def _inside(
    fold: Fold, adaptation: SpeakerAdaptation, part: PartLogits, counts: Mapping[str, int], task: str
) -> list[bool] | None:
    """Whether the set of each labelled clip has the right class; None where that of a clip has no confidence."""
    inside = []
    numbers = [counts.get(clip, 0) for clip in part.clip_ids]
    labels = part.labels[task]
    for number in dict.fromkeys(numbers):
        mode = adaptation.mode(number)
        adapted = None if mode is None else mode.confidence(task)
        confidence = adapted if number else fold.confidence
        if confidence is None:
            return None
        rows = [row for row, of in enumerate(numbers) if of == number and labels[row] != UNLABELLED]
        sets = confidence.sets(confidence.probabilities(part.logits[task][rows].numpy()), ASKED)
        inside += covered(sets, labels[rows].numpy()).tolist()
    return inside


def _row(
    results: Results,
    sample: Sample,
    drawn: list[list[_Judged]],
    base: Array | None,
    bootstrap: Bootstrap,
) -> tuple[AdaptedRow, Array]:
    """The row of a sample, and the confusions that the gains of later rows are measured from."""
    task, classes = results.task, results.tasks[results.task]
    wholes = [_joined([of.whole for of in folds]) for folds in drawn]
    confusions = np.mean(
        [Predictions.of(part, task, classes, results.clips).confusions() for part in wholes], axis=0
    )
    base = confusions if base is None else base
    scores = [score(part.logits[task], part.labels[task]) for part in wholes]
    insides = [of.inside for folds in drawn for of in folds]
    found = [one for of in insides if of is not None for one in of]
    branches = {
        name: float(np.mean([_uar([of.branches[name] for of in folds], task) for folds in drawn]))
        for name in drawn[0][0].branches
    }
    estimates = _estimates(confusions, base, bootstrap)
    return AdaptedRow(
        sample=sample,
        accuracy=estimates["accuracy"],
        uar=estimates["uar"],
        uar_gain=estimates["uar_gain"],
        p=_p_values(confusions, base, bootstrap),
        nll=float(np.mean([of["nll"] for of in scores])),
        ece=float(np.mean([of["ece"] for of in scores])),
        coverage=float(np.mean(found)) if found and None not in insides else None,
        branches=branches,
    ), base


def _uar(parts: Sequence[PartLogits], task: str) -> float:
    joined = _joined(parts)
    return score(joined.logits[task], joined.labels[task])["uar"]


def _joined(parts: Sequence[PartLogits]) -> PartLogits:
    """All clips, without what adaptation takes of them, which the parts of different folds may not all have."""
    bare = [replace(part, content="", speakers={}) for part in parts]
    return bare[0].join(bare)


def _estimates(confusions: Array, base: Array, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Scores with intervals over actors from (actors, classes, classes) mean confusions, and the gain of UAR."""
    actors, classes = confusions.shape[:2]
    weights = bootstrap.draws(actors)

    def of(counts: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        again = (weights @ counts.reshape(actors, -1)).reshape(-1, classes, classes)
        return scores_of(counts.sum(axis=0)), scores_of(again)

    (now, now_again), (before, before_again) = of(confusions), of(base)
    values = {name: (float(now[name]), now_again[name]) for name in ("accuracy", "uar")}
    values["uar_gain"] = (float(now["uar"] - before["uar"]), now_again["uar"] - before_again["uar"])
    return {
        name: Estimate(value, bootstrap.interval(again, actors) if actors > 1 else None)
        for name, (value, again) in values.items()
    }


def _p_values(confusions: Array, base: Array, bootstrap: Bootstrap) -> dict[str, float]:
    """Of the gains of accuracy, by actor, and of UAR, as `paired_tests` has them."""
    gained = np.diagonal(confusions - base, axis1=1, axis2=2)  # (actors, classes)
    clips = base.sum(axis=2)
    present = clips.sum(axis=0) > 0
    accuracies = gained.sum(axis=1) / clips.sum(axis=1)
    recalls = (gained[:, present] / clips[:, present].sum(axis=0)).mean(axis=1)
    both = {"accuracy": accuracies, "uar": recalls}
    return {name: sign_flip_p(of, seed=bootstrap.seed) for name, of in both.items()}


def adapted_content(rows: Sequence[AdaptedRow]) -> dict[str, Any]:
    """What metrics.json and crossval.json hold of it."""

    def plain(estimate: Estimate) -> dict[str, Any]:
        ends = estimate.interval
        return {"value": estimate.value, "interval": [ends.low, ends.high] if ends else None}

    return {
        "transductive": True,
        "draws": DRAWS,
        "rows": [
            {
                **asdict(row.sample),
                **{name: plain(getattr(row, name)) for name in ("accuracy", "uar", "uar_gain")},
                **{name: getattr(row, name) for name in ("p", "nll", "ece", "coverage", "branches")},
            }
            for row in rows
        ],
    }


def adapted_sentence(rows: Sequence[AdaptedRow]) -> str:
    """The terminal's line."""
    base, *curve = [row for row in rows if row.sample.kind in ("unadapted", "others")]
    told = ", ".join(
        f"{'all' if row.sample.clips is None else row.sample.clips}: {100 * row.uar.value:.1f}"
        for row in curve
    )
    return (
        f"transductive, not the headline: UAR adapted to each speaker by unlabelled clips {told} (without: "
        f"{100 * base.uar.value:.1f}; {count(DRAWS, 'draw')})"
    )
