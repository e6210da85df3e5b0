"""Signals that stop a process: Ctrl-C, and those of a scheduler."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from lightning_emorec.errors import Stopped

STOPS = (signal.SIGTERM, signal.SIGUSR1)
"""Sent by a scheduler before it kills a process: on pre-emption, and shortly before the time limit."""


@contextmanager
def stopped_by(*signals: signal.Signals) -> Iterator[None]:
    """Raise `KeyboardInterrupt` on SIGINT and `Stopped` on any other of these signals.

    Signals that the parent shell set to be ignored are handled too. Does nothing outside the main thread, as Python
    allows signal handlers only there.
    """
    with _handled(_stop, signals):
        yield


@contextmanager
def stops_deferred() -> Iterator[None]:
    """Defer Ctrl-C and `STOPS` to the end of the block, so that the block is not interrupted."""
    received: list[int] = []
    with _handled(lambda number, _: received.append(number), (signal.SIGINT, *STOPS)):
        yield
    if received:
        signal.raise_signal(received[0])


def _stop(number: int, _: FrameType | None) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    for which in STOPS:
        signal.signal(which, signal.SIG_IGN)  # a second signal must not interrupt the cleanup
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
