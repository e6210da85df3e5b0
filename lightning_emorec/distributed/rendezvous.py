"""Rendezvous of processes that were started together: rank 0 sends orders, the other ranks carry them out.

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

JOIN_S = 600.0  # timeout for all processes to connect
BEAT_S = 5.0
SILENCE_S = 120.0  # timeout without a heartbeat of rank 0
VISIBLE_S = 60.0  # timeout for a new file to appear on another machine: network disks cache failed look-ups

Order = dict[str, str]
"""`do` names the action; the actions `end` and `stop` are reserved for the rendezvous itself."""


def meet(launch: Launch, patience_s: float = JOIN_S) -> Store:
    """Connect with the other processes of the launch.

    Raises:
        EmorecError: Not all processes connected in time.
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
    """Sends orders from rank 0 to all other ranks.

    As a context manager it sends heartbeats, and stops the other ranks when this process fails.

    Args:
        store: The result of `meet`.
        others: Number of other ranks.
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
        with suppress(
            DistError
        ):  # the launcher hosts the store; if it is gone, it has ended the other ranks too
            if kind is not None and not self._complete:  # afterwards the process group detects missing ranks
                ends = isinstance(error, SystemExit) and not error.code
                self._send({"do": "end"} if ends else {"do": "stop", "why": str(error) or kind.__name__})
            self._wait_until_received()

    def order(self, order: Order, last: bool = False) -> None:
        """Send an order to all other ranks; after the `last` one they need no coordinator."""
        self._send(order)
        self._complete = last

    def _send(self, order: Order) -> None:
        self._store.set(f"order/{self._sent}", json.dumps(order))
        self._sent += 1

    def _wait_until_received(self) -> None:
        """Wait until the other ranks have received every order or have ended: the store may end with this process."""
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
    """Yield the coordinator's orders as they arrive, on a rank other than 0.

    Raises:
        EmorecError: The coordinator failed, or sent no heartbeat for `silence_s`.
        SystemExit: The coordinator ended without an error: there is nothing to do.
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
    """Wait for a key and return its value; rank 0 may take hours as long as it sends heartbeats."""
    beats, last_beat = -1, time.monotonic()
    while True:
        try:
            store.wait([key], timedelta(seconds=min(BEAT_S, silence_s)))
            return store.get(key)
        except DistStoreError as error:  # not set yet
            if (now := store.add("beat", 0)) != beats:
                beats, last_beat = now, time.monotonic()
            elif time.monotonic() - last_beat > silence_s:
                raise TimeoutError(f"no sign of life for {silence_s:.0f} s") from error


def require_shared(path: Path) -> None:
    """Wait until a file or folder that rank 0 created is visible on this machine.

    Raises:
        EmorecError: It is not visible after `VISIBLE_S`.
    """
    start = time.monotonic()
    while not path.exists():
        if time.monotonic() - start > VISIBLE_S:
            found = f"no {path} on this one"
            raise EmorecError("a folder of runs that all machines share", found, "set another --runs")
        time.sleep(1)
