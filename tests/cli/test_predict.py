"""`predict`: a trained model labels recordings from the command line and from Python."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import lightning_emorec
from lightning_emorec.__main__ import main, with_values
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.recognition.torch_model import TorchModel
from lightning_emorec.run_paths import logits_file
from tests.cli.conftest import Project, make_project
from tests.warm_start import COLD

TEST_ACTOR = "6"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tones: Path) -> Iterator[Project]:
    """A fused run, whose project is the working directory."""
    project = make_project(tmp_path_factory.mktemp("trained"), tones)
    project.run("fit", "--config", project.config("fused"), "--data.split.init_args.val", "[4, 5]")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.folder)
        yield project


@pytest.fixture(scope="module")
def rows(tones: Path) -> list[dict[str, str]]:
    """The rows of the test actor's clips."""
    with tones.open(newline="", encoding="utf8") as file:
        return [row for row in csv.DictReader(file) if row["actor"] == TEST_ACTOR]


@pytest.fixture
def listed(tmp_path: Path, tones: Path, rows: list[dict[str, str]]) -> str:
    """A table of the test actor's clips, with texts."""
    path = tmp_path / "list.csv"
    with path.open("w", newline="", encoding="utf8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "speaker", "text"])
        writer.writerows([tones.parent / row["path"], row["actor"], row["text"]] for row in rows)
    return str(path)


def predicted(capsys: pytest.CaptureFixture[str], *args: str) -> list[dict[str, object]]:
    capsys.readouterr()
    main(["predict", *args, "--format", "jsonl"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_logits_are_those_that_the_run_kept(
    trained: Project, tones: Path, rows: list[dict[str, str]]
) -> None:
    model = TorchModel(trained.runs / "fused", device="cpu")
    kept = PartLogits.load(logits_file(trained.runs / "fused", "test"))
    by_id = {row["path"]: row for row in rows}
    for place, clip in enumerate(kept.clip_ids):
        sound, _ = soundfile.read(tones.parent / clip, dtype="float32")
        stored = lightning_emorec.audio.as_stored(sound)
        found = model.judge([stored], [by_id[clip]["text"]]).logits["pitch"][0]
        np.testing.assert_allclose(found, kept.logits["pitch"][place], atol=1e-5)


def test_a_table_of_recordings_is_labelled(
    trained: Project, listed: str, rows: list[dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    found = predicted(capsys, "--list", listed, "--branches")
    kept = PartLogits.load(logits_file(trained.runs / "fused", "test"))
    classes = kept.logits["pitch"].argmax(dim=1).tolist()
    right = dict(zip(kept.clip_ids, [["low", "middle", "high"][index] for index in classes], strict=True))
    assert {Path(str(row["file"])).name: row["label"] for row in found} == right
    assert {row["speaker"] for row in found} == {TEST_ACTOR}
    assert [row["text"] for row in found] == [row["text"] for row in rows]
    assert all(set(row["branches"]) == {"text", "audio"} for row in found)  # type: ignore[call-overload]
    assert all(row["label"] in row["set"] for row in found)  # type: ignore[operator]


def test_without_a_text_the_fusion_does_without_the_branch_that_reads(
    trained: Project, tones: Path, rows: list[dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = predicted(capsys, str(tones.parent / rows[0]["path"]), "--branches")
    assert set(found["branches"]) == {"audio"}  # type: ignore[call-overload]
    assert found["text"] is None
    (with_text,) = predicted(capsys, str(tones.parent / rows[0]["path"]), "--branches", "--text", "oh")
    assert set(with_text["branches"]) == {"audio", "text"}  # type: ignore[call-overload]
    (without,) = predicted(capsys, str(tones.parent / rows[0]["path"]), "--text", "oh", "--no_text")
    assert without["probabilities"] == found["probabilities"]


def test_bad_recordings_are_named_at_the_end_and_the_others_labelled(
    trained: Project, tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "text.wav"
    bad.write_text("no audio")
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(bad), str(tones.parent / "1-low-0.wav"), str(tmp_path / "none.wav")])
    assert ended.value.code == 3
    out, err = capsys.readouterr()
    assert "1-low-0.wav" in out
    assert "text.wav" in err
    assert "2 of 3 recordings could not be labelled" in err


def test_a_repeated_call_does_what_is_missing_or_differs(
    trained: Project, tones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1-low-0", "1-low-1"):
        (tmp_path / f"{name}.wav").write_bytes((tones.parent / f"{name}.wav").read_bytes())
    judged: list[int] = []
    judge = TorchModel.judge
    monkeypatch.setattr(
        TorchModel, "judge", lambda self, waveforms, *rest: judged.append(1) or judge(self, waveforms, *rest)
    )
    out = tmp_path / "out.csv"
    main(["predict", str(tmp_path), "-o", str(out)])
    first = out.read_text()
    assert len(judged) == 2
    main(["predict", str(tmp_path), "-o", str(out)])
    assert (len(judged), out.read_text()) == (2, first)
    (tmp_path / "1-low-1.wav").write_bytes((tones.parent / "1-high-1.wav").read_bytes())
    main(["predict", str(tmp_path), "-o", str(out)])
    assert len(judged) == 3
    main(["predict", str(tmp_path), "-o", str(out), "--coverage", "0.5"])
    assert len(judged) == 5


def test_a_folder_gets_a_file_a_recording(trained: Project, tones: Path, tmp_path: Path) -> None:
    files = [str(tones.parent / f"1-{name}-0.wav") for name in ("low", "high")]
    main(["predict", *files, "-o", str(tmp_path / "out"), "-f", "srt"])
    assert sorted(path.name for path in (tmp_path / "out").glob("*.srt")) == ["1-high-0.srt", "1-low-0.srt"]
    main(["predict", *files, "-o", str(tmp_path / "all.jsonl"), "--top_k", "1", "--per", "file"])
    found = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [len(row["probabilities"]) for row in found] == [1, 1]


def test_embeddings_are_written(trained: Project, tones: Path, tmp_path: Path) -> None:
    main(["predict", str(tones.parent / "1-low-0.wav"), "--embeddings", str(tmp_path / "e.npz")])
    with np.load(tmp_path / "e.npz") as file:
        assert file["recording"].tolist() == [str(tones.parent / "1-low-0.wav")]
        assert file["audio"].shape[0] == 1


def test_a_dry_run_only_tells(trained: Project, tones: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["predict", str(tones.parent), "--dry_run"])
    out, err = capsys.readouterr()
    assert out == ""
    assert "54 recordings, 0.00 h; model fused@" in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["a.wav", "b.wav", "--text", "oh"], "one recording with --text"),
        (["a.wav", "-o", "x.doc"], "set --format"),
        (["a.wav", "b.wav", "-o", "x.srt"], "set --output to a folder"),
        (["a.wav", "--ckpt", "nothing"], "set --ckpt"),
    ],
)
def test_what_cannot_be_is_one_line(
    trained: Project, args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["predict", *args])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_two_processes_share_the_recordings(trained: Project, tones: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lightning_emorec", "predict", str(tones.parent)]
    together = tmp_path / "together.csv"
    started = [
        COLD(
            [*command, "-o", str(together)],
            env={**os.environ, "RANK": str(rank), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    assert [process.communicate()[1] and process.returncode for process in started] == [0, 0]
    main(["predict", str(tones.parent), "-o", str(tmp_path / "alone.csv")])
    assert together.read_text() == (tmp_path / "alone.csv").read_text()


def test_python_has_the_same_answer(
    trained: Project, tones: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tones.parent / "1-low-0.wav")
    (row,) = predicted(capsys, path)
    found = lightning_emorec.Recognizer.load("fused", device="cpu")
    (segment,) = found.predict(path)
    assert (segment.label, segment.file) == (row["label"], row["file"])
    sound, rate_hz = soundfile.read(path, dtype="float32")
    assert found.predict(sound, rate_hz)[0].probabilities == pytest.approx(segment.probabilities, abs=1e-4)


def test_a_switch_may_stand_alone() -> None:
    given = with_values(
        ["a", "--branches", "--no_text", "false", "--dry_run"], {"--branches", "--no_text", "--dry_run"}
    )
    assert given == ["a", "--branches", "true", "--no_text", "false", "--dry_run", "true"]
