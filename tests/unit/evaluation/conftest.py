"""Made-up results, small enough to check by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from lightning_emorec.evaluation.results import Fold, RunResults, System, Weights
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED, Clip, Part

TASKS = {"emotion": ["calm", "angry", "sad"], "sex": ["male", "female"]}
LABELS = [0, 0, 1, 1, 2, 0]
SEXES = [0, 0, 0, 1, 1, UNLABELLED]


def part(predicted: list[int], ids: list[str]) -> PartLogits:
    """A model that gives `predicted` 2 more than the other classes, and is right on sex; the unlabelled one is male."""
    emotion = 2 * torch.eye(3)[predicted]
    sex = 2 * torch.eye(2)[[max(label, 0) for label in SEXES]]
    labels = {"emotion": torch.tensor(LABELS), "sex": torch.tensor(SEXES)}
    return PartLogits(ids, {"emotion": emotion, "sex": sex}, labels)


def clip(name: str, row: int) -> Clip:
    return Clip(name, actor=["8", "8", "10", "10", "9", "9"][row], path=None, text=f"Text of {name}.")


MODEL = System("AudioCnn", "model")
ACTORS: dict[Part, list[str]] = {"train": ["1", "2", "3"], "val": ["4", "6"], "test": ["8", "10", "9"]}


def with_logits(results: RunResults, **logits: dict[str, Any]) -> RunResults:
    """The same run with other logits: `output` of a single model, or `branches` and `rules` of a fusion."""
    fold = results.fold
    changed = {MODEL: logits["output"]} if "output" in logits else dict(fold.logits)
    for kind, key in (("branch", "branches"), ("rule", "rules")):
        if key in logits:
            changed = {system: of for system, of in changed.items() if system.kind != kind}
            changed |= {System(name, kind): of for name, of in logits[key].items()}  # type: ignore[arg-type]
    ordered = sorted(changed.items(), key=lambda item: item[0].kind == "rule")
    return replace(results, folds=[replace(fold, logits=dict(ordered))])


def with_rule(results: RunResults, rule: str, weights: Weights) -> RunResults:
    """The same fusion with another chosen rule."""
    chosen = System(rule, "rule")
    fold = replace(results.fold, weights={chosen: {results.task: weights}})
    return replace(results, chosen=chosen, folds=[fold])


def with_actors(results: RunResults, **actors: list[str]) -> RunResults:
    """The same run with other actors in some part."""
    return replace(results, folds=[replace(results.fold, actors={**results.fold.actors, **actors})])  # type: ignore[dict-item]


def parts_of(results: RunResults, kind: str) -> dict[str, dict[Part, PartLogits]]:
    """Name -> logits by part, of the branches or the rules of a run."""
    return {system.name: parts for system, parts in results.fold.logits.items() if system.kind == kind}


@pytest.fixture(scope="session")
def results() -> RunResults:
    """A single branch, validated and tested: 4 of 6 right on the test, 3 of 6 on validation."""
    ids = {which: [f"{which}-{row}" for row in range(6)] for which in ("val", "test")}
    output: dict[Part, PartLogits] = {
        "val": part([0, 0, 0, 0, 0, 0], ids["val"]),
        "test": part([0, 0, 1, 2, 1, 0], ids["test"]),
    }
    fold = Fold({MODEL: output}, ACTORS, seconds={"fit": 61.0}, versions={"torch": "2.11.0"})
    return RunResults(
        name="single",
        model="AudioCnn",
        tasks=TASKS,
        clips={name: clip(name, row) for names in ids.values() for row, name in enumerate(names)},
        folds=[fold],
        chosen=MODEL,
        clip_counts={"train": 12, "val": 6, "test": 6},
        config="seed_everything: 1\n",
    )


@pytest.fixture(scope="session")
def fused(results: RunResults) -> RunResults:
    """The same as a fusion: `sound` has 4 of 6 right on the test, `words` 1, either 5; `more` is left out."""
    ids = results.output["test"].clip_ids
    sound, words = results.output["test"], part([1, 1, 0, 0, 2, 1], ids)
    val = results.output["val"]
    logits: dict[System, dict[Part, PartLogits]] = {
        System("sound"): {"val": val, "test": sound},
        System("words"): {"val": val, "test": words},
        System("average", "rule"): {"val": val, "test": words},
        System("log_linear", "rule"): {"val": val, "test": sound},
    }
    fusion = replace(
        results,
        name="fused",
        model="FusionModule",
        folds=[replace(results.fold, logits=logits)],
        left_out={"more": "expected weights; found none; download them"},
    )
    return with_rule(fusion, "log_linear", Weights({"sound": 0.75, "words": 0.25}, 1.25))


@pytest.fixture(scope="session")
def untested(fused: RunResults) -> RunResults:
    """The fusion where the test actors are absent."""
    logits: dict[System, dict[Part, PartLogits]] = {
        system: {"val": parts["val"]} for system, parts in fused.fold.logits.items()
    }
    fold = replace(fused.fold, logits=logits, actors={**ACTORS, "test": []})
    counts = {**fused.clip_counts, "test": 0}
    return replace(fused, folds=[fold], clip_counts=counts, absent_test_actors=["17", "1", "19", "9"])


@pytest.fixture(scope="session")
def refitted(fused: RunResults) -> RunResults:
    """The fusion, its branches refitted: before, `sound` had 1 of 6 right on the test, and `words` 4."""
    sound, words = (fused.fold.logits[System(name)]["test"] for name in ("words", "sound"))
    before = {System("sound"): sound, System("words"): words}
    before |= {System("average", "rule"): words, System("log_linear", "rule"): sound}
    refits = {name: {"folder": f"{name}-2", "epochs": 9} for name in ("sound", "words")}
    return replace(fused, refits=refits, before_refit=before)
