"""Data sets of Hugging Face: Parquet files that hold the recordings themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_emorec.atomic_write import whole_file
from lightning_emorec.corpora.disk import writing
from lightning_emorec.corpora.label_names import Name
from lightning_emorec.corpora.tabled import TableCorpus
from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.speaker_names import NoSpeaker
from lightning_emorec.table import Table
from lightning_emorec.types import Part

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_BATCH = 64  # rows in memory at a time
_KINDS = {
    b"RIFF": ".wav",
    b"fLaC": ".flac",
    b"OggS": ".ogg",
}  # first bytes -> suffix; any other is taken for MP3


class ParquetFiles(TableCorpus):
    """Parquet files with a column of recordings as bytes, as Hugging Face's `datasets` writes them.

    `prepare` writes each recording into a file of its own, once. Needs the package pyarrow. Numbers of a `ClassLabel`
    are replaced by their names.

    Args:
        root: Folder of the `.parquet` files, at any depth.
        tasks: Task name -> its class names in logit order, the task a run is judged by first.
        audio_column: Column of the recordings.
        actor_column: Column of the speaker.
        text_column: Column of what was said, if any.
        label_columns: Task name -> column, for tasks whose column has another name.
        parts: Start of a file's name, such as `train` of `train-00000-of-00003.parquet` -> train, val or test; null
            leaves its clips out.
        extracted: Folder that the recordings are written into; None is `extracted` within the root.
        no_speaker: As in `ManifestCorpus`.
        labels: Label as a file has it -> class of a task; null leaves the clip out. Other labels stay.

    Raises:
        EmorecError: Tasks, labels or columns that cannot be.
    """

    def __init__(
        self,
        root: str,
        tasks: dict[Name, list[Name]],
        audio_column: str = "audio",
        actor_column: str = "speaker_id",
        text_column: str | None = None,
        label_columns: dict[str, str] | None = None,
        parts: dict[str, Part | None] | None = None,
        extracted: str | None = None,
        no_speaker: NoSpeaker = "refuse",
        labels: dict[Name, Name] | None = None,
    ) -> None:
        self._folder = Path(root).expanduser()
        super().__init__(
            Path(extracted).expanduser() if extracted else self._folder / "extracted",
            tasks,
            clip_column="_path",
            actor_column=actor_column,
            text_column=text_column,
            part_column="_part" if parts else None,
            label_columns=label_columns,
            start_column=None,
            end_column=None,
            no_speaker=no_speaker,
            labels=labels,
            parts=parts,
        )
        self._audio_column = audio_column

    def prepare(self) -> None:
        """Write the recordings that are not yet written.

        Raises:
            EmorecError: No files, one that cannot be read, a full disk, or a row without bytes.
            UnavailableError: pyarrow is not installed.
        """
        files = self._files()
        with writing(self.root, sum(file.stat().st_size for file in files)):
            for file in files:
                done = self.root / f"{self._name(file)}.json"
                if not done.is_file():
                    names = [self._write(file, row, of) for row, of in self._recordings(file)]
                    with whole_file(done) as listing:
                        listing.write(json.dumps(names).encode())

    def table(self) -> Table:
        """Read the columns but that of recordings.

        Raises:
            EmorecError: No files, or recordings that `prepare` did not write.
        """
        rows: list[dict[str, str]] = []
        columns: dict[str, None] = {}
        for file in self._files():
            try:
                names = json.loads((self.root / f"{self._name(file)}.json").read_text())
            except OSError as error:
                found = f"none of {file} in {self.root}"
                raise EmorecError(
                    "extracted recordings", found, "call prepare() first, as `fit` does"
                ) from error
            parquet = _open(file)
            wanted = [one for one in parquet.schema_arrow.names if one != self._audio_column]
            labels = _class_names(parquet)
            for name, row in zip(names, parquet.read(columns=wanted).to_pylist(), strict=True):
                texts = {key: _text(value, labels.get(key, [])) for key, value in row.items()}
                rows.append(
                    {**texts, "_path": name, "_part": file.name.partition("-")[0].removesuffix(".parquet")}
                )
            columns.update(dict.fromkeys([*wanted, "_path", "_part"]))
        return Table(str(self._folder), list(columns), list(enumerate(rows, start=1)))

    def _files(self) -> list[Path]:
        files = sorted(self._folder.rglob("*.parquet"))
        if not files:
            raise EmorecError(f"*.parquet below {self._folder}", "none", "set --data.corpus.root")
        return files

    def _name(self, file: Path) -> str:
        """What the recordings of a file begin with."""
        return file.relative_to(self._folder).with_suffix("").as_posix().replace("/", "--")

    def _recordings(self, file: Path) -> Iterator[tuple[int, bytes]]:
        """Yield (row from 0, bytes)."""
        parquet, row = _open(file), 0
        if self._audio_column not in parquet.schema_arrow.names:
            found = f"{', '.join(parquet.schema_arrow.names)} in {file}"
            raise EmorecError(f"the column {self._audio_column}", found, "set --data.corpus.audio_column")
        for batch in parquet.iter_batches(_BATCH, columns=[self._audio_column]):
            for value in batch.column(0).to_pylist():
                content = value.get("bytes") if isinstance(value, dict) else value
                if not isinstance(content, bytes):
                    found = f"none in row {row + 1} of {file}"
                    raise EmorecError(
                        "the bytes of a recording", found, "get the data set with its audio embedded"
                    )
                yield row, content
                row += 1

    def _write(self, file: Path, row: int, content: bytes) -> str:
        """Write a recording, and return its path within the root."""
        name = f"{self._name(file)}/{row:07d}{_KINDS.get(content[:4], '.mp3')}"
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(self.root / name) as target:
            target.write(content)
        return name


def _open(file: Path) -> ParquetFile:
    try:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise UnavailableError(
            "the package pyarrow", str(error), "pip install 'lightning-emorec[corpora]'"
        ) from error
    try:
        return ParquetFile(file)
    except (OSError, ArrowInvalid) as error:
        raise EmorecError("a Parquet file", f"{file}: {error}", "get it again") from error


def _class_names(parquet: ParquetFile) -> dict[str, list[str]]:
    """Column -> names of its classes, where `datasets` noted them."""
    noted = (parquet.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
    features = json.loads(noted).get("info", {}).get("features", {})
    return {name: of["names"] for name, of in features.items() if of.get("_type") == "ClassLabel"}


def _text(value: object, names: list[str]) -> str:
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return "" if value is None else str(value).strip()
