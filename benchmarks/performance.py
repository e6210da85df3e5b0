r"""Measures what the parts of a run cost against the usual way and against the machine's limit, in one table.

    python benchmarks/performance.py
    python benchmarks/performance.py --rows input training --clips 192 --against ../before -o performance.json

A row has up to three sides: this package, the usual way without it, and the limit, which is the part of the work that
nobody can leave out. Sides are measured in turns in one run, several times, and a figure is the median. Each row is
measured in a process of its own; with `--against`, the first side of another commit's tree is measured in a second one,
in turns with these. Costs are CPU time on all cores, those of loader workers and child processes included; a peak is
the memory that a side adds to what its process held before, or that of its child process. Needs Linux, as `memory.py`.

Rows: input, training, whisper (needs $EMOREC_WHISPER or Whisper's own cache), fit, predict. With `--corpus ravdess`
the clips are the first of $EMOREC_RAVDESS_ROOT in place of generated voices.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lightning_emorec.progress import progress_bar

if TYPE_CHECKING:
    from lightning_emorec.datamodule import EmotionDataModule

ROWS = ("input", "training", "whisper", "fit", "predict")
SIDES = ("this", "usual", "limit")
FILE_HZ = 48000
"""The rate of RAVDESS as published: the clips are written as files of this rate."""
RATE_HZ, CROP_S, TRIM_DB, BATCH = 16000, 2.0, 30.0, 16  # as the audio CNN is trained

HEAD = "| | CPU ms each | usual way: CPU | limit: CPU | MB | usual way: MB | before / after |"


Side = Callable[[], float | None]
"""Does the work once; gives the peak in MB where another process has it."""


@dataclass(frozen=True)
class Comparison:
    """One line of the table.

    Attributes:
        units: Clips, files or runs that each side does.
        sides: `this`, and where there are any, `usual` and `limit`.
    """

    units: int
    sides: dict[str, Side]


@dataclass(frozen=True)
class Setting:
    """Where a row is measured.

    Attributes:
        folder: Its own folder; the manifest lies above it.
        clips: How many there are.
    """

    folder: Path
    clips: int

    @property
    def corpus(self) -> Path:
        """The folder of the clips."""
        return self.folder.parent

    @property
    def tasks(self) -> dict[str, list[str]]:
        """Those of the corpus."""
        tasks: dict[str, list[str]] = json.loads((self.corpus / "tasks.json").read_text(encoding="utf8"))
        return tasks

    @property
    def actors(self) -> list[str]:
        """All of them, sorted."""
        with (self.corpus / "manifest.csv").open(newline="", encoding="utf8") as lines:
            return sorted({row["actor"] for row in csv.DictReader(lines)})

    def data(self, transforms: Sequence[Any] = (), workers: int = 0) -> EmotionDataModule:
        """The clips with the front end and the crop of the audio CNN; decoded."""
        from lightning_emorec.corpora import ManifestCorpus
        from lightning_emorec.datamodule import EmotionDataModule
        from lightning_emorec.splits import ActorLists

        corpus = ManifestCorpus(str(self.corpus / "manifest.csv"), self.tasks, text_column="text")
        split = ActorLists(test=[self.actors[-1]], val=[self.actors[-2]])
        cache = str(self.folder / "cache")
        options = {"trim_db": TRIM_DB, "crop_s": CROP_S, "batch_size": BATCH, "workers": workers}
        data = EmotionDataModule(corpus, split, list(transforms), cache=cache, **options)  # type: ignore[arg-type]
        data.prepare_data()
        return data


@dataclass
class Figures:
    """What one comparison of one checkout cost: side -> CPU ms a clip (or a run), and MB, of each turn."""

    cpu_ms: dict[str, list[float]] = field(default_factory=dict)
    peak_mb: dict[str, list[float]] = field(default_factory=dict)

    def add(self, side: str, measured: dict[str, float]) -> None:
        """Take one turn."""
        self.cpu_ms.setdefault(side, []).append(measured["cpu_ms"])
        self.peak_mb.setdefault(side, []).append(measured["peak_mb"])

    def ratio(self, over: str, under: str) -> str:
        """Of two sides' medians; empty where one is not there."""
        if not {over, under} <= self.cpu_ms.keys():
            return ""
        return f"{statistics.median(self.cpu_ms[over]) / statistics.median(self.cpu_ms[under]):.2f}"

    def mb(self, side: str) -> str:
        """Median peak of a side; empty where it is not there."""
        return f"{statistics.median(self.peak_mb[side]):.0f}" if side in self.peak_mb else ""


class Measured:
    """A process in which a row of one checkout is measured, side by side, as this one asks."""

    def __init__(self, row: str, checkout: Path, corpus: Path, clips: int, log: IO[str]) -> None:
        folder = Path(tempfile.mkdtemp(prefix=f"{row}-", dir=corpus))
        command = [sys.executable, __file__, "--serve", row, str(folder), "--clips", str(clips)]
        environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": str(checkout)}
        self._child = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
        )
        self.log = log

    def ask(self, *words: str) -> Any:
        """What the process answers; a dict with `error` where it cannot."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(words) + "\n")
        self._child.stdin.flush()
        if line := self._child.stdout.readline():
            return json.loads(line)
        return {"error": f"the process ended ({self._child.wait()}); see {self.log.name}"}

    def end(self) -> None:
        """Let the process end."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait()
        self._child.stdout.close()


def main() -> None:
    """Measure the rows, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, metavar="NAME")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="lines of the table that have this in their name"
    )
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=3, help="turns of each side")
    parser.add_argument("--corpus", choices=["synthetic", "ravdess"], default="synthetic")
    parser.add_argument("--against", type=Path, help="a folder with another commit's tree: the state before")
    parser.add_argument("-o", "--output", type=Path, help="a JSON file of all figures")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)  # this process is a measured one
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve[0], Path(asked.serve[1]), asked.clips)
        return
    checkouts = {"after": Path(__file__).resolve().parents[1]}
    if asked.against:
        checkouts["before"] = asked.against.resolve()
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+", encoding="utf8") as log:
        write_clips(Path(folder), asked.corpus, asked.clips)
        found: dict[str, dict[str, Figures] | str] = {}
        for row in asked.rows:
            found |= measure(row, asked.only, checkouts, Path(folder), asked.clips, asked.repeats, log)
            if asked.output:
                asked.output.write_text(json.dumps(found, indent=1, default=asdict), encoding="utf8")
    told = f"{len(os.sched_getaffinity(0))} CPUs, load {os.getloadavg()[0]:.1f}"
    print(f"{asked.clips} clips ({asked.corpus}), {told}\n\n{table(found)}")


def write_clips(folder: Path, corpus: str, clips: int) -> None:
    """Write the first clips of each actor in turn as files of 48 kHz, and a manifest of them."""
    import numpy as np
    import soundfile
    import soxr

    from lightning_emorec.corpora import Corpus, Ravdess, Synthetic

    generated = Synthetic(str(folder), actors=max(6, -(-clips // 16)), repetitions=1)
    source: Corpus = Ravdess(download=False) if corpus == "ravdess" else generated
    source.prepare()
    every = source.clips()
    chosen = every[:: max(1, len(every) // clips)][:clips]
    with (folder / "manifest.csv").open("w", newline="", encoding="utf8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "actor", "text", *source.tasks])
        for clip in chosen:
            audio, rate_hz = soundfile.read(clip.path, dtype="float32")
            resampled = np.clip(soxr.resample(audio, rate_hz, FILE_HZ), -1, 1)
            soundfile.write(folder / f"{clip.id}.wav", resampled, FILE_HZ)
            labels = [clip.labels.get(task, "") for task in source.tasks]
            rows.writerow([f"{clip.id}.wav", clip.actor, clip.text, *labels])
    (folder / "tasks.json").write_text(json.dumps(source.tasks), encoding="utf8")


def measure(
    row: str, only: str, checkouts: dict[str, Path], corpus: Path, clips: int, repeats: int, log: IO[str]
) -> dict[str, dict[str, Figures] | str]:
    """Name of each comparison of a row -> checkout -> figures; or why there are none."""
    with ExitStack() as open_ones:
        processes = {name: Measured(row, path, corpus, clips, log) for name, path in checkouts.items()}
        for process in processes.values():
            open_ones.callback(process.end)
        names = {of: process.ask("names") for of, process in processes.items()}
        found: dict[str, dict[str, Figures] | str] = {
            f"{row} ({of})": answer.pop("error") for of, answer in names.items() if "error" in answer
        }
        turns = [
            (name, side, of)
            for _ in range(repeats)
            for name, sides in names["after"].items()
            for side in sides
            for of in processes
            if only in name and side in names[of].get(name, ())[: None if of == "after" else 1]
        ]
        with progress_bar() as progress:
            for name, side, of in progress.track(turns, description=row):
                if (key := f"{row} ({of}): {name}, {side}") in found:
                    continue
                answer = processes[of].ask(name, side)
                if "error" in answer:
                    found[key] = answer["error"]
                else:
                    figures = found.setdefault(f"{row}: {name}", {})
                    figures.setdefault(of, Figures()).add(side, answer)  # type: ignore[union-attr]
    return found


def serve(row: str, folder: Path, clips: int) -> None:
    """Prepare a row, and measure the sides that are asked for, one line each."""
    import performance_rows
    from memory import status_mb

    answers = os.fdopen(os.dup(1), "w", encoding="utf8")
    os.dup2(2, 1)  # what is measured may print
    made: dict[str, performance_rows.Comparison] = {}
    for line in sys.stdin:
        name, *side = json.loads(line)
        try:
            if not side:
                made = getattr(performance_rows, f"{row}_row")(performance_rows.Setting(folder, clips))
                answer: dict[str, Any] = {of: list(one.sides) for of, one in made.items()}
            else:
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
                before_mb, begun = status_mb("VmRSS"), cpu_s()
                child_mb = made[name].sides[side[0]]()
                spent_ms = 1000 * (cpu_s() - begun) / made[name].units
                answer = {"cpu_ms": spent_ms, "peak_mb": child_mb or status_mb("VmHWM") - before_mb}
        except (Exception, SystemExit) as error:  # another commit may lack anything that a row uses
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)


def cpu_s() -> float:
    """CPU time of this process and of those of its children that have ended, in s."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def table(found: dict[str, dict[str, Figures] | str]) -> str:
    """A Markdown table; a ratio of another side is its cost over that of this package."""
    lines = [HEAD, "|---|" + "---:|" * (HEAD.count("|") - 2)]
    notes: Sequence[str] = [f"{name}: {of}" for name, of in found.items() if isinstance(of, str)]
    for name, of in found.items():
        if isinstance(of, str) or "after" not in of:
            continue
        now = of["after"]
        cells = [f"{statistics.median(now.cpu_ms['this']):.2f}"]
        cells += [now.ratio("usual", "this"), now.ratio("limit", "this"), now.mb("this"), now.mb("usual")]
        both = Figures({side: of[side].cpu_ms["this"] for side in of if "this" in of[side].cpu_ms})
        lines.append(f"| {name} | {' | '.join([*cells, both.ratio('before', 'after')])} |")
    return "\n".join([*lines, "", *notes])


if __name__ == "__main__":
    main()
