"""Measures how long a clip of 4 s takes to be judged, part by part, by PyTorch and by exports, cold and warm.

    python benchmarks/latency.py --ckpt runs/demo --export exported exported-int8 --minutes 20

Each model is measured in a process of its own, which begins with its imports; text branches are left out, as exports
leave them. `cold` is the first clip, `warm` the median of the calls after it. All times are CPU time in ms, but for the
last row. With `--minutes` the models also label a recording of that length, of generated voices with pauses.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CLIP_S, RATE_HZ, PAUSE_S = 4, 16000, 1.5
REST = "fusion and rest"

Times = dict[str, list[float]]


def main() -> None:
    """Measure each model, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ckpt", help="a run's folder or a checkpoint")
    parser.add_argument("--export", nargs="*", default=[], help="folders of exports")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0, help="of the long recording; 0 makes none")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)  # this process is a measured one
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(*asked.measure, asked.repeats, asked.threads)))
        return
    models = [*([asked.ckpt] if asked.ckpt else []), *asked.export]
    with tempfile.TemporaryDirectory() as folder:
        clip, long = write_recordings(Path(folder), asked.minutes)
        found = {}
        for model in models:
            command = [sys.executable, __file__, "--measure", model, clip, long]
            command += ["--repeats", str(asked.repeats), "--threads", str(asked.threads)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found[model] = json.loads(done.stdout.splitlines()[-1])
    cpus = len(os.sched_getaffinity(0))
    print(f"{cpus} CPUs, load {os.getloadavg()[0]:.1f}, {asked.threads} threads, {asked.repeats} repeats\n")
    print_latency(found)
    if asked.minutes:
        print_long(found)


def write_recordings(folder: Path, minutes: float) -> tuple[str, str]:
    """Write the clip and, if it is to be any minutes long, the long recording; their paths."""
    import numpy as np
    import soundfile

    from lightning_emorec.export.check import check_clips

    voices = [sound for name, sound in check_clips(RATE_HZ).items() if name.endswith("voice")]
    clip, long = folder / "clip.wav", folder / "long.wav"
    soundfile.write(clip, np.resize(np.concatenate(voices), CLIP_S * RATE_HZ), RATE_HZ)
    if not minutes:
        return str(clip), ""
    pause = np.zeros(round(PAUSE_S * RATE_HZ), np.float32)
    spoken = np.concatenate([part for voice in voices for part in (voice, pause)])
    soundfile.write(long, np.resize(spoken, round(minutes * 60 * RATE_HZ)), RATE_HZ)
    return str(clip), str(long)


def measure(ckpt: str, clip: str, long: str, repeats: int, threads: int) -> dict[str, Any]:
    """Times of one model in this process: part -> CPU ms of the first call and of each later one."""
    times: Times = defaultdict(list)
    begun = time.perf_counter()
    with timed(times, "import"):
        from lightning_emorec.recognition.find_model import find_model
        from lightning_emorec.recognition.recognizer import Recognizer

        found = find_model(ckpt, Path("runs"))
        if found.is_file():
            from lightning_emorec.recognition import torch_model
        else:
            import onnxruntime  # noqa: F401
    if found.is_file():  # as `export` reads a run whose checkpoint does not hold its validation logits
        from lightning_emorec.export.kept import with_kept_logits

        load_model = torch_model.load_model
        vars(torch_model)["load_model"] = lambda file: with_kept_logits(load_model(file))
    with timed(times, "load"):
        recognizer = Recognizer.load(ckpt, text=found.is_dir(), threads=threads)
    from lightning_emorec.audio import mono_blocks, open_recording

    watch = watch_onnx if found.is_dir() else watch_torch
    parts = watch(recognizer.model, times)
    walls = [time.perf_counter() - begun]
    for _ in range(repeats + 1):
        started = time.perf_counter()
        with timed(times, "decode"), open_recording(Path(clip)) as recording:
            blocks = list(mono_blocks(recording, recognizer.model.rate_hz))
        parts(blocks)
        walls.append(time.perf_counter() - started)
    result: dict[str, Any] = {"times": times, "walls": [1000 * wall for wall in walls]}
    if long:
        result["long"] = label_long(recognizer, long)
    return result


@contextmanager
def timed(times: Times, part: str) -> Iterator[None]:
    """Note the CPU time of a block in ms."""
    begun = time.process_time()
    yield
    times[part].append(1000 * (time.process_time() - begun))


def watch_torch(model: Any, times: Times) -> Callable[[Any], None]:
    """A function that judges blocks of samples and notes features, branches and what is left."""
    import numpy as np

    part = model._part(False)
    names = []
    for feature in part._features:
        named = f"feature {feature.name}"
        names.append(named)
        feature.compute = _timed(_at_once(feature.compute), times, named)
    for name, branch in part.trained.branches.items():
        named = f"branch {name}"
        names.append(named)
        branch.forward = _timed(branch.forward, times, named)

    def judge(blocks: Any) -> None:
        begun = time.process_time()
        model.judge([np.concatenate(blocks)])
        whole = 1000 * (time.process_time() - begun)
        times[REST].append(whole - sum(times[name][-1] for name in names))

    return judge


def watch_onnx(model: Any, times: Times) -> Callable[[Any], None]:
    """As `watch_torch`: a branch, with its features, is the part of the graph that its outputs need.

    Parts are loaded one by one, and what two of them share is computed for each, so that the rest can be below 0.
    """
    import numpy as np
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = model._session.get_session_options().intra_op_num_threads
    graph = onnx.utils.Extractor(onnx.load(model._session._model_path))
    branches = {
        name: onnxruntime.InferenceSession(
            graph.extract_model(
                ["waveform", "length"], [f"{name}.{task}" for task in model.tasks]
            ).SerializeToString(),
            options,
        )
        for name in model.branches
    }

    def judge(blocks: Any) -> None:
        waveform = np.concatenate(blocks)
        given = {"waveform": waveform[None], "length": np.array([len(waveform)])}
        begun = time.process_time()
        model.judge([waveform])
        whole = 1000 * (time.process_time() - begun)
        for name, session in branches.items():
            with timed(times, f"branch {name}"):
                session.run(None, {of.name: given[of.name] for of in session.get_inputs()})
        times[REST].append(whole - sum(times[f"branch {name}"][-1] for name in branches))

    return judge


def _at_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same with a list for a generator, whose work would else be done later."""
    return lambda *args: list(function(*args))


def _timed(function: Callable[..., Any], times: Times, part: str) -> Callable[..., Any]:
    def called(*args: Any, **given: Any) -> Any:
        with timed(times, part):
            return function(*args, **given)

    return called


def label_long(recognizer: Any, path: str) -> dict[str, float]:
    """Label a long recording: its length, and wall and CPU time in s."""
    wall, cpu = time.perf_counter(), time.process_time()
    duration = max(segment.end for segment in recognizer.segments(path))
    return {
        "duration": duration,
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
    }


def print_latency(found: dict[str, Any]) -> None:
    """One table: a row a part, and for each model the first call and the median of the later ones."""
    names = [Path(model).name for model in found]
    print("| CPU ms | " + " | ".join(f"{name} cold | {name} warm" for name in names) + " |")
    print("|---|" + "---:|" * (2 * len(names)))
    for part in dict.fromkeys(part for of in found.values() for part in of["times"]):
        print(
            f"| {part} | " + " | ".join(_cold_and_warm(of["times"].get(part)) for of in found.values()) + " |"
        )
    walls = (_cold_and_warm([of["walls"][0] + of["walls"][1], *of["walls"][2:]]) for of in found.values())
    print("| all, wall ms | " + " | ".join(walls) + " |")


def _cold_and_warm(values: list[float] | None) -> str:
    if not values:
        return "– | –"
    return f"{values[0]:.0f} | " + (f"{statistics.median(values[1:]):.0f}" if values[1:] else "–")


def print_long(found: dict[str, Any]) -> None:
    """The long recording: how much of its length a model takes."""
    print("\n| model | length, s | wall, s | CPU, s | CPU / length |")
    print("|---|---:|---:|---:|---:|")
    for model, of in found.items():
        long = of["long"]
        print(
            f"| {Path(model).name} | {long['duration']:.0f} | {long['wall']:.1f} | {long['cpu']:.1f} "
            f"| {long['cpu'] / long['duration']:.4f} |"
        )


if __name__ == "__main__":
    main()
