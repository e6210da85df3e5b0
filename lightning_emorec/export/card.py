"""The model card of an export, and its results as the hub reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from lightning_emorec import __version__
from lightning_emorec.branches import WhisperStatistics
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.formats import interval, percent
from lightning_emorec.evaluation.intervals import FEWEST_ACTORS
from lightning_emorec.evaluation.results import PART_NAMES
from lightning_emorec.export.check import Difference
from lightning_emorec.export.onnx_file import LONGEST_S
from lightning_emorec.export.quantise import Quantised
from lightning_emorec.export.selection import Selection
from lightning_emorec.recognition.onnx_model import MODEL
from lightning_emorec.runs.pretraining import PretrainedPart, pretrained_parts

COVERAGES = (0.8, 0.9)
"""Of prediction sets, that the card has thresholds for."""


@dataclass(frozen=True)
class Source:
    """Where a model comes from.

    Attributes:
        name: Of its run.
        corpus: Name of its corpus class.
        metrics: Content of the run's metrics.json; empty where it is not there.
        checkpoint_sha256: Digest of the checkpoint.
        pretrained: Its pretrained parts, and what they were trained on.
        suite: Content of the run's suite.json; empty where it is not there.
    """

    name: str
    corpus: str
    metrics: dict[str, Any]
    checkpoint_sha256: str
    pretrained: dict[str, PretrainedPart] = field(default_factory=dict)
    suite: dict[str, Any] = field(default_factory=dict)

    @property
    def synthetic(self) -> bool:
        """Whether it was trained on generated voices."""
        return self.corpus == "Synthetic"

    @property
    def licence(self) -> str:
        """As the hub names it: that of the recordings, where they ask for it."""
        return "cc-by-nc-sa-4.0" if self.corpus.lower() in ("ravdess", "nemo") else "other"


def read_source(config: str, checkpoint: Path, digest: str) -> Source:
    """What a checkpoint's config and the folder that it lies in say of a model.

    Raises:
        EmorecError: metrics.json is damaged.
    """
    run = checkpoint.resolve().parent.parent
    given = yaml.safe_load(config) or {}
    class_path = str((given.get("data") or {}).get("corpus", {}).get("class_path", ""))
    name = str(given.get("name") or run.name).rpartition("/")[2]
    metrics, suite = (_read(run / file) for file in ("metrics.json", "stress/suite.json"))
    parts = pretrained_parts(given.get("model") or {})
    return Source(name, class_path.rpartition(".")[2], metrics, digest, parts, suite)


def _read(file: Path) -> dict[str, Any]:
    """Content of a JSON file; empty where it is not there."""
    try:
        return dict(json.loads(file.read_text(encoding="utf8"))) if file.is_file() else {}
    except ValueError as error:
        raise EmorecError(
            "the results of a run", f"{file}, which cannot be read", "run `test` again"
        ) from error


def write_card(
    folder: Path,
    source: Source,
    selection: Selection,
    differences: Mapping[str, Difference],
    int8: Quantised | None,
    precision: str,
) -> None:
    """Write README.md, and `.eval_results` where the run was judged.

    Args:
        folder: Of the export.
        source: Where the model comes from.
        selection: What the export holds.
        differences: Output -> difference to PyTorch; empty where that was not checked.
        int8: What 8 bits cost; None where that was not measured.
        precision: `float32` or `int8`.
    """
    figures = _figures(source.metrics)
    suite = source.suite
    further = [("pitch", suite.get("groups", {}).get("pitch", {})), ("speech", suite.get("speech_s", {}))]
    environment = Environment(
        loader=PackageLoader("lightning_emorec", "export/templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters |= {"percent": percent, "interval": interval}
    worst = max(differences.items(), key=lambda item: item[1].value) if differences else None
    text = environment.get_template("README.md.j2").render(
        front_matter=yaml.safe_dump(_front_matter(source, figures), sort_keys=False, allow_unicode=True),
        source=source,
        chosen=selection,
        first=next(iter(selection.tasks)),
        figures=figures,
        groups=figures.get("groups", {})
        | {f"{name} ({kind})": _group(of) for kind, of_kind in further for name, of in of_kind.items()},
        worst=worst,
        int8=int8,
        precision=precision,
        file=MODEL,
        longest_s=LONGEST_S,
        coverages=COVERAGES,
        version=__version__,
        whisper=any(isinstance(branch, WhisperStatistics) for branch in selection.branches.values()),
    )
    (folder / "README.md").write_text(text, encoding="utf8")
    if figures:
        results = folder / ".eval_results"
        results.mkdir()
        entries = _eval_results(source, figures)
        (results / f"{source.name}.yaml").write_text(
            yaml.safe_dump(entries, sort_keys=False), encoding="utf8"
        )


def _figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Part, clips, actors, and score -> value and ends of its interval; empty where nothing was judged."""
    intervals = metrics.get("intervals")
    if not intervals or intervals["part"] not in metrics:
        return {}
    scores = metrics[intervals["part"]][intervals["task"]]
    return {
        "part": PART_NAMES[intervals["part"]],
        "task": intervals["task"],
        "actors": intervals["actors"],
        "clips": scores["clips"],
        "level": intervals["level"],
        "ece": scores["ece"],
        "scores": {
            name: (scores[name], _ends(intervals["actors"], intervals.get(name)))
            for name in ("accuracy", "uar", "macro_f1")
        },
        "groups": {
            f"{name} ({task})": _group(of)
            for task, of_task in metrics.get("groups", {}).items()
            for name, of in of_task.items()
        },
        "worst": min(metrics.get("actors", {}).items(), key=lambda of: of[1]["accuracy"], default=None),
    }


def _group(of: Mapping[str, Any]) -> tuple[float, str, int]:
    """UAR, its interval in words, and clips, of a group in metrics.json or suite.json."""
    ends = _ends(of["actors"], of["intervals"].get("uar"))
    few = f"– ({of['actors']} actor{'s' if of['actors'] > 1 else ''})"
    return of["uar"], f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}" if ends else few, of["clips"]


def _ends(actors: int, ends: list[float] | None) -> list[float] | None:
    """Ends of an interval that is based on enough actors."""
    return ends if actors >= FEWEST_ACTORS else None


def _note(figures: Mapping[str, Any], name: str) -> str:
    ends = figures["scores"][name][1]
    said = f"{100 * figures['level']:g}% interval {ends[0]:.3f} to {ends[1]:.3f}" if ends else "no interval"
    return f"whole model of the run, {said}, {figures['clips']} clips of {figures['actors']} {figures['part']} actors"


def _front_matter(source: Source, figures: Mapping[str, Any]) -> dict[str, Any]:
    matter: dict[str, Any] = {
        "license": source.licence,
        "pipeline_tag": "audio-classification",
        "library_name": "onnx",
        "tags": ["speech-emotion-recognition", "onnx", *(["synthetic-voices"] if source.synthetic else [])],
    }
    if source.licence == "other":
        matter["license_name"] = "see-licence-section"
    if figures:
        metrics = [
            {"type": name, "value": figures["scores"][name][0], "name": f"{name} ({_note(figures, name)})"}
            for name in ("accuracy", "uar")
        ]
        task = {"type": "audio-classification", "name": f"{figures['task']} in acted speech"}
        dataset = {"type": source.corpus.lower() or "unknown", "name": source.corpus or "unknown"}
        results = [{"task": task, "dataset": dataset, "metrics": metrics}]
        matter["model-index"] = [{"name": source.name, "results": results}]
    return matter


def _eval_results(source: Source, figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Entries as `huggingface_hub.EvalResultEntry` is written."""
    return [
        {
            "dataset": {"id": source.corpus.lower() or "unknown", "task_id": f"{figures['task']}_{name}"},
            "value": figures["scores"][name][0],
            "date": datetime.now(UTC).date().isoformat(),
            "notes": _note(figures, name),
        }
        for name in ("accuracy", "uar")
    ]
