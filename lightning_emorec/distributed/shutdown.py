"""What Lightning does at a signal, and when a process of its own ends, set aside for `__main__`'s way to stop."""

from __future__ import annotations

import signal

from lightning.pytorch import Trainer
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher


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

    Lightning watches them, and within five seconds of the end of one it kills this process, which may be saying
    what was kept.

    Args:
        trainer: Whose run was stopped.
    """
    launcher = trainer.strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher):
        launcher.kill(signal.SIGKILL)  # they may be waiting for this rank, and hear nothing else
        launcher.procs.clear()
