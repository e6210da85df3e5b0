"""RAVDESS speech: 24 actors, 8 emotions, two sentences."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from lightning_emorec.corpora.corpus import Corpus
from lightning_emorec.corpora.disk import sound_files, writing
from lightning_emorec.corpora.download import Archive, install
from lightning_emorec.corpora.label_names import EmotionMap, Name
from lightning_emorec.corpora.naming import SUFFIXES, RavdessName, ravdess_tasks
from lightning_emorec.errors import EmorecError
from lightning_emorec.locks import lock
from lightning_emorec.types import Clip, Tasks

_log = logging.getLogger(__name__)

ROOT_VARIABLE = "EMOREC_RAVDESS_ROOT"
STATEMENTS = ("Kids are talking by the door", "Dogs are sitting by the door")

ARCHIVE = Archive(
    url="https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip",
    size_bytes=208_468_073,
    md5="bc696df654c87fed845eb13823edef8a",
    unpacked_bytes=515_000_000,  # 1,440 clips of 3.7 s on average, 48 kHz, 16 bit
    notice=(
        "RAVDESS speech is licensed CC BY-NC-SA 4.0: not for commercial use. Cite: Livingstone SR, Russo FA "
        "(2018), The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS), "
        "PLoS ONE 13(5): e0196391, https://doi.org/10.1371/journal.pone.0196391."
    ),
    fix=f"point --data.corpus.root or {ROOT_VARIABLE} at a copy that you have",
)


class Ravdess(Corpus):
    """The speech part of RAVDESS, `.wav` or `.flac`, at any depth below its root.

    Args:
        root: Folder of the clips; None is the environment variable EMOREC_RAVDESS_ROOT, or else
            `data/ravdess`.
        download: Whether `prepare` may download the archive (208 MB, CC BY-NC-SA 4.0) into a root that
            holds no clips.
        labels: Emotion as published -> another name, which several may share; null leaves its clips out.

    Raises:
        EmorecError: Labels that cannot be.
    """

    def __init__(
        self, root: str | None = None, download: bool = True, labels: dict[Name, Name] | None = None
    ) -> None:
        self.root = Path(root or os.environ.get(ROOT_VARIABLE) or "data/ravdess").expanduser()
        self.download = download
        self._emotions = EmotionMap(labels, ravdess_tasks())
        self._warned = False

    @property
    def tasks(self) -> Tasks:
        """Emotion (8 classes, unless `labels` maps them), intensity and sex."""
        return self._emotions.tasks

    def prepare(self) -> None:
        """Download and unpack the archive if the root holds no clips.

        A second process waits for the first. A download that breaks off is continued by the next call.

        Raises:
            EmorecError: The clips are absent and `download` is false, there is no network, the file's md5
                is wrong, or the disk is full.
        """
        if self._files():
            return
        if not self.download:
            raise self._no_clips("set --data.corpus.download true")
        with writing(self.root, ARCHIVE.needed_bytes), lock(self.root / ".download.lock"):
            if not self._files():
                install(ARCHIVE, self.root)

    def clips(self) -> list[Clip]:
        """List the clips of speech, sorted by id, which is the file name without its suffix.

        Files of song and of the video recordings are passed over. Of two files with one name the one nearer
        to the root counts (some mirrors nest a second copy), with a warning.

        Raises:
            EmorecError: No clips, or a sound file whose name is not RAVDESS's.
        """
        clips: dict[str, Clip] = {}
        repeated: list[Path] = []
        for path in self._files():
            name = RavdessName.parse(path)
            if not name.is_speech:
                continue
            if path.stem in clips:
                repeated.append(path)
                continue
            text = STATEMENTS[name.statement - 1]
            clips[path.stem] = Clip(path.stem, str(name.actor), path, name.labels, text)
        if not clips:
            raise self._no_clips("run again with --data.corpus.download true")
        self._warn_of(repeated)
        return self._emotions.clips([clips[stem] for stem in sorted(clips)])

    def _files(self) -> list[Path]:
        """Sound files, nearest to the root first."""
        return [self.root / path for path in sound_files(self.root, SUFFIXES)]

    def _no_clips(self, fix: str) -> EmorecError:
        return EmorecError(
            f"RAVDESS speech clips below {self.root}",
            "none" if self.root.is_dir() else "no such folder",
            f"{fix}, or {ARCHIVE.fix}",
        )

    def _warn_of(self, repeated: list[Path]) -> None:
        if repeated and not self._warned:
            self._warned = True
            _log.warning(
                "%d clips are there twice below %s, e.g. %s: one of each is used",
                len(repeated),
                self.root,
                repeated[0].relative_to(self.root),
            )
