from __future__ import annotations

import pytest

from lightning_emorec.training.missing import available_branches, branch_run
from lightning_emorec.types import UnavailableError

TASKS = {"emotion": ["calm", "angry"]}
HERE = {"class_path": "TranscriptGru", "init_args": {"transcript": "reference"}}
NOT_HERE = {"class_path": "TranscriptGru", "init_args": {"transcript": "whisper", "whisper": "/no/such.pt"}}


def test_a_branch_takes_corpus_seed_and_device_from_the_fused_run_and_keeps_its_own_batch() -> None:
    data = dict.fromkeys(["split", "rate_hz", "trim_db", "peak_normalise", "max_s", "workers", "cache"])
    place = dict.fromkeys(["devices", "strategy", "num_nodes", "enable_progress_bar", "enable_model_summary"])
    fused = {
        "seed_everything": 7,
        "data": {**data, "corpus": "fused", "batch_size": 1},
        "trainer": {**place, "accelerator": "gpu", "max_epochs": 0},
    }
    own = {"model": {}, "data": {"corpus": "own", "batch_size": 64}, "trainer": {"max_epochs": 9}}
    run = branch_run(own, fused)
    assert (run["seed_everything"], run["data"]["corpus"], run["data"]["batch_size"]) == (7, "fused", 64)
    assert (run["trainer"]["accelerator"], run["trainer"]["max_epochs"]) == ("gpu", 9)
    assert run["test_after_fit"] is False


def test_a_branch_that_cannot_be_had_is_left_out_with_its_reason() -> None:
    names, left_out = available_branches({"here": HERE, "not_here": NOT_HERE}, TASKS, "skip")
    assert names == ["here"]
    assert "/no/such.pt" in left_out["not_here"]


def test_a_branch_that_cannot_be_had_stops_the_run_if_asked() -> None:
    with pytest.raises(UnavailableError, match=r"/no/such\.pt"):
        available_branches({"here": HERE, "not_here": NOT_HERE}, TASKS, "error")


def test_no_branch_at_all_is_an_error_even_when_skipping() -> None:
    with pytest.raises(UnavailableError, match="at least one branch"):
        available_branches({"not_here": NOT_HERE}, TASKS, "skip")
