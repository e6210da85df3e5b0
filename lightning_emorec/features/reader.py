"""Reads the features that a model needs, clip by clip."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_emorec.audio import AudioStore, paths_of
from lightning_emorec.features.cache import FeatureCache
from lightning_emorec.features.feature import Feature, Value
from lightning_emorec.types import Clip


class FeatureReader:
    """Knows where each clip's feature values are, so that a dataset need not.

    Args:
        cache: Where computed values are kept.
        features: What the model needs.
        audio: Store of decoded audio at the rate that features are made from.
    """

    def __init__(self, cache: FeatureCache, features: Sequence[Feature], audio: AudioStore) -> None:
        self.cache = cache
        self.features = {feature.key: feature for feature in features}  # a key costs a hash: asked once
        self.audio = audio
        self._digests: dict[str, str] = {}
        self._plain: dict[str, dict[str, Value]] = {}

    def fill(self, clips: Sequence[Clip]) -> None:
        """Compute what the cache lacks."""
        self.index(clips)
        for feature in self.features.values():
            if feature.cached:
                self.cache.fill(feature, clips, [self._digests[clip.id] for clip in clips], self.audio)

    def index(self, clips: Sequence[Clip]) -> None:
        """Learn the digests of these clips, and the values that are read from the clips themselves.

        Raises:
            UnavailableError: A feature is made from audio, and a clip has none.
        """
        for key, feature in self.features.items():
            if not feature.cached:
                values = feature.compute(clips, self.audio)
                self._plain[key] = {clip.id: value for clip, value in zip(clips, values, strict=True)}
        if any(feature.cached for feature in self.features.values()):
            digests = self.audio.digests(paths_of(clips))
            self._digests = {clip.id: digest for clip, digest in zip(clips, digests, strict=True)}

    def __call__(self, clip: Clip) -> dict[str, Value]:
        """Feature key -> this clip's value."""
        return {
            key: self.cache.get(feature, self._digests[clip.id])
            if feature.cached
            else self._plain[key][clip.id]
            for key, feature in self.features.items()
        }
