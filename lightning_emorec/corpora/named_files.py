"""A corpus whose file names say who speaks and how: CREMA-D, TESS, SAVEE, EMO-DB, ESD, nEMO and the like."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from lightning_emorec.corpora.disk import sound_files
from lightning_emorec.corpora.label_names import Name
from lightning_emorec.corpora.tabled import TableCorpus
from lightning_emorec.errors import EmorecError
from lightning_emorec.table import Table

_log = logging.getLogger(__name__)

_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a"})


class NamedFiles(TableCorpus):
    """Sound files at any depth below a folder, described by a regular expression over the end of their paths.

    Its named groups are `actor`, one a task, and `text` where the name says which sentence it is. A group that takes
    no part in a match leaves the clip unlabelled for its task. What the expression matches is the clip's id; of two
    files with one id, as where a mirror nests a second copy, the one nearer to the root counts, with a warning.

    Args:
        root: Folder of the files.
        pattern: For paths with `/`, from the start of a file's or folder's name to the end; case counts.
        tasks: Task name -> its class names in logit order, the task a run is judged by first.
        labels: What a group matches -> class; null leaves the clip out. Other matches are classes themselves.
        groups: Task name -> group, where it has another name, such as `actor` for the task `sex`.
        texts: What the group `text` matches -> sentence; other matches are sentences themselves.

    Raises:
        EmorecError: A pattern that cannot be compiled or lacks a group, or tasks or labels that cannot be.
    """

    def __init__(
        self,
        root: str,
        pattern: str,
        tasks: dict[Name, list[Name]],
        labels: dict[Name, Name] | None = None,
        groups: dict[str, str] | None = None,
        texts: dict[str, str] | None = None,
    ) -> None:
        try:
            self._pattern = re.compile(rf"(?:.*/)?(?P<_id>{pattern})")
        except re.error as error:
            raise EmorecError("a regular expression", str(error), "set --data.corpus.pattern") from error
        known = self._pattern.groupindex
        if missing := [one for one in ("actor", *tasks) if (groups or {}).get(one, one) not in known]:
            fix = "add (?P<name>...) to --data.corpus.pattern, or name another by groups"
            raise EmorecError(
                f"the groups {', '.join(missing)}", f"{', '.join(list(known)[1:]) or 'none'}", fix
            )
        super().__init__(
            Path(root).expanduser(),
            tasks,
            id_column="_id",
            label_columns=groups,
            text_column="text" if "text" in known else None,
            labels=labels,
        )
        self._texts = texts or {}

    def table(self) -> Table:
        """Read the names of the files, numbered from 1 as they are sorted.

        Raises:
            EmorecError: No file has such a name.
        """
        files, rows = sound_files(self.root, _SUFFIXES), {}
        passed: dict[str, list[Path]] = {
            "have other names and are passed over": [],
            "are copies of others": [],
        }
        other, copies = passed.values()
        for path in files:
            match = self._pattern.fullmatch(path.as_posix())
            if match is None or match["_id"] in rows:
                (other if match is None else copies).append(path)
                continue
            row = {name: value or "" for name, value in match.groupdict().items()}
            text = row.get("text", "")
            rows[row["_id"]] = row | {"path": path.as_posix(), "text": self._texts.get(text, text)}
        if not rows:
            found = f"{len(files):,} of other names" if files else "none"
            fix = "set --data.corpus.root, or --data.corpus.pattern"
            raise EmorecError(f"sound files named as the corpus names them below {self.root}", found, fix)
        self._tell(len(files), passed)
        columns = ["path", "text", *self._pattern.groupindex]
        return Table(str(self.root), columns, list(enumerate(rows.values(), start=1)))

    def _tell(self, files: int, passed: dict[str, list[Path]]) -> None:
        for what, paths in passed.items():
            note = f"{len(paths):,} of {files:,} sound files below {self.root} {what}"
            if paths and note not in self._told:
                self._told.add(note)
                _log.warning("%s, e.g. %s", note, paths[0])
