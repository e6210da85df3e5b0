from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from torch.distributed import HashStore

from lightning_emorec.distributed.rendezvous import Coordinator, Order, await_orders
from lightning_emorec.errors import EmorecError
from lightning_emorec.jobs.pool import side_by_side
from lightning_emorec.runs import share_plan
from lightning_emorec.runs.folder import mark_done
from lightning_emorec.runs.plan import RunPlan
from lightning_emorec.runs.share_plan import agreed_plan, follow
from lightning_emorec.runs.train_branches import BranchTrainer


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LOCAL_RANK", "RANK", "WORLD_SIZE", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def no_decision(coordinator: Coordinator | None) -> RunPlan:
    raise AssertionError("the plan was handed over")


def fit_and_plan(folder: Path, port: str = "1") -> list[Order]:
    (folder / "config.yaml").touch()
    fit = {"do": "fit", "folder": str(folder), "port": port}
    return [fit, {"do": "plan", "plan": RunPlan(folder).as_text()}]


def test_the_process_that_decides_leaves_the_plan_in_the_run_folder(runs: Path) -> None:
    with ExitStack() as held:
        plan = agreed_plan(lambda coordinator: RunPlan(runs / "a", left_out={"b": "none"}), None, held)
    assert RunPlan.read(plan.file) == plan


def test_a_plan_that_is_handed_over_is_taken(runs: Path) -> None:
    plan = RunPlan(runs / "a", warnings=["old"])
    with ExitStack() as held:
        assert agreed_plan(no_decision, plan.write(), held) == plan


def test_a_plan_that_an_earlier_command_left_is_not_taken(runs: Path) -> None:
    RunPlan(runs / "a", warnings=["old"]).write()
    with ExitStack() as held:
        plan = agreed_plan(lambda coordinator: RunPlan(runs / "a"), None, held)
    assert plan.warnings == RunPlan.read(plan.file).warnings == []


def test_a_run_that_is_done_is_not_done_again(runs: Path) -> None:
    file = RunPlan(runs).write()
    mark_done(runs)
    with ExitStack() as held, pytest.raises(SystemExit):
        agreed_plan(no_decision, file, held)


def test_the_others_start_the_fit_of_a_branch_at_the_port_of_the_first(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[Path, str]] = []

    def run_fit(config: Path, environment: dict[str, str]) -> int:
        started.append((config, environment["MASTER_PORT"]))
        return 0

    class Finished:
        def __init__(self, command: list[str], environment: dict[str, str], *_: object, **__: object) -> None:
            run_fit(Path(command[command.index("--config") + 1]), environment)

        def until_ended(self) -> list[object]:
            return []  # yields nothing

    monkeypatch.setattr(share_plan, "run_fit", run_fit)
    monkeypatch.setattr("lightning_emorec.runs.train_branches.Child", Finished)
    store, folder = HashStore(), runs / "b"
    coordinator = Coordinator(store, others=1)  # not entered: it need not wait for the other here
    model = {"class_path": "B", "init_args": {}}
    config = {"model": model, "data": {"corpus": {"class_path": "Tones"}}}
    side_by_side([partial(BranchTrainer(runs, coordinator).train_in, folder, "b", config)], [{}])
    coordinator.order({"do": "plan", "plan": RunPlan(folder).as_text()}, last=True)
    assert follow(await_orders(store)) == RunPlan(folder)
    assert started == [(folder / "config.yaml", started[0][1])] * 2


def test_a_branch_that_fails_in_one_process_stops_it(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share_plan, "run_fit", lambda config, environment: 3)
    with pytest.raises(EmorecError, match="exit status 3"):
        follow(fit_and_plan(runs))
