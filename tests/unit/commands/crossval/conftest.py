"""A made-up model of twelve actors, and a made-up cross-validation on disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_emorec.audio import AudioStore
from lightning_emorec.commands.crossval.collect import branch_file
from lightning_emorec.commands.crossval.model_spec import ModelSpec
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import Clip

TASKS = {"mood": ["up", "down"]}


def ravdess(actors: range | list[int] = range(1, 25)) -> list[Clip]:
    sexes = {actor: "male" if actor % 2 else "female" for actor in actors}
    return [
        Clip(f"{actor:02d}-{take}", f"{actor:02d}", None, {"sex": sexes[actor], "mood": ["up", "down"][take]})
        for actor in actors
        for take in range(2)
    ]


@pytest.fixture
def model(tmp_path: Path) -> ModelSpec:
    """Two branches over the first twelve actors."""
    data = {"corpus": {"class_path": "C"}, "batch_size": 4}
    branch = {"model": {"class_path": "B"}, "data": data, "trainer": {"max_epochs": 1}}
    init_args: dict[str, Any] = {"branches": {"sound": branch, "words": branch}, "rule": None}
    config = {
        "name": "fused",
        "seed_everything": 3,
        "model": {"class_path": "FusionModule", "init_args": init_args},
        "data": {"corpus": "c", "split": "s"},
        "trainer": {"max_epochs": 0},
    }
    return ModelSpec(
        config=config,
        clips=ravdess(range(1, 13)),
        tasks=TASKS,
        audio=AudioStore(tmp_path / "cache", 16000),
        synthetic=False,
        branches={"sound": branch, "words": branch},
        origins={"sound": [], "words": []},
        left_out={"more": "expected weights; found none; download them"},
    )


def predicting(ids: list[str], labels: list[int], right: list[bool]) -> PartLogits:
    """A model that gives e to 1 for the class it means, which is right or not."""
    meant = [label if is_right else 1 - label for label, is_right in zip(labels, right, strict=True)]
    return PartLogits(ids, {"mood": torch.eye(2)[meant]}, {"mood": torch.tensor(labels)})


LABELS = [0, 1, 0, 1]
RIGHT = {
    # (fold, source) -> branch -> which of the four clips it gets right
    (0, "val"): {"sound": [1, 1, 1, 1], "words": [1, 1, 1, 0]},
    (0, "inner"): {"sound": [1, 1, 1, 0], "words": [1, 0, 1, 0]},
    (0, "test"): {"sound": [1, 1, 1, 0], "words": [0, 0, 1, 1]},
    (1, "val"): {"sound": [1, 1, 1, 0], "words": [1, 1, 1, 1]},
    (1, "inner"): {"sound": [1, 1, 1, 0], "words": [1, 1, 1, 1]},
    (1, "test"): {"sound": [1, 1, 1, 1], "words": [0, 1, 1, 1]},
}


def clip_ids(fold: int, source: str) -> list[str]:
    return [f"{fold}-{source}-{row}" for row in range(4)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two folds of four clips, one seed, branches `sound` and `words`; see `RIGHT`."""
    folder = tmp_path / "made-up"
    cells = []
    for fold in range(2):
        cell = folder / f"seed1-fold{fold}"
        for (of, source), branches in RIGHT.items():
            for name, right in branches.items() if of == fold else ():
                logits = predicting(clip_ids(fold, source), LABELS, [bool(one) for one in right])
                logits.save(branch_file(cell, name, source))  # type: ignore[arg-type]
        clips = [
            {
                "id": id_,
                "actor": f"{fold}{row // 2}",
                "text": None,
                "labels": {"mood": TASKS["mood"][LABELS[row]]},
            }
            for row, id_ in enumerate(clip_ids(fold, "test"))
        ]
        kept = {
            "fingerprint": f"print{fold}",
            "seed": 1,
            "fold": fold,
            "inner": ["sound", "words"],
            "actors": {"train": ["20", "21"], "val": ["30"], "test": [f"{fold}0", f"{fold}1"]},
            "seconds": {"fit": 2.0 + fold},
            "versions": {"torch": "2.11.0"},
            "clips": clips,
        }
        (cell / "cell.json").write_text(json.dumps(kept))
        cells.append({"seed": 1, "fold": fold, "folder": cell.name, "fingerprint": f"print{fold}"})
    plan = {
        "folds": 2,
        "val_actors": 1,
        "inner": 2,
        "single": [],
        "tasks": TASKS,
        "branches": ["sound", "words"],
        "rule": None,
        "fused": True,
        "left_out": {},
        "synthetic": False,
        "cells": cells,
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "config.yaml").write_text("model: {class_path: F}\ndata: {corpus: {class_path: Tones}}\n")
    return folder


def add_seed(folder: Path) -> None:
    """The same again with seed 2, but that `sound` has one of four right in fold 1."""
    plan = json.loads((folder / "plan.json").read_text())
    more = []
    for cell in plan["cells"]:
        again = cell["folder"].replace("seed1", "seed2")
        shutil.copytree(folder / cell["folder"], folder / again)
        content = json.loads((folder / again / "cell.json").read_text())
        (folder / again / "cell.json").write_text(json.dumps({**content, "seed": 2}))
        more.append({**cell, "seed": 2, "folder": again})
    predicting(clip_ids(1, "test"), LABELS, [True, False, False, False]).save(
        branch_file(folder / "seed2-fold1", "sound", "test")
    )
    (folder / "plan.json").write_text(json.dumps({**plan, "cells": [*plan["cells"], *more]}))
