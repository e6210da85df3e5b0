from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from lightning_emorec.branches import WhisperStatistics
from lightning_emorec.branches.strength import GRID, OTHERWISE
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Batch, Clip
from tests.unit.branches.training import training_of

TASKS = {"emotion": ["angry", "calm", "sad"], "sex": ["female", "male"], "height": ["small", "tall"]}
CLASS = np.tile([0, 1, 2], 20)
VIEWS, LAYERS, STATES = 2, 3, 4


def drawn() -> np.ndarray:
    """(60, views, 1 + layers, 5, states): the last layer's means tell the class, views differ a little."""
    draw = np.random.default_rng(0)
    shape = (1 + LAYERS, 5, STATES)
    made = draw.normal(size=(60, 1, *shape)) + 0.3 * draw.normal(size=(60, VIEWS, *shape))
    made[:, :, 3, 0, :3] += 1.5 * np.eye(3)[CLASS][:, None]
    return (2 * made + 7).astype(np.float16)


VALUES = drawn()


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOREC_WHISPER", "tiny.en")


def clip_of(number: int) -> Clip:
    labels = {"emotion": TASKS["emotion"][CLASS[number]]}
    if number >= 10:  # the sex of some is not known, and nobody's height
        labels["sex"] = TASKS["sex"][number % 2]
    return Clip(str(number), str(number // 10), None, labels)


def solved(**arguments: Any) -> WhisperStatistics:
    plain: dict[str, Any] = {"c": 3e-3, "quantiles": False}
    branch = WhisperStatistics(TASKS, views=VIEWS, **plain | arguments)
    clips = [clip_of(number) for number in range(60)]
    branch.solve(training_of(branch, list(VALUES), clips))
    return branch.eval()


def batch_of(branch: WhisperStatistics, values: np.ndarray) -> Batch:
    rows: Tensor = cast(Tensor, branch.features[0].collate(list(values)))
    nothing = torch.zeros(len(rows), 0)
    names = [str(row) for row in range(len(rows))]
    return Batch(names, torch.arange(len(rows)), nothing, nothing, {}, {branch.feature_keys[0]: rows})


def test_every_view_of_every_clip_is_learned_from() -> None:
    branch = solved(c=0.05)
    asked_for = VALUES[:, :, 1:, :2].astype(np.float64).reshape(60, VIEWS, -1)
    rows = asked_for.reshape(60 * VIEWS, -1)
    scaler = StandardScaler().fit(rows)
    reference = LogisticRegression(C=0.05, max_iter=1000)
    weight = np.full(60 * VIEWS, 1 / VIEWS)  # a clip weighs the same however many views it has
    reference.fit(scaler.transform(rows), np.repeat(CLASS, VIEWS), sample_weight=weight)
    made = branch(batch_of(branch, VALUES[:, :1].repeat(VIEWS, axis=1)))["emotion"]
    expected = reference.predict_log_proba(scaler.transform(asked_for[:, 0]))
    np.testing.assert_allclose(made, expected, atol=5e-3)


def test_a_clip_s_logits_are_the_mean_of_its_views_log_probabilities() -> None:
    branch = solved()
    alone = [branch(batch_of(branch, VALUES[:, [view, view]])) for view in range(VIEWS)]
    for task, rows in branch(batch_of(branch, VALUES)).items():
        by_hand = torch.stack([view[task].softmax(dim=1).log() for view in alone]).mean(dim=0)
        torch.testing.assert_close(rows, by_hand)


def test_only_the_chosen_layers_count() -> None:
    branch = solved(layers=[3, 1])
    changed = VALUES.copy()
    changed[:, :, 2] = -50
    made, again = branch(batch_of(branch, VALUES)), branch(batch_of(branch, changed))
    torch.testing.assert_close(made["emotion"], again["emotion"])
    assert (made["emotion"].argmax(dim=1).numpy() == CLASS).mean() > 0.6


def test_convolutions_and_quantiles_are_taken_where_they_are_asked_for() -> None:
    given = torch.from_numpy(VALUES).float()
    every = WhisperStatistics(TASKS, convolutions=True, quantiles=True)
    assert torch.equal(every.rows_of([given]), given.flatten(2))
    below = WhisperStatistics(TASKS, convolutions=True, quantiles=False, layers=[3])
    assert torch.equal(below.rows_of([given]), given[:, :, [0, 3], :2].flatten(2))
    usual = WhisperStatistics(TASKS)
    assert torch.equal(usual.rows_of([given]), given[:, :, 1:].flatten(2))


def test_numbers_of_several_models_stand_side_by_side() -> None:
    branch = WhisperStatistics(TASKS, ["tiny.en", "base"], quantiles=False)
    assert len(set(branch.feature_keys)) == 2
    small, large = torch.randn(1, VIEWS, 3, 5, 4), torch.randn(1, VIEWS, 6, 5, 8)
    rows = branch.rows_of([small, large])
    assert torch.equal(rows[..., : 2 * 2 * 4], small[:, :, 1:, :2].flatten(2))
    assert torch.equal(rows[..., 2 * 2 * 4 :], large[:, :, 1:, :2].flatten(2))


@pytest.mark.parametrize(
    ("text", "whisper"), [("base", "base"), ("[tiny.en, base]", ["tiny.en", "base"]), ("null", None)]
)
def test_a_flag_names_one_model_or_a_list(text: str, whisper: object) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(WhisperStatistics, "model")
    assert parser.parse_args([f"--model.whisper={text}", "--model.tasks={}"]).model.whisper == whisper


def test_a_strength_that_is_not_given_is_chosen_for_each_task_kept_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO", "lightning_emorec"):
        branch = solved(c=None)
    (line,) = caplog.messages
    assert line.startswith("WhisperStatistics: c chosen by leaving training actors out: emotion ")
    assert branch.solved_c["emotion"] in GRID
    assert branch.solved_c["height"] == OTHERWISE  # nobody's is known
    given = solved(c=branch.solved_c["emotion"])
    torch.testing.assert_close(
        branch(batch_of(branch, VALUES))["emotion"], given(batch_of(given, VALUES))["emotion"]
    )


def test_a_checkpoint_of_an_earlier_version_gives_the_same_logits() -> None:
    branch = solved()
    state = branch.state_dict()
    del state["_extra_state"]  # they took neither convolutions nor quantiles, whatever the default is now
    again = WhisperStatistics(TASKS, views=VIEWS, convolutions=True, quantiles=True).eval()
    nn.ModuleDict({"inner": again}).load_state_dict({f"inner.{key}": value for key, value in state.items()})
    for task, rows in branch(batch_of(branch, VALUES)).items():
        assert torch.equal(again(batch_of(again, VALUES))[task], rows)


def test_a_task_that_nobody_labels_is_undecided() -> None:
    branch = solved()
    torch.testing.assert_close(
        branch(batch_of(branch, VALUES))["height"].softmax(dim=1), torch.full((60, 2), 0.5)
    )


def test_a_solved_branch_loads_into_one_that_never_saw_the_data() -> None:
    branch = solved()
    again = WhisperStatistics(TASKS, views=VIEWS).eval()
    again.load_state_dict(branch.state_dict(), strict=True)
    assert again.solved_c == branch.solved_c == dict.fromkeys(TASKS, 3e-3)
    before, after = branch(batch_of(branch, VALUES)), again(batch_of(branch, VALUES))
    torch.testing.assert_close(after["emotion"], before["emotion"])


def test_the_features_are_those_of_the_arguments_and_of_their_defaults() -> None:
    assert WhisperStatistics.features_of({})[0].key == WhisperStatistics(TASKS).feature_keys[0]
    given: dict[str, Any] = {"whisper": "base.en", "margin_s": None, "views": 2, "trim_db": None}
    assert WhisperStatistics.features_of(given)[0].key == WhisperStatistics(TASKS, **given).feature_keys[0]


def test_a_layer_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(EmorecError, match="layers of 1 to 3"):
        solved(layers=[4])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"c": 0.0}, "c above 0"),
        ({"layers": []}, "layers counted from 1"),
        ({"layers": [0]}, "layers counted from 1"),
        ({"views": 0}, "views of at least 1"),
        ({"whisper": []}, "at least one Whisper model.*set model.init_args.whisper"),
        ({"margin_s": -1.0}, "margin_s in"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        WhisperStatistics(TASKS, **arguments)
