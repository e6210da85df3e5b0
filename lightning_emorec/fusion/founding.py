"""Founds confidence on logits of validation actors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lightning_emorec.confidence import Confidence
from lightning_emorec.fusion.fitted_rules import FittedRules
from lightning_emorec.fusion.temperature import fit_temperature
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED


def found_confidence(part: PartLogits, task: str, actors: Mapping[str, str]) -> Confidence | None:
    """Temperature and scores from logits of clips whose actors the model has not learned from.

    The one temperature is fitted to the same clips that the scores are of: it is fitted to hundreds of clips, and a
    half of them set aside would cost the thresholds more than it gains.

    Args:
        part: The clips.
        task: The task.
        actors: Clip -> actor.

    Returns:
        None where no clip has a label of the task.
    """
    labels = part.labels[task]
    known = labels != UNLABELLED
    if not known.any():
        return None
    logits, right = part.logits[task][known], labels[known].numpy()
    temperature = fit_temperature(logits, labels[known])
    speaking = {
        actors[clip] for clip, is_known in zip(part.clip_ids, known.tolist(), strict=True) if is_known
    }
    bare = Confidence(temperature, np.empty(0), len(speaking))
    scores = 1 - bare.probabilities(logits.numpy())[np.arange(len(right)), right]
    return Confidence(temperature, np.sort(scores), len(speaking))


def out_of_actor(
    fitted: FittedRules, rule: str, parts: Mapping[str, PartLogits], actors: Mapping[str, str]
) -> PartLogits | None:
    """Fused validation logits, each actor by the rule solved on the others; None where there is one actor only.

    Args:
        fitted: The rules.
        rule: Name of the one that fuses.
        parts: Branch -> logits of the validation clips that it takes.
        actors: Clip -> actor.
    """
    speaking = {actors[clip] for part in parts.values() for clip in part.clip_ids}
    return fitted.across_actors(rule, parts, actors) if len(speaking) > 1 else None
