"""Loads the results of a cross-validation from its folder; needs no corpus and no other folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import yaml
from jsonargparse import ArgumentParser

from lightning_emorec.audio import Counts
from lightning_emorec.commands.crossval.collect import CELL, branch_file
from lightning_emorec.commands.crossval.results import CrossvalResults
from lightning_emorec.commands.crossval.study import CONFIG, PLAN
from lightning_emorec.confidence import Confidence
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.results import Fold, PartResults, System, Way, Weights
from lightning_emorec.fusion import (
    FittedRules,
    FusionRule,
    LogLinear,
    SpeakerAdaptation,
    compared_rules,
    found_confidence,
    out_of_actor,
)
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.runs.leakage import known_training_overlap
from lightning_emorec.types import Clip


def gather(folder: Path) -> CrossvalResults:
    """Load every cell of a cross-validation, and solve the fusion rules in each.

    Raises:
        EmorecError: The folder holds no cross-validation, or not all of its folds are done.
    """
    if not (folder / PLAN).is_file():
        raise EmorecError("the folder of a cross-validation", f"no {folder / PLAN}", "run crossval")
    plan = json.loads((folder / PLAN).read_text(encoding="utf8"))
    kept = [_read(folder, cell) for cell in plan["cells"]]
    if lacking := [cell["folder"] for cell, read in zip(plan["cells"], kept, strict=True) if read is None]:
        raise EmorecError("every fold to be done", f"not {', '.join(lacking)}", "run crossval again")
    cells = [cell for cell in kept if cell is not None]
    name, rules = compared_rules(_rule(plan["rule"]))
    names = plan["branches"]
    config = (folder / CONFIG).read_text(encoding="utf8")
    clips = {clip.id: clip for cell in cells for clip in _clips(cell)}
    chosen = System(name, "rule", "oof" if plan["inner"] else "val") if plan["fused"] else System(names[0])
    actors = {clip.id: clip.actor for clip in clips.values()}
    return CrossvalResults(
        name=folder.name,
        tasks=plan["tasks"],
        clips=clips,
        folds=[
            replace(
                _fold(folder / planned["folder"], cell, names, rules if plan["fused"] else {}),
                confidence=_confidence(
                    folder / planned["folder"], cell, names, rules, chosen, next(iter(plan["tasks"])), actors
                ),
                adaptation=_adaptation(folder / planned["folder"], cell, names, rules, chosen, actors)
                if _is_adapted(config)
                else None,
            )
            for planned, cell in zip(plan["cells"], cells, strict=True)
        ],
        chosen=chosen,
        left_out=plan["left_out"],
        synthetic=plan["synthetic"],
        config=config,
        warnings=_warnings(config),
        folding=plan["folds"],
        inner=plan["inner"],
        single=plan["single"],
        val_actors=plan["val_actors"],
        audio=_audio(cells),
    )


def _audio(cells: Sequence[Mapping[str, Any]]) -> Counts | None:
    """What was done to the audio of all clips, which each fold reads: in training, validation or test."""
    given = [Counts(**cell["audio"]) for cell in cells if cell.get("audio")]
    return max(given, key=lambda counts: counts.clips, default=None)


def _rule(spec: Mapping[str, Any] | None) -> FusionRule:
    """Instantiate the chosen rule from its class_path and init_args; by default the log-linear pool."""
    if spec is None:
        return LogLinear()
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--rule", type=FusionRule)
    return cast(FusionRule, parser.instantiate(parser.parse_object({"rule": dict(spec)})).rule)


def _warnings(config: str) -> list[str]:
    content = yaml.safe_load(config)
    return known_training_overlap(content["model"], content["data"]["corpus"])


def _read(folder: Path, planned: Mapping[str, Any]) -> dict[str, Any] | None:
    """The content of cell.json; None if it is absent or of another plan."""
    file = folder / planned["folder"] / CELL
    if not file.is_file():
        return None
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf8"))
    return content if content["fingerprint"] == planned["fingerprint"] else None


def _clips(cell: Mapping[str, Any]) -> list[Clip]:
    return [Clip(c["id"], c["actor"], None, c["labels"], c["text"]) for c in cell["clips"]]


def _fold(folder: Path, cell: Mapping[str, Any], names: list[str], rules: Mapping[str, FusionRule]) -> Fold:
    test = {name: PartLogits.load(branch_file(folder, name, "test")) for name in names}
    logits: dict[System, PartResults] = {System(name): {"test": part} for name, part in test.items()}
    weights, solved_on = {}, {}
    for way, known in _known(folder, cell, names).items() if rules else ():
        solved_on[way] = len(next(iter(known.values())).clip_ids)
        # Every branch has logits of every clip, so that `needs_audio` is irrelevant.
        fitted = FittedRules(rules, list(next(iter(test.values())).logits), dict.fromkeys(names, True))
        fitted.fit(known)
        for name, fused in fitted.fuse_parts(test).items():
            rule = System(name, "rule", way)
            logits[rule] = {"test": fused}
            weights[rule] = {
                task: Weights(fitted.shares(name, task), fitted.rule(name, task).temperature)
                for task in fitted.tasks
            }
    return Fold(
        logits=logits,
        actors=cell["actors"],
        weights=weights,
        seed=cell["seed"],
        index=cell["fold"],
        solved_on=solved_on,
        seconds=cell["seconds"],
        versions=cell["versions"],
    )


def _confidence(
    folder: Path,
    cell: Mapping[str, Any],
    names: list[str],
    rules: Mapping[str, FusionRule],
    chosen: System,
    task: str,
    actors: Mapping[str, str],
) -> Confidence | None:
    """Confidence of the chosen system on the clips that its rule was solved on; None if `_solved_on` is."""
    if (known := _solved_on(folder, cell, names, chosen, actors)) is None:
        return None
    part = known.get(chosen.name)
    if chosen.kind == "rule":
        part = out_of_actor(_unfitted(known, rules, chosen), chosen.name, known, actors)
    return None if part is None else found_confidence(part, task, actors)


def _solved_on(
    folder: Path, cell: Mapping[str, Any], names: list[str], chosen: System, actors: Mapping[str, str]
) -> dict[str, PartLogits] | None:
    """Branch name -> its logits of the clips that the chosen system's rule was solved on.

    `actors` holds the actors of the test clips of all folds; None if a validation clip is not among them.
    """
    if chosen.way is None:
        known = {chosen.name: PartLogits.load(branch_file(folder, chosen.name, "val"))}
    else:
        known = _known(folder, cell, names)[chosen.way]
    unknown = any(clip not in actors for part in known.values() for clip in part.clip_ids)
    return None if unknown else known


def _is_adapted(config: str) -> bool:
    given = yaml.safe_load(config)["model"].get("init_args", {})
    return bool(given.get("adapt", "none") != "none")


def _adaptation(
    folder: Path,
    cell: Mapping[str, Any],
    names: list[str],
    rules: Mapping[str, FusionRule],
    chosen: System,
    actors: Mapping[str, str],
) -> SpeakerAdaptation | None:
    """What adapts the chosen system to speakers, by the clips that its rule was solved on; None if `_solved_on` is."""
    if (known := _solved_on(folder, cell, names, chosen, actors)) is None:
        return None
    if chosen.kind != "rule":
        return SpeakerAdaptation(known, actors)
    fitted = _unfitted(known, rules, chosen)
    fitted.fit(known)
    return SpeakerAdaptation(known, actors, fitted, chosen.name)


def _unfitted(
    known: Mapping[str, PartLogits], rules: Mapping[str, FusionRule], chosen: System
) -> FittedRules:
    """The chosen rule over branches that all have logits of the same clips."""
    tasks = list(next(iter(known.values())).logits)
    return FittedRules({chosen.name: rules[chosen.name]}, tasks, dict.fromkeys(known, True))


def _known(folder: Path, cell: Mapping[str, Any], names: list[str]) -> dict[Way, dict[str, PartLogits]]:
    """Way -> branch name -> logits that rules are solved on, of the same clips for all branches.

    If a branch is not in `inner`, the rules are solved on the validation clips, as it has no other logits.
    """
    val = {name: PartLogits.load(branch_file(folder, name, "val")) for name in names}
    if not cell["inner"]:
        return {"val": val}
    inner = {name: PartLogits.load(branch_file(folder, name, "inner")) for name in cell["inner"]}
    if len(inner) == len(names):
        return {"val": val, "oof": inner}
    ids = next(iter(val.values())).clip_ids
    return {"val": val, "oof": {n: inner[n].select(ids) if n in inner else val[n] for n in names}}
