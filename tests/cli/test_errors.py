"""Each mistake a user can make ends in one clear line and status 2."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lightning_emorec.__main__ import main
from lightning_emorec.errors import EmorecError
from tests.cli.conftest import Project


def error_of(project: Project, capsys: pytest.CaptureFixture[str], *args: str) -> str:
    with pytest.raises(SystemExit) as stop:
        project.run(*args)
    assert stop.value.code == 2
    return capsys.readouterr().err


def damaged(project: Project, tones: Path) -> tuple[Path, str]:
    folder = project.folder / "tones"
    shutil.copytree(tones.parent, folder)
    return folder, f"--data.corpus.init_args.path={folder / tones.name}"


def test_a_missing_audio_file(project: Project, tones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, knob = damaged(project, tones)
    (folder / "1-low-0.wav").unlink()
    said = error_of(project, capsys, "fit", "--config", project.config("audio"), knob)
    assert "1-low-0.wav" in said


def test_a_truncated_audio_file(project: Project, tones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, knob = damaged(project, tones)
    file = folder / "1-low-0.wav"
    file.write_bytes(file.read_bytes()[:100])
    said = error_of(project, capsys, "fit", "--config", project.config("audio"), knob)
    assert "1-low-0.wav" in said


def test_an_unknown_config_key(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    said = error_of(
        project, capsys, "fit", "--config", project.config("text"), "--model.init_args.learning_rate=1"
    )
    assert "learning_rate" in said


def test_an_argument_that_the_model_refuses(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    said = error_of(project, capsys, "fit", "--config", project.config("text"), "--model.init_args.lr=0")
    assert said.strip().splitlines()[-1] == "error: expected lr above 0; found 0.0; set model.init_args.lr"


def test_an_unknown_key_in_a_branch_is_told_before_anything_is_trained(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    knob = "--model.init_args.overrides.audio.model.init_args.learning_rate=1"
    said = error_of(project, capsys, "fit", "--config", project.config("fused"), knob)
    assert "learning_rate" in said
    assert not (project.runs / "branches").exists()


def test_an_override_of_an_unknown_branch(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    knob = "--model.init_args.overrides.video.model.init_args.lr=1"
    said = error_of(project, capsys, "fit", "--config", project.config("fused"), knob)
    assert "found 'video.model.init_args.lr'" in said


def test_an_actor_in_two_parts(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    said = error_of(
        project, capsys, "fit", "--config", project.config("text"), "--data.split.init_args.val=[5,6]"
    )
    assert "6" in said
    assert "val" in said
    assert "test" in said


def test_an_absent_validation_actor(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    said = error_of(
        project, capsys, "fit", "--config", project.config("text"), "--data.split.init_args.val=[42]"
    )
    assert "42" in said


def test_weights_that_cannot_be_had(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    knobs = ("--model.init_args.transcript=whisper", "--model.init_args.whisper=/no/such.pt")
    said = error_of(project, capsys, "fit", "--config", project.config("text"), *knobs)
    assert "/no/such.pt" in said


def test_a_branch_whose_weights_cannot_be_had_is_left_out_and_told(project: Project) -> None:
    own = "--model.init_args.overrides.text.model.init_args"
    project.run(
        "fit",
        "--config",
        project.config("fused"),
        "--model.init_args.missing_branch=skip",
        f"{own}.transcript=whisper",
        f"{own}.whisper=/no/such.pt",
    )
    metrics = project.metrics("fused")
    assert set(metrics["branches"]) == {"audio"}
    assert "/no/such.pt" in metrics["left_out"]["text"]
    assert "/no/such.pt" in (project.runs / "fused" / "report.html").read_text()


def test_a_checkpoint_of_other_classes_is_not_judged_by_these(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.run("fit", "--config", project.config("text"))
    best = str(project.runs / "text" / "checkpoints" / "best.ckpt")
    tasks = '--data.corpus.init_args.tasks={"pitch": ["up", "down"]}'
    said = error_of(project, capsys, "test", "--ckpt_path", best, tasks)
    assert "at least two of the model's classes of pitch" in said


def test_a_share_of_validation_actors_that_is_none(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    split = ("--data.split", "KFold", "--data.split.folds=3", "--data.split.fold=0")
    args = ("fit", "--config", project.config("text"), *split, "--data.split.val_actors=1.0")
    (line,) = [line for line in error_of(project, capsys, *args).splitlines() if "expected" in line]
    said = "expected at least 1 validation actor, or a share of the actors between 0 and 1; found"
    assert line == f"error: {said} 1.0; set data.split.init_args.val_actors"


def test_a_missing_checkpoint(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no file none.ckpt" in error_of(project, capsys, "test", "--ckpt_path", "none.ckpt")


def test_training_a_fusion_by_steps(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    said = error_of(project, capsys, "fit", "--config", project.config("fused"), "--trainer.max_epochs=3")
    assert "trainer.max_epochs 0" in said


def test_a_full_disk_is_told_in_one_line(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "runs/text/report.html")

    monkeypatch.setattr("lightning_emorec.cli.finish", full)
    said = error_of(project, capsys, "fit", "--config", project.config("text"))
    assert "free space" in said
    assert not (project.runs / "text" / "done").exists()


def test_no_verb_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["predict"])
    assert stop.value.code == 2


def test_an_error_survives_pickling() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(EmorecError("a", "b", "c")))
    assert (error.expected, error.found, error.fix) == ("a", "b", "c")
    assert str(error) == "expected a; found b; c"
