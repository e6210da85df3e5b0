"""The validation logits in a checkpoint: those of the very weights that it holds, or of those before a refit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from lightning_emorec import branch_logits, load_model
from lightning_emorec.errors import EmorecError
from lightning_emorec.inference import TrainedModel, datamodule_of, logits_of
from lightning_emorec.part_logits import OWN, PartLogits
from lightning_emorec.run_paths import logits_file
from lightning_emorec.validated import confidence_of, restricted_model
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
    assert confidence_of(trained, "pitch") is None


def test_a_fusion_of_some_branches_is_solved_again_on_the_kept_logits(project: Project) -> None:
    trained = load_model(project.runs / "fused")
    clips = list(datamodule_of(yaml.safe_load(trained.config)["data"]).corpus.clips())[:8]
    expected = logits_of(trained, clips).logits["pitch"]
    assert restricted_model(trained, ["text", "audio"]) is trained
    assert trained.fusion is not None
    again = trained.fusion.restricted(list(trained.branches), trained.validation)
    found = again.fuse_parts(branch_logits(trained, clips))[again.rule_name].logits["pitch"]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    for name in trained.branches:
        alone = restricted_model(trained, [name])
        assert list(alone.branches) == list(alone.validation) == [name]
        found = logits_of(alone, clips).logits["pitch"]
        assert found.isfinite().all()
        torch.testing.assert_close(found.exp().sum(dim=1), torch.ones(len(clips)))
    known = ", ".join(trained.branches)
    with pytest.raises(EmorecError, match=f"expected branches among {known}; found face"):
        restricted_model(trained, ["face"])


@pytest.mark.parametrize("run", ["audio", "fused", "refitted", "again-refit"])
def test_confidence_is_founded_on_the_validation_actors(project: Project, run: str) -> None:
    trained = load_model(project.runs / run)
    found = confidence_of(trained, "pitch")
    assert found is not None
    assert (found.actors, len(found.scores)) == (2, 18)
    assert (np.diff(found.scores) >= 0).all()
    assert found.is_nominal(0.9)
    alone = confidence_of(trained, "pitch", [next(iter(trained.branches))])
    assert alone is not None
    if run != "fused":
        return
    fused = trained.fusion
    assert fused is not None
    out = fused.fitted.across_actors(fused.rule_name, trained.validation, trained.actors)
    right = found.probabilities(out.logits["pitch"].numpy())[range(18), out.labels["pitch"]]
    np.testing.assert_allclose(found.scores, np.sort(1 - right))


def test_one_validation_actor_founds_a_model_but_no_fusion(project: Project) -> None:
    for run, actors in (("audio", 1), ("fused", None)):
        trained = load_model(project.runs / run)
        clips = [clip for clip, actor in trained.actors.items() if actor == VAL_ACTORS[0]]
        parts = {name: part.select(clips) for name, part in trained.validation.items()}
        found = confidence_of(replace(trained, validation=parts), "pitch")
        assert (found and found.actors) == actors


@pytest.mark.parametrize("run", ["audio", "text", "fused", "refitted", "again", "again-refit"])
def test_a_tested_run_says_what_its_prediction_sets_hold(project: Project, run: str) -> None:
    found = project.metrics(run)["prediction_sets"]
    assert (found["asked"], found["validation_actors"], found["nominal"]) == (0.9, 2, True)
    assert found["actors"] == {"6": found["coverage"]}
    assert 1 <= found["mean_size"] <= 3
    assert "<h2>Prediction sets</h2>" in (project.runs / run / "report.html").read_text(encoding="utf8")
