"""Databases in audEERING's audformat, such as those that audb downloads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_emorec.corpora.label_names import Name
from lightning_emorec.corpora.tabled import TableCorpus
from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.speaker_names import NoSpeaker
from lightning_emorec.table import Table
from lightning_emorec.types import Part

if TYPE_CHECKING:
    from audformat import Database

Values = dict[str, Any]


class AudformatDatabase(TableCorpus):
    """A folder with `db.yaml` and its tables; needs the package audformat.

    Rows are those of the first table, files or segments; further tables add columns to them, by segment or by file.
    Where the scheme of a column describes its values, as speakers by their gender, a column such as `speaker.gender`
    holds that.

    Args:
        root: The folder.
        tables: Names of tables, such as `emotion` and `files`.
        tasks: Task name -> its class names in logit order, the task a run is judged by first.
        actor_column: Column of the speaker.
        text_column: Column of what was said, if any.
        label_columns: Task name -> column, for tasks whose column has another name.
        part_column: Column of the part the clip is published in, if any.
        parts: Part as the database names it -> train, val or test; null leaves its clips out.
        no_speaker: As in `ManifestCorpus`.
        labels: Label as the database has it -> class of a task; null leaves the clip out. Other labels stay.

    Raises:
        EmorecError: No table is named, or tasks, labels or columns that cannot be.
    """

    def __init__(
        self,
        root: str,
        tables: list[str],
        tasks: dict[Name, list[Name]],
        actor_column: str = "speaker",
        text_column: str | None = None,
        label_columns: dict[str, str] | None = None,
        part_column: str | None = None,
        parts: dict[str, Part | None] | None = None,
        no_speaker: NoSpeaker = "refuse",
        labels: dict[Name, Name] | None = None,
    ) -> None:
        if not tables:
            raise EmorecError("at least one table", "none", "set --data.corpus.tables")
        super().__init__(
            Path(root).expanduser(),
            tasks,
            clip_column="_file",
            actor_column=actor_column,
            text_column=text_column,
            part_column=part_column,
            label_columns=label_columns,
            start_column="_start",
            end_column="_end",
            no_speaker=no_speaker,
            labels=labels,
            parts=parts,
        )
        self._tables = tables

    def table(self) -> Table:
        """Read the tables; rows are numbered as those of the first.

        Raises:
            EmorecError: No database, or no such table.
            UnavailableError: audformat is not installed.
        """
        database = _load(self.root)
        if missing := [name for name in self._tables if name not in database.tables]:
            found = f"the tables {', '.join(database.tables)} in {self.root}"
            raise EmorecError(f"the table {missing[0]}", found, "set --data.corpus.tables")
        first, *more = [dict(_rows(database, name)) for name in self._tables]
        rows = []
        for (file, start, end), own in first.items():
            values: Values = {}
            for table in reversed(more):
                values |= table.get((file, start, end), table.get((file, "", ""), {}))
            rows.append({**values, **own, "_file": file, "_start": start, "_end": end})
        columns = {column: None for row in rows for column in row}
        return Table(str(self.root), [*columns, "_start", "_end"], list(enumerate(rows, start=1)))


def _rows(database: Database, name: str) -> Iterator[tuple[tuple[str, str, str], dict[str, str]]]:
    """Yield ((file, start, end), column -> text) of a table; times in seconds, empty for a whole file."""
    from pandas import isna  # audformat brings it

    table = database[name]
    frame = table.get(as_segmented=True)
    told = {column: _descriptions(database, of.scheme_id) for column, of in table.columns.items()}
    for (file, start, end), *values in frame.itertuples(name=None):
        row: dict[str, str] = {}
        for column, value in zip(frame.columns, values, strict=True):
            row[column] = "" if isna(value) else str(value)
            row |= {f"{column}.{key}": str(of) for key, of in told[column].get(row[column], {}).items()}
        start_s, end_s = start.total_seconds(), "" if isna(end) else f"{end.total_seconds():.12g}"
        yield (file, f"{start_s:.12g}" if start_s or end_s else "", end_s), row


def _descriptions(database: Database, scheme: str | None) -> dict[str, Mapping[str, Any]]:
    """Value of a scheme -> what the scheme says of it; empty where it says nothing."""
    labels = database.schemes[scheme].labels if scheme else None
    if not isinstance(labels, Mapping):
        return {}
    return {str(value): of for value, of in labels.items() if isinstance(of, Mapping)}


def _load(root: Path) -> Database:
    try:
        from audformat import Database
    except ImportError as error:
        raise UnavailableError(
            "the package audformat", str(error), "pip install 'lightning-emorec[corpora]'"
        ) from error
    if not (root / "db.yaml").is_file():
        raise EmorecError("a database of audformat", f"no file {root / 'db.yaml'}", "set --data.corpus.root")
    return Database.load(str(root))
