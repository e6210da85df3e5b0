"""Which clips of a speaker are known when another is judged, and what branches give then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightning_emorec.part_logits import PartLogits
from lightning_emorec.speaker_names import is_nobody
from lightning_emorec.speaker_scores import KnownClips, SpeakerScores, adapted_logits

BLOCK = 2**22
"""Numbers in a block of counts, 16 MB; the whole matrix of a speaker with 10,000 clips would have 400 MB."""

Scores = dict[str, dict[str, SpeakerScores]]
"""Branch -> task -> scores of its clips."""


def clips_of_speakers(parts: Mapping[str, PartLogits], actors: Mapping[str, str]) -> dict[str, list[str]]:
    """Speaker -> ids of the clips that some branch takes; without clips of which nobody knows the speaker."""
    found: dict[str, list[str]] = {}
    for clip in dict.fromkeys(clip for part in parts.values() for clip in part.clip_ids):
        if not is_nobody(actors[clip]):
            found.setdefault(actors[clip], []).append(clip)
    return found


class Block(NamedTuple):
    """Some clips of a speaker, and which clips are known when they are judged.

    Attributes:
        ids: All clips of the speaker.
        rows: Places of the judged ones among these.
        counts: (judged, clips), 1 where the column's clip is known for the row's.
    """

    ids: list[str]
    rows: range
    counts: Tensor


@dataclass(frozen=True)
class DrawnClips:
    """The clips that are known for each clip of each speaker: drawn without replacement, and alike at every use.

    Attributes:
        speakers: Speaker -> ids of the clips.
        clips: How many are known; fewer where there are not so many. None takes all.
        seed: Of the draws.
        pool: Whether a clip may be drawn.
        with_own: The judged clip is one of those that are known; else never.
    """

    speakers: Mapping[str, list[str]]
    clips: int | None
    seed: int
    pool: Callable[[str], bool] = lambda _: True
    with_own: bool = False

    def blocks(self) -> Iterator[Block]:
        """All clips of all speakers, so many at a time that the counts of a long speaker fit into memory."""
        draw = np.random.default_rng([self.seed, self.clips or 0])
        for ids in self.speakers.values():
            in_pool, size = self._in_pool(ids), max(1, BLOCK // len(ids))
            for start in range(0, len(ids), size):
                rows = range(start, min(start + size, len(ids)))
                yield Block(ids, rows, self._counts(in_pool, rows, draw))

    def numbers(self) -> dict[str, int]:
        """Clip -> how many clips are known when it is judged."""
        found: dict[str, int] = {}
        for ids in self.speakers.values():
            in_pool = self._in_pool(ids)
            others = (int(in_pool.sum()) - in_pool).tolist()
            found |= {clip: self._wanted(of) + self._own for clip, of in zip(ids, others, strict=True)}
        return found

    @property
    def _own(self) -> bool:
        return self.with_own and self.clips != 0

    def _wanted(self, others: int) -> int:
        return others if self.clips is None else min(self.clips - self._own, others)

    def _in_pool(self, ids: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.array([self.pool(clip) for clip in ids])

    def _counts(
        self, in_pool: np.ndarray[tuple[int], np.dtype[np.bool_]], rows: range, draw: np.random.Generator
    ) -> Tensor:
        counts, candidates = torch.zeros(len(rows), len(in_pool)), np.flatnonzero(in_pool)
        for place, row in enumerate(rows):
            others = candidates[candidates != row]
            drawn = others if self.clips is None else draw.permutation(others)
            counts[place, drawn[: self._wanted(len(others))]] = 1
            counts[place, row] = float(self._own)
        return counts


def adapted_parts(
    parts: Mapping[str, PartLogits], scores: Scores, known: DrawnClips
) -> dict[str, PartLogits]:
    """Branch -> its logits, each clip adapted by those that are known of its speaker.

    Args:
        parts: Branch -> unadapted logits; a clip of which nothing is known keeps them.
        scores: What adaptation takes of each clip; tasks without stay as they are.
        known: May name clips that a branch does not take.
    """
    made = {name: {task: of.clone() for task, of in part.logits.items()} for name, part in parts.items()}
    places = {name: {clip: row for row, clip in enumerate(part.clip_ids)} for name, part in parts.items()}
    for block in known.blocks():
        for name, place in places.items():
            _adapt(made[name], scores[name], place, block)
    return {name: PartLogits(of.clip_ids, made[name], of.labels, of.content) for name, of in parts.items()}


def _adapt(
    logits: dict[str, Tensor], scores: Mapping[str, SpeakerScores], place: Mapping[str, int], block: Block
) -> None:
    """Write the adapted logits of a block of clips over those of a branch, whose rows `place` has."""
    taken = [number for number, clip in enumerate(block.ids) if clip in place]
    judged = [number for number in taken if number in block.rows]
    rows, own = ([place[block.ids[number]] for number in of] for of in (judged, taken))
    among = block.counts[[number - block.rows.start for number in judged]][:, taken]
    some = among.sum(dim=1) > 0
    for task, of in scores.items():
        made = adapted_logits(of.rows(rows), KnownClips.among(of.rows(own), among))
        logits[task][torch.tensor(rows, dtype=torch.long)[some]] = made[some]
