r"""Measures how the cost of a clip grows with the number of clips: from listing a corpus to report and `predict`.

    python benchmarks/growth.py --clips 300 1200 12000 100000
    python benchmarks/growth.py --clips 300 1200 10000 --stages predict

Each size is measured in a process of its own, on a manifest of clips of 0.2 s with one actor for each 100 clips (12 at
least, so 1,000 of 100,000). Sizes above `--audio` have no files: their stages that read audio are left out. A figure
is CPU ms a clip / MB that the stage adds at its peak; `x` behind it is the cost of a clip over that of the size before.
A training epoch is 50 batches. Evaluation and report are of two branches and a rule with all clips as test clips.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

RATE_HZ, DURATION_S = 8000, 0.2
CLASSES = ["neutral", "happy", "sad", "angry"]
TASKS = {"emotion": CLASSES}
STAGES = ("list", "split", "decode", "fingerprint", "features", "epoch", "evaluate", "report", "predict")
OF_AUDIO = ("decode", "fingerprint", "features", "epoch", "predict")
BATCHES = 50

Stage = Callable[[], int]
"""Does its work, and gives the number of clips that it did it for."""


def main() -> None:
    """Measure each size, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", nargs="+", type=int, default=[300, 1_200, 12_000, 100_000])
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, metavar="STAGE")
    parser.add_argument("--audio", type=int, default=12_000, help="the largest size that has files")
    parser.add_argument("-o", "--output", type=Path, help="a JSON file of all figures")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # this process is a measured one
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.measure, asked.clips[0], asked.stages)
        return
    found: dict[int, dict[str, list[float]]] = {}
    for clips in asked.clips:
        with tempfile.TemporaryDirectory() as folder:
            stages = [one for one in asked.stages if clips <= asked.audio or one not in OF_AUDIO]
            write_corpus(Path(folder), clips, audio=clips <= asked.audio)
            command = [
                sys.executable,
                __file__,
                "--measure",
                folder,
                "--clips",
                str(clips),
                "--stages",
                *stages,
            ]
            environment = {"OMP_NUM_THREADS": "1", **os.environ}
            subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
            found[clips] = json.loads((Path(folder) / "costs.json").read_text(encoding="utf8"))
        print(table(found), flush=True)
    if asked.output:
        asked.output.write_text(json.dumps(found, indent=1), encoding="utf8")


def write_corpus(folder: Path, clips: int, audio: bool) -> None:
    """Write a manifest, and if asked for a file of noise for each clip."""
    header, silence = BytesIO(), bytes(2 * round(DURATION_S * RATE_HZ))
    with wave.open(header, "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", "not compressed"))
        file.writeframes(silence)
    start, draw = header.getvalue()[: -len(silence)], np.random.default_rng(0)
    actors = min(1000, max(12, clips // 100))
    with (folder / "manifest.csv").open("w", newline="", encoding="utf8") as manifest:
        rows = csv.writer(manifest)
        rows.writerow(["path", "actor", "emotion"])
        for clip in range(clips):
            path = folder / "audio" / f"{clip // 1000:03d}" / f"{clip:07d}.wav"
            if audio:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(start + draw.bytes(len(silence)))
            rows.writerow([path.relative_to(folder), clip // len(CLASSES) % actors + 1, CLASSES[clip % 4]])


def measure(folder: Path, clips: int, stages: Sequence[str]) -> None:
    """Run the stages in turn in this process, and leave stage -> [CPU ms a clip, MB]."""
    from memory import status_mb

    costs = {}
    for name, stage in stages_of(folder, clips):
        if name not in stages:
            continue
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
        before_mb, begun = status_mb("VmRSS"), time.process_time()
        done = stage()
        costs[name] = [1000 * (time.process_time() - begun) / done, status_mb("VmHWM") - before_mb]
    (folder / "costs.json").write_text(json.dumps(costs), encoding="utf8")


def stages_of(folder: Path, count: int) -> Iterator[tuple[str, Stage]]:
    """The stages in order; what they import is imported here."""
    from lightning_emorec.corpora import ManifestCorpus
    from lightning_emorec.datamodule import EmotionDataModule
    from lightning_emorec.dataset import content_of
    from lightning_emorec.features import FeatureCache, FeatureReader, LazyValues
    from lightning_emorec.runs.leakage import refuse_shared_recordings
    from lightning_emorec.splits import KFold

    data = EmotionDataModule(
        ManifestCorpus(str(folder / "manifest.csv"), TASKS),  # type: ignore[arg-type]
        KFold(5, 0),
        batch_size=16,
        cache=str(folder / "cache"),
    )

    def listing() -> int:
        return len(data.corpus.clips())

    yield "list", listing
    clips = data.corpus.clips()

    def splitting() -> int:
        data._parts = data.split.parts(clips)
        return count

    yield "split", splitting

    def decoding() -> int:
        data.audio.prepare([clip.path for clip in data.parts.clips if clip.path is not None])
        return count

    yield "decode", decoding

    def fingerprint() -> int:
        refuse_shared_recordings(data.parts, data.audio)
        content_of(clips, data.audio, TASKS)
        return count

    yield "fingerprint", fingerprint

    def features() -> int:
        cheap = cheap_feature()
        reader = FeatureReader(FeatureCache(folder), [cheap], data.audio)
        reader.fill(clips)
        assert len(cheap.collate(list(LazyValues(reader, cheap.key, clips)))) == count
        return count

    yield "features", features

    def epoch() -> int:
        for _ in zip(range(BATCHES), data.train_dataloader(), strict=False):
            pass
        return min(BATCHES * data.batch_size, len(data.clips("train")))

    yield "epoch", epoch
    yield from results_stages(folder, clips)
    yield "predict", partial(predict, folder, count)


def results_stages(folder: Path, clips: Sequence[Any]) -> Iterator[tuple[str, Stage]]:
    """The stages that read results, of all clips as test clips."""
    from lightning_emorec.evaluation.evaluate import evaluate_results
    from lightning_emorec.evaluation.report import write_report
    from lightning_emorec.evaluation.writers import write_files

    results, count = made_results(clips), len(clips)
    evaluations: list[Any] = []

    def evaluation() -> int:
        evaluations.append(evaluate_results(results))
        return count

    yield "evaluate", evaluation

    def report() -> int:
        of = evaluations or [evaluate_results(results)]
        write_files(results, of[0], folder)
        write_report(results, of[0], folder, {})
        return count

    yield "report", report


def cheap_feature() -> Any:
    """Mean and deviation of the samples."""
    import torch

    from lightning_emorec.features import Feature

    class Moments(Feature):
        name: ClassVar[str] = "moments"

        def options(self) -> dict[str, Any]:
            return {}

        def compute(self, clips: Sequence[Any], audio: Any) -> Iterator[Any]:
            for clip in clips:
                sound = audio.load(clip.path)
                yield np.array([sound.mean(), sound.std()])

        def collate(self, values: Sequence[Any]) -> torch.Tensor:
            return torch.from_numpy(np.stack(values))

    return Moments()


def made_results(clips: Sequence[Any]) -> Any:
    """Results of a fusion of two branches, each right in about half of the clips, on all of them."""
    import torch

    from lightning_emorec.evaluation.results import Fold, RunResults, System, Weights
    from lightning_emorec.fusion import found_confidence
    from lightning_emorec.part_logits import PartLogits

    torch.manual_seed(0)
    labels = torch.tensor([CLASSES.index(clip.labels["emotion"]) for clip in clips])
    ids, actors = [clip.id for clip in clips], {clip.id: clip.actor for clip in clips}
    right = 2 * torch.nn.functional.one_hot(labels, len(CLASSES))
    parts = [
        PartLogits(ids, {"emotion": right + 2 * torch.randn(right.shape)}, {"emotion": labels})
        for _ in range(3)
    ]
    systems = [System("first"), System("second"), System("log_linear", "rule")]
    speakers = list(dict.fromkeys(actors.values()))
    fold = Fold(
        {system: {"test": part} for system, part in zip(systems, parts, strict=True)},
        {"train": [], "val": [], "test": speakers},
        {systems[-1]: {"emotion": Weights({"first": 0.5, "second": 0.5}, 1.0)}},
        confidence=found_confidence(parts[-1], "emotion", actors),
    )
    return RunResults(
        name="growth",
        model="FusionModule",
        tasks=TASKS,
        clips={clip.id: clip for clip in clips},
        folds=[fold],
        chosen=systems[-1],
        clip_counts={"train": 0, "val": 0, "test": len(clips)},
    )


def predict(folder: Path, count: int) -> int:
    """Label all files by a small network, which a checkpoint of one step holds."""
    from memory import run_config

    from lightning_emorec.__main__ import main

    config = run_config(folder, steps=1)
    config["trainer"] |= {"limit_val_batches": 1, "limit_test_batches": 1, "callbacks": []}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf8")
    main(["fit", "--config", str(folder / "config.json")])
    main(
        [
            "predict",
            str(folder / "audio"),
            "--ckpt",
            str(folder / "runs" / "memory"),
            "--output",
            str(folder / "o.csv"),
        ]
    )
    return count


def table(found: dict[int, dict[str, list[float]]]) -> str:
    """A Markdown table: a row a stage, a column a size."""
    lines = ["| CPU ms a clip / MB | " + " | ".join(f"{clips:,}" for clips in found) + " |"]
    lines.append("|---|" + "---:|" * len(found))
    for stage in STAGES:
        cells, before = [], None
        for costs in found.values():
            if stage not in costs:
                cells.append("")
                continue
            ms, mb = costs[stage]
            grown = f" ({ms / before:.2f} x)" if before else ""
            cells.append(f"{ms:.3f} / {mb:.0f}{grown}")
            before = ms
        if any(cells):
            lines.append(f"| {stage} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
