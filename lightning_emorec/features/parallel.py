"""Features of many clips over processes, for libraries that hold the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import joblib
import numpy as np
from numpy.typing import NDArray
from torch import distributed

from lightning_emorec.audio import AudioStore, sounds_of
from lightning_emorec.types import Clip

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

Sound = NDArray[np.float32]

_FEW = 24  # clips that are done by the time that processes have started
_IDLE_S = 20  # then a process ends, since each holds the libraries' memory


def over_clips(
    work: Callable[[Sound], NDArray[np.float32]],
    clips: Sequence[Clip],
    audio: AudioStore,
    processes: int | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Yield `work(sound)` of each clip, in order, as soon as it is known.

    Few clips are done in this process. Audio is loaded as it is needed, so that it need not fit into memory at
    once; closing the iterator cancels what has not begun.

    Args:
        work: From (time,) samples; a function of a module or a `partial` of one, so that processes find it.
        clips: What to work on.
        audio: At the rate that `work` takes.
        processes: None means one for each core that this process may use.
    """
    processes = processes or joblib.cpu_count()
    sounds = (audio.load(path) for path in sounds_of(clips))
    if processes == 1 or len(clips) <= _FEW:
        yield from map(work, sounds)
        return
    pool = joblib.Parallel(processes, "loky", return_as="generator", idle_worker_timeout=_IDLE_S)
    yield from pool(joblib.delayed(work)(sound) for sound in sounds)


def shares_of(trainer: Trainer) -> Iterator[tuple[int, int]]:
    """This process's (i, n) shares of features that all ranks compute together, which wait for each other after each.

    First one of all. What machines without a common cache folder then lack, the ranks of each machine share among
    themselves.
    """
    _limit_cores(trainer.num_devices)
    for share in ((trainer.global_rank, trainer.world_size), (trainer.local_rank, trainer.num_devices)):
        yield share
        _wait_for_ranks()


def _limit_cores(processes: int) -> None:
    """Leave to this process its part of the cores, where several on one machine compute features."""
    os.environ.setdefault("LOKY_MAX_CPU_COUNT", str(max(1, joblib.cpu_count() // processes)))


def _wait_for_ranks() -> None:
    """Wait until all ranks are here, however long: with features one may be hours ahead, and a group has minutes."""
    if distributed.is_available() and distributed.is_initialized():
        patient = distributed.new_group(backend="gloo", timeout=timedelta(days=365))
        distributed.barrier(patient)
        distributed.destroy_process_group(patient)
