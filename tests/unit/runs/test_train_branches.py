from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import pytest

from lightning_emorec.branches import Spec, TranscriptGru, resolve_spec
from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.jobs.pool import side_by_side
from lightning_emorec.runs.plan import RunPlan
from lightning_emorec.runs.train_branches import (
    SHARED_DATA,
    SHARED_TRAINER,
    BranchTrainer,
    available_branches,
    branch_run,
)
from lightning_emorec.splits import Parts
from lightning_emorec.types import Clip

TASKS = {"emotion": ["calm", "angry"]}
HEARD = Parts([Clip("a", "1", Path("a.wav"))], [Clip("b", "2", Path("b.wav"))], [])
MUTE = Clip("a", "1", None, text="hello")
TEXT = Parts([MUTE], [Clip("b", "2", None, text="hi")], [])
HERE = resolve_spec({"class_path": "TranscriptGru", "init_args": {"transcript": "reference"}}, TASKS)
NOT_HERE = resolve_spec(
    {"class_path": "TranscriptGru", "init_args": {"transcript": "whisper", "whisper": "/no/such.pt"}}, TASKS
)
AUDIO = resolve_spec({"class_path": "AudioCnn"}, TASKS)


def test_a_branch_takes_corpus_seed_and_device_from_the_fused_run_and_keeps_its_own_batch() -> None:
    data, place = dict.fromkeys(SHARED_DATA), dict.fromkeys(SHARED_TRAINER)
    fused = {
        "seed_everything": 7,
        "data": {**data, "corpus": "fused", "batch_size": 1},
        "trainer": {**place, "accelerator": "gpu", "max_epochs": 0},
    }
    own = {"model": {}, "data": {"corpus": "own", "batch_size": 64}, "trainer": {"max_epochs": 9}}
    run = branch_run(own, fused, {})
    assert (run["seed_everything"], run["data"]["corpus"], run["data"]["batch_size"]) == (7, "fused", 64)
    assert (run["trainer"]["accelerator"], run["trainer"]["max_epochs"]) == ("gpu", 9)
    assert run["test_after_fit"] is False


@pytest.mark.parametrize(("asked_of_branch", "asked_of_all"), [(True, False), (False, True)])
def test_batch_norms_are_synchronised_where_the_branch_or_the_fused_run_asks(
    asked_of_branch: bool, asked_of_all: bool
) -> None:
    fused = {
        "seed_everything": 7,
        "data": dict.fromkeys(SHARED_DATA),
        "trainer": {**dict.fromkeys(SHARED_TRAINER), "sync_batchnorm": asked_of_all},
    }
    run = branch_run({"model": {}, "trainer": {"sync_batchnorm": asked_of_branch}}, fused, {})
    assert run["trainer"]["sync_batchnorm"] is True


FUSED = {
    "seed_everything": 7,
    "data": dict.fromkeys(SHARED_DATA),
    "trainer": dict.fromkeys(SHARED_TRAINER),
}


def test_an_override_sets_what_a_branch_decides_for_itself() -> None:
    overrides = {"data.batch_size": 2, "data.rate_hz_of_others": 1, "trainer.sync_batchnorm": True}
    run = branch_run({"model": {}, "data": {"batch_size": 64}}, FUSED, overrides)
    assert (run["data"]["batch_size"], run["trainer"]["sync_batchnorm"]) == (2, True)


@pytest.mark.parametrize(
    "key",
    [
        *("data.trim_db", "data.corpus.init_args.path", "trainer.devices"),
        *("trainer.logger", "seed_everything", "test_after_fit", "refit"),
    ],
)
def test_an_override_of_what_the_fused_run_decides_is_refused(key: str) -> None:
    with pytest.raises(EmorecError, match=f"found {key}; set it on the fused run"):
        branch_run({"model": {}}, FUSED, {key: 1})


def test_the_plan_of_a_branch_warns_of_weights_that_were_trained_on_the_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[RunPlan] = []

    class Finished:
        def __init__(self, command: list[str], *_: object, **__: object) -> None:
            plans.append(RunPlan.read(Path(command[command.index("--plan") + 1])))

        def until_ended(self) -> list[object]:
            return []  # yields nothing

    monkeypatch.setattr("lightning_emorec.runs.train_branches.Child", Finished)
    config = {
        "model": {"class_path": "B", "init_args": {"weights": "emotion2vec/emotion2vec_plus_base"}},
        "data": {"corpus": {"class_path": "lightning_emorec.corpora.Ravdess"}},
    }
    trainer = BranchTrainer(tmp_path)
    train = partial(trainer.train, "b", config, "1", refit_of=tmp_path / "b")
    [folder] = side_by_side([train], [{}])
    assert "was trained on Ravdess" in plans[0].warnings[0]
    assert (plans[0].folder, plans[0].refit_of) == (folder, tmp_path / "b")
    assert folder == tmp_path / "branches" / "b-1"
    assert list(trainer.seconds) == ["branch b (refit)"]


def test_a_branch_that_cannot_be_had_is_left_out_with_its_reason() -> None:
    names, left_out = available_branches({"here": HERE, "not_here": NOT_HERE}, HEARD, "skip")
    assert names == ["here"]
    assert "/no/such.pt" in left_out["not_here"]


def test_a_branch_that_cannot_be_had_stops_the_run_if_asked() -> None:
    with pytest.raises(UnavailableError, match=r"/no/such\.pt"):
        available_branches({"here": HERE, "not_here": NOT_HERE}, HEARD, "error")


def test_no_branch_at_all_is_an_error_even_when_skipping() -> None:
    with pytest.raises(UnavailableError, match="at least one branch"):
        available_branches({"not_here": NOT_HERE}, HEARD, "skip")


@pytest.mark.parametrize(
    "branch", [AUDIO, resolve_spec({"class_path": "TranscriptGru"}, TASKS)], ids=["hears", "feature of audio"]
)
def test_a_branch_that_needs_audio_is_left_out_of_a_corpus_of_text(branch: Spec) -> None:
    names, left_out = available_branches({"here": HERE, "branch": branch}, TEXT, "skip")
    assert names == ["here"]
    assert "the corpus has no audio" in left_out["branch"]


def test_a_clip_without_audio_is_skipped_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts([*HEARD.train, MUTE], HEARD.val, [])
    logging.getLogger("lightning_emorec").propagate = True
    available_branches({"branch": AUDIO, "text": HERE}, parts, "error")
    assert "branch branch skips 1 of 3 clips, which have no audio, e.g. a" in caplog.text
    assert "branch text" not in caplog.text


def test_a_branch_that_needs_audio_refuses_a_part_without_audio() -> None:
    with pytest.raises(UnavailableError, match="the corpus has no audio"):
        available_branches({"branch": AUDIO}, Parts(HEARD.train, TEXT.val, []), "error")


def test_a_branch_can_be_unavailable_for_a_reason_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_available(init_args: dict[str, object]) -> None:
        raise UnavailableError("weights", f"none for {init_args['transcript']}", "wait")

    monkeypatch.setattr(TranscriptGru, "check_available", check_available)
    _, left_out = available_branches({"here": AUDIO, "not_here": HERE}, HEARD, "skip")
    assert "none for reference" in left_out["not_here"]
