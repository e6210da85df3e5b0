"""Which clips of a speaker are known when another is judged, and what a branch gives then."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from lightning_emorec.part_logits import PartLogits
from lightning_emorec.speaker_names import is_nobody
from lightning_emorec.speaker_scores import KnownClips, SpeakerScores, adapted_logits

Known = dict[str, tuple[list[str], Tensor]]
"""Speaker -> ids of the speaker's clips, and (clips, clips): 1 where the column's clip is known for the row's."""


def clips_of_speakers(parts: Mapping[str, PartLogits], actors: Mapping[str, str]) -> dict[str, list[str]]:
    """Speaker -> ids of the clips that some branch takes; without clips of which nobody knows the speaker."""
    found: dict[str, list[str]] = {}
    for clip in dict.fromkeys(clip for part in parts.values() for clip in part.clip_ids):
        if not is_nobody(actors[clip]):
            found.setdefault(actors[clip], []).append(clip)
    return found


def draw_others(
    speakers: Mapping[str, list[str]],
    clips: int | None,
    seed: int,
    pool: Callable[[str], bool] = lambda _: True,
    with_own: bool = False,
) -> Known:
    """Draw the clips that are known for each clip, without replacement, the same for the same arguments.

    Args:
        speakers: Speaker -> ids of the clips.
        clips: How many are known; fewer where there are not so many. None takes all.
        seed: Of the draws.
        pool: Whether a clip may be drawn.
        with_own: The judged clip is one of those that are known; else never.
    """
    draw = np.random.default_rng([seed, clips or 0])
    known: Known = {}
    for speaker, ids in speakers.items():
        candidates = np.flatnonzero([pool(clip) for clip in ids])
        counts = torch.zeros(len(ids), len(ids))
        for row in range(len(ids)):
            others = candidates[candidates != row]
            wanted = len(others) if clips is None else min(clips - with_own, len(others))
            counts[row, draw.permutation(others)[:wanted]] = 1
            if with_own and clips != 0:
                counts[row, row] = 1
        known[speaker] = (ids, counts)
    return known


def numbers_known(known: Known) -> dict[str, int]:
    """Clip -> how many clips are known when it is judged."""
    return {
        clip: int(number)
        for ids, counts in known.values()
        for clip, number in zip(ids, counts.sum(dim=1).tolist(), strict=True)
    }


def adapted_part(part: PartLogits, scores: Mapping[str, SpeakerScores], known: Known) -> PartLogits:
    """The logits of a branch, each clip adapted by those that are known of its speaker.

    Args:
        part: Unadapted logits; a clip of which nothing is known keeps them.
        scores: Task -> what adaptation takes of each clip; tasks without stay as they are.
        known: May name clips that the branch does not take.
    """
    place = {clip: row for row, clip in enumerate(part.clip_ids)}
    logits = {task: values.clone() for task, values in part.logits.items()}
    for ids, counts in known.values():
        kept = [number for number, clip in enumerate(ids) if clip in place]
        rows = torch.tensor([place[ids[number]] for number in kept], dtype=torch.long)
        among = counts[kept][:, kept]
        some = among.sum(dim=1) > 0
        for task, of in scores.items():
            own = of.rows(rows)
            made = adapted_logits(own, KnownClips.among(own, among))
            logits[task][rows[some]] = made[some]
    return PartLogits(part.clip_ids, logits, part.labels, part.content)
