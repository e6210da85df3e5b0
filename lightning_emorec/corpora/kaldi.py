"""Folders of data as Kaldi, ESPnet and their like keep them."""

from __future__ import annotations

from pathlib import Path

from lightning_emorec.corpora.label_names import Name
from lightning_emorec.corpora.tabled import TableCorpus
from lightning_emorec.errors import EmorecError
from lightning_emorec.table import Table
from lightning_emorec.types import Part


class KaldiFolder(TableCorpus):
    """Folders with `wav.scp` and `utt2spk`, files of labels and, if there are any, `segments` and `text`.

    Each line of such a file is a key, a blank and a value; keys are utterances, but those of `wav.scp` are recordings
    where there is a file `segments`, and those of a file named `spk2...` are speakers.

    Args:
        folders: The folders, such as `data/train`; a file may be missing from none of them.
        tasks: Task name -> its class names in logit order, the task a run is judged by first.
        label_files: Task name -> file, where it is not `utt2` and the task's name; `spk2gender` labels speakers.
        parts: Folder -> train, val or test, for `data.split` Published.
        root: Folder that relative paths of recordings start from; None is the working directory, as in Kaldi.
        labels: Label as a file has it -> class of a task; null leaves the clip out. Other labels stay.

    Raises:
        EmorecError: No folder, or tasks or labels that cannot be.
    """

    def __init__(
        self,
        folders: list[str],
        tasks: dict[Name, list[Name]],
        label_files: dict[str, str] | None = None,
        parts: dict[str, Part] | None = None,
        root: str | None = None,
        labels: dict[Name, Name] | None = None,
    ) -> None:
        super().__init__(
            Path(root or ".").expanduser(),
            tasks,
            text_column="text",
            id_column="id",
            part_column="part",
            labels=labels,
        )
        if not folders:
            raise EmorecError("at least one folder", "none", "set --data.corpus.folders")
        self._folders = folders
        self._files = {task: (label_files or {}).get(task, f"utt2{task}") for task in tasks}
        self._part_of = parts or {}

    def table(self) -> Table:
        """Read the files of all folders; rows are numbered as in `utt2spk`, folder after folder.

        Raises:
            EmorecError: A file is missing or a line has no value, or a recording is made by a command.
        """
        rows: list[dict[str, str]] = []
        for name in self._folders:
            rows += self._rows(Path(name).expanduser(), self._part_of.get(name, ""))
        columns = ["id", "path", "actor", "text", "part", *self._files]
        return Table(", ".join(self._folders), columns, list(enumerate(rows, start=1)))

    def _rows(self, folder: Path, part: str) -> list[dict[str, str]]:
        speaker_of, recordings = _pairs(folder / "utt2spk"), _pairs(folder / "wav.scp")
        if commands := [key for key, value in recordings.items() if value.endswith("|")]:
            found = f"the command {recordings[commands[0]]} for {commands[0]} in {folder / 'wav.scp'}"
            raise EmorecError(
                "a file for each recording", found, "run the commands, and list the files they write"
            )
        segments = _pairs(folder / "segments") if (folder / "segments").is_file() else {}
        said = _pairs(folder / "text", empty=True) if (folder / "text").is_file() else {}
        labels = {task: _pairs(folder / file) for task, file in self._files.items()}
        rows = []
        for key, speaker in speaker_of.items():
            recording, start, end = ([*segments[key].split(), "", ""] if key in segments else [key, "", ""])[
                :3
            ]
            if recording not in recordings:
                found = f"none for {recording} of {folder / 'utt2spk'}"
                raise EmorecError(f"a recording in {folder / 'wav.scp'}", found, "mend the files")
            row = {"id": key, "path": recordings[recording], "actor": speaker, "text": said.get(key, "")}
            times = {"part": part, "start": start, "end": "" if end == "-1" else end}
            named = {
                task: of.get(speaker if self._files[task].startswith("spk2") else key, "")
                for task, of in labels.items()
            }
            rows.append(row | times | named)
        return rows


def _pairs(file: Path, empty: bool = False) -> dict[str, str]:
    """Key -> the rest of its line."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EmorecError(
            f"the file {file} in UTF-8", str(error), "set --data.corpus.folders or label_files"
        ) from error
    pairs: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        key, _, value = line.strip().partition(" ") if "\t" not in line else line.strip().partition("\t")
        if key and not (value.strip() or empty):
            raise EmorecError("a key and a value", f"{line!r} in line {number} of {file}", "mend the line")
        if key:
            pairs[key] = value.strip()
    return pairs
