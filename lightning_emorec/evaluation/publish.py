"""Uploads the results of a finished run to Weights & Biases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_emorec.evaluation.curves import read_curves
from lightning_emorec.evaluation.report import REPORT
from lightning_emorec.evaluation.results import RunResults
from lightning_emorec.loggers.wandb_run import WandbRun
from lightning_emorec.metrics import labelled
from lightning_emorec.nested import flat
from lightning_emorec.run_paths import best_checkpoint
from lightning_emorec.splits import PARTS
from lightning_emorec.types import UNLABELLED

if TYPE_CHECKING:
    import wandb

RESULT_FILES = (
    REPORT,
    "config.yaml",
    "metrics.json",
    "metrics.csv",
    "predictions.csv",
    "branch_predictions.csv",
)

SHOWN = ("branches", "rules", "fusion", "seconds", "parameters")
"""Keys of metrics.json for the summary of the W&B run; Lightning has logged the model's own scores."""


def publish(
    results: RunResults,
    content: Mapping[str, Any],
    folder: Path,
    curves: Mapping[str, Path],
    logger: WandbRun,
) -> None:
    """Upload scores, charts, the report, the result files and the checkpoint, and finish the W&B run.

    `content` is that of metrics.json, `curves` are branch or model -> its metrics.csv.
    """
    import wandb

    run = logger.experiment
    shown = {key: value for key, value in content.items() if key in SHOWN}
    run.summary.update({name.replace(".", "/"): value for name, value in flat(shown) if value is not None})
    run.log(
        {
            **dict(_confusions(results)),
            **dict(_curves(curves, results.task)),
            **_weights(results),
            "report": wandb.Html(str(folder / REPORT), inject=False),
        }
    )
    files = [folder / name for name in RESULT_FILES]
    run.log_artifact(_artifact(f"results-{run.id}", "results", files))
    best = best_checkpoint(folder)
    if logger.log_model and best.is_file():
        run.log_artifact(_artifact(f"model-{run.id}", "model", [best]), aliases=["latest", "best"])
    logger.end()


def _confusions(results: RunResults) -> Iterator[tuple[str, wandb.plot.CustomChart]]:
    """A confusion matrix for each part and task."""
    import wandb

    for part in (part for part in PARTS if part in results.output):
        values = results.output[part]
        for task, logits in values.logits.items():
            if not bool((values.labels[task] != UNLABELLED).any()):
                continue
            known, labels = labelled(logits, values.labels[task])
            yield (
                f"{part}/{task}/confusion",
                wandb.plot.confusion_matrix(
                    y_true=labels.tolist(),
                    preds=known.argmax(dim=-1).tolist(),
                    class_names=results.tasks[task],
                    title=f"{task}, {part}",
                ),
            )


def _curves(curves: Mapping[str, Path], task: str) -> Iterator[tuple[str, wandb.plot.CustomChart]]:
    """Learning curves, also of the branches of a fusion, which have no separate W&B runs."""
    import wandb

    for name, path in curves.items():
        read = read_curves(path, ("train/loss", f"val/{task}/nll", f"val/{task}/accuracy", f"val/{task}/uar"))
        if read:
            yield (
                f"curves/{name}",
                wandb.plot.line_series(
                    [list(curve) for curve in read.values()],
                    [list(curve.values()) for curve in read.values()],
                    keys=list(read),
                    title=name,
                    xname="epoch",
                ),
            )


def _weights(results: RunResults) -> dict[str, Any]:
    import wandb

    weights = results.learned.shares if results.learned else None
    if weights is None:
        return {}
    table = wandb.Table(["branch", "weight"], [list(pair) for pair in weights.items()])
    return {"weights": wandb.plot.bar(table, "branch", "weight", title="share of each branch")}


def _artifact(name: str, kind: str, files: list[Path]) -> wandb.Artifact:
    import wandb

    artifact = wandb.Artifact(name, kind)
    for file in files:
        if file.is_file():
            # Without a copy among W&B's files, which would double the space of each checkpoint.
            artifact.add_file(str(file), policy="immutable")
    return artifact
