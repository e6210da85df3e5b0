"""What every fusion rule promises, whatever it does."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
from jsonargparse import ArgumentParser
from torch import Tensor, nn

import lightning_emorec.fusion as fusion
from lightning_emorec.errors import EmorecError
from lightning_emorec.fusion import FusionRule, LogLinear, Weighted

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "fusion"
CLIPS, CLASSES = 40, 4


def exported() -> list[type[FusionRule]]:
    named = [getattr(fusion, name) for name in fusion.__all__]
    kinds = [kind for kind in named if inspect.isclass(kind) and issubclass(kind, FusionRule)]
    return [kind for kind in kinds if not inspect.isabstract(kind)]


@pytest.fixture(params=exported(), ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[FusionRule]:
    made = request.param
    assert issubclass(made, FusionRule)
    return made


def branch_logits(branches: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits (branches, clips, classes) that know something of the labels (clips,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(CLIPS) % CLASSES
    logits = torch.randn(branches, CLIPS, CLASSES, generator=generator)
    return logits + 2 * nn.functional.one_hot(labels, CLASSES), labels


def fitted(kind: type[FusionRule], branches: int = 3) -> tuple[FusionRule, Tensor]:
    logits, labels = branch_logits(branches)
    rule = kind()
    rule.fit(logits, labels)
    return rule, logits


def test_there_are_rules_to_try() -> None:
    assert {"Average", "LogLinear", "MaxConfidence", "Weighted"} <= {kind.__name__ for kind in exported()}


def test_every_rule_has_a_config_that_makes_it() -> None:
    made = set()
    for path in CONFIGS.glob("*.yaml"):
        parser = ArgumentParser()
        parser.add_argument("--rule", type=FusionRule, sub_configs=True)
        made.add(type(parser.instantiate(parser.parse_args(["--rule", str(path)])).rule))
    assert made == set(exported())


def test_the_output_is_a_float32_distribution_for_each_clip(kind: type[FusionRule]) -> None:
    rule, logits = fitted(kind)
    for given in (logits, logits.double(), logits.bfloat16()):
        fused = rule(given)
        assert fused.shape == (CLIPS, CLASSES)
        assert fused.dtype == torch.float32
        torch.testing.assert_close(fused.exp().sum(dim=-1), torch.ones(CLIPS))


def test_a_permutation_of_clips_permutes_the_output(kind: type[FusionRule]) -> None:
    rule, logits = fitted(kind)
    order = torch.randperm(CLIPS, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(rule(logits[:, order]), rule(logits)[order])


def test_a_calibrated_rule_does_not_mind_how_sure_a_branch_is_made(kind: type[FusionRule]) -> None:
    logits, labels = branch_logits(3)
    plain, shouting = kind(calibrate=True), kind(calibrate=True)  # type: ignore[call-arg]
    plain.fit(logits, labels)
    louder = logits * torch.tensor([5.0, 1.0, 0.3])[:, None, None]
    shouting.fit(louder, labels)
    torch.testing.assert_close(shouting(louder), plain(logits), rtol=1e-3, atol=1e-3)


def test_a_clip_does_not_depend_on_the_others(kind: type[FusionRule]) -> None:
    rule, logits = fitted(kind)
    torch.testing.assert_close(rule(logits[:, 3:4]), rule(logits)[3:4])


def test_a_permutation_of_the_clips_it_learns_from_changes_nothing(kind: type[FusionRule]) -> None:
    logits, labels = branch_logits(3)
    order = torch.randperm(CLIPS, generator=torch.Generator().manual_seed(1))
    rule, other = kind(), kind()
    rule.fit(logits, labels)
    other.fit(logits[:, order], labels[order])
    torch.testing.assert_close(other(logits), rule(logits))


def test_a_shift_of_a_clips_logits_changes_nothing(kind: type[FusionRule]) -> None:
    rule, logits = fitted(kind)
    shift = 10 * torch.randn(3, CLIPS, 1, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(rule(logits + shift), rule(logits), atol=1e-4, rtol=1e-4)


def test_one_branch_is_left_as_it_is_or_keeps_its_predictions(kind: type[FusionRule]) -> None:
    logits, labels = branch_logits(1)
    rule = kind(bias=False) if issubclass(kind, LogLinear) else kind()
    rule.fit(logits, labels)
    if isinstance(rule, LogLinear) or rule.calibrate:
        assert torch.equal(rule(logits).argmax(dim=-1), logits[0].argmax(dim=-1))
    else:
        torch.testing.assert_close(rule(logits), logits[0].log_softmax(dim=-1))


def test_extreme_logits_give_finite_output(kind: type[FusionRule]) -> None:
    rule, _ = fitted(kind)
    certain = 1e4 * torch.eye(CLASSES).expand(3, CLASSES, CLASSES)
    impossible = torch.zeros(3, 1, CLASSES)
    impossible[..., 0] = -torch.inf
    for logits in (certain, -certain, impossible):
        fused = rule(logits)
        assert fused.isfinite().all()
        torch.testing.assert_close(fused.exp().sum(dim=-1), torch.ones(len(fused)))


def test_extreme_logits_can_be_learned_from(kind: type[FusionRule]) -> None:
    logits, labels = branch_logits(2)
    rule = kind()
    rule.fit(1e4 * logits, labels)
    assert rule(logits).isfinite().all()


def test_shares_sum_to_one(kind: type[FusionRule]) -> None:
    rule, _ = fitted(kind)
    if rule.shares is not None:
        assert len(rule.shares) == 3
        assert sum(rule.shares) == pytest.approx(1)


def test_what_was_learned_survives_a_checkpoint(kind: type[FusionRule], tmp_path: Path) -> None:
    rule, logits = fitted(kind)
    torch.save(nn.ModuleDict({"emotion": rule, "sex": kind()}).state_dict(), tmp_path / "fused.ckpt")
    loaded = nn.ModuleDict({"emotion": kind(), "sex": kind()})
    loaded.load_state_dict(torch.load(tmp_path / "fused.ckpt", weights_only=True), strict=True)
    assert torch.equal(loaded["emotion"](logits), rule(logits))
    with pytest.raises(RuntimeError, match="must be fitted"):
        loaded["sex"](logits)


def test_fusing_before_fitting_is_a_mistake(kind: type[FusionRule]) -> None:
    with pytest.raises(RuntimeError, match=f"{kind.__name__} must be fitted before it is used"):
        kind()(branch_logits(2)[0])


def test_another_number_of_branches_is_a_mistake(kind: type[FusionRule]) -> None:
    rule, logits = fitted(kind)
    with pytest.raises(RuntimeError, match="fitted to 3 branches, given 2"):
        rule(logits[:2])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_validation_logits_that_are_not_finite_are_refused(kind: type[FusionRule], value: float) -> None:
    logits, labels = branch_logits(3)
    logits[1, 0, 0] = value
    with pytest.raises(EmorecError, match="NaN or infinity from branch 1"):
        kind().fit(logits, labels)


@pytest.mark.parametrize("learner", [LogLinear, Weighted])
@pytest.mark.parametrize("clips", [0, CLIPS])
def test_one_class_or_no_clip_teaches_nothing_and_all_branches_weigh_the_same(
    learner: type[FusionRule], clips: int
) -> None:
    logits, _ = branch_logits(2)
    rule = learner()
    rule.fit(logits[:, :clips], torch.ones(clips, dtype=torch.int64))
    assert rule.shares == [0.5, 0.5]
    assert rule(logits).isfinite().all()
