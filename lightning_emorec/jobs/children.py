"""`fit`s in processes of their own, one after the other or side by side."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TypeVar

from lightning_emorec.errors import Stopped

Result = TypeVar("Result")

_running: set[subprocess.Popen[bytes]] = set()


def run_fit(
    config: Path, environment: Mapping[str, str], log_file: Path | None = None, plan: Path | None = None
) -> int:
    """Run `fit --config` to its end.

    Args:
        config: Of the run.
        environment: Of its process.
        log_file: Takes what it says, after what is there; None lets it say it here.
        plan: File of the plan that it takes over; without one it decides for itself.

    Returns:
        Its exit status.
    """
    command = [sys.executable, "-m", "lightning_emorec", "fit", "--config", str(config)]
    if plan is not None:
        command += ["--plan", str(plan)]
    with log_file.open("ab") if log_file else nullcontext() as output:
        child = _start(command, environment, output)
        try:
            return child.wait()
        except Stopped:
            child.terminate()  # a scheduler may have told this process alone
            child.wait()
            raise
        except KeyboardInterrupt:
            child.wait()  # Ctrl-C reached the child too: let it leave a checkpoint that can be read
            raise
        finally:
            _running.discard(child)


def side_by_side(tasks: Sequence[Callable[[], Result]], jobs: int) -> list[Result]:
    """Do tasks that call `run_fit`, several at a time, and give their results in order.

    If one fails, those that run are let finish, and no other is begun. If this process is told to stop, so are they.

    Args:
        tasks: What to do.
        jobs: How many at a time; 1 does them in this thread.
    """
    if jobs == 1:
        return [task() for task in tasks]
    with ThreadPoolExecutor(jobs) as pool:
        futures: list[Future[Result]] = [pool.submit(task) for task in tasks]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        except Stopped:
            for child in list(_running):
                child.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    for future in futures:
        if not future.cancelled() and (error := future.exception()) is not None:
            raise error
    return [future.result() for future in futures]


def _start(
    command: list[str], environment: Mapping[str, str], output: IO[bytes] | None
) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        command, env=dict(environment), stdout=output, stderr=subprocess.STDOUT if output else None
    )
    _running.add(child)
    return child
