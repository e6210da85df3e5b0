"""From a run that came to its end to `RunResults`."""

from __future__ import annotations

import platform
from importlib.metadata import version

import torch

from lightning_emorec import __version__
from lightning_emorec.branches import Branch
from lightning_emorec.datamodule import FEATURE_RATE_HZ, EmotionDataModule
from lightning_emorec.evaluation.results import BeforeRefit, FusionSummary, PartResults, RunResults
from lightning_emorec.features import FeatureCache, FeatureReader, Transcript, VaderScores
from lightning_emorec.fusion import FusionModule
from lightning_emorec.part_logits import PartLogits
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
) -> RunResults:
    """Put together what a run found.

    Args:
        model: After its validation and test loops.
        data: Its datamodule.
        plan: What was decided before it started.
        seconds: Stage -> wall time of the run itself.
        config: The run's config, as YAML.
        before_refit: What `loop_over_parts` returned.
    """
    clips = {part: data.clips(part) for part in PARTS}
    fusion = model if isinstance(model, FusionModule) else None
    return RunResults(
        name=plan.folder.name,
        model=type(model).__name__,
        tasks=model.tasks,
        clips={clip.id: clip for part in model.results for clip in clips[part]},
        actors={part: list(dict.fromkeys(clip.actor for clip in clips[part])) for part in PARTS},
        clip_counts={part: len(clips[part]) for part in PARTS},
        absent_test_actors=data.parts.absent_test_actors,
        synthetic=data.corpus.synthetic,
        output={part: model.results[part] for part in PARTS if part in model.results},
        branches=dict(fusion.branch_results) if fusion else {},
        rules=_rules(fusion) if fusion else {},
        left_out=plan.left_out,
        fusion=_summary(fusion) if fusion else None,
        parameters=sum(weight.numel() for weight in model.parameters()),
        seed=data.seed,
        seconds={stage: round(spent, 2) for stage, spent in {**plan.seconds, **seconds}.items()},
        versions=_versions(model),
        config=config,
        texts=transcripts(model, data, "test" if "test" in model.results else "val"),
        across_actors=fusion.across_actors if fusion else {},
        warnings=[*plan.warnings, *data.warnings],
        skipped=data.skipped,
        refits={name: {"folder": of.folder.name, "epochs": of.epochs} for name, of in plan.refits.items()},
        before_refit=before_refit or _selecting(plan, model),
    )


def _selecting(plan: RunPlan, model: Branch) -> BeforeRefit | None:
    """Of the run that this one is the refit of, where both were tested on the same clips."""
    file = plan.refit_of and logits_file(plan.refit_of, "test")
    if not file or not file.is_file() or "test" not in model.results:
        return None
    kept = PartLogits.load(file)
    return BeforeRefit(kept) if kept.clip_ids == model.results["test"].clip_ids else None


def _rules(fusion: FusionModule) -> dict[str, PartResults]:
    parts = {part: fusion.rule_results(part) for part in fusion.results}
    return {name: {part: results[name] for part, results in parts.items()} for name in fusion.rules}


def _summary(fusion: FusionModule) -> FusionSummary:
    rule = fusion.rule(next(iter(fusion.tasks)))
    shares = rule.shares
    weights = None if shares is None else dict(zip(fusion.specs, shares, strict=True))
    return FusionSummary(fusion.rule_name, weights, rule.temperature)


def transcripts(model: Branch, data: EmotionDataModule, part: Part) -> dict[str, str]:
    """What a model read of each clip of a part, by the first of its transcripts; empty if it reads nothing.

    Args:
        model: After its loops, so that its features are computed.
        data: Its datamodule.
        part: Which part.
    """
    sources = [of.transcript if isinstance(of, VaderScores) else of for of in model.features]
    read = next((source for source in sources if isinstance(source, Transcript)), None)
    if read is None:
        return {}
    reader = FeatureReader(FeatureCache(data.cache), [read], data.audio.at(FEATURE_RATE_HZ))
    clips = [clip for clip in data.clips(part) if clip.path is not None or not read.cached]
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
