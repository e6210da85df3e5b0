"""`check` on tables and recordings as people have them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from lightning_emorec.__main__ import main
from lightning_emorec.splits import supported
from lightning_emorec.types import Clip

RATE_HZ = 16000
EMOTIONS = ["angry", "happy", "sad"]

Row = dict[str, object]


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    """Six speakers, each of whom speaks two clips of each of three classes."""
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    draw, made = np.random.default_rng(0), []
    for speaker in range(6):
        for number in range(6):
            name = f"{speaker}_{number}.wav"
            soundfile.write(tmp_path / name, 0.1 * draw.standard_normal(RATE_HZ // 2), RATE_HZ)
            made.append({"path": name, "actor": f"s{speaker}", "emotion": EMOTIONS[number % 3]})
    return made


def check(folder: Path, rows: Sequence[Row], *more: str) -> tuple[int, dict[str, Any]]:
    """The exit status of `check`, and what is in its JSON."""
    table, out = folder / "table.csv", folder / "out.json"
    with table.open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    try:
        main(["check", str(table), "--json", str(out), *more])
        status = 0
    except SystemExit as ended:
        status = int(str(ended.code))
    return status, json.loads(out.read_text(encoding="utf8"))


def test_a_sound_corpus_is_told_on_80_columns(
    rows: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = check(tmp_path, rows)
    assert (status, found["clips"], found["speakers"], found["bad"], found["same"]) == (0, 36, 6, {}, [])
    assert found["classes"]["happy"] == {
        "clips": 12,
        "speakers": 6,
        "hours": pytest.approx(6 / 3600, abs=1e-6),
    }
    assert found["splits"] == {"folds": 6, "val_actors": None, "speakers": 6, "one_out": True}
    assert found["audio"]["found"] == {}
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert "36 clips · 6 speakers" in " ".join(printed.split())
    assert "leaving one speaker out: 6 folds; each speaker speaks each class" in printed


def test_all_that_is_odd_or_bad_is_told(
    rows: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = 0.1 * np.random.default_rng(1).standard_normal(RATE_HZ)
    soundfile.write(tmp_path / "0_0.wav", np.zeros(RATE_HZ), RATE_HZ)
    soundfile.write(tmp_path / "0_1.wav", noise[:800], RATE_HZ)
    soundfile.write(tmp_path / "0_2.wav", np.stack([noise, 0 * noise], axis=1), RATE_HZ)
    soundfile.write(tmp_path / "0_3.wav", np.clip(50 * noise, -1, 1), RATE_HZ)
    soundfile.write(tmp_path / "0_4.wav", np.tile(noise, 2), RATE_HZ)
    for number in range(25):
        (tmp_path / f"bad{number}.wav").write_text(f"no audio {number}")
        rows.append({"path": f"bad{number}.wav", "actor": "s1", "emotion": "sad"})
    (tmp_path / "twice.wav").write_bytes((tmp_path / "5_0.wav").read_bytes())
    rows.append({"path": "twice.wav", "actor": "s2", "emotion": "rare"})
    status, found = check(tmp_path, rows, "--max_s", "1.5")
    assert status == 3
    assert len(found["bad"]) == 25
    assert found["same"] == [["5_0.wav", "twice.wav"]]
    assert found["audio"]["found"] == {
        "longer than max_s, 1.5 s": 1,
        "silent": 1,
        "shorter than 0.1 s": 1,
        "1 of 2 channels, for the others are silent": 1,
        "clipped": 1,
    }
    warnings = "\n".join(found["warnings"])
    for told in (
        "5_0.wav and twice.wav; 1 with other speakers or labels",
        "fewer than 20 clips, whose figures are rough: angry (12), happy (12), rare (1)",
        "sad has 37 clips and rare 1: see --data.balance classes",
        "too few speakers to train, validate and test on, of rare (1)",
    ):
        assert told in warnings
    printed = " ".join(capsys.readouterr().out.split())
    assert "62 clips, 25 of which cannot be used:" in printed
    assert len(re.findall(r"bad\d+\.wav: ", printed)) == 20
    assert "and 5 more (all are in the file of --json)" in printed


def test_segments_and_other_columns_are_read(rows: list[Row], tmp_path: Path) -> None:
    made = [
        {"file": row["path"], "who": row["actor"], "mood": row["emotion"], "start": start, "end": start + 0.2}
        for row in rows
        for start in (0.0, 0.25)
    ]
    made[0]["end"] = 99
    status, found = check(tmp_path, made, "--label=mood", "--clip_column=file", "--actor_column=who")
    assert (status, found["clips"], [*found["bad"]]) == (3, 72, ["0_0.wav#0-99"])
    assert "0 to 99 s of" in found["bad"]["0_0.wav#0-99"]
    assert found["hours"] == pytest.approx(71 * 0.2 / 3600, abs=1e-6)


@pytest.mark.parametrize("whole", [False, True], ids=["corpus", "run"])
def test_a_config_is_read(
    whole: bool, rows: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check(tmp_path, rows)
    tasks = "{emotion: [angry, happy, sad]}"
    corpus = f"class_path: ManifestCorpus\ninit_args: {{path: {tmp_path / 'table.csv'}, tasks: {tasks}}}\n"
    (tmp_path / "corpus.yaml").write_text(corpus)
    (tmp_path / "run.yaml").write_text("data: {corpus: corpus.yaml, max_s: 0.4}\n")
    capsys.readouterr()
    main(["check", "--config", str(tmp_path / ("run.yaml" if whole else "corpus.yaml"))])
    assert ("longer than max_s, 0.4 s: 36" in " ".join(capsys.readouterr().out.split())) == whole


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ([], "one TABLE, or --config; found none"),
        (["no.csv"], "a table that can be read; found no file no.csv; set TABLE"),
        (["--config", "no.yaml"], "a config that can be read; found no.yaml: No such file"),
        (["one.csv"], "two or more classes in the column emotion; found sad in one.csv"),
        (["one.csv", "--label", "mood"], "expected the column mood; found the columns path, actor, emotion"),
        (["--config", "bad.yaml"], "the config of a corpus or of a run; found bad.yaml"),
    ],
)
def test_what_cannot_be_checked_is_told_in_one_line(
    args: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.csv").write_text("path,actor,emotion\na.wav,1,sad\n")
    (tmp_path / "bad.yaml").write_text("class_path: NoCorpus\n")
    with pytest.raises(SystemExit) as ended:
        main(["check", *args])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_the_folds_that_speakers_allow_have_each_class_in_each_part() -> None:
    def clips(speakers: int, rare: int) -> list[Clip]:
        return [
            Clip(f"{speaker}-{label}", f"s{speaker}", None, {"emotion": label})
            for speaker in range(speakers)
            for label in ("a", "b", "rare")
            if label != "rare" or speaker < rare
        ]

    assert supported(clips(20, 20), ["a", "b", "rare"]).folds == 10
    assert supported(clips(20, 4), ["a", "b", "rare"]).folds in (2, 3, 4)
    assert supported(clips(20, 2), ["a", "b", "rare"]).folds == 0
    assert not supported(clips(20, 4), ["a", "b", "rare"]).one_out
