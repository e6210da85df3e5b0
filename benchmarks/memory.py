"""Measures what a corpus of many clips costs: time and memory of set-up, of 200 training steps and of judging.

    python benchmarks/memory.py --clips 1000 10000 100000

Each corpus is a manifest of as many short, different WAV files as it has clips, made in `--folder` (about 0.8 GB for
100,000 clips, with what is decoded from them). Each row is two processes: the first finds nothing decoded, the second
everything. Needs Linux, which lets a process ask for its own peak of memory and begin a new one.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soundfile
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.types import STEP_OUTPUT

RATE_HZ = 16000
DURATION_S = 0.125
ACTORS = 20
CLASSES = ["neutral", "happy", "sad", "angry"]

EARLY_STEP = 20
"""From here on, whatever a step needs has been allocated once."""

STAGES = ("set-up", "steps", "judging")


@dataclass(frozen=True)
class Cost:
    """What one stage of one process took.

    Attributes:
        wall_s: Wall time.
        cpu_s: Time of all its threads on a core.
        peak_mb: Highest resident memory of the process during the stage.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


class Meter(Callback):
    """Measures the stages of a `fit`.

    Attributes:
        begun: Wall and CPU time at the command's start, which comes before this callback is made.
    """

    begun: ClassVar[tuple[float, float]]

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}
        self.rss_mb: dict[int, float] = {}
        self._wall, self._cpu = self.begun

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End of set-up."""
        self.lap("set-up")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: STEP_OUTPUT, batch: Any, batch_idx: int
    ) -> None:
        """Look at the memory early on and after the last step."""
        if batch_idx + 1 in (EARLY_STEP, trainer.num_training_batches):
            self.rss_mb[batch_idx + 1] = status_mb("VmRSS")
        if batch_idx + 1 == trainer.num_training_batches:
            self.lap("steps")

    def lap(self, stage: str) -> None:
        """Note what was spent since the last lap."""
        wall, cpu = now()
        self.costs[stage] = Cost(wall - self._wall, cpu - self._cpu, status_mb("VmHWM"))
        self._wall, self._cpu = wall, cpu
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew


def now() -> tuple[float, float]:
    """Wall time, and CPU time of this process, in seconds."""
    return time.monotonic(), sum(resource.getrusage(resource.RUSAGE_SELF)[:2])


def status_mb(field: str) -> float:
    """A field of this process's status that holds memory, e.g. `VmHWM`, its peak."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1]) / 1024


def main() -> None:
    """Make the corpora that are lacking, measure each, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", nargs="+", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=Path("data/memory"))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # this process is a measured one
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.measure)
        return
    rows = []
    for clips in asked.clips:
        folder = asked.folder / str(clips)
        config = make_corpus(folder, clips, asked.steps)
        for left in ("cache", "runs"):
            shutil.rmtree(folder / left, ignore_errors=True)
        rows.append((clips, [run_measured(config), run_measured(config)]))
        print(table(rows), flush=True)


def make_corpus(folder: Path, clips: int, steps: int) -> Path:
    """Write WAV files, a manifest and the config of a small `audio_cnn`; files that are there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    draw, time_s = np.random.default_rng(0), np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ
    with (folder / "manifest.csv").open("w", newline="", encoding="utf8") as file:
        table = csv.writer(file)
        table.writerow(["path", "actor", "emotion"])
        for clip in range(clips):
            label = clip % len(CLASSES)
            path = Path("audio") / f"{clip // 1000:03d}" / f"{clip:07d}.wav"
            if not (folder / path).is_file():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                tone = np.sin(2 * np.pi * (200 + 100 * label) * time_s)
                soundfile.write(folder / path, 0.3 * tone + 0.1 * draw.standard_normal(len(time_s)), RATE_HZ)
            table.writerow([path, clip // len(CLASSES) % ACTORS + 1, CLASSES[label]])
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(run_config(folder, steps), sort_keys=False), encoding="utf8")
    return config


def run_config(folder: Path, steps: int) -> dict[str, Any]:
    """One epoch of `steps` batches, then every validation and test clip is judged."""
    corpus = {"path": str(folder / "manifest.csv"), "tasks": {"emotion": CLASSES}}
    return {
        "name": "memory",
        "runs": str(folder / "runs"),
        "model": {"class_path": "AudioCnn", "init_args": {"width": 4, "stages": 2}},
        "data": {
            "corpus": {"class_path": "ManifestCorpus", "init_args": corpus},
            "split": {"class_path": "ActorLists", "init_args": {"test": [1, 2], "val": [3, 4]}},
            "batch_size": 8,
            "cache": str(folder / "cache"),
        },
        "trainer": {
            "accelerator": "cpu",
            "max_epochs": 1,
            "limit_train_batches": steps,
            "num_sanity_val_steps": 0,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "callbacks": [{"class_path": "__main__.Meter"}],
        },
    }


def run_measured(config: Path) -> dict[str, Any]:
    """Fit in a process of its own, and read what it measured."""
    command = [sys.executable, __file__, "--measure", str(config)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    found: dict[str, Any] = json.loads(config.with_name("costs.json").read_text(encoding="utf8"))
    return found


def measure(config: Path) -> None:
    """Fit in this process, and leave the costs beside the config."""
    from lightning_emorec.cli import run  # its imports are not what is measured

    Meter.begun = now()
    trainer = run(["fit", "--config", str(config)]).trainer
    meter = next(callback for callback in trainer.callbacks if isinstance(callback, Meter))
    meter.lap("judging")
    early, late = (meter.rss_mb[step] for step in sorted(meter.rss_mb))
    costs = {stage: asdict(cost) for stage, cost in meter.costs.items()}
    config.with_name("costs.json").write_text(
        json.dumps({"costs": costs, "growth_mb": late - early}), encoding="utf8"
    )


def table(rows: Sequence[tuple[int, Sequence[dict[str, Any]]]]) -> str:
    """A Markdown table of wall s / CPU s / peak MB, and how the peaks grow from the first row to the last."""
    heads = ["clips", "set-up, first", "set-up, again", "steps", "judging", "MB gained over the steps"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for clips, (first, again) in rows:
        costs = [first["costs"]["set-up"], *(again["costs"][stage] for stage in STAGES)]
        cells = [f"{cost['wall_s']:.1f} / {cost['cpu_s']:.1f} / {cost['peak_mb']:.0f}" for cost in costs]
        lines.append(f"| {clips:,} | {' | '.join(cells)} | {again['growth_mb']:+.1f} |")
    (least, small), (most, large) = rows[0], rows[-1]
    if most > least:
        slopes = [
            (large[1]["costs"][stage]["peak_mb"] - small[1]["costs"][stage]["peak_mb"])
            / (most - least)
            * 1000
            for stage in STAGES
        ]
        told = ", ".join(f"{stage} {slope:.2f}" for stage, slope in zip(STAGES, slopes, strict=True))
        lines.append(f"\nMB for each further 1,000 clips: {told}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
