"""How processes that were started together act as one: the first coordinates, the others carry out its orders.

They communicate through PyTorch's key-value store at MASTER_ADDR and MASTER_PORT, before there is a process group.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from torch.distributed import DistError, DistStoreError
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from lightning_emorec.distributed.launch import Launch
from lightning_emorec.errors import EmorecError

JOIN_S = 600.0  # for all processes to be there
BEAT_S = 5.0
SILENCE_S = 120.0  # without a heartbeat of the first process
VISIBLE_S = 60.0  # for a new file to be seen from another machine: network disks remember what was not there

Order = dict[str, str]
"""Names under `do` what is to be done; `end` and `stop` are the rendezvous's own."""


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
        fix = (
            "start the command in every process (torchrun, srun), and check that each can reach that address"
        )
        raise EmorecError(f"{launch.world} processes that meet", found, fix) from error
    return PrefixStore(f"emorec/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


class Coordinator:
    """The first process's side: orders, one after the other, what all processes are to do.

    As a context it sends heartbeats, and stops the others when this process fails.

    Args:
        store: Carries the orders.
        others: How many other processes there are.
    """

    def __init__(self, store: Store, others: int) -> None:
        self._store = store
        self._others = others
        self._sent = 0
        self._complete = False
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
            if kind is not None and not self._complete:  # later, the process group notices who is missing
                ends = isinstance(error, SystemExit) and not error.code
                self._send({"do": "end"} if ends else {"do": "stop", "why": str(error) or kind.__name__})
            self._wait_until_received()

    def order(self, order: Order, last: bool = False) -> None:
        """Send an order to all other processes.

        Args:
            order: What to do.
            last: Whether the others go on by themselves afterwards.
        """
        self._send(order)
        self._complete = last

    def _send(self, order: Order) -> None:
        self._store.set(f"order/{self._sent}", json.dumps(order))
        self._sent += 1

    def _wait_until_received(self) -> None:
        """Stay, as the store may end with this process, until the others have every order, or have ended."""
        start = time.monotonic()
        while self._store.add("received", 0) < self._sent * self._others:
            if time.monotonic() - start > BEAT_S:
                return
            time.sleep(0.05)

    def _beat(self) -> None:
        with suppress(DistError):  # as above
            while not self._over.wait(BEAT_S):
                self._store.add("beat", 1)


def await_orders(store: Store, silence_s: float = SILENCE_S) -> Iterator[Order]:
    """The other processes' side: the coordinator's orders, each as soon as it is there.

    Args:
        store: Carries the orders.
        silence_s: For how long there may be no heartbeat.

    Raises:
        EmorecError: The coordinator failed, or its heartbeat stopped.
        SystemExit: The coordinator ended: there is nothing to do.
    """
    number = 0
    while True:
        order = _receive(store, f"order/{number}", silence_s)
        if order["do"] == "end":
            raise SystemExit(0)
        if order["do"] == "stop":
            raise _without_orders(f"it stopped: {order['why']}")
        yield order
        number += 1


def _receive(store: Store, key: str, silence_s: float) -> Order:
    try:
        text = _await(store, key, silence_s)
        store.add("received", 1)
    except TimeoutError as error:
        raise _without_orders(str(error)) from error
    except DistError as error:
        raise _without_orders("the connection to it lost") from error
    return cast(Order, json.loads(text))


def _without_orders(found: str) -> EmorecError:
    return EmorecError("orders from the first process", found, "see the first process's output")


def _await(store: Store, key: str, silence_s: float) -> bytes:
    """A key's value, as soon as it is there; the first process may take hours, as long as its heartbeat goes on."""
    beats, last_beat = -1, time.monotonic()
    while True:
        try:
            store.wait([key], timedelta(seconds=min(BEAT_S, silence_s)))
            return store.get(key)
        except DistStoreError as error:  # not yet
            if (now := store.add("beat", 0)) != beats:
                beats, last_beat = now, time.monotonic()
            elif time.monotonic() - last_beat > silence_s:
                raise TimeoutError(f"no sign of life for {silence_s:.0f} s") from error


def require_shared(path: Path) -> None:
    """Wait until what the first process made can be seen from here.

    Raises:
        EmorecError: It cannot.
    """
    start = time.monotonic()
    while not path.exists():
        if time.monotonic() - start > VISIBLE_S:
            found = f"no {path} on this one"
            raise EmorecError("a folder of runs that all machines share", found, "set another --runs")
        time.sleep(1)
