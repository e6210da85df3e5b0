"""The steps of `export`: select what a graph can hold, write and check it, and add its card."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from lightning_emorec import __version__
from lightning_emorec.errors import EmorecError
from lightning_emorec.export.card import Source, read_source, write_card
from lightning_emorec.export.check import Difference, check_clips, differences, require_equal
from lightning_emorec.export.folder import (
    add_checksums,
    add_licences,
    add_speech,
    refuse_other_content,
    whole_folder,
)
from lightning_emorec.export.graph import ModelGraph
from lightning_emorec.export.kept import with_kept_logits
from lightning_emorec.export.onnx_file import LONGEST_S, check_packages, write_onnx
from lightning_emorec.export.quantise import Quantised, cost_of_int8, to_int8
from lightning_emorec.export.selection import Selection, select
from lightning_emorec.hashing import sha256
from lightning_emorec.inference import load_model
from lightning_emorec.recognition.onnx_model import MODEL, OnnxModel
from lightning_emorec.run_paths import best_checkpoint


def write_export(run: str, folder: Path, int8: bool, check: bool, max_loss: float, runs: Path) -> Path:
    """Write the folder of an export and print what it costs; for the arguments see the verb.

    Returns:
        The folder.

    Raises:
        EmorecError: There is no such run, no branch can be held, the folder holds something else, the check finds a
            difference, or 8 bits lose more than `max_loss`.
    """
    check_packages()
    refuse_other_content(folder)
    trained = with_kept_logits(load_model(find_checkpoint(run, runs)))
    selection = select(trained)
    source = read_source(trained.config, trained.checkpoint, sha256(trained.checkpoint))
    metadata = metadata_of(source, selection)
    console = Console()
    with whole_folder(folder) as written:
        graph = ModelGraph(selection.branches, selection.rules, selection.front_end)
        write_onnx(graph, selection.front_end.rate_hz, written / MODEL, metadata)
        found = _checked(written, selection) if check else {}
        cost = None
        if int8:
            try:
                cost = cost_of_int8(trained, selection, metadata)
            except EmorecError:
                if max_loss < 1:
                    raise
            _require_small_loss(cost, max_loss)
            to_int8(written / MODEL)
        add_speech(written)
        add_licences(written)
        write_card(written, source, selection, found, cost, "int8" if int8 else "float32")
        add_checksums(written)
    _report(console, selection, found, cost)
    console.print(f"export {folder}", soft_wrap=True)
    return folder


def find_checkpoint(run: str, runs: Path) -> Path:
    """The checkpoint of a run's folder or name, or the checkpoint itself.

    Raises:
        EmorecError: There is none.
    """
    for given in (Path(run), runs / run):
        if given.is_file():
            return given
        if best_checkpoint(given).is_file():
            return best_checkpoint(given)
    raise EmorecError("a run or a checkpoint", f"none at {run} or {runs / run}", "correct RUN or --runs")


def metadata_of(source: Source, selection: Selection) -> dict[str, Any]:
    """What the ONNX file says of itself."""
    return {
        "name": source.name,
        "version": __version__,
        "license": source.licence,
        "synthetic": source.synthetic,
        "labels": selection.tasks,
        "branches": list(selection.branches) if selection.rules is not None else [],
        "left_out": selection.left_out,
        "rate_hz": selection.front_end.rate_hz,
        "longest_s": LONGEST_S,
        "front_end": asdict(selection.front_end),
        "confidence": {task: known.to_dict() for task, known in selection.confidence.items()},
        "checkpoint_sha256": source.checkpoint_sha256,
        "precision": "float32",
    }


def _checked(written: Path, selection: Selection) -> dict[str, Difference]:
    found = differences(OnnxModel(written), selection, check_clips(selection.front_end.rate_hz))
    require_equal(found)
    return found


def _require_small_loss(cost: Quantised | None, max_loss: float) -> None:
    if cost is not None and -cost.change > max_loss:
        expected = f"a loss of UAR by 8 bits of at most {max_loss:g}"
        found = f"{-cost.change:.4f} on {cost.clips} validation clips"
        raise EmorecError(expected, found, "leave out --int8, or raise --max_loss")


def _report(
    console: Console, selection: Selection, found: dict[str, Difference], cost: Quantised | None
) -> None:
    """Print what was left out, what it costs, and how far the answers differ from PyTorch's."""
    for name, reason in selection.left_out.items():
        console.print(f"left out {name}: {reason}", soft_wrap=True)
    task = next(iter(selection.tasks))
    for said, scores in (("whole model", selection.before), ("this export", selection.after)):
        if task in scores:
            of = scores[task]
            values = ", ".join(f"{name} {of[name]:.3f}" for name in ("accuracy", "uar", "ece"))
            console.print(f"{said} on {of['clips']} validation clips ({task}): {values}", soft_wrap=True)
    for name, worst in found.items():
        console.print(f"difference to PyTorch, {name}: {worst.value:.1e} ({worst.clip})", soft_wrap=True)
    if cost is not None:
        ends = cost.interval
        said = f" (paired interval {ends.low:+.4f} to {ends.high:+.4f})" if ends else ""
        console.print(
            f"8 bits: {cost.equal:.1%} of {cost.clips} validation clips are given the same class, UAR changes by "
            f"{cost.change:+.4f}{said} from {cost.uar:.4f}",
            soft_wrap=True,
        )
