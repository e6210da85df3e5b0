"""Shows that a change to the package leaves its results as they were: keeps what two versions compute, and compares.

    python benchmarks/regression.py keep /tmp/before --package ../unchanged
    python benchmarks/regression.py keep /tmp/after
    python benchmarks/regression.py compare /tmp/before /tmp/after

`keep` runs the demo, a refit of a joint model, `compare`, `stress` and a cross-validation on generated voices, on one
thread and with a cache of its own, and hashes the initial weights of every branch. `compare` prints each difference
and then exits with status 1. Logits and tables must agree bit for bit, figures in JSON files after rounding. Run both
versions on one machine: another processor may round otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import math
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve()

CPU = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
VOICES = ["--data.corpus.init_args.actors", "18", "--data.corpus.init_args.repetitions", "1"]
SHORT = "--model.init_args.overrides.{}.trainer.max_epochs"
JOINT = {
    "audio": {"class_path": "AudioCnn", "init_args": {"width": 4, "stages": 2}},
    "text": {"class_path": "TranscriptGru", "init_args": {"transcript": "reference", "hidden": 8}},
}
SMALL: dict[str, dict[str, Any]] = {
    "AudioCnn": {"width": 4, "stages": 2, "mels": 32, "adversary": 0.1},
    "DescriptorsCnn": {"width": 8, "blocks": 2},
    "DescriptorsLstm": {"hidden": 8, "layers": 1},
    "FunctionalsMlp": {"hidden": 8, "layers": 1},
    "Joint": {"size": 8, "hidden": 8, "encoders": JOINT},
    "PublishedCnn": {"larger": True},
    "SpeechEncoder": {"width": 8},
    "TextTransformer": {"hidden": 8},
    "TranscriptGru": {"hidden": 8, "embedding_size": 8, "layers": 2},
    "WhisperEncoder": {"width": 8},
    "WhisperTuned": {"width": 8},
}
"""Arguments of the second of each branch whose initial weights are kept; the first has the defaults."""

RENAMED: dict[str, str] = {}
"""Old key in a JSON file -> new key."""
ADDED = {"version", "run_plan.json"}
"""Names of files that earlier versions did not write."""
LEFT_OUT = {"seconds", "versions", "fingerprint", "folder", "run", "warnings", "notes", "title", "titles"}
"""Keys in JSON files whose values are times, versions, places or sentences."""

DECIMALS = 6
PERMUTATIONS = 9_999
MOST_EXACT = 13
"""Actors up to which every pattern of signs is tried, so that p is exact."""

FINGERPRINT = re.compile(r"-?\b[0-9a-f]{16}(-[0-9a-f]{8})?$|^[0-9a-f]{12}(?=-(val|test)$)")


def keep(folder: Path, package: Path) -> None:
    """Run every command in `folder`, which must not be there yet."""
    folder.mkdir(parents=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(package),
        "OMP_NUM_THREADS": "1",
        "EMOREC_CACHE": str(folder.resolve() / "cache"),
        "COLUMNS": "200",
    }
    steps = {name: ["-m", "lightning_emorec", *command] for name, command in commands(package).items()}
    for name, command in {"weights": [str(HERE), "weights", "weights.json"], **steps}.items():
        started = time.monotonic()
        with (folder / f"{name}.txt").open("w") as out, (folder / f"{name}.log").open("w") as log:
            subprocess.run(
                [sys.executable, *command], cwd=folder, env=environment, stdout=out, stderr=log, check=True
            )
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def commands(package: Path) -> dict[str, list[str]]:
    """Name -> command line."""
    configs = package / "configs"
    demo = ["--config", str(configs / "demo.yaml")]
    joint = ["--config", str(configs / "branch" / "joint.yaml"), "--trainer.max_epochs", "2"]
    joint += ["--data.corpus", str(configs / "corpus" / "synthetic.yaml"), *VOICES, "--refit", "true"]
    joint += ["--data.split", "{class_path: KFold, init_args: {folds: 6, fold: 1, val_actors: 3}}"]
    joint += ["--model.init_args.encoders", json.dumps(JOINT)]
    crossval = ["--folds", "3", "--inner", "2", "--val_actors", "3", "--name", "demo-crossval", "--", *CPU]
    crossval += [*VOICES, SHORT.format("audio_cnn"), "2", SHORT.format("transcript_gru"), "3"]
    return {
        "demo": ["fit", *demo, *CPU],
        "weighted": ["fit", *demo, *CPU, "--name", "weighted", "--model.init_args.rule", "Weighted"],
        "compare": ["compare", "demo", "weighted"],
        "stress": ["stress", "demo", "--conditions", "[white,clipping,missing]"],
        "joint": ["fit", *joint, *CPU],
        "crossval": ["crossval", *demo, *crossval],
    }


def initial_weights() -> dict[str, Any]:
    """Branch -> arguments -> its parameters in their order, and a hash of every tensor in its state."""
    from lightning.pytorch import seed_everything

    from lightning_emorec import branches
    from lightning_emorec.augment import draw_seed

    tasks = {"emotion": ["calm", "happy", "sad"], "sex": ["female", "male"]}
    found: dict[str, Any] = {}
    for name in sorted(branches.__all__):
        branch = getattr(branches, name)
        if not inspect.isclass(branch) or inspect.isabstract(branch) or not hasattr(branch, "training_step"):
            continue
        for size, given in {"default": {}, "small": SMALL.get(name, {})}.items():
            arguments = {"encoders": JOINT, **given} if name == "Joint" else given
            # As the command line seeds a `fit`; the class paths are those of version 0.1.0.
            seed = draw_seed(1, 0, f"lightning_emorec.branches.{name}") % 2**32
            seed_everything(seed, workers=True, verbose=False)
            model = branch(tasks=tasks, **arguments)
            model.configure_model()
            state = {key: value for key, value in model.state_dict().items() if torch.is_tensor(value)}
            found.setdefault(name, {})[size] = {
                "order": [key for key, _ in model.named_parameters()],
                "sha256": {key: _sha256(value) for key, value in state.items()},
            }
    return found


def _sha256(tensor: torch.Tensor) -> str:
    told = f"{tensor.dtype} {tuple(tensor.shape)} ".encode()
    return hashlib.sha256(told + tensor.contiguous().numpy().tobytes()).hexdigest()


def compare(before: Path, after: Path) -> list[str]:
    """All differences between two folders, a line each."""
    old, new = results(before), results(after)
    lines = [f"{path}: only before" for path in sorted(old.keys() - new.keys())]
    lines += [f"{path}: only after" for path in sorted(new.keys() - old.keys())]
    for path in sorted(old.keys() & new.keys()):
        lines += [f"{path}: {line}" for line in differences(old[path], new[path])]
    return lines


def results(folder: Path) -> dict[str, Path]:
    """Label -> file; in a label, what a folder's logits are of stands for its fingerprint.

    A number is put to the labels of folders that cannot be told apart so.
    """
    found: dict[str, Path] = {}
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        parts = file.relative_to(folder).parts
        if parts[0] in ("cache", "data") or file.name in ADDED:
            continue
        label = "/".join(_label(folder.joinpath(*parts[: at + 1])) for at in range(len(parts)))
        if label in found:
            label += f" ({sum(of.startswith(label) for of in found) + 1})"
        found[label] = file
    return found


def _label(path: Path) -> str:
    stripped = FINGERPRINT.sub("", path.name)
    if stripped == path.name or not path.is_dir() or not (path / "logits").is_dir():
        return stripped
    clips = {file.name: _load(file)["clip_ids"] for file in sorted((path / "logits").glob("*.pt"))}
    return f"{stripped}~{hashlib.sha256(json.dumps(clips).encode()).hexdigest()[:6]}"


def differences(old: Path, new: Path) -> Iterator[str]:
    """How one file differs from another; nothing for kinds of files that are not compared."""
    if old.suffix == ".pt":
        yield from _compare_logits(_load(old), _load(new))
    elif old.suffix == ".csv":
        if old.read_bytes() != new.read_bytes():
            rows = zip(old.read_text().splitlines(), new.read_text().splitlines(), strict=False)
            apart = next((number for number, (a, b) in enumerate(rows, 1) if a != b), "the last")
            yield f"differs from line {apart} on"
    elif old.suffix == ".json":
        yield from _compare_figures(
            figures(json.loads(old.read_text())), figures(json.loads(new.read_text()))
        )
    elif old.name == "compare.txt":  # the verb leaves no JSON
        numbers = [Counter(re.findall(r"-?\d+(?:\.\d+)?", file.read_text())) for file in (old, new)]
        if numbers[0] != numbers[1]:
            gone, come = numbers[0] - numbers[1], numbers[1] - numbers[0]
            yield f"numbers {sorted(gone.elements())} became {sorted(come.elements())}"


def _load(file: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(file, weights_only=True)
    return state


def _compare_logits(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old["clip_ids"] != new["clip_ids"]:
        yield "other clips"
    for kind in ("logits", "labels"):
        for task in sorted(old[kind].keys() | new[kind].keys()):
            both = [side[kind].get(task) for side in (old, new)]
            if any(of is None for of in both) or _sha256(both[0]) != _sha256(both[1]):
                yield f"{kind} of {task} differ"


def figures(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Path of keys -> value, under the new names of keys; without what `LEFT_OUT` names."""
    inner = dict(enumerate(value)) if isinstance(value, list) else value
    if not isinstance(inner, dict) or not inner:
        return {path: value}
    found: dict[tuple[str, ...], Any] = {}
    for key, of in inner.items():
        if key not in LEFT_OUT:
            found |= figures(of, (*path, RENAMED.get(str(key), str(key))))
    return found


def _compare_figures(old: dict[tuple[str, ...], Any], new: dict[tuple[str, ...], Any]) -> Iterator[str]:
    for path in sorted(old.keys() | new.keys()):
        name = ".".join(path)
        if path not in old or path not in new:
            yield f"{name} only {'before' if path in old else 'after'}"
        elif not _equal(old[path], new[path], _tolerance(path, old)):
            yield f"{name} was {old[path]}, is {new[path]}"


def _equal(old: Any, new: Any, tolerance: float) -> bool:
    if isinstance(old, float) or isinstance(new, float):
        numbers = all(isinstance(of, int | float) for of in (old, new))
        return numbers and abs(round(old, DECIMALS) - round(new, DECIMALS)) <= tolerance
    return bool(old == new)


def _tolerance(path: tuple[str, ...], values: Mapping[tuple[str, ...], Any]) -> float:
    """Three deviations of the difference of two p-values, where they are of drawn permutations; else 0."""
    *pair, test, kind = ("", *path)
    if not test.startswith("actor_") or kind not in ("raw", "holm"):
        return 0.0
    family, of = pair[1:-1], tuple(pair[1:])
    if values.get((*of, "actors"), 0) <= MOST_EXACT:
        return 0.0
    # Holm's correction multiplies a p by at most the number of pairs, and its variance by at most that times p.
    pairs = sum(
        other[:-2] == (*family, other[-3]) and other[-2:] == (test, kind)
        for other in values
        if len(other) > 2
    )
    p = max(values[path], 1 / PERMUTATIONS)
    variance = p * (1 - p) if kind == "raw" else pairs * p
    return 3 * math.sqrt(2 * max(variance, 1 / PERMUTATIONS**2) / PERMUTATIONS)


def main() -> None:
    """Keep results, or compare those kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    keeping = verbs.add_parser("keep", help="compute everything with one version of the package")
    keeping.add_argument("folder", type=Path, help="to be made")
    keeping.add_argument(
        "--package", type=Path, default=HERE.parents[1], help="a checkout; this one by default"
    )
    comparing = verbs.add_parser("compare", help="print the differences between two folders")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    verbs.add_parser("weights").add_argument("file", type=Path)  # what `keep` starts
    asked = parser.parse_args()
    if asked.verb == "keep":
        keep(asked.folder, asked.package.resolve())
    elif asked.verb == "weights":
        asked.file.write_text(json.dumps(initial_weights(), indent=1))
    elif found := compare(asked.before, asked.after):
        print("\n".join(found))
        raise SystemExit(1)
    else:
        print(f"{len(results(asked.before))} files agree")


if __name__ == "__main__":
    main()
