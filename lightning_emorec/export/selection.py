"""Which branches of a model an export holds, and what leaving out the others costs."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from lightning_emorec.audio import FrontEnd
from lightning_emorec.branches import Branch, WhisperStatistics
from lightning_emorec.confidence import Confidence
from lightning_emorec.errors import EmorecError
from lightning_emorec.export.graph import why_not
from lightning_emorec.export.kept import Kept
from lightning_emorec.fusion.fitted_rules import FittedRules
from lightning_emorec.fusion.rule import FusionRule
from lightning_emorec.fusion.temperature import fit_temperature
from lightning_emorec.inference import TrainedModel
from lightning_emorec.metrics import Scores, labelled, score_part
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import Tasks


@dataclass(frozen=True)
class Selection:
    """What an export holds.

    Attributes:
        tasks: Task -> classes.
        front_end: Of the model.
        branches: Name -> branch, each of one view.
        rules: Task -> rule over these branches; None where the model is no fusion.
        left_out: Branch -> why.
        views: Branch -> views that it was judged by in training and is not any more.
        before: Task -> validation scores of the whole model, each actor fused by what is learned from the others;
            empty where nothing was left out, or no validation logits are kept.
        after: The same of what is exported.
        confidence: Task -> how far its probabilities go.
    """

    tasks: Tasks
    front_end: FrontEnd
    branches: dict[str, Branch]
    rules: dict[str, FusionRule] | None
    left_out: dict[str, str]
    views: dict[str, int]
    before: dict[str, Scores]
    after: dict[str, Scores]
    confidence: dict[str, Confidence]


def select(trained: TrainedModel, kept: Kept | None) -> Selection:
    """Choose the branches that a graph can hold, and solve the fusion over them on the kept logits.

    Raises:
        EmorecError: No branch can be held; or some cannot, and no validation logits are kept to solve the rule on.
    """
    branches = trained.branches
    reasons = {name: why_not(branch, trained.front_end.rate_hz) for name, branch in branches.items()}
    left_out = {name: reason for name, reason in reasons.items() if reason is not None}
    names = [name for name in branches if name not in left_out]
    if not names:
        found = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise EmorecError("a branch that a graph can hold", found, "export another model")
    fusion = trained.fusion
    rules, fitted = None, None
    if fusion is not None:
        fitted = fusion.fitted
        if left_out:
            if kept is None:
                found = f"none beside {trained.checkpoint}"
                fix = "name the run's own folder, with its logits and those of its branches"
                raise EmorecError("validation logits, to solve the rule without a branch", found, fix)
            names = [name for name in fitted.needs_audio if name in names]
            fitted = fitted.restricted(names, kept.parts)
        rules = {task: fitted.rule(fusion.rule_name, task) for task in trained.tasks}
    after = None if kept is None else _across_actors(fitted, fusion.rule_name if fusion else "", kept)
    before = None
    if kept is not None and fusion is not None and left_out:
        before = _across_actors(fusion.fitted, fusion.rule_name, kept)
    return Selection(
        tasks=trained.tasks,
        front_end=trained.front_end,
        branches={name: one_view(branches[name]) for name in names},
        rules=rules,
        left_out=left_out,
        views={name: views for name in names if (views := int(branches[name].hparams.get("views", 1))) > 1},
        before=score_part(before) if before else {},
        after=score_part(after) if after else {},
        confidence=confidence_of(after, kept.actors) if kept and after else {},
    )


def _across_actors(fitted: FittedRules | None, rule: str, kept: Kept) -> PartLogits:
    """Validation logits, each actor fused by what is learned from the others where there are several."""
    if fitted is None:
        return next(iter(kept.parts.values()))
    if len(set(kept.actors.values())) < 2:
        return fitted.fuse_parts(kept.parts)[rule]
    return fitted.across_actors(rule, kept.parts, kept.actors)


def one_view(branch: Branch) -> Branch:
    """A copy of a branch that judges a clip as it is, and not by altered views of it too."""
    made = deepcopy(branch).cpu().eval()
    if isinstance(made, WhisperStatistics):
        made.hparams["views"] = 1
        vars(made).pop("feature_keys", None)
    return made


def confidence_of(part: PartLogits, actors: Mapping[str, str]) -> dict[str, Confidence]:
    """Temperature and conformal scores of each task with at least two classes among its labels.

    Args:
        part: Logits of clips that the model has not learned from.
        actors: Clip -> actor.
    """
    found = {}
    for task, rows in part.logits.items():
        known = part.labels[task] >= 0
        if len(set(part.labels[task][known].tolist())) < 2:
            continue
        logits, labels = labelled(rows, part.labels[task])
        spoken = {actors[clip] for clip, keep in zip(part.clip_ids, known.tolist(), strict=True) if keep}
        plain = Confidence(fit_temperature(logits.float(), labels), np.zeros(0), len(spoken))
        right = plain.probabilities(logits.numpy())[np.arange(len(labels)), labels.numpy()]
        found[task] = Confidence(plain.temperature, np.sort(1 - right), len(spoken))
    return found
