from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.distributed.rendezvous import Coordinator
from lightning_emorec.errors import EmorecError
from lightning_emorec.run_paths import best_checkpoint
from lightning_emorec.runs.planning import plan_evaluation, plan_fit
from lightning_emorec.runs.refit import refit_folder, refit_run, require_validation
from lightning_emorec.splits import Parts, UnvalidatedParts
from lightning_emorec.types import Clip

STOPPING = {
    "class_path": "lightning.pytorch.callbacks.EarlyStopping",
    "init_args": {"monitor": "val/emotion/nll"},
}
AVERAGING = {"class_path": "lightning.pytorch.callbacks.StochasticWeightAveraging", "init_args": {}}


@pytest.fixture
def config() -> dict[str, Any]:
    return {
        "name": "cnn",
        "model": {"class_path": "AudioCnn", "init_args": {"lr": 0.1}},
        "data": {"batch_size": 8, "split": {"class_path": "KFold", "init_args": {"folds": 3, "fold": 0}}},
        "trainer": {"max_epochs": 60, "max_steps": 900, "callbacks": [STOPPING, AVERAGING]},
        "checkpoint": {"monitor": "val/emotion/nll", "mode": "min"},
        "refit": True,
        "ckpt_path": "last",
    }


@pytest.fixture
def selecting(tmp_path: Path) -> Path:
    """A run whose best epoch was its eighth."""
    file = best_checkpoint(tmp_path / "cnn")
    file.parent.mkdir(parents=True)
    torch.save({"epoch": 7}, file)
    return tmp_path / "cnn"


def test_a_refit_takes_as_many_epochs_as_the_best_checkpoint_had(
    config: dict[str, Any], selecting: Path
) -> None:
    run = refit_run(config, selecting)
    assert (run["trainer"]["max_epochs"], run["trainer"]["max_steps"]) == (8, -1)
    assert run["model"] == config["model"]
    assert run["data"]["batch_size"] == 8
    assert run["data"]["split"]["class_path"].endswith(".WithoutValidation")
    assert run["data"]["split"]["init_args"]["split"] == config["data"]["split"]
    assert config["trainer"]["max_epochs"] == 60


def test_nothing_watches_validation_in_a_refit_and_it_has_no_refit_itself(
    config: dict[str, Any], selecting: Path
) -> None:
    run = refit_run(config, selecting)
    assert run["trainer"]["callbacks"] == [AVERAGING]
    assert run["checkpoint"] == {}
    assert (run["refit"], run["ckpt_path"]) == (False, None)


def test_what_is_solved_is_solved_again(config: dict[str, Any], selecting: Path) -> None:
    config["trainer"] = {"max_epochs": 0, "callbacks": None}
    run = refit_run(config, selecting)
    assert (run["trainer"]["max_epochs"], run["trainer"]["callbacks"]) == (0, None)


def test_a_refit_goes_on_in_its_folder_and_leaves_that_of_another_alone(selecting: Path) -> None:
    first = refit_folder(selecting, "one")
    assert (first, refit_folder(selecting, "one")) == (selecting.with_name("cnn-refit"), first)
    assert refit_folder(selecting, "other") == selecting.with_name("cnn-refit-2")
    assert refit_folder(selecting, "one") == first


def test_a_folder_that_is_no_refit_is_left_alone(selecting: Path) -> None:
    selecting.with_name("cnn-refit").mkdir()
    assert refit_folder(selecting, "one") == selecting.with_name("cnn-refit-2")


@pytest.mark.parametrize(
    ("model", "refit", "match"),
    [({}, True, "choose epochs by.*--refit"), ({"branches": {}}, False, "solve fusion rules on.*data.split")],
)
def test_what_is_chosen_by_validation_clips_must_have_some(
    model: dict[str, Any], refit: bool, match: str
) -> None:
    clip = Clip("a", "1", None)
    config = {"model": {"init_args": model}, "refit": refit}
    require_validation(config, Parts([clip], [clip], []))
    with pytest.raises(EmorecError, match=match):
        require_validation(config, UnvalidatedParts([clip], [], []))


def test_a_refit_that_the_first_of_several_processes_would_train_alone_is_refused() -> None:
    config = {"branch_jobs": 1, "refit": True, "model": {"class_path": "AudioCnn", "init_args": {}}}
    with ExitStack() as held, pytest.raises(EmorecError, match=r"found several.*fuse this one branch"):
        plan_fit(config, cast(EmotionDataModule, None), held, cast(Coordinator, object()))


@pytest.mark.parametrize(
    ("verb", "refit", "model", "warned"),
    [
        ("validate", True, {"branches": {}}, True),
        ("validate", False, {"branches": {}}, False),
        ("validate", True, {}, False),
        ("test", True, {"branches": {}}, False),
    ],
)
def test_a_fusion_of_refits_is_warned_of_when_it_is_judged_on_actors_it_was_trained_on(
    tmp_path: Path, verb: str, refit: bool, model: dict[str, Any], warned: bool
) -> None:
    config = {
        "name": "fused",
        "runs": str(tmp_path),
        "model": {"class_path": "FusionModule", "init_args": model},
        "data": {"corpus": {"class_path": "Tones"}},
        "trainer": {"logger": None},
        "refit": refit,
    }
    with ExitStack() as held:
        warnings = plan_evaluation(config, verb, held).warnings
    assert any("refitted" in sentence for sentence in warnings) is warned
