from __future__ import annotations

import pytest
from jsonargparse import Namespace

from lightning_emorec.errors import EmorecError
from lightning_emorec.runs.overrides import override, overrides_by_branch, take_flags


def test_an_override_changes_a_copy() -> None:
    config = {"model": {"init_args": {"lr": 1.0}}}
    changed = override(config, {"model.init_args.lr": 2.0, "trainer.max_epochs": 3})
    assert changed == {"model": {"init_args": {"lr": 2.0}}, "trainer": {"max_epochs": 3}}
    assert config == {"model": {"init_args": {"lr": 1.0}}}


def test_an_override_goes_through_what_was_none() -> None:
    assert override({"trainer": None}, {"trainer.max_epochs": 3}) == {"trainer": {"max_epochs": 3}}


def test_overrides_may_be_flat_or_nested_and_the_later_wins() -> None:
    given = {"cnn": {"model": {"width": 3}, "model.lr": 0.1}, "cnn.model.lr": 0.2}
    assert overrides_by_branch(given, ["cnn"]) == {"cnn": {"model.width": 3, "model.lr": 0.2}}


@pytest.mark.parametrize("key", ["video.lr", "cnn"])
def test_an_override_of_no_branch_or_no_key_is_refused(key: str) -> None:
    with pytest.raises(EmorecError, match=f"found '{key}'"):
        overrides_by_branch({key: 1}, ["cnn"])


def test_flags_are_taken_out_of_the_command_line_in_both_forms() -> None:
    flag = "--model.init_args.overrides"
    args = ["fit", f"{flag}.cnn.model.lr=1e-2", "--name", "a", f"{flag}.gru.trainer.max_epochs", "3"]
    others, flags = take_flags(args)
    assert others == ["fit", "--name", "a"]
    assert flags.branches == {"cnn.model.lr": "1e-2", "gru.trainer.max_epochs": 3}


def test_a_flag_without_a_value_is_told() -> None:
    with pytest.raises(EmorecError, match="no value"):
        take_flags(["fit", "--model.init_args.overrides.cnn.lr"])


def parsed(*class_paths: str) -> Namespace:
    chain = [Namespace(class_path=path, init_args=Namespace(p=0.5)) for path in class_paths]
    return Namespace(subcommand="fit", fit=Namespace(data=Namespace(augment=chain)))


def test_a_flag_sets_one_argument_of_one_transform() -> None:
    args = [
        "fit",
        "--data.augment",
        "some.yaml",
        "--data.augment.Gain.p=0.1",
        "--data.augment.Gain.max_gain_db",
        "3",
    ]
    others, flags = take_flags(args)
    assert others == ["fit", "--data.augment", "some.yaml"]
    config = flags.set_in_transforms(parsed("lightning_emorec.augment.SpeedPerturb", "audiomentations.Gain"))
    speed, gain = config.fit.data.augment
    assert (speed.init_args.p, gain.init_args.p, gain.init_args.max_gain_db) == (0.5, 0.1, 3)


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("Reverse.p=1", "one Reverse in data.augment; found 0 among Gain"),
        ("Gain.loudness=1", "loudness"),
        ("Gain.p=often", "often"),
    ],
)
def test_a_flag_that_no_transform_takes_is_refused(flag: str, said: str) -> None:
    _, flags = take_flags([f"--data.augment.{flag}"])
    with pytest.raises(EmorecError, match=said):
        flags.set_in_transforms(parsed("audiomentations.Gain"))
