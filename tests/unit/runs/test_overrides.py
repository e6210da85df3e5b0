from __future__ import annotations

import pytest
from jsonargparse import Namespace

from lightning_emorec.errors import EmorecError
from lightning_emorec.runs.overrides import override_transforms, overrides_by_branch


def test_overrides_may_be_flat_or_nested_and_the_later_wins() -> None:
    given = {"cnn": {"model": {"width": 3}, "model.lr": 0.1}, "cnn.model.lr": 0.2}
    assert overrides_by_branch(given, ["cnn"]) == {"cnn": {"model.width": 3, "model.lr": 0.2}}


@pytest.mark.parametrize("key", ["video.lr", "cnn"])
def test_an_override_of_no_branch_or_no_key_is_refused(key: str) -> None:
    with pytest.raises(EmorecError, match=f"found '{key}'"):
        overrides_by_branch({key: 1}, ["cnn"])


def parsed(*class_paths: str) -> list[Namespace]:
    return [Namespace(class_path=path, init_args=Namespace(p=0.5)) for path in class_paths]


def test_a_flag_sets_one_argument_of_one_transform() -> None:
    chain = parsed("lightning_emorec.augment.SpeedPerturb", "audiomentations.Gain")
    speed, gain = override_transforms(chain, {"Gain.p": 0.1, "Gain.max_gain_db": 3})
    assert (speed.init_args.p, gain.init_args.p, gain.init_args.max_gain_db) == (0.5, 0.1, 3)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("Reverse.p", 1, "one Reverse in data.augment; found 0 among Gain"),
        ("Gain.loudness", 1, "loudness"),
        ("Gain.p", "often", "often"),
    ],
)
def test_a_flag_that_no_transform_takes_is_refused(key: str, value: object, message: str) -> None:
    with pytest.raises(EmorecError, match=message):
        override_transforms(parsed("audiomentations.Gain"), {key: value})
