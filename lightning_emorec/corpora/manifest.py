"""Any corpus that a file of rows describes: the way in for a user's own data."""

from __future__ import annotations

from pathlib import Path

from lightning_emorec.corpora.label_names import Name
from lightning_emorec.corpora.tabled import TableCorpus
from lightning_emorec.errors import EmorecError
from lightning_emorec.speaker_names import NoSpeaker
from lightning_emorec.table import Table, read_table
from lightning_emorec.types import Part


class ManifestCorpus(TableCorpus):
    """Clips listed in a CSV file (commas, semicolons or tabs, with a header) or a file of JSON lines, in UTF-8.

    Each row is a clip: an audio file, its actor, and one column a task. An empty label leaves the clip
    unlabelled for that task. Rows are numbered as a spreadsheet numbers them: a header is row 1.

    With the columns `start` and `end`, in seconds, a row is a segment of its file; where both are empty it is the
    whole file, and an empty `end` is the file's end.

    Speakers written 1, 01 and 1.0, or with stray blanks, are one person, and a line says which names were made one.
    Names that differ in upper and lower case alone stay two, with a warning.

    Args:
        path: The manifest, `.csv`, `.tsv` or `.jsonl`.
        tasks: Task name -> its class names in logit order, the task a run is judged by first. Quote names such as
            "no", "on" and "1", which YAML reads as other than text.
        clip_column: Column of the audio file's path. With `text_column` and `id_column` it may be empty: branches
            that need audio then skip the clip.
        actor_column: Column of the speaker.
        text_column: Column of what was said, if any.
        id_column: Column of the clip's id; None takes the path as the manifest has it, and the times of a segment.
        part_column: Column of the part the clip is published in (train, val, test or empty), if any.
        root: Folder that relative audio paths start from; None is the manifest's own.
        label_columns: Task name -> column, for tasks whose column has another name.
        start_column: Column of a segment's start, which a manifest may lack; None reads no times.
        end_column: Column of a segment's end, likewise.
        no_speaker: What to do with clips whose speaker is empty, nan, NA, n/a, #N/A, <NA>, None, null, Unknown, unk,
            -1, - or ?: `refuse` them, `leave_out` these clips, or take `each_clip` for a person of its own (segments of
            one file for one). The last may put one voice into training and test; none takes all for one person.
        labels: Label as the manifest has it -> class of a task; null leaves the clip out. Other labels stay.
        parts: Part as the manifest names it -> train, val or test; null leaves its clips out.

    Raises:
        EmorecError: Another suffix, or tasks, labels or columns that cannot be.
    """

    def __init__(
        self,
        path: str,
        tasks: dict[Name, list[Name]],
        clip_column: str = "path",
        actor_column: str = "actor",
        text_column: str | None = None,
        id_column: str | None = None,
        part_column: str | None = None,
        root: str | None = None,
        label_columns: dict[str, str] | None = None,
        start_column: str | None = "start",
        end_column: str | None = "end",
        no_speaker: NoSpeaker = "refuse",
        labels: dict[Name, Name] | None = None,
        parts: dict[str, Part | None] | None = None,
    ) -> None:
        self.path = Path(path).expanduser()
        if self.path.suffix.lower() not in (".csv", ".tsv", ".jsonl"):
            raise EmorecError("a manifest .csv, .tsv or .jsonl", str(path), "set --data.corpus.path")
        super().__init__(
            Path(root).expanduser() if root else self.path.parent,
            tasks,
            clip_column=clip_column,
            actor_column=actor_column,
            text_column=text_column,
            id_column=id_column,
            part_column=part_column,
            label_columns=label_columns,
            start_column=start_column,
            end_column=end_column,
            no_speaker=no_speaker,
            labels=labels,
            parts=parts,
        )

    def table(self) -> Table:
        """Read the manifest."""
        return read_table(self.path, "--data.corpus.path")
