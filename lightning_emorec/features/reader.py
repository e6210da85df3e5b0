"""Reads the features that a model needs, clip by clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from lightning_emorec.audio import AudioStore, sounds_of, with_audio
from lightning_emorec.features.cache import FeatureCache, LostValueError
from lightning_emorec.features.feature import Feature, Value
from lightning_emorec.types import Clip


class LazyValues(Sequence[Value]):
    """The values of one feature, each read when it is asked for: those of a large corpus need not fit into memory.

    Args:
        reader: Has indexed the clips.
        key: The feature's.
        clips: Whose values.
    """

    def __init__(self, reader: FeatureReader, key: str, clips: Sequence[Clip]) -> None:
        self._reader = reader
        self._key = key
        self._clips = clips

    def __len__(self) -> int:
        return len(self._clips)

    def __iter__(self) -> Iterator[Value]:
        return (self._reader.value(self._key, clip) for clip in self._clips)

    @overload
    def __getitem__(self, place: int) -> Value: ...
    @overload
    def __getitem__(self, place: slice) -> LazyValues: ...
    def __getitem__(self, place: int | slice) -> Value | LazyValues:
        if isinstance(place, slice):
            return LazyValues(self._reader, self._key, self._clips[place])
        return self._reader.value(self._key, self._clips[place])


class FeatureReader:
    """Finds the feature values of clips.

    Args:
        cache: Where computed values are kept.
        features: What the model needs.
        audio: Store of decoded audio at the rate that features are made from.
    """

    def __init__(self, cache: FeatureCache, features: Sequence[Feature], audio: AudioStore) -> None:
        self.cache = cache
        self.features = {feature.key: feature for feature in features}  # a key costs a hash: asked once
        self._stored_as = {key: feature.stored_as for key, feature in self.features.items()}
        self.audio = audio
        self._digests: dict[str, str] = {}
        self._plain: dict[str, dict[str, Value]] = {}

    def fill(self, clips: Sequence[Clip], share: tuple[int, int] = (0, 1), show: bool = True) -> None:
        """Compute what the cache lacks, of the clips that have audio.

        Args:
            clips: All of them.
            share: (i, n): compute only every n-th distinct recording, from the i-th on, for other processes
                compute the others.
            show: Progress bars, in the first of these processes.
        """
        self.index(clips)
        distinct = {self._digests[clip.id]: clip for clip in with_audio(clips) if clip.id in self._digests}
        number, of = share
        digests = list(distinct)[number::of]
        for feature in self.features.values():
            if feature.from_audio:
                mine = [distinct[digest] for digest in digests]
                self.cache.fill(feature, mine, digests, self.audio, show=show and number == 0)

    def lacks(self, clips: Sequence[Clip]) -> bool:
        """Whether the cache lacks a value of these clips."""
        self.index(clips)
        audible = [clip for clip in with_audio(clips) if clip.id in self._digests]
        digests = [self._digests[clip.id] for clip in audible]
        return any(self.cache.missing(feature, audible, digests) for feature in self.features.values())

    def index(self, clips: Sequence[Clip]) -> None:
        """Learn the digests of these clips, and the values that are read from the clips themselves."""
        for key, feature in self.features.items():
            if not feature.from_audio:
                values = feature.compute(clips, self.audio)
                self._plain[key] = {clip.id: value for clip, value in zip(clips, values, strict=True)}
        if any(feature.from_audio for feature in self.features.values()):
            audible = with_audio(clips)
            digests = self.audio.digests(sounds_of(audible))
            self._digests = {clip.id: digest for clip, digest in zip(audible, digests, strict=True)}

    def __call__(self, clip: Clip) -> dict[str, Value]:
        """Feature key -> this clip's value; without those made from audio if it has none."""
        return {
            key: self.value(key, clip)
            for key, feature in self.features.items()
            if clip.path is not None or not feature.from_audio
        }

    def value(self, key: str, clip: Clip) -> Value:
        """One feature's value of a clip; it has audio, if the feature is made from that.

        A value that the cache has lost since `fill` is computed anew.
        """
        feature = self.features[key]
        if not feature.from_audio:
            return self._plain[key][clip.id]
        digest = self._digests[clip.id]
        try:
            return self.cache.get(self._stored_as[key], digest)
        except LostValueError:
            self.cache.fill(feature, [clip], [digest], self.audio, show=False)
            return self.cache.get(self._stored_as[key], digest)
