"""What several pages show of a model: its confusions, classes, calibration, best and worst actor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from lightning_emorec.evaluation.error_analysis import Answers, by_actor, by_class, by_confidence, confusion
from lightning_emorec.evaluation.evaluate import Judgement
from lightning_emorec.evaluation.plots import (
    class_reliability_figure,
    confusion_figure,
    reliability_figure,
    risk_figure,
)
from lightning_emorec.types import Clip


def model_sections(judgement: Judgement, answers: Answers, clips: Mapping[str, Clip]) -> dict[str, Any]:
    """Tables and figures of the model, for the macros of macros.html.j2.

    Args:
        judgement: How far the model can be trusted.
        answers: What it says of the clips that the first task labels.
        clips: The clips by id.
    """
    counts = confusion(answers)
    actors = by_actor(answers, clips)
    risk, calibration = judgement.risk, judgement.calibration
    multiples = zip(judgement.classes, calibration.class_errors, calibration.class_bins, strict=True)
    return {
        "confusion": Markup(confusion_figure(counts, answers.classes)),
        "by_class": list(zip(by_class(counts, answers.classes), judgement.measured.recalls, strict=True)),
        "worst_actor": min(actors, key=lambda row: row.accuracy),
        "best_actor": max(actors, key=lambda row: row.accuracy),
        "reliability": Markup(reliability_figure(by_confidence(answers))),
        "class_reliability": [
            (name, error, Markup(class_reliability_figure(bins))) for name, error, bins in multiples
        ],
        "risk": Markup(risk_figure(risk)),
        "half": risk.risk[(len(risk.risk) - 1) // 2],
        "confidence": float(answers.confidence.mean()),
    }
