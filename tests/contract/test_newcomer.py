"""A branch, a corpus and a rule of a user's own, each in a file of its own, keep the contracts and train."""

from __future__ import annotations

import importlib
import inspect
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Trainer

from lightning_emorec.__main__ import main
from lightning_emorec.branches import Branch, branch_class, build_branch, resolve_spec
from lightning_emorec.cli import EmorecCLI
from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.fusion import FusionModule
from lightning_emorec.splits import ActorLists
from tests.contract import test_branches, test_corpora, test_rules

FILES = Path(__file__).with_name("newcomer")
SPEC = {"class_path": "envelope.Envelope", "init_args": {"width": 8}}


def bodies(module: Any, *arguments: str) -> list[Any]:
    """The tests of a contract that take these arguments and no others."""
    found = [body for name, body in vars(module).items() if name.startswith("test_")]
    kept = [body for body in found if set(inspect.signature(body).parameters) == set(arguments)]
    return [pytest.param(body, id=body.__name__) for body in kept if not hasattr(body, "pytestmark")]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, tones: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The newcomer's working directory."""
    for file in FILES.iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    shutil.copytree(tones.parent, tmp_path / "tones")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def data(tones: Path) -> EmotionDataModule:
    corpus = ManifestCorpus(
        str(tones), tasks=test_branches.TASKS, label_columns={"pitch": "pitch", "voice": "voice"}
    )
    return EmotionDataModule(corpus, ActorLists(test=[6], val=[5]), batch_size=4)


@pytest.fixture
def fitted(data: EmotionDataModule) -> Branch:
    branch = build_branch(SPEC, test_branches.TASKS)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    Trainer(max_epochs=1, accelerator="cpu", logger=False, **quiet).fit(branch, datamodule=data)  # type: ignore[arg-type]
    return branch.eval()


@pytest.mark.parametrize("body", bodies(test_branches, "fitted", "data"))
def test_the_branch_keeps_the_contract(
    body: Callable[..., None], fitted: Branch, data: EmotionDataModule
) -> None:
    body(fitted, data)


@pytest.mark.parametrize("body", bodies(test_corpora, "corpus"))
def test_the_corpus_keeps_the_contract(body: Callable[..., None], folder: Path) -> None:
    body(importlib.import_module("folder_corpus").FolderCorpus(str(folder / "tones")))


@pytest.mark.parametrize("body", bodies(test_rules, "kind"))
def test_the_rule_keeps_the_contract(body: Callable[..., None]) -> None:
    body(importlib.import_module("product").Product)


def test_a_fusion_takes_the_branch_and_the_rule() -> None:
    rule = importlib.import_module("product").Product()
    fusion = FusionModule(test_branches.TASKS, {"mine": SPEC}, rule)
    fusion.configure_model()
    assert type(fusion.rule("pitch")) is type(rule)
    assert any(name.startswith("branches.mine.convolution") for name in fusion.state_dict())


def test_one_command_trains_the_branch_on_the_corpus(folder: Path) -> None:
    cli = main(
        [
            "fit",
            "--config",
            "envelope.yaml",
            "--trainer.accelerator=cpu",
            "--trainer.enable_progress_bar=false",
        ]
    )
    assert isinstance(cli, EmorecCLI)
    metrics = json.loads((folder / "runs" / "envelope" / "metrics.json").read_text(encoding="utf8"))
    assert metrics["test"]["pitch"]["clips"] == 9


def test_every_flag_of_the_recipe_is_kept_flat_and_a_typo_is_refused(folder: Path) -> None:
    spec = resolve_spec(SPEC, test_branches.TASKS)
    branch = build_branch(spec, test_branches.TASKS)
    assert {**branch.hparams} == {**spec["init_args"], "tasks": test_branches.TASKS}
    assert branch_class(spec).seed_name == "envelope.Envelope"
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "--config", "envelope.yaml", "--model.init_args.label_smoothin=0.2"])
    assert stopped.value.code == 2
