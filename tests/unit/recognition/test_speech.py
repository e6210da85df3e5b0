from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch

from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.recognition.speech import (
    RATE_HZ,
    Samples,
    Span,
    SpeechDetector,
    SpeechModel,
    load_speech_model,
    speech_weights,
)
from tests.unit.recognition.loud import Loud, frames


def spans_of(signal: Samples, model: SpeechModel, size: int = 4000) -> list[Span]:
    detector = SpeechDetector(model)
    blocks = [signal[at : at + size] for at in range(0, len(signal), size)]
    return [span for block in blocks for span in detector.feed(block)] + detector.close()


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([(0.0, 20)], []),
        ([(0.0, 4), (0.6, 8), (0.0, 9)], [(4 * 512 - 480, 12 * 512 + 480)]),
        ([(0.6, 8), (0.0, 9)], [(0, 8 * 512 + 480)]),
        ([(0.6, 7), (0.0, 9)], []),  # 224 ms
        ([(0.6, 8), (0.4, 2), (0.0, 9)], [(0, 10 * 512 + 480)]),  # between the thresholds
        ([(0.4, 8), (0.0, 9)], []),
        ([(0.6, 8), (0.0, 4), (0.6, 8), (0.0, 9)], [(0, 20 * 512 + 480)]),
        ([(0.6, 8), (0.0, 5), (0.6, 9)], [(0, 8 * 512 + 480), (13 * 512 - 480, 22 * 512)]),
        ([(0.6, 8), (0.0, 2)], [(0, 10 * 512)]),  # the end comes before the silence is long enough
        ([(0.6, 9)], [(0, 9 * 512)]),
    ],
)
@pytest.mark.parametrize("cut", [0, 100])
def test_spans_follow_the_rules(levels: list[tuple[float, int]], expected: list[Span], cut: int) -> None:
    signal = frames(*levels)
    signal = signal[: len(signal) - cut]
    expected = [Span(start, min(end, len(signal))) for start, end in expected]
    assert spans_of(signal, Loud()) == expected


@pytest.mark.parametrize("length", [0, 1, 1600])
def test_a_recording_too_short_for_speech_has_none(length: int) -> None:
    assert spans_of(np.ones(length, np.float32), Loud()) == []


def test_what_runs_and_what_is_settled_hold_when_the_span_is_over() -> None:
    rng = np.random.default_rng(0)
    levels = np.repeat(rng.choice([0.0, 0.4, 0.9], 2000, p=[0.5, 0.1, 0.4]), rng.integers(1, 12, 2000))
    signal = frames(*((level, 1) for level in levels))
    spans = spans_of(signal, Loud())
    assert len(spans) > 100
    detector, found = SpeechDetector(Loud()), 0
    for at in range(0, len(signal), 8192):
        found += len(detector.feed(signal[at : at + 8192]))
        coming = spans[found:]
        if detector.running:
            assert coming[0].start == detector.running.start
            assert coming[0].end >= detector.running.end
            coming = coming[1:]
        assert not coming or coming[0].start >= detector.settled


def recording(data: Path) -> Samples:
    """Clips of actors with silence and noise between."""
    paths = sorted((data / "ravdess_original_48k").rglob("*.wav"))[:8]
    paths += sorted((data / "ravdess16k").glob("Actor_0*/*"))[::9][:20]
    rng = np.random.default_rng(1)
    parts = []
    for number, path in enumerate(paths):
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        parts.append(soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ).astype(np.float32))
        parts.append(np.zeros(rng.integers(0, RATE_HZ), np.float32))
        parts.append(rng.normal(0, 0.003 * (number % 3), rng.integers(0, RATE_HZ)).astype(np.float32))
    return np.concatenate(parts)[:-77]


@pytest.mark.parametrize("suffix", [".onnx", ".jit"])
def test_silero_itself_finds_the_same_spans(suffix: str, shared: Path) -> None:
    threads = torch.get_num_threads()
    silero = importlib.import_module("silero_vad")  # sets torch to one thread
    torch.set_num_threads(threads)
    signal = recording(shared / "data")
    theirs = silero.get_speech_timestamps(torch.from_numpy(signal), silero.load_silero_vad())
    model = load_speech_model(speech_weights(onnx=suffix == ".onnx"))
    ours = spans_of(signal, model)
    assert len(ours) > 10
    assert ours == [(span["start"], span["end"]) for span in theirs]


@pytest.mark.parametrize("size", [1, 511, 512, 8192, 10**9])
def test_the_size_of_blocks_changes_nothing(size: int, shared: Path) -> None:
    signal = recording(shared / "data")[: 20 * RATE_HZ]
    model = load_speech_model()
    assert spans_of(signal, model, size) == spans_of(signal, model, 4000) != []


def test_samples_that_are_not_finite_do_not_end_the_search(shared: Path) -> None:
    signal, model = recording(shared / "data")[: 20 * RATE_HZ], load_speech_model()
    spoilt = np.concatenate([np.array([np.nan, np.inf], np.float32), signal])
    assert len(spans_of(spoilt, model)) == len(spans_of(signal, model))


def test_streams_that_share_a_model_do_not_mix(shared: Path) -> None:
    signal, model = recording(shared / "data")[: 20 * RATE_HZ], load_speech_model()
    first, second = SpeechDetector(model), SpeechDetector(model)
    found: list[list[Span]] = [[], []]
    for at in range(0, len(signal), 8192):
        found[0] += first.feed(signal[at : at + 8192])
        found[1] += second.feed(signal[::-1][at : at + 8192])
    assert found[0] + first.close() == spans_of(signal, model)


def test_memory_does_not_grow_with_the_recording() -> None:
    detector, block = SpeechDetector(Loud()), np.ones(1600, np.float32)
    tracemalloc.start()
    try:
        for _ in range(6000):  # 10 min of one span
            detector.feed(block)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert detector.close() == [Span(0, 6000 * 1600)]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"silero-vad.*pip install silero-vad"):
        load_speech_model()


def test_a_copy_of_the_weights_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match="expected a copy of silero_vad_16k"):
        load_speech_model(tmp_path / "speech.onnx")


def test_another_network_of_silero_is_refused() -> None:
    with pytest.raises(EmorecError, match=r"found .*silero_vad\.onnx with the inputs input, sr, state"):
        load_speech_model(speech_weights(onnx=True).with_name("silero_vad.onnx"))


def test_neither_module_nor_onnx_model_brings_torch() -> None:
    code = (
        "import sys; from lightning_emorec.recognition import speech, windows\n"
        "speech.load_speech_model(); print('torch' in sys.modules, 'silero_vad' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
