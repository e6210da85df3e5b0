"""The processes of one distributed run."""

from __future__ import annotations

from torch import distributed


def leave_group() -> None:
    """Wait for the other ranks and leave their group, if there is one.

    Without it, a rank that ends while gloo's threads still run can be aborted at its exit.
    """
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()
