"""Decoded audio, kept on disk by content."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from lightning_emorec.audio.decode import Note, check_rate, decode_and_note, warn_if_silent
from lightning_emorec.audio.digests import MIXED, DigestIndex, combined
from lightning_emorec.audio.entry import (
    SAMPLE_BYTES,
    DamagedEntryError,
    entry_peak,
    entry_samples,
    read_entry,
    write_entry,
)
from lightning_emorec.audio.notes import NoteIndex
from lightning_emorec.audio.parallel import run_threads
from lightning_emorec.audio.sndfile_decoder import UNKNOWN_FRAMES
from lightning_emorec.audio.stretch import FileOrStretch, Stretch, file_of, files_of
from lightning_emorec.errors import FULL_DISK, EmorecError, UnavailableError
from lightning_emorec.user_caches import CACHE_VARIABLE

logger = logging.getLogger(__name__)

JUDGED_BY = 50
"""Files whose durations stand for all when the space that is lacking is estimated."""


def default_cache_folder() -> Path:
    """The folder that `EMOREC_CACHE` names, else the operating system's place for caches.

    Raises:
        UnavailableError: None is named, and pooch, which knows that place, is not installed.
    """
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).expanduser()
    try:
        import pooch  # not needed by those who decode without a cache
    except ModuleNotFoundError as error:
        found = (
            f"none, for {CACHE_VARIABLE} is not set and pooch, which knows the usual one, is not installed"
        )
        raise UnavailableError(
            "a cache folder", found, f"set {CACHE_VARIABLE}, or pip install pooch"
        ) from error
    return Path(pooch.os_cache("lightning_emorec"))


class AudioStore:
    """Mono audio at one rate, decoded once for each distinct content and memory-mapped from then on.

    Several processes may fill one folder at once: an entry is named by what it is made from, and appears
    whole or not at all. Pickles into a loader's workers.

    Args:
        folder: The cache; entries lie in `audio-<rate>/`, digests of source files in `digests.sqlite`, what was found
            in them in `notes.sqlite`.
        rate_hz: Rate of what `load` returns.
        channel: The channel to take of every file, from 0; None leaves the choice to the rule of `choose_channels`.

    Raises:
        EmorecError: The rate is below 8 kHz.
    """

    def __init__(self, folder: Path, rate_hz: int, channel: int | None = None) -> None:
        check_rate(rate_hz, "the rate asked for")
        self.folder = folder
        self.rate_hz = rate_hz
        self.channel = channel
        self._index = DigestIndex(folder)
        self._notes = NoteIndex(folder)
        self._known: dict[str, str] = {}  # path as given -> digest
        self._checked: set[Path] = set()  # entries whose checksum this process has compared

    def at(self, rate_hz: int) -> AudioStore:
        """The same cache at another rate; what is known of the files is shared."""
        other = AudioStore(self.folder, rate_hz, self.channel)
        other._known, other._checked = self._known, self._checked
        return other

    def digests(self, sounds: Sequence[FileOrStretch]) -> list[str]:
        """What the samples of each sound are made from, in order; files are looked at once in the life of a store.

        As `DigestIndex.digests`; but behind it stands `-channel0` and so on in the place of `-mixed` if one was chosen,
        and behind that the times of a stretch.

        Raises:
            EmorecError: Files that are missing or cannot be read.
        """
        errors = self._learn(files_of(sounds))
        if errors:
            raise combined(list(errors.values()))
        return [self._digest(sound) for sound in sounds]

    def prepare(self, sounds: Sequence[FileOrStretch]) -> None:
        """Decode what is not kept yet, or not whole by its header and size: `load` compares checksums.

        Args:
            sounds: Audio files, and stretches of them.

        Raises:
            EmorecError: Sounds that cannot be used, all counted and the first named, after all the others are
                decoded; or a cache folder that is full or cannot be written.
        """
        if errors := self.unusable(sounds):
            once = {(file_of(sound), error.found): error for sound, error in errors.items()}
            raise combined(list(once.values()))

    def unusable(self, sounds: Sequence[FileOrStretch]) -> dict[FileOrStretch, EmorecError]:
        """Decode as `prepare` does, and return an error for each sound that cannot be used.

        Raises:
            EmorecError: A cache folder that is full or cannot be written.
        """
        files = files_of(sounds)
        unread = self._learn(files)
        sources = self._sources(files)
        lacking = self._lacking(sources)
        bad = self._decode_all([(digest, sources[digest]) for digest in lacking])
        errors: dict[FileOrStretch, EmorecError] = {}
        for sound in sounds:
            digest = self._known.get(str(file_of(sound)), "")
            if error := unread.get(file_of(sound)) or bad.get(digest):
                errors[sound] = error
            elif isinstance(sound, Stretch):
                try:
                    sound.cut(entry_samples(self._entry(digest)), self.rate_hz)
                except EmorecError as outside:
                    errors[sound] = outside
        return errors

    def notes(self, sounds: Sequence[FileOrStretch]) -> dict[FileOrStretch, Note]:
        """What was found in sounds and done to them, without those that cannot be used.

        Length and peak are those of a stretch, the share of clipped samples is that of its file. Files decoded before
        notes were kept are decoded again, once.

        Raises:
            EmorecError: A cache folder that is full or cannot be written.
        """
        files = files_of(sounds)
        self._learn(files)
        sources = self._sources(files)
        digests = {sound: self._digest(sound) for sound in sounds if str(file_of(sound)) in self._known}
        known = self._notes.get(list({*sources, *digests.values()}))
        items = [(digest, path) for digest, path in sources.items() if digest not in known]
        self._decode_all(items, known)
        new: dict[str, Note] = {}
        for sound, digest in digests.items():
            of_file = known.get(self._known[str(file_of(sound))])
            if digest not in known and of_file is not None:
                with suppress(EmorecError):  # a stretch that is not within its file: it has no note
                    audio = self.load(sound)
                    seconds, peak = len(audio) / self.rate_hz, float(np.abs(audio).max())
                    new[digest] = replace(of_file, seconds=seconds, peak=peak)
        self._notes.put(new)
        known.update(new)
        return {sound: known[digest] for sound, digest in digests.items() if digest in known}

    def load(self, sound: FileOrStretch) -> NDArray[np.float32]:
        """(time,) samples of a file or of a stretch of one, decoding the file if it is not kept yet, or damaged.

        The checksum of what is kept is compared at the first reading in a process.

        Raises:
            EmorecError: The file cannot be used, the stretch is not within it, or the cache folder cannot be written.
        """
        path, stretch = file_of(sound), sound if isinstance(sound, Stretch) else None
        digest = self._known.get(str(path)) or self.digests([path])[0]
        entry = self._entry(digest)
        try:
            audio = read_entry(entry, self.rate_hz, stretch, checksum=entry not in self._checked)
        except (OSError, DamagedEntryError) as error:
            self._decode_again(digest, path, error)
            audio = read_entry(entry, self.rate_hz, stretch)
        self._checked.add(entry)
        return audio

    def _digest(self, sound: FileOrStretch) -> str:
        of_file = self._known[str(file_of(sound))]
        return sound.digest(of_file) if isinstance(sound, Stretch) else of_file

    def _entry(self, digest: str) -> Path:
        return self.folder / f"audio-{self.rate_hz}" / digest[:2] / f"{digest}.pcm"

    def _learn(self, paths: Sequence[Path]) -> dict[Path, EmorecError]:
        """Get to know the digests of files not met yet; an error for each that cannot be read."""
        new = [path for path in paths if str(path) not in self._known]
        found, errors = self._index.lookup(new, "Hashing audio")
        self._known.update({str(path): self._of_channel(digest) for path, digest in found.items()})
        return errors

    def _of_channel(self, digest: str) -> str:
        return digest if self.channel is None else f"{digest.removesuffix(MIXED)}-channel{self.channel}"

    def _sources(self, paths: Sequence[Path]) -> dict[str, Path]:
        """Digest -> the first of its files: a content is decoded once, whatever its names."""
        sources: dict[str, Path] = {}
        for path in paths:
            if str(path) in self._known:
                sources.setdefault(self._known[str(path)], path)
        return sources

    def _lacking(self, sources: dict[str, Path]) -> list[str]:
        """Digests without a whole entry. Warns of entries that are damaged, and of those that are silence."""

        def peak(digest: str) -> float:
            return entry_peak(self._entry(digest), self.rate_hz)

        lacking = []
        with closing(run_threads(peak, list(sources), "Checking decoded audio")) as checks:
            for digest, checked in checks:
                try:
                    warn_if_silent(sources[digest], checked.result())
                except (OSError, DamagedEntryError) as error:
                    _warn_if_damaged(sources[digest], error)
                    lacking.append(digest)
        return lacking

    def _decode_all(
        self, items: Sequence[tuple[str, Path]], notes: dict[str, Note] | None = None
    ) -> dict[str, EmorecError]:
        """Make the entries of (digest, path) pairs, add to `notes`; an error for each content that cannot be used."""
        errors: dict[str, EmorecError] = {}
        new: dict[str, Note] = {}
        left = dict(items)
        label = f"Decoding to {self.rate_hz} Hz"
        try:
            with closing(run_threads(self._decode_one, items, label)) as decodings:
                for (digest, _), decoded in decodings:
                    try:
                        new[digest] = decoded.result()
                    except EmorecError as error:
                        errors[digest] = error
                    except OSError as error:
                        raise self._unwritable(error, list(left.values())) from error
                    del left[digest]
        finally:
            self._notes.put(new)
        if notes is not None:
            notes.update(new)
        return errors

    def _decode_again(self, digest: str, path: Path, error: Exception) -> None:
        """Make the entry whose reading raised `error`."""
        _warn_if_damaged(path, error)
        try:
            self._notes.put({digest: self._decode_one((digest, path))})
        except OSError as refusal:
            raise self._unwritable(refusal, [path]) from refusal

    def _decode_one(self, item: tuple[str, Path]) -> Note:
        digest, path = item
        audio, note = decode_and_note(path, self.rate_hz, self.channel)
        write_entry(self._entry(digest), audio, self.rate_hz)
        return note

    def _unwritable(self, error: OSError, left: Sequence[Path]) -> EmorecError:
        """What the user has to know when an entry cannot be written."""
        if error.errno in FULL_DISK:
            return EmorecError(
                f"about {_needed_mb(left, self.rate_hz):.1f} MB more for decoded audio in {self.folder}",
                "a full disk",
                f"free that much, or name another folder by {CACHE_VARIABLE}",
            )
        return EmorecError(
            "a cache folder that can be written",
            f"{self.folder} ({error.strerror})",
            f"correct its permissions, or name another folder by {CACHE_VARIABLE}",
        )


def _warn_if_damaged(path: Path, error: Exception) -> None:
    """Log a damaged entry; one that is absent is the usual case."""
    if isinstance(error, DamagedEntryError):
        logger.warning("decoding %s again: what was kept of it is damaged (%s)", path, error)


def _needed_mb(paths: Sequence[Path], rate_hz: int) -> float:
    """Size of the entries of files, judged by the durations of the first few."""
    durations_s = []
    for path in paths[:JUDGED_BY]:
        with suppress(soundfile.LibsndfileError):  # reported by itself, as a file that cannot be used
            info = soundfile.info(path)
            if info.frames < UNKNOWN_FRAMES:
                durations_s.append(float(info.duration))
    return float(np.mean(durations_s or [0.0])) * len(paths) * rate_hz * SAMPLE_BYTES / 1e6
