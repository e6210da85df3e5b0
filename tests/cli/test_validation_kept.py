"""The validation logits in a checkpoint: those of the very weights that it holds, or of those before a refit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_emorec import branch_logits, load_model
from lightning_emorec.inference import TrainedModel, datamodule_of
from lightning_emorec.part_logits import OWN, PartLogits
from lightning_emorec.run_paths import logits_file
from tests.cli.conftest import Project, make_project

VAL_ACTORS = ("4", "5")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tones: Path) -> Iterator[Project]:
    """Runs of a fusion over a trained and a solved branch, with a refit; of its trained branch; of a solved one."""
    made = make_project(tmp_path_factory.mktemp("kept"), tones)
    text, audio, fused = (content(made, name) for name in ("text", "audio", "fused"))
    solved = {"class_path": "TfidfSvc", "init_args": {"transcript": "reference"}}
    configs = {
        "audio": {**audio, "trainer": {**audio["trainer"], "max_epochs": 4}},
        "text": {**text, "model": solved, "trainer": {**text["trainer"], "max_epochs": 0}},
        "fused": fused,
    }
    for name, config in configs.items():
        made.write(name, {**config, "data": {**config["data"], "split": split_of(VAL_ACTORS)}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOREC_CACHE", str(made.folder / "cache"))
        for name in ("audio", "text"):
            made.run("fit", "--config", made.config(name))
        made.run("fit", "--config", made.config("audio"), "--name=again", "--refit=true")
        made.run("fit", "--config", made.config("fused"))
        made.run("fit", "--config", made.config("fused"), "--name=refitted", "--refit=true")
        yield made


def content(project: Project, name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(project.config(name)).read_text(encoding="utf8"))
    return found


def split_of(actors: tuple[str, ...]) -> dict[str, Any]:
    return {"class_path": "ActorLists", "init_args": {"test": [6], "val": [int(of) for of in actors]}}


def recomputed(trained: TrainedModel) -> dict[str, PartLogits]:
    data = datamodule_of(yaml.safe_load(trained.config)["data"])
    return branch_logits(trained, [clip for clip in data.corpus.clips() if clip.actor in VAL_ACTORS])


@pytest.mark.parametrize(("run", "names"), [("audio", {OWN}), ("text", {OWN}), ("fused", {"audio", "text"})])
def test_a_checkpoint_holds_the_validation_logits_of_its_weights(
    project: Project, run: str, names: set[str]
) -> None:
    trained = load_model(project.runs / run)
    assert set(trained.validation) == names
    again = recomputed(trained)
    for name, kept in trained.validation.items():
        assert len(kept.clip_ids) == 18
        assert kept.clip_ids == again[name].clip_ids
        torch.testing.assert_close(kept.logits["pitch"], again[name].logits["pitch"], rtol=1e-5, atol=1e-5)
        assert (kept.labels["pitch"] >= 0).all()
        assert {clip: trained.actors[clip] for clip in kept.clip_ids} == trained.actors
    assert set(trained.actors.values()) == {*VAL_ACTORS}
    assert not trained.before_refit


def test_a_refit_holds_those_of_the_model_before(project: Project) -> None:
    trained = load_model(project.runs / "again-refit")
    assert trained.before_refit
    expected = PartLogits.load(logits_file(project.runs / "again", "val"))
    assert torch.equal(trained.validation[OWN].logits["pitch"], expected.logits["pitch"])
    assert set(trained.actors.values()) == {*VAL_ACTORS}


def test_a_fusion_of_refits_holds_those_that_its_rules_were_solved_on(project: Project) -> None:
    before, after = (load_model(project.runs / name) for name in ("fused", "refitted"))
    assert after.before_refit
    assert after.actors == before.actors
    for name, kept in before.validation.items():
        assert torch.equal(after.validation[name].logits["pitch"], kept.logits["pitch"])
    own = recomputed(after)["audio"].logits["pitch"]
    assert not torch.allclose(own, after.validation["audio"].logits["pitch"], atol=1e-3)


def test_a_checkpoint_of_an_earlier_version_is_read_without(project: Project, tmp_path: Path) -> None:
    found = torch.load(project.runs / "audio" / "checkpoints" / "best.ckpt", weights_only=True)
    del found["validation"]
    torch.save(found, tmp_path / "old.ckpt")
    trained = load_model(tmp_path / "old.ckpt")
    assert (trained.validation, trained.actors) == ({}, {})
