"""Which branches of a model an export holds, and what leaving out the others costs."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

from lightning_emorec.audio import FrontEnd
from lightning_emorec.branches import Branch, WhisperStatistics
from lightning_emorec.confidence import Confidence
from lightning_emorec.errors import EmorecError
from lightning_emorec.export.graph import why_not
from lightning_emorec.fusion import out_of_actor
from lightning_emorec.fusion.rule import FusionRule
from lightning_emorec.inference import TrainedModel
from lightning_emorec.metrics import Scores, score_part
from lightning_emorec.part_logits import OWN
from lightning_emorec.types import Tasks
from lightning_emorec.validated import confidence_of, restricted_model


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


def select(trained: TrainedModel) -> Selection:
    """Choose the branches that a graph can hold, and solve the fusion over them on the kept validation logits.

    Raises:
        EmorecError: No branch can be held; or some cannot, and no validation logits are kept to solve the rule on.
    """
    reasons = {name: why_not(branch, trained.front_end.rate_hz) for name, branch in trained.branches.items()}
    left_out = {name: reason for name, reason in reasons.items() if reason is not None}
    names = [name for name in reasons if name not in left_out]
    if not names:
        found = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
        raise EmorecError("a branch that a graph can hold", found, "export another model")
    model = restricted_model(trained, names)
    rules = None
    if (fusion := model.fusion) is not None:
        rules = {task: fusion.rule(task) for task in model.tasks}
        names = list(fusion.fitted.needs_audio)  # in the order of the weights
    views = {name: int(model.branches[name].hparams.get("views", 1)) for name in names}
    confidence = {task: confidence_of(model, task) for task in model.tasks}
    return Selection(
        tasks=model.tasks,
        front_end=model.front_end,
        branches={name: one_view(model.branches[name]) for name in names},
        rules=rules,
        left_out=left_out,
        views={name: number for name, number in views.items() if number > 1},
        before=_scores(trained) if left_out else {},
        after=_scores(model),
        confidence={task: known for task, known in confidence.items() if known is not None},
    )


def _scores(model: TrainedModel) -> dict[str, Scores]:
    """Scores of each task on validation clips, each actor fused by what is learned from the others; may be empty."""
    if not model.validation:
        return {}
    fusion = model.fusion
    if fusion is None:
        return score_part(model.validation[OWN])
    part = out_of_actor(fusion.fitted, fusion.rule_name, model.validation, model.actors)
    return {} if part is None else score_part(part)


def one_view(branch: Branch) -> Branch:
    """A copy of a branch that judges a clip as it is, and not by altered views of it too."""
    made = deepcopy(branch).cpu().eval()
    if isinstance(made, WhisperStatistics):
        made.hparams["views"] = 1
        vars(made).pop("feature_keys", None)
    return made
