"""Reads what wandb keeps of an offline run: a log of protocol buffers in LevelDB's framing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

HEADER, BLOCK, FRAME = 7, 32768, 7  # bytes
PATIENCE_S = 30

FULL, LAST = 1, 4  # kinds of a frame; 2 and 3 begin and go on with a record


def records(folder: Path) -> list[Any]:
    """The records of the only run in a run folder's `wandb/`, once it is finished: wandb writes the last ones late."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for file in (folder / "wandb").glob("*run-*/*.wandb"):
            found = [Record.FromString(body) for body in _bodies(file.read_bytes())]
            if any(record.HasField("exit") for record in found):
                return found
        time.sleep(0.05)
    raise TimeoutError(f"no finished run in {folder}")


def config(folder: Path) -> dict[str, Any]:
    """Config key -> value, as the run began."""
    (run,) = [record.run for record in records(folder) if record.HasField("run")]
    return {item.key: json.loads(item.value_json) for item in run.config.update if item.key != "_wandb"}


def history(folder: Path) -> list[dict[str, Any]]:
    """A row for each call of `log`."""
    rows = [record.history.item for record in records(folder) if record.HasField("history")]
    return [{".".join(item.nested_key): json.loads(item.value_json) for item in row} for row in rows]


def summary(folder: Path) -> dict[str, Any]:
    """Name -> value, of what was put into the summary by name."""
    updates = [item for record in records(folder) for item in record.summary.update]
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in updates}


def artifacts(folder: Path) -> dict[str, list[str]]:
    """Type of an artifact -> names of its files; W&B's own tables are left out."""
    found = {}
    for record in records(folder):
        artifact = record.artifact if record.HasField("artifact") else record.request.log_artifact.artifact
        if artifact.type not in ("", "run_table"):
            found[artifact.type] = sorted(entry.path for entry in artifact.manifest.contents)
    return found


def exit_code(folder: Path) -> int:
    """The status that the run was finished with."""
    (code,) = [record.exit.exit_code for record in records(folder) if record.HasField("exit")]
    return int(code)


def _bodies(data: bytes) -> Iterator[bytes]:
    place, body = HEADER, b""
    while place + FRAME <= len(data):
        left = BLOCK - place % BLOCK
        if left < FRAME:
            place += left
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        body += data[place + FRAME : place + FRAME + size]
        place += FRAME + size
        if kind in (FULL, LAST):
            yield body
            body = b""
