"""Audio as branches and features read it, degraded on the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lightning_emorec.audio import AudioStore
from lightning_emorec.augment import draw_seed
from lightning_emorec.commands.stress.degradation import Degradation, Heard, Sound
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip


class DegradedStore(AudioStore):
    """A store whose every clip is degraded when it is loaded, before any front end; nothing is written.

    Draws depend on the run's seed, the condition and the clip: not on the severity, the order or the process.
    Digests are those of the undegraded files, so features made from it need a cache of their own.

    Args:
        clean: The undegraded audio.
        clips: All that will be loaded.
        degradation: What is done to them.
        severity: How much of it.
        run_seed: The run's seed.
    """

    def __init__(
        self,
        clean: AudioStore,
        clips: Sequence[Clip],
        degradation: Degradation,
        severity: float,
        run_seed: int,
    ) -> None:
        super().__init__(clean.folder, clean.rate_hz)
        self._clean = clean
        self._known = clean._known
        self._clips = clips
        self._by_path = {clip.path: clip for clip in clips}
        self._degradation = degradation
        self._severity = severity
        self._run_seed = run_seed

    def at(self, rate_hz: int) -> DegradedStore:
        """The same clips, degraded at another rate."""
        clean = self._clean.at(rate_hz)
        return DegradedStore(clean, self._clips, self._degradation, self._severity, self._run_seed)

    def load(self, path: Path) -> Sound:
        """(time',) samples of a clip, degraded.

        Raises:
            EmorecError: The file cannot be used, or what came out is not finite.
        """
        clip = self._by_path[path]
        seed = draw_seed(self._run_seed, 0, f"stress/{self._degradation.name}/{clip.id}")
        heard = Heard(self._clean.load(path), self.rate_hz, clip, seed)
        degraded = np.asarray(self._degradation.apply(heard, self._severity), dtype=np.float32)
        if not degraded.size or not np.isfinite(degraded).all():
            found = f"none or some that are not finite, of clip {clip.id}"
            raise EmorecError(
                f"samples after {self._degradation.name}", found, "leave the condition out by --conditions"
            )
        return degraded
