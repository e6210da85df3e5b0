from __future__ import annotations

import errno
import math
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss
from torch import Tensor

from lightning_emorec.errors import EmorecError
from lightning_emorec.metrics import predicts_one_class, score, score_part
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED


def random_task(clips: int, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(clips, classes, generator=generator)
    return logits, torch.randint(classes, (clips,), generator=generator)


def confident(probabilities: list[float], classes: int = 2) -> Tensor:
    """Logits that give class 0 these probabilities and the rest an even share of what remains."""
    rows = [[p, *[(1 - p) / (classes - 1)] * (classes - 1)] for p in probabilities]
    return torch.tensor(rows, dtype=torch.float64).log()


def part(**logits: Tensor) -> PartLogits:
    clips = len(next(iter(logits.values())))
    labels = {task: torch.arange(clips) % 2 for task in logits}
    return PartLogits([f"clip{i}" for i in range(clips)], logits, labels)


# score


@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_scikit_learn(seed: int) -> None:
    logits, labels = random_task(60, 8, seed)
    predicted = logits.argmax(dim=-1).numpy()
    scores = score(logits, labels)
    assert scores["accuracy"] == pytest.approx((predicted == labels.numpy()).mean())
    assert scores["uar"] == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert scores["macro_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert scores["weighted_f1"] == pytest.approx(f1_score(labels, predicted, average="weighted"))
    probabilities = logits.double().softmax(dim=-1)
    assert scores["nll"] == pytest.approx(log_loss(labels, probabilities, labels=range(8)))


def test_a_class_that_is_predicted_but_never_right_counts_in_macro_f1_and_not_in_uar() -> None:
    # Labels 0 0 1 1, predictions 0 2 1 1, of 4 classes. Recalls of 0 and 1: 1/2, 1. F1 of 0, 1, 2: 2/3, 1, 0.
    # Weighted by the labels' shares 1/2, 1/2, 0.
    scores = score(10 * torch.eye(4)[[0, 2, 1, 1]], torch.tensor([0, 0, 1, 1]))
    assert scores["uar"] == pytest.approx(3 / 4)
    assert scores["macro_f1"] == pytest.approx(5 / 9)
    assert scores["weighted_f1"] == pytest.approx(5 / 6)
    assert scores["accuracy"] == pytest.approx(3 / 4)


def test_calibration_error_is_the_weighted_gap_of_each_bin() -> None:
    # Bins are 1/15 wide. (0.800, 0.867] holds 0.81 and 0.85, one of them right: 2 clips, |0.5 - 0.83|.
    # (0.867, 0.933] holds 0.90, right: |1 - 0.90|. (0.933, 1] holds 0.95 and 0.97, one right: |0.5 - 0.96|.
    logits, labels = confident([0.81, 0.85, 0.90, 0.95, 0.97]), torch.tensor([0, 1, 0, 0, 1])
    assert score(logits, labels)["ece"] == pytest.approx((2 * 0.33 + 0.10 + 2 * 0.46) / 5)


def test_a_confidence_of_one_shares_the_last_bin() -> None:
    # 1 (wrong) and 0.95 (right): the gap of the bin they share is |0.5 - 0.975|.
    logits, labels = torch.tensor([[1000.0, 0.0], [math.log(19), 0.0]]), torch.tensor([1, 0])
    assert score(logits, labels)["ece"] == pytest.approx(0.475)


def test_logits_between_zero_and_one_are_not_taken_for_probabilities() -> None:
    # softmax of (1, 0): 0.731; the one prediction is wrong.
    assert score(torch.tensor([[1.0, 0.0]]), torch.tensor([1]))["ece"] == pytest.approx(
        1 / (1 + math.exp(-1))
    )


def test_unlabelled_clips_are_left_out() -> None:
    logits, labels = random_task(20, 4, 0)
    some = labels.clone()
    some[::2] = UNLABELLED
    assert score(logits, some) == score(logits[1::2], labels[1::2])
    assert score(logits, some)["clips"] == 10


def test_scores_are_plain_numbers() -> None:
    scores = score(*random_task(20, 4, 0))
    assert {name: type(value) for name, value in scores.items()} == {
        **dict.fromkeys(("accuracy", "uar", "macro_f1", "weighted_f1", "nll", "ece"), float),
        "clips": int,
    }


def test_scoring_no_labelled_clip_is_refused() -> None:
    with pytest.raises(EmorecError, match="at least one labelled clip; found none"):
        score(torch.zeros(3, 4), torch.full((3,), UNLABELLED))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_logits_that_are_not_finite_are_refused(value: float) -> None:
    logits, labels = random_task(5, 3, 0)
    logits[2, 1] = value
    with pytest.raises(EmorecError, match="NaN or infinity for 1 of 5 clips"):
        score(logits, labels)


# score_part


def test_a_part_is_scored_task_by_task() -> None:
    result = part(emotion=torch.eye(2), sex=-torch.eye(2))
    scores = score_part(result)
    assert {task: values["accuracy"] for task, values in scores.items()} == {"emotion": 1.0, "sex": 0.0}


def test_a_further_task_without_labels_is_left_out() -> None:
    result = part(emotion=torch.eye(2), sex=torch.eye(2))
    result.labels["sex"][:] = UNLABELLED
    assert score_part(result).keys() == {"emotion"}


def test_a_first_task_without_labels_is_refused() -> None:
    result = part(emotion=torch.eye(2), sex=torch.eye(2))
    result.labels["emotion"][:] = UNLABELLED
    with pytest.raises(EmorecError, match="labelled clip"):
        score_part(result)


# predicts_one_class


@pytest.mark.parametrize(("predicted", "one"), [([1, 1, 1], True), ([1, 1, 0], False), ([1], False)])
def test_one_class_for_several_clips_is_noticed(predicted: list[int], one: bool) -> None:
    assert predicts_one_class(torch.eye(3)[predicted]) is one


# PartLogits


def test_logits_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    saved = part(emotion=torch.randn(4, 8), sex=torch.randn(4, 2))
    saved.save(tmp_path / "val.pt")
    loaded = PartLogits.load(tmp_path / "val.pt")
    assert loaded.clip_ids == saved.clip_ids
    for task in ("emotion", "sex"):
        torch.testing.assert_close(loaded.logits[task], saved.logits[task], rtol=0, atol=0)
        assert torch.equal(loaded.labels[task], saved.labels[task])


def test_logits_are_held_as_float32_and_labels_as_int64() -> None:
    result = PartLogits(["a"], {"emotion": torch.zeros(1, 2).half()}, {"emotion": torch.tensor([1]).int()})
    assert (result.logits["emotion"].dtype, result.labels["emotion"].dtype) == (torch.float32, torch.int64)


def test_saving_makes_the_folder(tmp_path: Path) -> None:
    part(emotion=torch.eye(2)).save(tmp_path / "branch" / "val.pt")
    assert PartLogits.load(tmp_path / "branch" / "val.pt").clip_ids == ["clip0", "clip1"]


def test_saving_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "val.pt").write_bytes(b"older")
    part(emotion=torch.eye(2)).save(tmp_path / "val.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["val.pt"]
    assert PartLogits.load(tmp_path / "val.pt").clip_ids == ["clip0", "clip1"]


def test_a_save_that_breaks_off_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part(emotion=torch.eye(2)).save(tmp_path / "val.pt")

    def full_disk(state: object, file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        part(emotion=torch.eye(4)).save(tmp_path / "val.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["val.pt"]
    assert len(PartLogits.load(tmp_path / "val.pt").clip_ids) == 2


@pytest.mark.parametrize("content", [b"", b"not logits", None])
def test_a_damaged_or_missing_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "val.pt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EmorecError, match=r"a file of logits; found .*val\.pt.*delete it"):
        PartLogits.load(file)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "val.pt"
    part(emotion=torch.randn(500, 8)).save(file)
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(EmorecError, match="a file of logits"):
        PartLogits.load(file)


@pytest.mark.parametrize("content", [{"weights": [1.0]}, [1, 2], {"clip_ids": np.arange(3)}])
def test_a_file_of_something_else_is_named(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "val.pt")
    with pytest.raises(EmorecError, match="a file of logits"):
        PartLogits.load(tmp_path / "val.pt")


@pytest.mark.parametrize(
    ("clips", "labels"),
    [(3, {"emotion": torch.zeros(2)}), (2, {"emotion": torch.zeros(3)}), (2, {"sex": torch.zeros(2)})],
)
def test_logits_and_labels_that_do_not_fit_are_refused(clips: int, labels: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match="tasks and lengths must agree"):
        PartLogits(["clip"] * clips, {"emotion": torch.zeros(2, 2)}, labels)
