from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lightning_emorec.commands.sweep.study import SharedStudy
from lightning_emorec.errors import EmorecError

Open = Callable[..., SharedStudy]

RANGE: dict[str, Any] = {"x": {"min": 0.0, "max": 1.0}}


def values(study: SharedStudy, count: int) -> list[Any]:
    """What so many new trials are given, each of which is told a score."""
    drawn = []
    for _ in range(count):
        claim = study.claim()
        assert claim is not None
        drawn.append(claim.trial.params["x"])
        study.study.tell(claim.trial, 0.5)
        claim.lock.close()
    return drawn


def test_a_grid_is_walked_once(shared: Open) -> None:
    study = shared()
    assert study.wanted == 3
    assert values(study, 3) == [10, 30, 20]
    assert study.claim() is None


def test_a_grid_goes_on_in_another_process(shared: Open) -> None:
    assert values(shared(), 1) == [10]
    assert values(shared(), 2) == [30, 20]


def test_two_processes_never_run_one_trial(shared: Open) -> None:
    first, second = shared(), shared()
    claims = [study.claim() for study in (first, second, first, second)]
    assert [claim and claim.trial.number for claim in claims] == [0, 1, 2, None]


def test_a_trial_of_a_killed_process_is_resumed_with_its_values(shared: Open) -> None:
    claim = shared().claim()
    assert claim is not None
    claim.lock.close()  # as when its process is killed
    again = shared().claim()
    assert again is not None
    assert (again.trial.number, again.trial.params) == (claim.trial.number, claim.trial.params)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_sweep_that_goes_on_draws_what_one_without_a_break_would(
    sampler: str, shared: Open, tmp_path_factory: pytest.TempPathFactory
) -> None:
    broken = values(shared(sampler=sampler, parameters=RANGE), 2) + values(
        shared(sampler=sampler, parameters=RANGE), 2
    )
    whole_study = shared(sampler=sampler, parameters=RANGE)
    file = whole_study.file
    whole = values(SharedStudy(tmp_path_factory.mktemp("other"), "tiny", file, [], sampler, 10, 1), 4)  # type: ignore[arg-type]
    assert broken == whole
    assert len(set(whole)) == 4


def test_more_trials_may_be_asked_for_later(shared: Open) -> None:
    values(shared(trials=1, sampler="tpe", parameters=RANGE), 1)
    assert shared(trials=1, sampler="tpe", parameters=RANGE).claim() is None
    assert shared(trials=2, sampler="tpe", parameters=RANGE).claim() is not None


def test_a_folder_of_another_sweep_is_refused(shared: Open) -> None:
    shared()
    with pytest.raises(EmorecError, match="another parameters; choose another --name"):
        shared(parameters={"x": {"values": [1]}})


def test_a_grid_over_a_range_is_refused(shared: Open) -> None:
    with pytest.raises(EmorecError, match="values to choose from, for a grid; found a range for x"):
        shared(parameters=RANGE)
