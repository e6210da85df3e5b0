"""Range checks of constructor arguments, for flags and Python callers alike; None is always allowed."""

from __future__ import annotations

from lightning_emorec.errors import EmorecError


def check_at_least(least: int, **arguments: float | None) -> None:
    """Check numbers that may not be below `least`."""
    for name, value in arguments.items():
        _check(value is None or value >= least, f"{name} of at least {least}", name, value)


def check_above_zero(**arguments: float | None) -> None:
    """Check numbers that must be positive."""
    for name, value in arguments.items():
        _check(value is None or value > 0, f"{name} above 0", name, value)


def check_shares(**arguments: float) -> None:
    """Check numbers in [0, 1)."""
    for name, value in arguments.items():
        _check(0 <= value < 1, f"{name} in [0, 1)", name, value)


def check_factors(**arguments: float) -> None:
    """Check numbers in (0, 1]."""
    for name, value in arguments.items():
        _check(0 < value <= 1, f"{name} in (0, 1]", name, value)


def _check(holds: bool, expected: str, name: str, value: float | None) -> None:
    if not holds:
        raise EmorecError(expected, f"{value}", f"set model.init_args.{name}")
