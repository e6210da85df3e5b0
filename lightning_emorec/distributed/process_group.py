"""Ranks of a running trainer: their command line, their signal handlers and their end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch import Trainer
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from torch import distributed


@contextmanager
def rank_arguments(trainer: Trainer, *arguments: str) -> Iterator[None]:
    """Append arguments to the command line of the ranks that Lightning starts from this process, if it starts any.

    Lightning starts a rank with the current `sys.argv`. An environment variable would not be visible in a list of
    processes, and every other child would inherit it.
    """
    if not isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher):
        yield
        return
    before = [*sys.argv]
    sys.argv += arguments
    try:
        yield
    finally:
        sys.argv[:] = before


def keep_handlers(trainer: Trainer) -> None:
    """Keep the signal handlers of this package: a signal raises `Stopped`, as in every other verb.

    Lightning's SIGTERM handler broadcasts to the other ranks from within the handler and deadlocks if one of them
    waits for a gradient of this rank; its Slurm handlers requeue the job. Lightning registers its handlers after the
    last hook that could restore ours in time (lightning 2.6.6), so its registration is disabled before the run.
    """
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]


def end_started(trainer: Trainer) -> None:
    """Kill the ranks that Lightning started from this process, and remove them from the launcher's list.

    Lightning monitors that list, and kills this process within five seconds of the exit of a rank, possibly before
    its last log lines are written.
    """
    launcher = trainer.strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher):
        launcher.kill(signal.SIGKILL)  # a rank that waits for this one handles no other signal
        launcher.procs.clear()


def leave_group() -> None:
    """Wait for the other ranks and leave their group, if there is one.

    Without this, a rank that exits while gloo's threads still run can abort.
    """
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()
