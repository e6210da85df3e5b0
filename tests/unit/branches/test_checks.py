from __future__ import annotations

from collections.abc import Callable

import pytest

from lightning_emorec.branches.checks import check_above_zero, check_at_least, check_factors, check_shares
from lightning_emorec.errors import EmorecError


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (check_above_zero, 0.0, "knob above 0; found 0.0; set model.init_args.knob"),
        (lambda **knobs: check_at_least(2, **knobs), 1, "knob of at least 2; found 1"),
        (check_shares, 1.0, r"knob in \[0, 1\); found 1.0"),
        (check_shares, -0.1, r"knob in \[0, 1\); found -0.1"),
        (check_factors, 0.0, r"knob in \(0, 1\]; found 0.0"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_flag(
    check: Callable[..., None], value: float, expected: str
) -> None:
    with pytest.raises(EmorecError, match=f"expected {expected}"):
        check(knob=value)


def test_values_at_the_edges_and_none_are_taken() -> None:
    check_at_least(2, knob=2, other=None)
    check_above_zero(knob=1e-9, other=None)
    check_shares(knob=0.0)
    check_factors(knob=1.0)
