"""An audio store that degrades clips when they are loaded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lightning_emorec.audio import AudioStore, FileOrStretch, sound_of
from lightning_emorec.augment import draw_seed
from lightning_emorec.commands.stress.degradations import Degradation
from lightning_emorec.commands.stress.recording import Recording, Sound, Voices
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip


class DegradedAudio(AudioStore):
    """Degrades every clip when it is loaded, before any front end; nothing is written.

    Random draws depend on the run's seed, the condition and the clip: not on the severity, the order or the process.
    Digests are those of the undegraded files, so that features of degraded audio need a separate cache.

    Args:
        clean: The undegraded audio.
        clips: All clips that will be loaded.
        degradation: Applied to each clip.
        severity: Severity of the degradation.
        run_seed: The run's seed.
        voices: Clips for babble.
    """

    def __init__(
        self,
        clean: AudioStore,
        clips: Sequence[Clip],
        degradation: Degradation,
        severity: float,
        run_seed: int,
        voices: Voices,
    ) -> None:
        super().__init__(clean.folder, clean.rate_hz, clean.channel)
        self._clean = clean
        self._known = clean._known
        self._clips = {sound_of(clip): clip for clip in clips}
        self._degradation = degradation
        self._severity = severity
        self._run_seed = run_seed
        self._voices = voices

    def at(self, rate_hz: int) -> DegradedAudio:
        """The same clips, degraded at another rate."""
        return DegradedAudio(
            self._clean.at(rate_hz),
            list(self._clips.values()),
            self._degradation,
            self._severity,
            self._run_seed,
            self._voices,
        )

    def load(self, sound: FileOrStretch) -> Sound:
        """(time',) samples of a clip, degraded."""
        clip, name = self._clips[sound], self._degradation.name
        seed = draw_seed(self._run_seed, 0, f"stress/{name}/{clip.id}")
        recording = Recording(self._clean.load(sound), self.rate_hz, clip, seed, self._voices)
        degraded = np.asarray(self._degradation.apply(recording, self._severity), dtype=np.float32)
        if not degraded.size or not np.isfinite(degraded).all():
            found = f"none or some that are not finite, of clip {clip.id}"
            raise EmorecError(f"finite samples after {name}", found, f"leave {name} out of --conditions")
        return degraded
