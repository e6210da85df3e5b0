"""Every sweep file, found by glob: `fit` takes each of its values and logs its metric."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import cast

import pytest
import yaml
from lightning.pytorch.cli import LightningArgumentParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from lightning_emorec.__main__ import main
from lightning_emorec.branches import build_branch
from lightning_emorec.cli import EmorecCLI
from lightning_emorec.commands.sweep.file import SweepFile, read_sweep
from lightning_emorec.commands.sweep.space import Value
from lightning_emorec.corpora import Ravdess
from lightning_emorec.datamodule import EmotionDataModule
from tests.conftest import CONFIGS, TONES_HZ
from tests.tiny_whisper import save_whisper

ROOT = CONFIGS.parent
SWEEPS = sorted((ROOT / "sweeps").glob("*.yaml"))

BRANCHES = yaml.safe_load((CONFIGS / "all_branches.yaml").read_text())["model"]["init_args"]["branches"]
IN_BRANCH = "--model.init_args.overrides.audio_cnn."
SMALL_CNN = {"model.init_args.width": 4, "model.init_args.stages": 1}
SMALL_FUSION = [
    *(f"--model.init_args.branches.{name}=skip" for name in BRANCHES if name != "audio_cnn"),
    *(f"{IN_BRANCH}{key}={value}" for key, value in {**SMALL_CNN, "trainer.max_epochs": 1}.items()),
]
SMALL_AUDIO = [*(f"--{key}={value}" for key, value in SMALL_CNN.items()), "--trainer.max_epochs=1"]
SMALL = {
    "fusion": SMALL_FUSION,
    "fusion_rules": SMALL_FUSION,
    "augmentation": SMALL_AUDIO,
    "audio_cnn": SMALL_AUDIO,
    "whisper_encoder": ["--model.init_args.whisper=tiny.pt", "--model.init_args.layers=null"],
}


@pytest.fixture(autouse=True)
def _at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # as the paths in a command are


def corners(sweep: SweepFile) -> list[dict[str, Value]]:
    """Few settings in which every value of a list and both ends of every range occur."""
    ends: dict[str, list[Value]] = {}
    for name, of in sweep.space.items():
        if isinstance(of, CategoricalDistribution):
            ends[name] = list(of.choices)
        else:
            span = cast("FloatDistribution | IntDistribution", of)
            ends[name] = [span.low, span.high]
    most = max(len(values) for values in ends.values())
    return [{name: values[turn % len(values)] for name, values in ends.items()} for turn in range(most)]


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_value_is_taken(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = read_sweep(path)
    resolved = tmp_path / "resolved.yaml"
    for values in corners(sweep):
        with pytest.raises(SystemExit) as stop:
            main(["fit", *sweep.arguments(values), "--resolve_to", str(resolved)])
        assert stop.value.code == 0, capsys.readouterr().err
        config = yaml.safe_load(resolved.read_text(encoding="utf8"))
        if "branches" not in config["model"]["init_args"]:
            build_branch(config["model"], Ravdess("").tasks)  # its constructor checks the ranges
        parser = LightningArgumentParser(exit_on_error=False)
        parser.add_lightning_class_args(EmotionDataModule, "data")
        parser.instantiate(parser.parse_object({"data": config["data"]}))


def test_a_parameter_that_fit_does_not_know_is_found() -> None:
    sweep = read_sweep(ROOT / "sweeps" / "audio_cnn.yaml")
    with pytest.raises(SystemExit) as stop:
        main(["fit", *sweep.arguments({"model.init_args.depth": 3})])
    assert stop.value.code == 2


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_its_metric_is_logged(path: Path, tones: Path, tmp_path: Path) -> None:
    sweep = read_sweep(path)
    given = [of.replace("tiny.pt", str(tmp_path / "tiny.pt")) for of in SMALL[path.stem]]
    if path.stem == "whisper_encoder":
        save_whisper(tmp_path / "tiny.pt")
    corpus = {"path": str(as_emotions(tones)), "tasks": {"emotion": list(TONES_HZ)}, "text_column": "text"}
    cli = main(
        [
            "fit",
            *sweep.arguments(corners(sweep)[0]),
            *given,
            f"--data.corpus={yaml.safe_dump({'class_path': 'ManifestCorpus', 'init_args': corpus})}",
            "--data.split={class_path: ActorLists, init_args: {test: [6], val: [4, 5]}}",
            *("--trainer.logger=null", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
            *("--name", path.stem, "--runs", str(tones.parent / "sweep_runs")),  # one branch for both fusions
        ]
    )
    assert isinstance(cli, EmorecCLI)
    assert sweep.metric in cli.trainer.callback_metrics
    with (cli.plan.folder / "metrics.csv").open(newline="", encoding="utf8") as lines:
        assert [row for row in csv.DictReader(lines) if row.get(sweep.metric)]


def as_emotions(tones: Path) -> Path:
    """The manifest of tones, with a task of the name that the metrics have."""
    made = tones.with_name("emotions.csv")
    made.write_text(tones.read_text(encoding="utf8").replace("pitch", "emotion", 1), encoding="utf8")
    return made
