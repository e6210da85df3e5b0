"""The two sides talk through a store in memory, each in a thread of its own."""

from __future__ import annotations

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from lightning.fabric.plugins.environments.lightning import find_free_network_port
from torch.distributed import HashStore

from lightning_emorec.distributed.launch import Launch
from lightning_emorec.distributed.rendezvous import Leader, agree, follow, meet
from lightning_emorec.errors import EmorecError
from lightning_emorec.runs.folder import mark_done
from lightning_emorec.runs.plan import PLAN_VARIABLE, RunPlan

module = sys.modules["lightning_emorec.distributed.rendezvous"]


def listen(store: HashStore, silence_s: float = 20.0) -> Future[RunPlan]:
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(follow, store, silence_s)
    finally:
        pool.shutdown(wait=False)


def test_the_others_get_the_plan_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/a").mkdir(parents=True)
    store = HashStore()
    heard = listen(store)
    with Leader(store, listeners=1) as leader:
        leader.share(RunPlan(Path("runs/a"), {"text": Path("runs/b")}, {"audio": "no sound"}))
    plan = heard.result(20)
    assert plan == RunPlan(
        tmp_path / "runs/a", {"text": tmp_path / "runs/b"}, {"audio": "no sound"}
    )  # whatever folder they were started in


def test_the_others_are_told_why_the_first_stopped() -> None:
    store = HashStore()
    heard = listen(store)
    with pytest.raises(KeyError), Leader(store, listeners=1):
        raise KeyError("the disk is full")
    with pytest.raises(EmorecError, match="it stopped: 'the disk is full'"):
        heard.result(20)


def test_the_others_end_where_there_is_nothing_to_do() -> None:
    store = HashStore()
    heard = listen(store)
    with pytest.raises(SystemExit), Leader(store, listeners=1):
        raise SystemExit(0)
    with pytest.raises(SystemExit) as ended:
        heard.result(20)
    assert ended.value.code == 0


def test_a_silent_first_process_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.1)
    with pytest.raises(EmorecError, match="no sign of life"):
        follow(HashStore(), silence_s=0.2)


def test_a_slow_first_process_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.1)
    store = HashStore()
    heard = listen(store, silence_s=0.5)
    with Leader(store, listeners=1) as leader:
        with pytest.raises(TimeoutError):
            heard.result(1.5)  # three times as long as it may be silent
        leader.share(RunPlan(tmp_path))
    assert heard.result(20) == RunPlan(tmp_path)


def test_a_folder_that_another_machine_cannot_see_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VISIBLE_S", 0.0)
    store = HashStore()
    heard = listen(store)
    with Leader(store, listeners=1) as leader:
        leader.share(RunPlan(tmp_path / "elsewhere"))
    with pytest.raises(EmorecError, match="a folder of runs that all machines share"):
        heard.result(20)


def test_all_start_the_fit_of_a_branch_at_a_port_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[Path, str]] = []

    def run_fit(config: Path, environment: dict[str, str]) -> int:
        started.append((config, environment["MASTER_PORT"]))
        return 0

    monkeypatch.setattr(module, "run_fit", run_fit)
    (tmp_path / "config.yaml").touch()
    store = HashStore()
    heard = listen(store)
    with Leader(store, listeners=1) as leader:
        port = leader.fit_environment(tmp_path)["MASTER_PORT"]
        leader.share(RunPlan(tmp_path))
    heard.result(20)
    assert started == [(tmp_path / "config.yaml", port)]


def test_a_branch_that_fails_in_one_process_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run_fit", lambda config, environment: 3)
    (tmp_path / "config.yaml").touch()
    store = HashStore()
    heard = listen(store)
    with Leader(store, listeners=1) as leader:
        leader.fit_environment(tmp_path)
    with pytest.raises(EmorecError, match="exit status 3"):
        heard.result(20)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_stays_alone_is_told(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(find_free_network_port()))
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    with pytest.raises(EmorecError, match=f"2 processes that meet; found process {rank} alone"):
        meet(Launch(rank, 2, 1), patience_s=1)


def test_a_run_that_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark_done(tmp_path)
    monkeypatch.setenv(PLAN_VARIABLE, RunPlan(tmp_path).as_text())
    with ExitStack() as held, pytest.raises(SystemExit):
        agree(lambda leader: RunPlan(tmp_path), held)
