"""Distributes one plan to all processes of a run."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from lightning_emorec.distributed.launch import Launch, environment_of_child
from lightning_emorec.distributed.rendezvous import Coordinator, Order, await_orders, meet, require_shared
from lightning_emorec.errors import EmorecError
from lightning_emorec.jobs.pool import run_fit
from lightning_emorec.runs.folder import is_done, lock_folder, record_version
from lightning_emorec.runs.plan import RunPlan

log = logging.getLogger(__name__)


def agreed_plan(
    decide: Callable[[Coordinator | None], RunPlan], handed_over: Path | None, held: ExitStack
) -> RunPlan:
    """The plan of the run that this process is part of; rank 0 writes it into the run folder.

    Args:
        decide: Makes the plan; called on rank 0 only.
        handed_over: File of a plan that another process made (`--plan`).
        held: Receives the lock and the coordinator, for as long as the run lasts.

    Raises:
        EmorecError: Not all processes connected, rank 0 failed, or its run folder is not visible on this machine.
        SystemExit: There is nothing to do: the run is done.
    """
    launch = Launch.of_environment()
    if launch is None or launch.world == 1:
        return _own_plan(lambda: decide(None), handed_over, held)
    store = meet(launch)
    if launch.rank:
        return follow(await_orders(store))
    coordinator = held.enter_context(Coordinator(store, launch.world - 1))
    plan = _own_plan(lambda: decide(coordinator), handed_over, held)
    # The text, not the file: another machine may still see the file of an earlier command.
    coordinator.order({"do": "plan", "plan": plan.anywhere().as_text()}, last=True)
    return plan


def follow(orders: Iterable[Order]) -> RunPlan:
    """Run the `fit`s of branches that rank 0 orders, until it sends the plan."""
    for order in orders:
        if order["do"] == "plan":
            plan = RunPlan.of_text(order["plan"])
            require_shared(plan.folder)
            return plan
        folder = Path(order["folder"])
        require_shared(folder / "config.yaml")
        environment = environment_of_child(os.environ, int(order["port"]))
        if code := run_fit(folder / "config.yaml", environment):
            found = f"exit status {code} (see above)"
            raise EmorecError(f"the branch in {folder} to finish", found, "run the same command again")
    raise RuntimeError("the orders ended without a plan")


def _own_plan(decide: Callable[[], RunPlan], handed_over: Path | None, held: ExitStack) -> RunPlan:
    if handed_over is None:
        plan = decide()
        plan.write()
        return plan
    plan = RunPlan.read(handed_over)
    # Ranks that Lightning started rely on the lock of rank 0.
    if os.environ.get("LOCAL_RANK", "0") == "0":
        held.enter_context(lock_folder(plan.folder))
        record_version(plan.folder)
    if is_done(plan.folder):
        log.info("%s is done already", plan.folder)
        raise SystemExit(0)
    return plan
