"""Fits every config alone, with several seeds, and prints one row for each as a Markdown table.

    python benchmarks/branches.py configs/branch/egemaps_*.yaml --seeds 1 2 3 -- --data.split configs/split/dev.yaml

What is done is kept: the same command goes on where it stopped, and prints the table again when all is there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import yaml

from lightning_emorec.evaluation.results import wall_s

SCORES = {"accuracy": "accuracy", "uar": "UAR", "macro_f1": "macro-F1", "weighted_f1": "weighted F1"}
PARTS = {"train": "train", "test": "test"}

Metrics = dict[str, Any]


def main() -> None:
    """Fit what is not done yet, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="+", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmark"))
    own, further = sys.argv[1:], []
    if "--" in own:
        at = own.index("--")
        own, further = own[:at], own[at + 1 :]
    asked = parser.parse_args(own)
    rows = {path: [fit(path, seed, asked.runs, further) for seed in asked.seeds] for path in asked.configs}
    print(table({path.as_posix(): found for path, found in rows.items()}))


def fit(config: Path, seed: int, runs: Path, further: Sequence[str]) -> Metrics:
    """Fit one config with one seed, unless it is done, and read its metrics.json."""
    name = f"{yaml.safe_load(config.read_text(encoding='utf8'))['name']}-seed{seed}"
    if not (runs / name / "done").is_file():
        command = [sys.executable, "-m", "lightning_emorec", "fit", "--config", str(config), *further]
        options = {"seed_everything": seed, "name": name, "runs": runs, "score_training": "true"}
        subprocess.run([*command, *(f"--{key}={value}" for key, value in options.items())], check=True)
    metrics: Metrics = json.loads((runs / name / "metrics.json").read_text(encoding="utf8"))
    return metrics


def table(rows: dict[str, list[Metrics]]) -> str:
    """Scores in percent, mean and, over several seeds, standard deviation; seconds of the quickest fit."""
    heads = [f"{part}: {' / '.join(SCORES.values())}" for part in PARTS]
    lines = ["| config | " + " | ".join(heads) + " | parameters | seconds |", "|" + "---|" * (len(heads) + 3)]
    for name, found in rows.items():
        cells = [" / ".join(_spread(found, part, score) for score in SCORES) for part in PARTS]
        seconds = min(wall_s(metrics) for metrics in found)
        lines.append(f"| `{name}` | {' | '.join(cells)} | {found[0]['parameters']:,} | {seconds:.0f} |")
    return "\n".join(lines)


def _spread(found: Sequence[Metrics], part: str, score: str) -> str:
    values = [100 * next(iter(metrics[part].values()))[score] for metrics in found if part in metrics]
    if not values:
        return "–"
    return f"{fmean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
