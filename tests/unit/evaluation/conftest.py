"""Made-up results, small enough to check by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from lightning_emorec.evaluation.results import BeforeRefit, FusionSummary, RunResults
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED, Clip

TASKS = {"emotion": ["calm", "angry", "sad"], "sex": ["male", "female"]}
LABELS = [0, 0, 1, 1, 2, 0]
SEXES = [0, 0, 0, 1, 1, UNLABELLED]


def part(predicted: list[int], ids: list[str]) -> PartLogits:
    """A model that says `predicted` with 2 more than the other classes, and the right sex, the unlabelled one male."""
    emotion = 2 * torch.eye(3)[predicted]
    sex = 2 * torch.eye(2)[[max(label, 0) for label in SEXES]]
    labels = {"emotion": torch.tensor(LABELS), "sex": torch.tensor(SEXES)}
    return PartLogits(ids, {"emotion": emotion, "sex": sex}, labels)


def clip(name: str, row: int) -> Clip:
    return Clip(name, actor=["8", "8", "10", "10", "9", "9"][row], path=None, text=f"Text of {name}.")


@pytest.fixture(scope="session")
def results() -> RunResults:
    """A single branch, validated and tested: 4 of 6 right on the test, 3 of 6 on validation."""
    ids = {which: [f"{which}-{row}" for row in range(6)] for which in ("val", "test")}
    return RunResults(
        name="single",
        model="AudioCnn",
        tasks=TASKS,
        clips={name: clip(name, row) for names in ids.values() for row, name in enumerate(names)},
        actors={"train": ["1", "2", "3"], "val": ["4", "6"], "test": ["8", "10", "9"]},
        clip_counts={"train": 12, "val": 6, "test": 6},
        absent_test_actors=[],
        synthetic=False,
        output={"val": part([0, 0, 0, 0, 0, 0], ids["val"]), "test": part([0, 0, 1, 2, 1, 0], ids["test"])},
        seconds={"fit": 61.0},
        versions={"torch": "2.11.0"},
        config="seed_everything: 1\n",
    )


@pytest.fixture(scope="session")
def fused(results: RunResults) -> RunResults:
    """The same as a fusion: `sound` has 4 of 6 right on the test, `words` 1, either 5; `more` is left out."""
    ids = results.output["test"].clip_ids
    sound, words = results.output["test"], part([1, 1, 0, 0, 2, 1], ids)
    val = results.output["val"]
    return replace(
        results,
        name="fused",
        model="FusionModule",
        branches={"sound": {"val": val, "test": sound}, "words": {"val": val, "test": words}},
        rules={"average": {"val": val, "test": words}, "log_linear": {"val": val, "test": sound}},
        left_out={"more": "expected weights; found none; download them"},
        fusion=FusionSummary("log_linear", {"sound": 0.75, "words": 0.25}, 1.25),
    )


@pytest.fixture(scope="session")
def untested(fused: RunResults) -> RunResults:
    """The fusion where the test actors are absent."""

    def without_test(parts: dict[str, Any]) -> dict[str, Any]:
        return {name: {"val": of["val"]} for name, of in parts.items()}

    return replace(
        fused,
        output={"val": fused.output["val"]},
        branches=without_test(fused.branches),
        rules=without_test(fused.rules),
        actors={**fused.actors, "test": []},
        clip_counts={**fused.clip_counts, "test": 0},
        absent_test_actors=["17", "1", "19", "9"],
    )


@pytest.fixture(scope="session")
def refitted(fused: RunResults) -> RunResults:
    """The fusion, its branches refitted: before, `sound` had 1 of 6 right on the test, and `words` 4."""
    sound, words = (fused.branches[name]["test"] for name in ("words", "sound"))
    before = BeforeRefit(sound, {"sound": sound, "words": words}, {"average": words, "log_linear": sound})
    refits = {name: {"folder": f"{name}-2", "epochs": 9} for name in ("sound", "words")}
    return replace(fused, refits=refits, before_refit=before)
