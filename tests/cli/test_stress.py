from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_emorec import inference
from lightning_emorec.__main__ import main
from lightning_emorec.audio import default_cache_folder
from lightning_emorec.commands.stress import finished_run
from lightning_emorec.commands.stress.scoring import METRICS
from lightning_emorec.fusion import RULES
from lightning_emorec.metrics import score
from lightning_emorec.part_logits import PartLogits
from tests.cli.conftest import Project, make_project

SNRS = ["30", "20", "15", "10", "5", "0", "-5"]


def stress(project: Project, run: str, *args: str) -> dict[str, Any]:
    main(["stress", run, "--runs", str(project.runs), *args])
    content: dict[str, Any] = json.loads((project.runs / run / "stress" / "stress.json").read_text())
    return content


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tones: Path) -> Project:
    """A project whose `fused` has been trained, in its first state: to be copied."""
    made = make_project(tmp_path_factory.mktemp("trained"), tones)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOREC_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        made.run("fit", "--config", made.config("fused"))
    return made


@pytest.fixture
def fused(trained: Project, tmp_path: Path) -> Project:
    """A project of its own with the trained `fused` in it."""
    shutil.copytree(trained.folder, tmp_path / "project")
    return Project(tmp_path / "project")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The branches of each time that logits are computed."""
    calls: list[list[str]] = []

    def noted(*args: Any, names: list[str], **options: Any) -> dict[str, PartLogits]:
        calls.append(names)
        return inference.branch_logits(*args, names=names, **options)

    monkeypatch.setattr(finished_run, "branch_logits", noted)
    return calls


def branch_logits(project: Project, name: str, part: str) -> PartLogits:
    (folder,) = (project.runs / "branches").glob(f"{name}-*")
    return PartLogits.load(folder / "logits" / f"{part}.pt")


def test_a_fused_run_is_stressed_and_what_is_finished_is_kept(
    fused: Project, computed: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    found = stress(fused, "fused", "--conditions", "white,telephone,missing")
    printed = capsys.readouterr().out

    assert list(found["conditions"]) == ["white", "telephone", "missing"]
    white = found["conditions"]["white"]
    assert list(white) == SNRS
    metrics = fused.metrics("fused")
    for kind, clean in (("branches", found["clean"]["branches"]), ("rules", found["clean"]["rules"])):
        assert set(clean) == set(metrics[kind])
        for name, scores in clean.items():
            for metric in METRICS:
                assert scores[metric] == pytest.approx(metrics[kind][name]["test"]["pitch"][metric])
    assert all(of["branches"]["text"] == found["clean"]["branches"]["text"] for of in white.values())
    assert any(of["branches"]["audio"] != found["clean"]["branches"]["audio"] for of in white.values())
    assert "text reads given transcripts, which worse audio leaves as they are." in found["notes"]

    folder = fused.runs / "fused" / "stress"
    page = (folder / "stress.html").read_text(encoding="utf8")
    assert page.count("<svg") == 3
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/", "")
    with (folder / "stress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == (1 + 7 + 1) * (2 + len(RULES)) + 2 * (1 + len(RULES))
    places = [printed.index(words) for words in ("clean", "white", "30 dB SNR", "missing")]
    assert places == sorted(places)
    assert printed.rstrip().endswith("stress.html")

    assert [sorted(names) for names in computed[:2]] == [
        ["audio", "text"]
    ] * 2  # undegraded: judged part, validation
    assert computed[2:] == [["audio"]] * 8  # words that are given need not be read again
    computed.clear()
    assert stress(fused, "fused", "--conditions", "white,telephone,missing") == found
    assert computed == []


def test_an_interrupted_stress_goes_on_where_it_was(
    project: Project, computed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.run("fit", "--config", project.config("audio"))
    uninterrupted = stress(project, "audio", "--conditions=[white]")
    (kept,) = (project.runs / "audio" / "stress" / "kept").iterdir()
    for snr in SNRS[3:]:
        (kept / "white" / snr / "audio.pt").unlink()
    (kept / "white" / "20" / "audio.pt").write_bytes(b"half a fi")

    times = 0

    def killed(*args: Any, **options: Any) -> dict[str, PartLogits]:
        nonlocal times
        times += 1
        if times == 3:
            raise KeyboardInterrupt
        return inference.branch_logits(*args, **options)

    monkeypatch.setattr(finished_run, "branch_logits", killed)
    with pytest.raises(SystemExit) as stopped:
        stress(project, "audio", "--conditions=[white]")
    assert stopped.value.code == 130
    computed.clear()
    times = -100
    assert stress(project, "audio", "--conditions=[white]") == uninterrupted
    assert times == -100 + 3  # of five that were lacking, two were done before the interruption


def test_with_one_modality_missing_the_rules_are_solved_over_the_rest(fused: Project) -> None:
    missing = stress(fused, "fused", "--conditions", "missing")["conditions"]["missing"]
    assert list(missing) == ["audio", "text"]
    for modality, left in (("audio", "text"), ("text", "audio")):
        val, test = (branch_logits(fused, left, part) for part in ("val", "test"))
        assert list(missing[modality]["branches"]) == [left]
        for name, kind in RULES.items():
            rule = kind()
            rule.fit(val.logits["pitch"][None], val.labels["pitch"])
            expected = score(rule(test.logits["pitch"][None]), test.labels["pitch"])
            for metric in METRICS:
                assert missing[modality]["rules"][name][metric] == pytest.approx(expected[metric], abs=1e-6)
        assert missing[modality]["rules"]["average"] == missing[modality]["branches"][left]


def test_a_skipped_branch_is_left_out_of_every_rule(fused: Project) -> None:
    found = stress(fused, "fused", "--conditions", "quieter", "--skip", "text")
    assert list(found["clean"]["branches"]) == ["audio"]
    assert found["clean"]["rules"]["average"] == found["clean"]["branches"]["audio"]
    assert found["notes"] == ["text was skipped: every rule is solved again without it."]


def test_clean_logits_are_those_that_the_rules_were_solved_on(fused: Project) -> None:
    stress(fused, "fused", "--conditions", "missing")
    for part in ("val", "test"):
        (kept,) = (fused.runs / "fused" / "stress" / "kept").glob(f"*-{part}")
        for name in ("text", "audio"):
            ours, theirs = PartLogits.load(kept / "clean" / f"{name}.pt"), branch_logits(fused, name, part)
            assert ours.clip_ids == theirs.clip_ids
            torch.testing.assert_close(ours.logits["pitch"], theirs.logits["pitch"])


def test_features_are_computed_anew_and_do_not_reach_the_cache(project: Project) -> None:
    config = yaml.safe_load(Path(project.config("text")).read_text())
    config["model"] = {"class_path": "FunctionalsSvc", "init_args": {"functionals": "librosa"}}
    config["trainer"]["max_epochs"] = 0
    project.run("fit", "--config", project.write("numbers", {**config, "name": "numbers"}))
    (cached,) = (default_cache_folder() / "features").glob("librosa-*.sqlite")
    before = cached.read_bytes()
    found = stress(project, "numbers", "--conditions", "telephone")
    clean, telephone = (
        PartLogits.load(path)
        for path in sorted((project.runs / "numbers" / "stress" / "kept").rglob("numbers.pt"))
    )
    assert not torch.allclose(clean.logits["pitch"], telephone.logits["pitch"])
    assert found["rule"] is None
    assert found["conditions"]["telephone"]["8"]["rules"] == {}
    assert cached.read_bytes() == before
    assert not list((project.runs / "numbers" / "stress").rglob("*.sqlite"))


def test_a_run_that_was_not_tested_is_stressed_on_validation_clips(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.run("fit", "--config", project.config("audio"), "--test_after_fit", "false")
    assert stress(project, "audio", "--conditions", "telephone")["part"] == "val"
    assert refusal(["stress", "audio", "--part", "test", "--runs", str(project.runs)], capsys) == (
        f"error: expected a run that has been tested; found {project.runs / 'audio'}, which was not tested; "
        "set --part val"
    )


def refusal(args: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main(args)
    assert stopped.value.code == 2
    return capsys.readouterr().err.strip()


def test_mistakes_are_told_in_one_line(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = ["--runs", str(project.runs)]
    assert "finished run" in refusal(["stress", "nowhere", *runs], capsys)
    project.run("fit", "--config", project.config("text"))
    assert "found pink; correct --conditions" in refusal(
        ["stress", "text", "--conditions=pink", *runs], capsys
    )
    assert "found audio; correct --skip" in refusal(["stress", "text", "--skip=audio", *runs], capsys)
    assert "all of them skipped" in refusal(["stress", "text", "--skip=text", *runs], capsys)
