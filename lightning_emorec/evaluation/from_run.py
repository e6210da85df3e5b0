"""Collects the `RunResults` of a finished run."""

from __future__ import annotations

import platform
from importlib.metadata import version

import torch

from lightning_emorec import __version__
from lightning_emorec.branches import Branch
from lightning_emorec.confidence import Confidence
from lightning_emorec.datamodule import FEATURE_RATE_HZ, EmotionDataModule
from lightning_emorec.evaluation.results import BeforeRefit, Fold, PartResults, RunResults, System, Weights
from lightning_emorec.features import FeatureCache, FeatureReader, Transcript, VaderScores
from lightning_emorec.fusion import FusionModule, SpeakerAdaptation, found_confidence, out_of_actor
from lightning_emorec.part_logits import OWN, PartLogits, ValidationLogits
from lightning_emorec.run_paths import logits_file
from lightning_emorec.runs.plan import RunPlan
from lightning_emorec.splits import PARTS
from lightning_emorec.types import Part


def gather_results(
    model: Branch,
    data: EmotionDataModule,
    plan: RunPlan,
    seconds: dict[str, float],
    config: str,
    before_refit: BeforeRefit | None = None,
    kept: ValidationLogits | None = None,
) -> RunResults:
    """Collect the results of a run.

    Args:
        model: The model after its validation and test loops.
        data: Its datamodule.
        plan: The plan of the run.
        seconds: Stage -> wall time of the run itself.
        config: The run's config, as YAML.
        before_refit: The result of `loop_over_parts`.
        kept: Validation logits in the checkpoint that is tested, which has no validation loop.
    """
    clips = {part: data.clips(part) for part in PARTS}
    chosen, known = _chosen(model), validation_logits(model, data, plan) or kept
    fold = Fold(
        logits={
            system: {part: model.judged(of) for part, of in parts.items()}
            for system, parts in _logits(model).items()
        },
        actors={part: list(dict.fromkeys(clip.actor for clip in clips[part])) for part in PARTS},
        weights={chosen: _weights(model)} if isinstance(model, FusionModule) else {},
        seed=data.seed,
        seconds={stage: round(spent, 2) for stage, spent in {**plan.seconds, **seconds}.items()},
        versions=_versions(model),
        confidence=_confidence(model, known) if "test" in model.results else None,
        adaptation=_adaptation(model, known) if model.tasks == data.corpus.judged else None,
    )
    return RunResults(
        name=plan.folder.name,
        tasks=data.corpus.judged,
        clips={clip.id: clip for part in model.results for clip in clips[part]},
        folds=[fold],
        chosen=chosen,
        left_out=plan.left_out,
        synthetic=data.corpus.synthetic,
        config=config,
        warnings=[*plan.warnings, *data.corpus.remarks, *data.warnings],
        before_refit=before_refit or _selecting(plan, model),
        model=type(model).__name__,
        clip_counts={part: len(clips[part]) for part in PARTS},
        absent_test_actors=data.parts.absent_test_actors,
        parameters=sum(weight.numel() for weight in model.parameters()),
        texts=transcripts(model, data, "test" if "test" in model.results else "val"),
        across_actors=model.across_actors if isinstance(model, FusionModule) else {},
        skipped=data.skipped,
        audio=data.counts,
        judged_by=data.corpus.judged_by,
        refits={name: {"folder": of.folder.name, "epochs": of.epochs} for name, of in plan.refits.items()},
    )


def logits_of_part(model: FusionModule, part: Part) -> dict[System, PartLogits]:
    """Logits of each branch and rule of a fusion for an evaluated part."""
    branches = {System(name): parts[part] for name, parts in model.branch_results.items()}
    return branches | {System(name, "rule"): of for name, of in model.rule_results(part).items()}


def validation_logits(model: Branch, data: EmotionDataModule, plan: RunPlan) -> ValidationLogits | None:
    """The validation logits that a run's choices are based on; None without validation clips.

    They are computed after the training, when a model may predict differently: `AudioCnn` then averages over warped
    spectra. A refit of a single model has those of the original run, in which its epochs were chosen.
    """
    if isinstance(model, FusionModule):
        parts = {name: of["val"] for name, of in model.branch_results.items() if "val" in of}
        return ValidationLogits.of(parts, data.clips("val"), bool(plan.refits)) if parts else None
    if "val" in model.results:
        return ValidationLogits.of({OWN: model.results["val"]}, data.clips("val"))
    if plan.refit_of and (file := logits_file(plan.refit_of, "val")).is_file():
        return ValidationLogits.of({OWN: PartLogits.load(file)}, data.clips("train"), before_refit=True)
    return None


def _confidence(model: Branch, known: ValidationLogits | None) -> Confidence | None:
    if known is None or not known.parts:
        return None
    part: PartLogits | None
    if isinstance(model, FusionModule):
        part = out_of_actor(model.fitted, model.rule_name, known.parts, known.actors)
    else:
        part = known.parts[OWN]
    return (
        None if part is None else found_confidence(model.judged(part), next(iter(model.tasks)), known.actors)
    )


def _adaptation(model: Branch, known: ValidationLogits | None) -> SpeakerAdaptation | None:
    if known is None or not known.parts or model.hparams.get("adapt", "none") == "none":
        return None
    if isinstance(model, FusionModule):
        return SpeakerAdaptation(known.parts, known.actors, model.fitted, model.rule_name)
    return SpeakerAdaptation(known.parts, known.actors)


def _chosen(model: Branch) -> System:
    if isinstance(model, FusionModule):
        return System(model.rule_name, "rule")
    return System(type(model).__name__, "model")


def _logits(model: Branch) -> dict[System, PartResults]:
    chosen = _chosen(model)
    if not isinstance(model, FusionModule):
        return {chosen: dict(model.results)}
    branches = {System(name): dict(parts) for name, parts in model.branch_results.items()}
    fused = {part: model.rule_results(part) for part in model.results}
    rules = {System(name, "rule"): {part: of[name] for part, of in fused.items()} for name in model.rules}
    return {**branches, **rules, chosen: dict(model.results)}


def _weights(fusion: FusionModule) -> dict[str, Weights]:
    """The learned weights of the chosen rule for the first task."""
    task = next(iter(fusion.tasks))
    return {task: Weights(fusion.fitted.shares(fusion.rule_name, task), fusion.rule(task).temperature)}


def _selecting(plan: RunPlan, model: Branch) -> BeforeRefit:
    """Test logits of the original run if this is a refit and both were tested on the same clips."""
    file = plan.refit_of and logits_file(plan.refit_of, "test")
    if not file or not file.is_file() or "test" not in model.results:
        return {}
    kept = PartLogits.load(file)
    return {_chosen(model): kept} if kept.clip_ids == model.results["test"].clip_ids else {}


def transcripts(model: Branch, data: EmotionDataModule, part: Part) -> dict[str, str]:
    """Clip -> first transcript that the model read, for the clips of a part; empty for a model without text input.

    The features of these clips must be in the cache.
    """
    sources = [of.transcript if isinstance(of, VaderScores) else of for of in model.features]
    read = next((source for source in sources if isinstance(source, Transcript)), None)
    if read is None:
        return {}
    reader = FeatureReader(FeatureCache(data.cache), [read], data.audio.at(FEATURE_RATE_HZ))
    clips = [clip for clip in data.clips(part) if clip.path is not None or not read.from_audio]
    reader.index(clips)
    return {clip.id: read.collate([reader(clip)[read.key]])[0] for clip in clips}


def _versions(model: Branch) -> dict[str, str]:
    packages = ("torch", "torchaudio", "lightning", "audiomentations", "openai-whisper", "transformers")
    device = torch.cuda.get_device_name(model.device) if model.device.type == "cuda" else platform.machine()
    return {
        "lightning_emorec": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
        "device": f"{model.device.type} ({device})",
    }
