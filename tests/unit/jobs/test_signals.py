from __future__ import annotations

import os
import signal
import time

import pytest

from lightning_emorec.errors import Stopped
from lightning_emorec.jobs.signals import STOPS, stopped_by, stops_deferred


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_waits_for_the_end_of_what_must_be_whole(which: signal.Signals) -> None:
    before, done = signal.getsignal(which), []

    @stops_deferred()
    def write() -> None:
        os.kill(os.getpid(), which)
        time.sleep(0.01)
        done.append(which)

    with stopped_by(signal.SIGINT, *STOPS), pytest.raises(KeyboardInterrupt):
        write()
    assert done
    assert signal.getsignal(which) == before


@pytest.mark.parametrize("which", STOPS)
def test_a_stop_names_its_signal(which: signal.Signals) -> None:
    with stopped_by(*STOPS), pytest.raises(Stopped) as stop:
        signal.raise_signal(which)
    assert stop.value.which == which


def test_ctrl_c_is_heeded_even_where_a_shell_has_set_it_to_be_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopped_by(signal.SIGINT), pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
