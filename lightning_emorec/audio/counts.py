"""What was done to the audio of clips, or is odd about it, counted for those who read the figures."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightning_emorec.audio.decode import Note
from lightning_emorec.audio.paths import sounds_of, with_audio
from lightning_emorec.audio.store import AudioStore

if TYPE_CHECKING:
    from lightning_emorec.types import Clip  # its module takes torch along

logger = logging.getLogger(__name__)

CLIPPED = 0.001
"""A recording with a larger share of clipped samples counts as clipped."""


def counted(notes: Iterable[Note]) -> dict[str, int]:
    """What was done to recordings, or is odd about them -> how many; nothing that none has."""
    counts: Counter[str] = Counter()
    for note in notes:
        odd = {"clipped": note.clipped > CLIPPED, "silent": note.silent, "shorter than 0.1 s": note.short}
        counts.update(
            [*([note.mixed] if note.mixed else []), *(name for name, is_so in odd.items() if is_so)]
        )
    return dict(counts)


@dataclass(frozen=True)
class Counts:
    """What a reader of the figures must know of the audio behind them.

    Attributes:
        clips: How many have audio that can be used.
        longest_s: Length of the longest.
        found: What was done to clips, or is odd about them -> how many.
    """

    clips: int
    longest_s: float
    found: dict[str, int]

    @classmethod
    def of(cls, store: AudioStore, clips: Iterable[Clip], max_s: float | None, quiet: bool = False) -> Counts:
        """Count clips by what the store knows of their audio, and print on the terminal what is odd.

        Args:
            store: Has their audio.
            clips: Those without audio are left out.
            max_s: Longer clips are cut to it; None where the model takes them whole, as features do.
            quiet: Print nothing.
        """
        sounds = sounds_of(with_audio(clips))
        known = store.notes(sounds)
        notes = [known[sound] for sound in sounds if sound in known]
        long = sum(note.seconds > max_s for note in notes) if max_s is not None else 0
        found = {f"longer than max_s, {max_s:g} s": long} if long else {}
        longest_s = max((note.seconds for note in notes), default=0.0)
        counts = cls(len(notes), round(longest_s, 3), found | counted(notes))
        if counts.found and not quiet:
            logger.info("%s", counts)
        return counts

    def __str__(self) -> str:
        """One line."""
        found = "; ".join(f"{what}: {count:,}" for what, count in self.found.items()) or "nothing odd"
        return f"audio of {self.clips:,} clips, the longest {self.longest_s:.1f} s; {found}"
