"""Adaptation to a speaker: what is kept of each clip for it, and the logits that it makes (docs/adaptation.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor

from lightning_emorec.speaker_names import is_nobody

HALFWAY = 0.5
"""Divergence in nats, of a sample's label shares from those of training, at which half of its
labels' effect is removed."""

_LEAST = 1e-3  # share of a class in training, so that a class without clips has a finite divergence


@dataclass(frozen=True)
class SpeakerScores:
    """What adaptation takes of each clip, for one task; all on the CPU.

    Scores are linear in what the mean is taken of (a branch's standardised rows, or its log-probabilities), so that the
    mean over a speaker's clips may be taken of the scores. All values are those of each clip, the branch's constants
    too: clips of several models can be joined.

    Attributes:
        scores: (clips, solutions, views, classes), bias included: the unadapted solution is first, that for adapted
            rows last.
        centre: (clips, solutions, classes), the scores of the mean over training.
        effects: (clips, solutions, classes), what the clip's probable labels add to its scores.
        shares: (clips, classes), the unadapted probabilities.
        prior: (clips, classes), shares of the classes in training.
        ratio: (clips,), variance within a speaker over variance between speakers; infinite where none is to be adapted.
    """

    scores: Tensor
    centre: Tensor
    effects: Tensor
    shares: Tensor
    prior: Tensor
    ratio: Tensor

    def __len__(self) -> int:
        return len(self.scores)

    def rows(self, kept: Sequence[int] | Tensor) -> Self:
        """Some of the clips."""
        return replace(self, **{name: values[kept] for name, values in self.to_state().items()})

    def classes(self, columns: Tensor) -> Self:
        """Some of the classes, over which shares are brought to 1 again."""
        made = {n: v[..., columns] for n, v in self.to_state().items() if n != "ratio"}
        for name in ("shares", "prior"):
            made[name] = made[name] / made[name].sum(dim=1, keepdim=True).clamp(min=_LEAST)
        return replace(self, **made)

    def to_state(self) -> dict[str, Tensor]:
        """Plain tensors, by attribute."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of_state(cls, state: Mapping[str, Tensor]) -> Self:
        """What `to_state` gave."""
        return cls(**{name: values.detach().cpu().float() for name, values in state.items()})

    @classmethod
    def join(cls, parts: Sequence[SpeakerScores]) -> Self:
        """The clips of several."""
        return cls(**{name: torch.cat([of.to_state()[name] for of in parts]) for name in parts[0].to_state()})


@dataclass(frozen=True)
class KnownClips:
    """Means over the known clips of the speaker of each judged clip.

    Attributes:
        count: (judged,) how many are known; the means of a speaker of whom none is known do not count.
        scores: (judged, solutions, views, classes).
        effects: (judged, solutions, classes).
        shares: (judged, classes).
    """

    count: Tensor
    scores: Tensor
    effects: Tensor
    shares: Tensor

    @classmethod
    def among(cls, clips: SpeakerScores, counts: Tensor) -> Self:
        """Means over clips that are given as a matrix.

        Args:
            clips: Of which some are known.
            counts: (judged, clips), how often each is known for the judged clip of that row.
        """
        total = counts.sum(dim=1)
        shares = counts / total.clamp(min=1)[:, None]
        means = (
            torch.einsum("jc,c...->j...", shares, v) for v in (clips.scores, clips.effects, clips.shares)
        )
        return cls(total, *means)


def divergence(shares: Tensor, prior: Tensor) -> Tensor:
    """(rows,) Kullback-Leibler divergence in nats of (rows, classes) label shares from those of training."""
    found: Tensor = torch.special.xlogy(shares, shares / prior.clamp(min=_LEAST)).sum(dim=1).clamp(min=0)
    return found


def label_weight(shares: Tensor, prior: Tensor) -> Tensor:
    """(rows,) what share of its labels' effect is taken out of a sample's mean: the more, the more one-sided it is."""
    far = divergence(shares, prior)
    weight: Tensor = far / (far + HALFWAY)
    return weight


def variance_ratio(values: Tensor, speakers: Sequence[str]) -> float:
    """Variance within a speaker over variance between speakers, each summed over all numbers.

    Estimated from the mean squares of a one-way analysis of variance, which allows for speakers with few clips.

    Args:
        values: (clips, size).
        speakers: (clips,) names; clips of nobody are left out.

    Returns:
        Infinity where the speakers differ by no more than chance, or are too few.
    """
    values = values.double()
    places = [place for place, name in enumerate(speakers) if not is_nobody(name)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(speakers[place] for place in places))}
    clips, groups = len(places), len(numbers)
    if not 1 < groups < clips:
        return math.inf
    own = torch.tensor([numbers[speakers[place]] for place in places])
    counts = torch.bincount(own).double()
    means = values.new_zeros(groups, values.shape[1]).index_add_(0, own, values[places]) / counts[:, None]
    within = float((values[places] - means[own]).square().sum()) / (clips - groups)
    spread = (means - values[places].mean(dim=0)).square().sum(dim=1)
    each = (clips - float(counts.square().sum()) / clips) / (groups - 1)  # clips of a speaker, in effect
    between = (float((counts * spread).sum()) / (groups - 1) - within) / each
    return within / between if between > 0 else math.inf


def speakers_vary(labels: Tensor, speakers: Sequence[str]) -> bool:
    """Whether some speaker has clips of several labels: a task such as sex, in which none has, must not be adapted.

    Args:
        labels: (clips,) class indices, negative where a clip has none.
        speakers: (clips,) names.
    """
    seen = {
        (name, label)
        for name, label in zip(speakers, labels.tolist(), strict=True)
        if label >= 0 and not is_nobody(name)
    }
    return len(seen) > len({name for name, _ in seen})


def mean_by_label(values: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Effect of each label on the values, (classes, size), and the shares of the labels, (classes,).

    Args:
        values: (clips, size).
        labels: (clips,) class indices, negative where a clip has none.
        classes: Number of classes; one without clips has no effect.
    """
    known = labels >= 0
    shown = torch.eye(classes, dtype=values.dtype)[labels[known]]  # (labelled, classes)
    counts = shown.sum(dim=0)
    means = (shown.T @ values[known]) / counts.clamp(min=1)[:, None]
    centre = values[known].mean(dim=0) if known.any() else values.new_zeros(values.shape[1])
    effects = torch.where(counts[:, None] > 0, means - centre, 0.0)
    return effects, counts / counts.sum().clamp(min=1)


def adapted_logits(judged: SpeakerScores, known: KnownClips) -> Tensor:
    """(judged, classes) log-probabilities, adapted to each clip's speaker by the known clips.

    The mean over k known clips is drawn towards that over training, as empirical Bayes would have it (Efron and Morris
    1973): what is taken away is k / (k + ratio) of their difference. Solutions are mixed in the same proportion. Of a
    one-sided sample the mean depends more on its labels than on its speaker: the more the sample's probable labels
    differ from those of training, the more of their effect is taken out of the mean first. Without known clips the
    result is that of the unadapted model.
    """
    share = torch.where(known.count > 0, known.count / (known.count + judged.ratio), 0.0)[:, None, None]
    effect = label_weight(known.shares, judged.prior)[:, None, None] * known.effects
    moved = known.scores - (judged.centre + effect)[:, :, None]  # (judged, solutions, views, classes)
    scores = judged.scores - share[..., None] * moved
    mixed = (1 - share) * scores[:, 0] + share * scores[:, -1]  # (judged, views, classes)
    logits: Tensor = mixed.log_softmax(dim=-1).mean(dim=1)
    return logits
