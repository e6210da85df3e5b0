from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from lightning_emorec.commands.crossval.jobs import Options
from lightning_emorec.commands.crossval.model_spec import ModelSpec
from lightning_emorec.commands.crossval.study import CrossvalPlan, make_plan
from lightning_emorec.errors import EmorecError

OPTIONS = Options(folding=3, inner=2, val_actors=2)


def plan(model: ModelSpec, runs: Path, options: Options = OPTIONS) -> CrossvalPlan:
    return make_plan(model, options, runs / "cv", runs)


def test_a_cell_is_one_fit_and_one_for_each_branch_and_inner_fold(model: ModelSpec, tmp_path: Path) -> None:
    cells = plan(model, tmp_path).jobs
    assert [cell.name for cell in cells] == ["seed3-fold0", "seed3-fold1", "seed3-fold2"]
    assert [step.label for step in cells[0].steps] == [
        "fit",
        *(f"{name} on inner fold {fold}" for name in ("sound", "words") for fold in range(2)),
    ]


def test_seeds_are_counted_from_the_config_s(model: ModelSpec, tmp_path: Path) -> None:
    cells = plan(model, tmp_path, replace(OPTIONS, seeds=2)).jobs
    assert [cell.seed for cell in cells] == [3, 3, 3, 4, 4, 4]
    assert {step.config["seed_everything"] for cell in cells[3:] for step in cell.steps} == {4}


def test_no_fit_learns_from_a_test_actor_of_its_outer_fold(model: ModelSpec, tmp_path: Path) -> None:
    for cell in plan(model, tmp_path).jobs:
        tested = {str(int(clip.actor)) for clip in cell.fold.parts.test}
        for step in cell.steps[1:]:
            actors = step.config["data"]["split"]["init_args"]
            assert not tested & {*actors["train"], *actors["val"], *actors["test"]}


def test_all_runs_have_folders_of_their_own(model: ModelSpec, tmp_path: Path) -> None:
    cells = plan(model, tmp_path, replace(OPTIONS, seeds=2)).jobs
    folders = [step.folder for cell in cells for step in cell.steps]
    assert len(set(folders)) == len(folders)


def test_the_plan_of_an_inner_fold_warns_of_weights_trained_on_the_corpus(
    model: ModelSpec, tmp_path: Path
) -> None:
    taught = deepcopy(model.branches["sound"])
    taught["data"]["corpus"] = {"class_path": "lightning_emorec.corpora.Ravdess"}
    taught["model"]["init_args"] = {"weights": "emotion2vec/emotion2vec_plus_base"}
    cell = plan(replace(model, branches={**model.branches, "sound": taught}), tmp_path).jobs[0]
    said = {name: [step.plan and step.plan.warnings for step in cell.inner[name]] for name in cell.inner}
    assert "was trained on Ravdess" in str(said["sound"])
    assert said["words"] == [[], []]


def test_with_refit_the_same_branches_choose_and_only_the_runs_are_others(
    model: ModelSpec, tmp_path: Path
) -> None:
    refitted = replace(model, config={**model.config, "refit": True})
    for with_, without in zip(plan(refitted, tmp_path).jobs, plan(model, tmp_path).jobs, strict=True):
        assert with_.stores == without.stores
        assert with_.inner == without.inner
        assert with_.run.folder != without.run.folder
        assert with_.fingerprint != without.fingerprint
        assert with_.run.config["refit"] is True


def test_a_dear_branch_has_no_inner_fits(model: ModelSpec, tmp_path: Path) -> None:
    cell = plan(model, tmp_path, replace(OPTIONS, single=["sound"])).jobs[0]
    assert list(cell.inner) == ["words"]


@pytest.mark.parametrize("options", [replace(OPTIONS, inner=0), replace(OPTIONS, single=["sound", "words"])])
def test_without_inner_fits_there_is_no_out_of_fold_fusion(
    options: Options, model: ModelSpec, tmp_path: Path
) -> None:
    made = plan(model, tmp_path, options)
    assert all(len(cell.steps) == 1 for cell in made.jobs)
    made.write()
    assert json.loads((made.folder / "plan.json").read_text())["inner"] == 0


def test_another_setting_in_the_same_folder_is_refused_by_name(model: ModelSpec, tmp_path: Path) -> None:
    plan(model, tmp_path).write()
    branch = {**model.branches["sound"], "trainer": {"max_epochs": 9}}
    branches = {**model.branches, "sound": branch}
    fusion = {"class_path": "FusionModule", "init_args": {"branches": branches, "rule": None}}
    changed = replace(model, branches=branches, config={**model.config, "model": fusion})
    with pytest.raises(
        EmorecError, match=r"found another model.init_args.branches.sound.trainer.max_epochs;"
    ):
        plan(changed, tmp_path).write()


def test_other_folds_in_the_same_folder_are_refused(model: ModelSpec, tmp_path: Path) -> None:
    plan(model, tmp_path).write()
    with pytest.raises(EmorecError, match="found another folds;"):
        plan(model, tmp_path, replace(OPTIONS, folding=4)).write()


def test_other_clips_in_the_same_folder_are_refused(model: ModelSpec, tmp_path: Path) -> None:
    plan(model, tmp_path).write()
    with pytest.raises(EmorecError, match="found other clips"):
        plan(replace(model, clips=model.clips[1:]), tmp_path).write()


def test_seeds_and_inner_folds_may_be_added_to_what_is_there(model: ModelSpec, tmp_path: Path) -> None:
    before = plan(model, tmp_path)
    before.write()
    after = plan(model, tmp_path, replace(OPTIONS, seeds=2, inner=3))
    after.write()
    assert [cell.run.folder for cell in after.jobs[:3]] == [cell.run.folder for cell in before.jobs]
    assert after.jobs[0].fingerprint != before.jobs[0].fingerprint  # its inner fits are others


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (replace(OPTIONS, seeds=0), "at least 1 seed"),
        (replace(OPTIONS, inner=1), "at least 2 inner folds, or 0"),
        (replace(OPTIONS, single=["smell"]), "found smell; set --single to some of them"),
    ],
)
def test_options_out_of_range_are_refused(
    options: Options, expected: str, model: ModelSpec, tmp_path: Path
) -> None:
    with pytest.raises(EmorecError, match=expected):
        plan(model, tmp_path, options)


def test_a_cross_validation_of_another_version_is_refused_and_left_as_it_is(
    model: ModelSpec, tmp_path: Path
) -> None:
    plan(model, tmp_path).write()
    file = tmp_path / "cv" / "plan.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "fingerprint": "of version 0.1.0"}))
    (tmp_path / "cv" / "version").unlink()  # which recorded none
    before = {path: path.read_bytes() for path in (tmp_path / "cv").rglob("*") if path.is_file()}
    with pytest.raises(
        EmorecError, match=r"found version .* where version 0\.1\.0 began it; choose another --name"
    ):
        plan(model, tmp_path).write()
    assert {path: path.read_bytes() for path in (tmp_path / "cv").rglob("*") if path.is_file()} == before
