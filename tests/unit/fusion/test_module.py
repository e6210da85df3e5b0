from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_emorec.branches import build_branch
from lightning_emorec.errors import EmorecError
from lightning_emorec.fusion import RULES, Average, FusionModule, LogLinear, MaxConfidence, Weighted
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.run_paths import best_checkpoint

TASKS = {"emotion": ["calm", "angry"], "sex": ["female", "male"]}
GRU: dict[str, Any] = {"class_path": "TranscriptGru", "init_args": {"transcript": "reference", "hidden": 4}}
CNN: dict[str, Any] = {"class_path": "AudioCnn", "init_args": {"width": 4, "stages": 1}}


def part(*emotion: list[float]) -> PartLogits:
    rows = torch.tensor(emotion)
    labels = torch.tensor([0, 1] * (len(rows) // 2))
    return PartLogits(
        [str(i) for i in range(len(rows))],
        {"emotion": rows, "sex": rows},
        {"emotion": labels, "sex": torch.zeros(len(rows), dtype=torch.long)},
    )


def test_features_are_the_union_of_the_branches_and_no_branch_is_built() -> None:
    module = FusionModule(TASKS, {"gru": GRU, "twin": GRU, "cnn": CNN})
    assert [feature.name for feature in module.features] == ["transcript"]
    assert not module.branches


@pytest.mark.parametrize(
    ("branches", "audio_input"), [({"gru": GRU}, "none"), ({"gru": GRU, "cnn": CNN}, "plain")]
)
def test_a_fusion_takes_audio_if_one_of_its_branches_does_and_never_augmented(
    branches: dict[str, Any], audio_input: str
) -> None:
    assert FusionModule(TASKS, branches).audio_input == audio_input


def test_a_branch_left_out_is_gone_from_what_a_checkpoint_carries(tmp_path: Path) -> None:
    module = FusionModule(TASKS, {"gru": GRU, "cnn": CNN})
    module.use_trained({"cnn": tmp_path})
    assert list(module.hparams["branches"]) == ["cnn"]
    assert module.features == []


def test_branches_are_frozen_and_stay_so_in_training_mode() -> None:
    module = FusionModule(TASKS, {"cnn": CNN})
    module.configure_model()
    assert not any(weight.requires_grad for weight in module.parameters())
    assert not any(branch.training for branch in module.branches.values())


def test_branches_are_built_once() -> None:
    module = FusionModule(TASKS, {"cnn": CNN})
    module.configure_model()
    first = module.branches["cnn"]
    module.configure_model()
    assert module.branches["cnn"] is first


def test_a_whole_run_config_serves_as_a_branch() -> None:
    run = {"name": "cnn", "model": CNN, "trainer": {"max_epochs": 9}}
    module = FusionModule(TASKS, {"cnn": run})
    assert module.specs["cnn"]["class_path"].endswith(".AudioCnn")
    assert "trainer" not in str(module.hparams["branches"])


def test_the_chosen_rule_makes_the_logits_and_all_rules_are_compared() -> None:
    module = FusionModule(TASKS, {"a": GRU, "b": CNN}, rule=MaxConfidence(calibrate=False))
    sure, unsure = part([9.0, 0.0], [9.0, 0.0]), part([0.0, 1.0], [0.0, 1.0])
    module.branch_results = {"a": {"val": unsure}, "b": {"val": sure}}
    logits = torch.stack([unsure.logits["emotion"], sure.logits["emotion"]])
    for rule_name in module.rules:
        for task in TASKS:
            module.rule(task, rule_name).fit(logits, unsure.labels[task])
    results = module.rule_results("val")
    assert set(results) == set(RULES)
    assert module.rule("emotion") is module.rule("emotion", "max_confidence")
    torch.testing.assert_close(
        results["max_confidence"].logits["emotion"].exp(), sure.logits["emotion"].softmax(dim=-1)
    )


def test_a_rule_given_as_an_object_is_the_chosen_one() -> None:
    assert FusionModule(TASKS, {"gru": GRU}, rule=Average()).rule_name == "average"


def test_a_rule_given_as_an_object_keeps_its_options() -> None:
    module = FusionModule(TASKS, {"gru": GRU}, rule=LogLinear(0.5, bias=True))
    kept = module.hparams["rule"]
    assert kept == {
        "class_path": "lightning_emorec.fusion.log_linear.LogLinear",
        "init_args": {"ridge": 0.5, "bias": True},
    }
    again = build_branch(
        {"class_path": "FusionModule", "init_args": {"branches": {"gru": GRU}, "rule": kept}}, TASKS
    )
    assert isinstance(again, FusionModule)
    assert again.hparams["rule"]["init_args"].items() >= kept["init_args"].items()
    rule = again.rule("emotion")
    assert isinstance(rule, LogLinear)
    assert (rule.ridge, rule.with_bias) == (0.5, True)


def test_options_that_a_checkpoint_cannot_hold_are_refused() -> None:
    with pytest.raises(EmorecError, match="plain options of the rule Weighted"):
        FusionModule(TASKS, {"gru": GRU}, rule=Weighted(torch.ones(1)))  # type: ignore[arg-type]


def test_a_branch_to_skip_is_left_out() -> None:
    assert list(FusionModule(TASKS, {"gru": GRU, "cnn": "skip"}).specs) == ["gru"]


def test_no_branches_are_told() -> None:
    with pytest.raises(EmorecError, match="at least one branch to fuse"):
        FusionModule(TASKS, {"gru": "skip"})


@pytest.mark.parametrize(
    ("branch", "said"),
    [
        ({"init_args": {}}, r"model\.class_path"),
        ({"class_path": "NoSuchBranch"}, "NoSuchBranch"),
        ({"class_path": "AudioCnn", "init_args": {"depht": 3}}, "depht"),
    ],
)
def test_a_branch_that_cannot_be_built_is_told(branch: dict[str, Any], said: str) -> None:
    with pytest.raises(EmorecError, match=said):
        FusionModule(TASKS, {"x": branch})


def trained(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    file = best_checkpoint(folder / str(seed))
    file.parent.mkdir(parents=True)
    torch.save({"state_dict": build_branch(CNN, TASKS).state_dict()}, file)
    return folder / str(seed)


def test_refitted_branches_take_the_places_and_the_rules_and_validation_logits_stay(tmp_path: Path) -> None:
    module = FusionModule(TASKS, {"cnn": CNN})
    module.use_trained({"cnn": trained(tmp_path, 1)})
    module.configure_model()
    rules = module.rules
    kept = part([1.0, 0.0], [0.0, 1.0])
    module.branch_results = {"cnn": {"train": kept, "val": kept, "test": kept}}
    module.results = {"val": kept, "test": kept}
    refitted = trained(tmp_path, 2)
    module.use_refitted({"cnn": refitted})
    for key, weight in torch.load(best_checkpoint(refitted))["state_dict"].items():
        torch.testing.assert_close(module.branches["cnn"].state_dict()[key], weight, rtol=0, atol=0)
    assert not any(weight.requires_grad for weight in module.parameters())
    assert module.rules is rules
    assert module.branch_results == {"cnn": {"val": kept}}
    assert module.results == {"val": kept}
