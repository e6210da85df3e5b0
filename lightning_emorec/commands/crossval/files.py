"""What a cross-validation leaves in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.commands.crossval.judge import judged_content
from lightning_emorec.commands.crossval.results import CrossvalResults, System
from lightning_emorec.commands.crossval.summary import summary
from lightning_emorec.evaluation.evaluate import Judgement
from lightning_emorec.evaluation.writers import Row, as_csv, plain, prediction_rows, probability_columns


def write_results(results: CrossvalResults, judgement: Judgement, folder: Path) -> None:
    """Write crossval.json, the tables of predictions, and the logits of every system.

    Args:
        results: What was found.
        judgement: How far it can be trusted.
        folder: Of the cross-validation.
    """
    for system in results.systems:
        for seed in results.seeds:
            results.pooled(system, seed).save(logits_path(folder, system, seed))
    columns = ["fold", "seed", "actor", "split", "task", "label", "predicted"]
    columns += probability_columns(results.tasks)
    rows = _rows(results, [results.chosen])
    write_atomically(folder / "predictions.csv", as_csv(["clip", *columns], rows))
    if results.chosen.way:
        rows = _rows(results, [system for system in results.systems if system.way is None])
        write_atomically(folder / "branch_predictions.csv", as_csv(["clip", "branch", *columns], rows))
    content = json.dumps(
        plain({**summary(results), **judged_content(results, judgement)}),
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )
    write_atomically(folder / "crossval.json", content + "\n")


def logits_path(folder: Path, system: System, seed: int) -> Path:
    """Where the logits of a system lie, of every clip once: as in `oof/seed1/oof/log_linear.pt`."""
    return folder / "oof" / f"seed{seed}" / (system.way or "branches") / f"{system.name}.pt"


def _rows(results: CrossvalResults, systems: Sequence[System]) -> Iterator[Row]:
    for system in systems:
        for cell in results.cells:
            given = {"fold": str(cell.fold), "seed": str(cell.seed)}
            given |= {} if results.chosen.way is None or system.way else {"branch": system.name}
            for row in prediction_rows(results.tasks, results.clips, {"test": cell.logits[system]}):
                yield {**row, **given}
