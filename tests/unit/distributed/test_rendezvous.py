"""The two sides communicate through a store in memory, each in a thread of its own."""

from __future__ import annotations

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from lightning.fabric.plugins.environments.lightning import find_free_network_port
from torch.distributed import HashStore

from lightning_emorec.distributed.launch import Launch
from lightning_emorec.distributed.rendezvous import Coordinator, Order, await_orders, meet, require_shared
from lightning_emorec.errors import EmorecError

module = sys.modules["lightning_emorec.distributed.rendezvous"]
LAST = {"do": "plan", "plan": "text"}


def receive(store: HashStore, silence_s: float = 20.0) -> Future[list[Order]]:
    """All orders up to the plan."""

    def orders() -> list[Order]:
        received: list[Order] = []
        for order in await_orders(store, silence_s):
            received.append(order)
            if order["do"] == "plan":
                break
        return received

    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(orders)
    finally:
        pool.shutdown(wait=False)


def test_the_others_get_every_order_of_the_first() -> None:
    store = HashStore()
    received = receive(store)
    with Coordinator(store, others=1) as coordinator:
        coordinator.order({"do": "fit", "folder": "a"})
        coordinator.order(LAST, last=True)
    assert received.result(20) == [{"do": "fit", "folder": "a"}, LAST]


def test_the_other_ranks_report_why_the_first_stopped() -> None:
    store = HashStore()
    received = receive(store)
    with pytest.raises(KeyError), Coordinator(store, others=1):
        raise KeyError("the disk is full")
    with pytest.raises(EmorecError, match="it stopped: 'the disk is full'"):
        received.result(20)


def test_the_others_end_where_there_is_nothing_to_do() -> None:
    store = HashStore()
    received = receive(store)
    with pytest.raises(SystemExit), Coordinator(store, others=1):
        raise SystemExit(0)
    with pytest.raises(SystemExit) as ended:
        received.result(20)
    assert ended.value.code == 0


def test_a_silent_first_process_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.1)
    with pytest.raises(EmorecError, match="no sign of life"):
        next(await_orders(HashStore(), silence_s=0.2))


def test_a_slow_first_process_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.1)
    store = HashStore()
    received = receive(store, silence_s=0.5)
    with Coordinator(store, others=1) as coordinator:
        with pytest.raises(TimeoutError):
            received.result(1.5)  # three times as long as it may be silent
        coordinator.order(LAST, last=True)
    assert received.result(20) == [LAST]


def test_a_folder_that_another_machine_cannot_see_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VISIBLE_S", 0.0)
    with pytest.raises(EmorecError, match="a folder of runs that all machines share"):
        require_shared(tmp_path / "elsewhere")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_no_other_joins_is_an_error(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(find_free_network_port()))
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    with pytest.raises(EmorecError, match=f"2 processes that meet; found process {rank} alone"):
        meet(Launch(rank, 2, 1), patience_s=1)
