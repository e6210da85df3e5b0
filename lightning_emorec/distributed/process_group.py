"""The processes of one run from its trainer's start to their end: what Lightning starts, stops and leaves."""

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

    Lightning starts a rank with `sys.argv` as it is at that time. The other way would be an environment variable,
    which cannot be seen in a list of processes, and which every other child would inherit.
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
    """Let a signal end a run as it ends any verb: `Stopped` is raised where the process is.

    Lightning's own handler of SIGTERM broadcasts to the other ranks from within the signal, which never ends where
    one of them waits for a gradient of this one; under Slurm, its handlers requeue the job by themselves. They are
    registered after every hook that could take the signals back in time (lightning 2.6.6).

    Args:
        trainer: Before it runs.
    """
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]


def end_started(trainer: Trainer) -> None:
    """End the ranks that Lightning started from this process, and forget them.

    Lightning watches them, and within five seconds of the end of one it kills this process, which may still be
    writing its last lines.

    Args:
        trainer: Whose run was stopped.
    """
    launcher = trainer.strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher):
        launcher.kill(signal.SIGKILL)  # they may be waiting for this rank, and react to nothing else
        launcher.procs.clear()


def leave_group() -> None:
    """Wait for the other ranks and leave their group, if there is one.

    Without it, a rank that ends while gloo's threads still run can be aborted at its exit.
    """
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()
