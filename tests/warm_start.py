"""Starts this package's processes as forks of the test process, which has imported PyTorch and Lightning already.

A process that starts anew spends more than six CPU-seconds on imports, and a fused run starts several. Everything else
is as `subprocess.Popen` does it: pipes, environment, sessions, signals and exit statuses.
"""

from __future__ import annotations

import contextvars
import inspect
import logging
import os
import signal
import subprocess
import sys
import traceback
from typing import Any, NoReturn

from lightning_emorec import __main__ as program

COLD = subprocess.Popen
"""Starts a process anew, as one must be that Lightning or torchrun makes several of."""

COMMAND = [sys.executable, "-m", "lightning_emorec"]


class WarmPopen(subprocess.Popen):  # type: ignore[type-arg]
    """Forks for a command of this package, and starts any other one anew."""

    def _execute_child(self, *given: Any) -> None:
        if list(given[0][:3]) != COMMAND:
            super()._execute_child(*given)  # type: ignore[misc]
            return
        asked = inspect.signature(COLD._execute_child).bind(self, *given).arguments  # type: ignore[attr-defined]
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _run(asked)
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[name] for name in pipes))  # type: ignore[attr-defined]


def _run(asked: dict[str, Any]) -> NoReturn:
    """Become the process that was asked for."""
    status = 1
    try:
        _take_place(asked)
        # In a context of its own: the parser keeps what it is doing in context variables.
        contextvars.Context().run(program.main, list(asked["args"][3:]))
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


def _take_place(asked: dict[str, Any]) -> None:
    for descriptor, name in enumerate(("p2cread", "c2pwrite", "errwrite")):
        if asked[name] != -1:
            os.dup2(asked[name], descriptor)
    if asked["close_fds"]:
        kept = sorted({0, 1, 2, *asked["pass_fds"]})
        for low, high in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
            os.closerange(low + 1, high)
    if asked["start_new_session"]:
        os.setsid()
    if asked["cwd"] is not None:
        os.chdir(asked["cwd"])
    if asked["env"] is not None:
        os.environ.clear()
        os.environ.update(asked["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for which in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(which, signal.SIG_DFL)
    if asked["preexec_fn"] is not None:
        asked["preexec_fn"]()
        if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:  # as Python does when it starts
            signal.signal(signal.SIGINT, signal.default_int_handler)
    _forget_resource_trackers()
    sys.argv = [program.__file__, *asked["args"][3:]]
    sys.stdin = open(0, encoding="utf8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1, encoding="utf8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf8", closefd=False)  # noqa: SIM115
    for logger in [logging.root, *map(logging.getLogger, list(logging.root.manager.loggerDict))]:
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.stream = sys.stderr


def _forget_resource_trackers() -> None:
    """Let joblib and multiprocessing start their own: the pipes to those of the test process are closed."""
    for name in ("multiprocessing.resource_tracker", "joblib.externals.loky.backend.resource_tracker"):
        if (module := sys.modules.get(name)) is not None:
            module._resource_tracker._fd = None
            module._resource_tracker._pid = None
    if (module := sys.modules.get("joblib.externals.loky.reusable_executor")) is not None:
        module._executor = None
