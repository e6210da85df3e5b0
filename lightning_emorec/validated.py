"""What the validation logits in a checkpoint found: a fusion of fewer branches, and how sure a model may be."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from lightning_emorec.confidence import Confidence
from lightning_emorec.errors import EmorecError
from lightning_emorec.fusion import SpeakerAdaptation, found_confidence, out_of_actor
from lightning_emorec.inference import TrainedModel
from lightning_emorec.part_logits import OWN, PartLogits


def restricted_model(trained: TrainedModel, names: Collection[str]) -> TrainedModel:
    """The model with some of its branches only, whose rules are solved anew on the validation logits in the checkpoint.

    Args:
        trained: Left as it is; the branches are shared with it.
        names: At least one of `trained.branches`.

    Returns:
        The model itself where all are named.

    Raises:
        EmorecError: A name is no branch's, or the checkpoint holds no validation logits to solve the rules on.
    """
    kept = [name for name in trained.branches if name in names]
    if not kept or set(names) - {*kept}:
        expected = f"branches among {', '.join(trained.branches)}"
        raise EmorecError(expected, ", ".join(names) or "none", "name some of these")
    if trained.fusion is None or len(kept) == len(trained.branches):
        return trained
    if not trained.validation:
        found = f"none in {trained.checkpoint}, which an earlier version wrote"
        raise EmorecError("validation logits to solve the fusion on", found, "train the run again")
    parts = {name: trained.validation[name] for name in kept}
    judged = {clip for part in parts.values() for clip in part.clip_ids}
    return replace(
        trained,
        model=trained.fusion.restricted(kept, parts).eval(),
        validation=parts,
        actors={clip: actor for clip, actor in trained.actors.items() if clip in judged},
    )


def confidence_of(
    trained: TrainedModel, task: str, names: Collection[str] | None = None
) -> Confidence | None:
    """How far a model's probabilities of a task go, by its validation clips.

    Of a fusion, each validation actor is fused by the rule solved on the others.

    Args:
        trained: The model.
        task: One of its tasks.
        names: Some of its branches, as in `restricted_model`; None means all.

    Returns:
        None where nothing founds it: an earlier version's checkpoint, no labelled validation clip, or, of a fusion, one
        validation actor only.
    """
    model = trained if names is None else restricted_model(trained, names)
    if not model.validation:
        return None
    if model.fusion is None:
        part: PartLogits | None = model.validation[OWN]
    else:
        part = out_of_actor(model.fusion.fitted, model.fusion.rule_name, model.validation, model.actors)
    return None if part is None else found_confidence(part, task, model.actors)


def adaptation_of(trained: TrainedModel) -> SpeakerAdaptation | None:
    """What adapts a model to speakers, by its validation clips; None where it was not trained with `adapt: speaker`."""
    if trained.model.hparams.get("adapt", "none") != "speaker":
        return None
    fusion = trained.fusion
    if fusion is None:
        return SpeakerAdaptation(trained.validation, trained.actors)
    return SpeakerAdaptation(trained.validation, trained.actors, fusion.fitted, fusion.rule_name)
