"""A fusion with `adapt: speaker`, from its training to its use, over tones with a hum that is the speaker's."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

from lightning_emorec.__main__ import main
from lightning_emorec.checkpoint_file import VALIDATION, read_checkpoint
from lightning_emorec.inference import load_model
from lightning_emorec.run_paths import best_checkpoint
from lightning_emorec.validated import adaptation_of
from tests.cli.conftest import Project, make_project
from tests.tiny_whisper import save_whisper

TEST_ACTOR = "6"


def make_adapted(folder: Path, tones: Path, whisper: Path) -> Project:
    """`states`, adapted in its rows, and `text`, adapted in its logits, under a fusion."""
    project = make_project(folder, tones)
    config = yaml.safe_load(Path(project.config("text")).read_text(encoding="utf8"))
    trainer = {**config["trainer"], "max_epochs": 0}
    init_args = {"whisper": str(whisper), "views": 1}
    states = {"class_path": "WhisperStatistics", "init_args": init_args}
    project.write("states", {**config, "name": "states", "model": states, "trainer": trainer})
    branches = {"states": "states.yaml", "text": "text.yaml"}
    fused = {"class_path": "FusionModule", "init_args": {"branches": branches, "adapt": "speaker"}}
    data = {
        **config["data"],
        "split": {"class_path": "ActorLists", "init_args": {"test": [6], "val": [4, 5]}},
    }
    project.write(
        "adapted", {"name": "adapted", "refit": True, "model": fused, "data": data, "trainer": trainer}
    )
    return project


def relabelled(tones: Path, folder: Path) -> Path:
    """The manifest with other labels of the test actor's clips, beside links to the same sounds."""
    folder.mkdir()
    for sound in tones.parent.glob("*.wav"):
        (folder / sound.name).symlink_to(sound)
    with tones.open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    turned = {"low": "high", "middle": "low", "high": "middle"}
    rows = [row | ({"pitch": turned[row["pitch"]]} if row["actor"] == TEST_ACTOR else {}) for row in rows]
    with (folder / tones.name).open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / tones.name


@pytest.fixture(scope="module")
def hums(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of tones, to which each actor adds a hum."""
    folder = tmp_path_factory.mktemp("hums")
    with tones.open(newline="", encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        sound, rate_hz = soundfile.read(tones.parent / row["path"])
        turns = np.arange(len(sound)) / rate_hz * 600 * int(row["actor"])
        soundfile.write(folder / row["path"], sound + 0.2 * np.sin(2 * np.pi * turns), rate_hz)
    (folder / tones.name).write_text(tones.read_text(encoding="utf8"), encoding="utf8")
    return folder / tones.name


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_whisper(tmp_path_factory.mktemp("whisper") / "tiny.pt")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, hums: Path, whisper: Path) -> Iterator[Project]:
    project = make_adapted(tmp_path_factory.mktemp("adapted"), hums, whisper)
    project.run("fit", "--config", project.config("adapted"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.folder)
        yield project


@pytest.fixture
def listed(tmp_path: Path, hums: Path) -> str:
    """A table of the test actor's clips, and of two of nobody's."""
    with hums.open(newline="", encoding="utf8") as file:
        rows = [row for row in csv.DictReader(file) if row["actor"] == TEST_ACTOR]
    lines = [{"path": str(hums.parent / row["path"]), "speaker": "ann", "text": row["text"]} for row in rows]
    lines += [{**lines[0], "speaker": "unknown"}, {**lines[1], "speaker": ""}]
    path = tmp_path / "list.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf8")
    return str(path)


def predicted(capsys: pytest.CaptureFixture[str], *args: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    main(["predict", *args, "--format", "jsonl"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_run_reports_its_learning_curve_and_marks_it(trained: Project) -> None:
    found = trained.metrics("adapted")["adaptation"]
    assert found["transductive"] is True
    assert [row["clips"] for row in found["rows"] if row["kind"] == "others"] == [1, 2, 4, 8, 16, None]
    assert set(found["rows"][1]["branches"]) == {"states", "text"}
    report = (trained.runs / "adapted" / "report.html").read_text(encoding="utf8")
    assert "Adapted to the speaker (transductive)" in report
    states = next((trained.runs / "branches").glob("states-*/metrics.json"))
    assert "test" not in json.loads(states.read_text())


def test_a_test_of_the_checkpoint_reports_what_the_run_did(trained: Project) -> None:
    best = str(best_checkpoint(trained.runs / "adapted"))
    again = trained.run("test", "--ckpt_path", best, "--name=again")
    run, tested = (trained.metrics(name) for name in ("adapted", again.plan.folder.name))
    assert tested["adaptation"] == run["adaptation"]
    assert tested["prediction_sets"] == run["prediction_sets"]


def test_a_loaded_checkpoint_adapts_as_the_run_did(trained: Project) -> None:
    adaptation = adaptation_of(load_model(trained.runs / "adapted"))
    assert adaptation is not None
    assert adaptation.grid == [1, 2, 4, 8]
    assert adaptation.parts["states"].speakers.keys() == {"pitch"}
    assert adaptation.parts["text"].speakers == {}
    mode = adaptation.mode(8)
    assert mode is not None
    assert mode.confidence("pitch") is not None
    read_checkpoint(best_checkpoint(trained.runs / "adapted"))  # plain tensors and numbers only


def test_a_table_with_speakers_is_labelled_by_adapted_models(
    trained: Project, listed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("--list", listed, "--ckpt", "adapted", "--runs", str(trained.runs), "--branches")
    plain, adapted = predicted(capsys, *args), predicted(capsys, *args, "--adapt", "speaker")
    for before, after in zip(plain, adapted, strict=True):
        if after["speaker"] == "ann":
            assert "adapted by 8 other clips of the speaker" in after["notes"]
            assert after["certain"] is not None
            assert after["branches"]["states"] != before["branches"]["states"]
        else:
            assert after == before


def test_a_dry_run_says_what_would_be_adapted(
    trained: Project, listed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("--list", listed, "--ckpt", "adapted", "--runs", str(trained.runs), "--adapt", "speaker")
    main(["predict", *args, "--dry_run"])
    out, err = capsys.readouterr()
    assert out == ""
    assert "--adapt speaker: 9 recordings of 1 speakers are adapted, in two passes; 0 are" in err
    assert "2 name no speaker" in err
    assert "11 recordings" in err


def test_a_model_that_is_not_adapted_and_an_export_are_refused(
    trained: Project, listed: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = next((trained.runs / "branches").glob("text-*"))
    for args in (
        ("predict", "--list", listed, "--ckpt", str(text), "--adapt", "speaker"),
        ("export", str(trained.runs / "adapted"), str(tmp_path / "export"), "--adapt", "speaker"),
    ):
        with pytest.raises(SystemExit):
            main(list(args))
        (line,) = capsys.readouterr().err.splitlines()[-1:]
        assert "adapt" in line


def test_planted_labels_of_a_test_actor_reach_neither_solution_nor_rule_nor_refit(
    trained: Project, hums: Path, whisper: Path, tmp_path: Path
) -> None:
    project = make_adapted(tmp_path, relabelled(hums, tmp_path / "planted"), whisper)
    project.run("fit", "--config", project.config("adapted"))
    honest, planted = (read_checkpoint(best_checkpoint(of.runs / "adapted")) for of in (trained, project))
    assert trained.metrics("adapted")["test"] != project.metrics("adapted")["test"]
    assert honest["state_dict"].keys() == planted["state_dict"].keys()
    for key, value in honest["state_dict"].items():
        _assert_same(planted["state_dict"][key], value)
    _assert_same(planted[VALIDATION], honest[VALIDATION])


def _assert_same(one: Any, two: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two)
    elif isinstance(one, dict):
        assert one.keys() == two.keys()
        for key, value in one.items():
            if key != "content":  # a hash of the clips' paths and labels
                _assert_same(value, two[key])
    else:
        assert one == two
