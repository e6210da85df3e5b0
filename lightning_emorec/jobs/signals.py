"""How a process is stopped: by Ctrl-C, or by a scheduler."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from lightning_emorec.errors import Stopped

STOPS = (signal.SIGTERM, signal.SIGUSR1)
"""What a scheduler sends before it ends a process: when it is pre-empted, and some time before its limit."""


@contextmanager
def stopped_by(*signals: signal.Signals) -> Iterator[None]:
    """Raise `KeyboardInterrupt` at SIGINT and `Stopped` at any other of these signals.

    This holds even for a signal that a shell has set to be ignored. Does nothing in a thread other than the main one,
    which alone can have handlers.
    """
    with _handled(_stop, signals):
        yield


@contextmanager
def stops_deferred() -> Iterator[None]:
    """Handle Ctrl-C and `STOPS` after the block instead of within it, so that all of it is done."""
    received: list[int] = []
    with _handled(lambda number, _: received.append(number), (signal.SIGINT, *STOPS)):
        yield
    if received:
        signal.raise_signal(received[0])


def _stop(number: int, _: FrameType | None) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    for which in STOPS:
        signal.signal(which, signal.SIG_IGN)  # a second one must not interrupt the cleaning up
    raise Stopped(signal.Signals(number))


@contextmanager
def _handled(
    handler: Callable[[int, FrameType | None], object], signals: tuple[signal.Signals, ...]
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    others = [which for which in signals if signal.getsignal(which) is not handler]
    before = [signal.signal(which, handler) for which in others]
    try:
        yield
    finally:
        for which, handler_before in zip(others, before, strict=True):
            signal.signal(which, handler_before)
