"""How processes that were started together come to one plan: the first decides, and tells the others.

They talk through PyTorch's key-value store at MASTER_ADDR and MASTER_PORT, before any process group is there.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from lightning.fabric.plugins.environments.lightning import find_free_network_port
from torch.distributed import DistError, DistStoreError
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from lightning_emorec.distributed.launch import Launch, environment_of_child
from lightning_emorec.errors import EmorecError
from lightning_emorec.jobs.pool import run_fit
from lightning_emorec.runs.folder import is_done, lock_folder, record_version
from lightning_emorec.runs.plan import PLAN_VARIABLE, RunPlan

log = logging.getLogger(__name__)

JOIN_S = 600.0  # for all processes to be there
BEAT_S = 5.0
SILENCE_S = 120.0  # without a sign of life from the first process
VISIBLE_S = 60.0  # for a new file to be seen from another machine: network disks remember what was not there

Order = dict[str, str]


def agree(decide: Callable[[Leader | None], RunPlan], held: ExitStack) -> RunPlan:
    """The plan of the run that this process is part of.

    Args:
        decide: Makes it; called in one process only.
        held: Gets what has to last as long as the run.

    Raises:
        EmorecError: Not all processes came, the first one failed, or its run folder cannot be seen from here.
        SystemExit: There is nothing to do: another run has done it all.
    """
    launch = Launch.of_environment()
    if launch is None or launch.world == 1:
        return _own_plan(lambda: decide(None), held)
    store = meet(launch)
    if launch.rank:
        return follow(store)
    leader = held.enter_context(Leader(store, launch.world - 1))
    plan = _own_plan(lambda: decide(leader), held)
    leader.share(plan)
    return plan


def _own_plan(decide: Callable[[], RunPlan], held: ExitStack) -> RunPlan:
    plan = RunPlan.handed_over()
    if plan is None:
        plan = decide()
        os.environ[PLAN_VARIABLE] = plan.as_text()
        held.callback(os.environ.pop, PLAN_VARIABLE, None)
        return plan
    # Ranks that Lightning made rely on the lock of the one that made them.
    if os.environ.get("LOCAL_RANK", "0") == "0":
        held.enter_context(lock_folder(plan.folder))
        record_version(plan.folder)
    if is_done(plan.folder):
        raise SystemExit(0)
    return plan


def meet(launch: Launch, patience_s: float = JOIN_S) -> Store:
    """Connect with the other processes of the launch.

    Raises:
        EmorecError: They did not all come.
    """
    patience = timedelta(seconds=patience_s)
    try:
        store, _, _ = next(iter(rendezvous("env://", launch.rank, launch.world, timeout=patience)))
    except DistError as error:
        place = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        found = f"process {launch.rank} alone at {place} after {patience_s:.0f} s"
        fix = "start the command in every process (torchrun, srun); see that each can reach that address"
        raise EmorecError(f"{launch.world} processes that meet", found, fix) from error
    return PrefixStore(f"emorec/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


class Leader:
    """The first process's side: says, one after the other, what all processes are to do.

    As a context it shows signs of life, and tells the others when this process fails.

    Args:
        store: Where the others listen.
        listeners: How many others there are.
    """

    def __init__(self, store: Store, listeners: int) -> None:
        self._store = store
        self._listeners = listeners
        self._said = 0
        self._shared = False
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._over.set()
        self._heart.join()
        with suppress(DistError):  # the launcher keeps the store, and is gone: it ends the others too
            if kind is not None and not self._shared:  # later, the process group notices who is missing
                ends = isinstance(error, SystemExit) and not error.code
                self._say({"do": "end"} if ends else {"do": "stop", "why": str(error) or kind.__name__})
            self._wait_for_listeners()

    def fit_environment(self, folder: Path) -> dict[str, str]:
        """Tell the others to start the `fit` of a branch, whose config is in its folder, and join them.

        Returns:
            The environment for our own child.
        """
        port = find_free_network_port()
        self._say({"do": "fit", "folder": str(folder.resolve()), "port": str(port)})
        return environment_of_child(os.environ, port)

    def share(self, plan: RunPlan) -> None:
        """Tell the others the plan; there is nothing to be said after it."""
        self._say({"do": "plan", "plan": plan.anywhere().as_text()})
        self._shared = True

    def _say(self, order: Order) -> None:
        self._store.set(f"order/{self._said}", json.dumps(order))
        self._said += 1

    def _wait_for_listeners(self) -> None:
        """Stay, as the store may end with this process, until the others have heard everything, or have ended."""
        start = time.monotonic()
        while self._store.add("heard", 0) < self._said * self._listeners:
            if time.monotonic() - start > BEAT_S:
                return
            time.sleep(0.05)

    def _beat(self) -> None:
        with suppress(DistError):  # as above
            while not self._over.wait(BEAT_S):
                self._store.add("beat", 1)


def follow(store: Store, silence_s: float = SILENCE_S) -> RunPlan:
    """Do what the first process says, until it says the plan.

    Args:
        store: Where it says it.
        silence_s: How long it may show no sign of life.

    Raises:
        EmorecError: It failed, or it fell silent, or a branch did not finish, or its folders are not here.
        SystemExit: There is nothing to do.
    """
    for order in _orders(store, silence_s):
        if order["do"] == "fit":
            folder = Path(order["folder"])
            _require_shared(folder / "config.yaml")
            environment = environment_of_child(os.environ, int(order["port"]))
            if code := run_fit(folder / "config.yaml", environment):
                found = f"exit status {code} (see above)"
                raise EmorecError(f"the branch in {folder} to finish", found, "run the same command again")
        elif order["do"] == "plan":
            plan = RunPlan.of_text(order["plan"])
            _require_shared(plan.folder)
            return plan
        elif order["do"] == "end":
            raise SystemExit(0)
        else:
            raise EmorecError(
                "a plan from the first process", f"it stopped: {order['why']}", "see its output"
            )
    raise RuntimeError("the orders do not end")  # type checkers cannot know


def _orders(store: Store, silence_s: float) -> Iterator[Order]:
    number = 0
    while True:
        try:
            text = _await(store, f"order/{number}", silence_s)
        except (DistError, TimeoutError) as error:
            found = str(error) if isinstance(error, TimeoutError) else "the connection to it lost"
            raise EmorecError("a plan from the first process", found, "see its output") from error
        store.add("heard", 1)
        yield cast(Order, json.loads(text))
        number += 1


def _await(store: Store, key: str, silence_s: float) -> bytes:
    """A key's value, as soon as it is there; the first process may take hours, as long as it shows signs of life."""
    beats, heard = -1, time.monotonic()
    while True:
        try:
            store.wait([key], timedelta(seconds=min(BEAT_S, silence_s)))
            return store.get(key)
        except DistStoreError as error:  # not yet
            if (now := store.add("beat", 0)) != beats:
                beats, heard = now, time.monotonic()
            elif time.monotonic() - heard > silence_s:
                raise TimeoutError(f"no sign of life for {silence_s:.0f} s") from error


def _require_shared(path: Path) -> None:
    """Wait until what the first process made can be seen from here.

    Raises:
        EmorecError: It cannot.
    """
    start = time.monotonic()
    while not path.exists():
        if time.monotonic() - start > VISIBLE_S:
            found = f"no {path} on this one"
            raise EmorecError("a folder of runs that all machines share", found, "choose another --runs")
        time.sleep(1)
