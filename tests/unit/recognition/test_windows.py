from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.speech import RATE_HZ, Samples
from lightning_emorec.recognition.windows import (
    Event,
    Piece,
    SpeechEnd,
    Stretch,
    Stretches,
    Window,
    Windower,
    WindowPlan,
)
from tests.unit.recognition.loud import Loud, frames

PAD_S = 0.03
"""By which the detector widens speech on each side."""


def events_of(signal: Samples, plan: WindowPlan, size: int = 4000) -> list[Event]:
    windower = Windower(plan, Loud())
    blocks = [signal[at : at + size] for at in range(0, len(signal), size)]
    found = [event for block in blocks for event in windower.feed(block)] + windower.close()
    assert windower.duration == len(signal) / RATE_HZ
    return found


def stretches_of(events: list[Event], plan: WindowPlan, duration: float) -> list[Stretch]:
    """With the window's number, 1, 2, ... and its square for probabilities."""
    stretches, found, number = Stretches(plan), [], 0
    for event in events:
        if isinstance(event, Window):
            number += 1
            found += stretches.add(event, np.array([number, number**2], np.float32))
        elif isinstance(event, SpeechEnd):
            found += stretches.end_speech(event)
    return found + stretches.close(duration)


def windows_in(events: list[Event]) -> list[tuple[float, float]]:
    return [(event.start, event.end) for event in events if isinstance(event, Window)]


def seconds(*levels: tuple[float, float]) -> Samples:
    """A signal of (level, seconds) each, in whole frames."""
    return frames(*((level, round(time_s * RATE_HZ / 512)) for level, time_s in levels))


def edges(stretches: list[Stretch]) -> list[tuple[float, float, int]]:
    return [(round(part.start, 2), round(part.end, 2), part.windows) for part in stretches]


PLAN = WindowPlan()
TALK = seconds((0.0, 0.512), (0.9, 10.24), (0.0, 5.12), (0.9, 1.6), (0.0, 0.32), (0.9, 1.28), (0.0, 1.024))


def test_windows_start_every_step_and_the_last_ends_with_the_speech() -> None:
    start, end = 0.512 - PAD_S, 10.752 + PAD_S
    expected = [(start, start + 4), (start + 2, start + 6), (start + 4, start + 8), (start + 6, start + 10)]
    second = (15.872 - PAD_S, 19.072 + PAD_S)  # two spans with a short pause
    expected += [(end - 4, end), second]
    assert np.array(windows_in(events_of(TALK, PLAN))) == pytest.approx(np.array(expected))


def test_stretches_tile_the_recording_and_have_the_mean_of_their_windows() -> None:
    found = stretches_of(events_of(TALK, PLAN), PLAN, len(TALK) / RATE_HZ)
    assert edges(found) == [
        *((0, 0.48, 0), (0.48, 2.48, 1), (2.48, 4.48, 2), (4.48, 6.48, 2), (6.48, 8.48, 3), (8.48, 10.78, 2)),
        *((10.78, 15.84, 0), (15.84, 19.1, 1), (19.1, 20.1, 0)),
    ]
    assert [part.probabilities is None for part in found] == [part.windows == 0 for part in found]
    means = [part.probabilities[0] for part in found if part.probabilities is not None]
    last = 10.782 - 4 - (0.482 + 6)  # the fifth window begins so much later than the fourth
    weighted = [(2 * 3 + 2 * 4 + (2 - last) * 5) / (6 - last), (2 * 4 + 2.3 * 5) / 4.3, 6]
    assert means == pytest.approx([1, 1.5, 2.5, *weighted])


@pytest.mark.parametrize("size", [1, 511, 8192, 10**9])
@pytest.mark.parametrize("piece_s", [None, 3.0])
def test_the_size_of_blocks_changes_nothing(size: int, piece_s: float | None) -> None:
    plan = WindowPlan(piece_s=piece_s)
    one, other = events_of(TALK, plan, size), events_of(TALK, plan)
    assert [(type(event), event.start, event.end) for event in one] == [
        (type(event), event.start, event.end) for event in other
    ]


def naive_windows(start: int, end: int, window: int, step: int) -> list[tuple[float, float]]:
    """Windows of a span, once it is known as a whole; all in samples."""
    firsts = [first for first in range(start, end, step) if first + window <= end] or [start]
    spans = [(first, min(first + window, end)) for first in firsts]
    spans += [(end - window, end)] if spans[-1][1] < end else []
    return [(first / RATE_HZ, last / RATE_HZ) for first, last in spans]


@pytest.mark.parametrize("piece_s", [None, 1.0, 3.3])
@pytest.mark.parametrize(("window_s", "step_s", "min_s"), [(1.0, 0.5, 0.3), (1.1, 0.7, 0.5), (0.5, 0.5, 0.5)])
def test_a_long_talk_is_cut_as_if_all_of_it_were_known(
    window_s: float, step_s: float, min_s: float, piece_s: float | None
) -> None:
    rng = np.random.default_rng(3)
    signal = frames(*((rng.choice([0.0, 0.4, 0.9]), int(rng.integers(1, 40))) for _ in range(300)))[:-99]
    signal *= rng.uniform(0.999, 1, len(signal)).astype(np.float32)
    plan = WindowPlan(window_s, step_s, min_s, piece_s)
    events = events_of(signal, plan)
    ends = [event for event in events if isinstance(event, SpeechEnd)]
    assert len(ends) > 20
    times = [(round(end.start * RATE_HZ), round(end.end * RATE_HZ)) for end in ends]
    window, step = round(window_s * RATE_HZ), round(step_s * RATE_HZ)
    assert windows_in(events) == [part for span in times for part in naive_windows(*span, window, step)]
    for event in events:
        if not isinstance(event, SpeechEnd):
            whole = signal[round(event.start * RATE_HZ) : round(event.end * RATE_HZ)]
            assert np.array_equal(event.samples, whole)
    found = stretches_of(events, plan, len(signal) / RATE_HZ)
    assert [part.start for part in found] == [0, *(part.end for part in found[:-1])]
    assert found[-1].end == len(signal) / RATE_HZ
    if piece_s:
        check_pieces(events, piece_s, min_s)


def check_pieces(events: list[Event], piece_s: float, min_s: float) -> None:
    """Pieces tile each span, have the right lengths, and come before the windows that end in them."""
    heard, pieces = 0.0, list[Piece]()
    for event in events:
        if isinstance(event, Piece):
            assert min_s <= round(event.end - event.start, 6) <= piece_s
            assert not pieces or event.start == heard
            heard = event.end
            pieces.append(event)
        elif isinstance(event, Window):
            assert event.end <= heard
        else:
            assert (pieces[0].start, pieces[-1].end) == (event.start, event.end)
            pieces = []


def test_speech_shorter_than_min_s_counts_as_no_speech() -> None:
    signal = seconds((0.0, 1.0), (0.9, 0.32), (0.0, 1.0))
    events = events_of(signal, PLAN)
    assert events == []
    assert edges(stretches_of(events, PLAN, len(signal) / RATE_HZ)) == [
        (0, round(len(signal) / RATE_HZ, 2), 0)
    ]


def test_speech_to_the_very_end_and_as_long_as_a_window() -> None:
    signal = np.full(4 * RATE_HZ, 0.9, np.float32)
    events = events_of(signal, PLAN)
    assert windows_in(events) == [(0, 4)]
    assert edges(stretches_of(events, PLAN, 4)) == [(0, 4, 1)]
    assert windows_in(events_of(signal[:-1], PLAN)) == [(0, 4 - 1 / RATE_HZ)]
    longer = events_of(np.full(4 * RATE_HZ + 1, 0.9, np.float32), PLAN)
    assert windows_in(longer) == [(0, 4), (1 / RATE_HZ, 4 + 1 / RATE_HZ)]
    assert edges(stretches_of(longer, PLAN, 4 + 1 / RATE_HZ)) == [(0, 2, 2), (2, 4, 2)]


@pytest.mark.parametrize("length", [1, 1600])
def test_a_recording_too_short_to_judge_is_one_stretch_without_speech(length: int) -> None:
    events = events_of(np.ones(length, np.float32), PLAN)
    assert events == []
    assert stretches_of(events, PLAN, length / RATE_HZ) == [Stretch(0, length / RATE_HZ, None, 0)]


def test_a_recording_without_samples_has_no_stretches() -> None:
    assert stretches_of(events_of(np.empty(0, np.float32), PLAN), PLAN, 0) == []


@pytest.mark.parametrize(("level", "expected"), [(0.0, 0), (0.9, 149)])
def test_five_minutes_of_silence_or_speech_need_no_more_memory_than_ten_seconds(
    level: float, expected: int
) -> None:
    def peak(duration_s: int) -> tuple[int, int]:
        windower, windows, block = Windower(PLAN, Loud()), 0, np.full(1600, level, np.float32)
        tracemalloc.start()
        try:
            for _ in range(10 * duration_s):
                windows += len(windower.feed(block))
            return tracemalloc.get_traced_memory()[1], windows
        finally:
            tracemalloc.stop()

    short, long = peak(10), peak(301)
    assert long[0] < short[0] + 100_000
    assert long[1] == expected


def test_a_window_comes_as_soon_as_it_is_complete() -> None:
    windower, block = Windower(PLAN, Loud()), np.full(8192, 0.9, np.float32)
    counts = [len(windower.feed(block)) for _ in range(16)]
    assert [number for number, count in enumerate(counts, start=1) if count] == [
        8,
        12,
        16,
    ]  # 4.096, 6.144, 8.192 s


@pytest.mark.parametrize("times", [(4, 5, 0.5), (1, 1, 2), (1, 0, 1)])
def test_windows_must_not_leave_gaps(times: tuple[float, float, float]) -> None:
    with pytest.raises(EmorecError, match="expected 0 < min_s <= window_s and 0 < step_s <= window_s"):
        WindowPlan(*times)
    with pytest.raises(EmorecError, match="pieces of at least 2 min_s"):
        WindowPlan(piece_s=0.6)
