"""Audio as branches and features read it, degraded when it is loaded."""

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
    """A store whose every clip is degraded when it is loaded, before any front end; nothing is written.

    Draws depend on the run's seed, the condition and the clip: not on the severity, the order or the process.
    Digests are those of the undegraded files, so features made from it need a cache of their own.

    Args:
        clean: The undegraded audio.
        clips: All that will be loaded.
        degradation: What is done to them.
        severity: How much of it.
        run_seed: The run's seed.
        voices: Clips of others.
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
