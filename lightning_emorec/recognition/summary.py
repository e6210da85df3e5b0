"""One row for a whole recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lightning_emorec.recognition.annotations import text_of
from lightning_emorec.recognition.segment import NO_SPEECH, Segment


def summarise(segments: Sequence[Segment]) -> Segment:
    """The segments of one recording as one.

    Args:
        segments: At least one, with the silence between them.

    Returns:
        From the first begin to the last end. Probabilities are the means over the speech, weighted by duration, and
        the label is the most probable class; `NO_SPEECH` where nobody speaks. A prediction set of a mean has no
        guarantee, so `set` and `certain` are given only where one segment is speech.
    """
    speech = [segment for segment in segments if segment.label != NO_SPEECH]
    start, end = min(s.start for s in segments), max(s.end for s in segments)
    if len(speech) <= 1:
        return replace((speech or list(segments))[0], start=start, end=end)
    weights = [segment.duration for segment in speech]
    probabilities = _mean([segment.probabilities for segment in speech], weights)
    label = max(probabilities, key=lambda name: probabilities[name])
    speakers = {segment.speaker for segment in speech}
    return replace(
        speech[0],
        start=start,
        end=end,
        label=label,
        score=probabilities[label],
        probabilities=probabilities,
        set=[],
        certain=None,
        speaker=speakers.pop() if len(speakers) == 1 else "",
        text=text_of(speech),
        branches=_means([segment.branches for segment in speech], weights),
        tasks=_means([segment.tasks for segment in speech], weights),
        notes=list(dict.fromkeys(note for segment in speech for note in segment.notes)),
    )


def _mean(parts: Sequence[Mapping[str, float]], weights: Sequence[float]) -> dict[str, float]:
    """Name -> weighted mean over the parts that have it; parts without length count alike."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(name for part in parts for name in part):
        pairs = [(part[name], weight) for part, weight in zip(parts, weights, strict=True) if name in part]
        total = sum(weight for _, weight in pairs)
        even = 1 / len(pairs)
        found[name] = sum(value * (weight / total if total else even) for value, weight in pairs)
    return found


def _means(
    parts: Sequence[Mapping[str, Mapping[str, float]]], weights: Sequence[float]
) -> dict[str, dict[str, float]]:
    """`_mean` of each branch or task, over the parts that have it."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: _mean([part.get(name, {}) for part in parts], weights) for name in names}
