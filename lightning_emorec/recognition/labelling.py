"""Labelling many recordings: resumed, shared among processes, written as results come."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Literal, TextIO

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.errors import EmorecError
from lightning_emorec.hashing import short_hash
from lightning_emorec.progress import progress_bar
from lightning_emorec.recognition.embeddings import Embeddings
from lightning_emorec.recognition.formats import Writer, suffix_of
from lightning_emorec.recognition.journal import Journal
from lightning_emorec.recognition.recognizer import Recognizer
from lightning_emorec.recognition.segment import Segment
from lightning_emorec.recognition.sources import Source
from lightning_emorec.recognition.speakers import By, Speakers
from lightning_emorec.recognition.summary import summarise


@dataclass(frozen=True)
class Place:
    """Where results go.

    Attributes:
        path: File or folder; None means standard output.
        is_folder: Whether it is a folder, with a file for each recording.
        format: One of `formats.FORMATS`.
    """

    path: Path | None
    is_folder: bool
    format: str

    @property
    def journal(self) -> Path | None:
        """Where what has been found is kept for a repeated call."""
        if self.path is None:
            return None
        return (
            self.path / ".predict.journal"
            if self.is_folder
            else self.path.with_name(f".{self.path.name}.journal")
        )


def rank_and_world() -> tuple[int, int]:
    """Which of how many processes this is, as torchrun or srun says; (0, 1) without them."""
    for rank, world in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
        if rank in os.environ and world in os.environ:
            return int(os.environ[rank]), int(os.environ[world])
    return 0, 1


class Labelling:
    """Labels this process's share of recordings, and writes those of all when every process is through.

    Args:
        recognizer: What labels.
        sources: All recordings.
        place: Where results go.
        per: One result a segment, or one a recording.
        top_k: Classes that a result holds; None means all.
        embeddings: Takes embeddings; then nothing found before is used.
        adapt: What says which recordings are of one speaker, to whom each is adapted by the others; None adapts none.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        sources: Sequence[Source],
        place: Place,
        per: Literal["segment", "file"],
        top_k: int | None,
        embeddings: Embeddings | None,
        adapt: By | None = None,
    ) -> None:
        self.recognizer, self.sources, self.place = recognizer, list(sources), place
        self.per, self.top_k, self.embeddings = per, top_k, embeddings
        self.rank, self.world = rank_and_world()
        self.journal = Journal(place.journal, self.rank)
        self._by_speaker: dict[str | None, str] = {}
        self.failed: dict[str, str] = {}
        self.speakers = Speakers(recognizer, self.sources, adapt) if adapt is not None else None
        self._digests: dict[Source, str] = {}  # a file is read once for this, however often it is asked for

    def run(self) -> dict[str, str]:
        """Label what has not been labelled.

        Returns:
            Name of a recording that could not be -> why.
        """
        streams = self.place.path is None
        writer = self._writer(sys.stdout) if streams else None
        mine = self.sources[self.rank :: self.world]
        with progress_bar(show=not streams or not sys.stdout.isatty()) as progress:
            for source in progress.track(mine, description="Labelling"):
                self._label(source, writer)
        if writer is not None:
            writer.close()
        elif self.journal.merge([self._digest(source) for source in self.sources]):
            self._write_files()
        return self.failed

    def _label(self, source: Source, writer: Writer | None) -> None:
        digest = self._digest(source)
        found = self.journal.get(digest) if self.embeddings is None else None
        try:
            if found is None:
                found = []
                known = None if self.speakers is None else self.speakers.of(source)
                for segment in self.recognizer.judge(source, self.embeddings, known):
                    found.append(segment)
                    if writer is not None and self.per == "segment":
                        writer.write(self._told([segment]))
                self.journal.add(digest, found)
            if writer is not None and self.per == "file":
                writer.write(self._told(found))
        except EmorecError as error:
            self.failed[source.name] = str(error)
            self.journal.fail(digest, str(error))

    def _told(self, segments: Sequence[Segment]) -> list[Segment]:
        """Segments as they are asked for: summed up by recording, with so many classes."""
        told = [summarise(list(segments))] if self.per == "file" and segments else list(segments)
        if self.top_k is None:
            return told
        return [replace(segment, probabilities=_top(segment.probabilities, self.top_k)) for segment in told]

    def _digest(self, source: Source) -> str:
        """What settles a result: of an adapted one, all recordings of the speaker."""
        if self.speakers is None:
            return self._own_digest(source)
        name = self.speakers.name(source)
        if name not in self._by_speaker:
            own = [self._own_digest(of) for of in self.speakers.recordings(source)]
            self._by_speaker[name] = short_hash(sorted(own))
        return short_hash([self._own_digest(source), "adapted", self._by_speaker[name]])

    def _own_digest(self, source: Source) -> str:
        if source not in self._digests:
            try:
                content = source.digest
            except EmorecError:  # it is named when it is to be read
                content = f"unreadable {source.name}"
            self._digests[source] = short_hash([self.recognizer.digest, content, source.name])
        return self._digests[source]

    def _writer(self, stream: TextIO) -> Writer:
        model, options = self.recognizer.model, self.recognizer.options
        tasks = {task: list(model.tasks[task]) for task in options.tasks}
        branches = model.branches if options.branches else []
        return Writer.open(
            self.place.format, stream, list(model.tasks[self.recognizer.task]), branches, tasks
        )

    def _write_files(self) -> None:
        for path, sources in self._files():
            text = StringIO(newline="")
            writer = self._writer(text)
            for source in sources:
                if (found := self.journal.get(self._digest(source))) is not None:
                    writer.write(self._told(found))
            writer.close()
            write_atomically(path, text.getvalue())

    def _files(self) -> Iterator[tuple[Path, list[Source]]]:
        """Each file to write, with its recordings; in a folder one for each recording, named as that."""
        assert self.place.path is not None
        if not self.place.is_folder:
            yield self.place.path, self.sources
            return
        by_name: dict[str, list[Source]] = {}
        for source in self.sources:
            by_name.setdefault(source.name, []).append(source)
        taken: set[str] = set()
        for name, sources in by_name.items():
            stem, number = Path(name).stem, 1
            while (called := stem if number == 1 else f"{stem}-{number}") in taken:
                number += 1
            taken.add(called)
            yield self.place.path / f"{called}{suffix_of(self.place.format)}", sources


def _top(probabilities: dict[str, float], count: int) -> dict[str, float]:
    best = sorted(probabilities, key=lambda name: -probabilities[name])[:count]
    return {name: probabilities[name] for name in best}
