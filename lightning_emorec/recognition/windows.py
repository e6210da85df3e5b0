"""From a stream of one channel to the windows that a model judges, and from its answers to stretches of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.speech import RATE_HZ, Groups, Samples, Span, SpeechDetector, SpeechModel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WindowPlan:
    """How speech is cut into windows.

    Attributes:
        window_s: Length of a window.
        step_s: From the begin of a window to that of the next.
        min_s: Speech shorter than this is not judged and counts as no speech; pauses shorter than this do not part it.
        piece_s: Longest piece of speech that is transcribed at once; None makes no pieces.

    Raises:
        EmorecError: 0 < min_s <= window_s and 0 < step_s <= window_s and 2 min_s <= piece_s do not hold.
    """

    window_s: float = 4.0
    step_s: float = 2.0
    min_s: float = 0.5
    piece_s: float | None = None

    def __post_init__(self) -> None:
        if not (0 < self.min_s <= self.window_s and 0 < self.step_s <= self.window_s):
            found = f"window_s {self.window_s:g}, step_s {self.step_s:g}, min_s {self.min_s:g}"
            raise EmorecError("0 < min_s <= window_s and 0 < step_s <= window_s", found, "change these times")
        if self.piece_s is not None and self.piece_s < 2 * self.min_s:
            raise EmorecError(
                "pieces of at least 2 min_s", f"piece_s {self.piece_s:g}", "make piece_s longer"
            )


@dataclass(frozen=True)
class Window:
    """What the model judges: `samples` (time,) at 16 kHz, from `start` to `end` in s."""

    start: float
    end: float
    samples: Samples


@dataclass(frozen=True)
class Piece:
    """What is transcribed at once: `samples` (time,) at 16 kHz, from `start` to `end` in s."""

    start: float
    end: float
    samples: Samples


@dataclass(frozen=True)
class SpeechEnd:
    """Speech from `start` to `end` in s is over; all its windows and pieces came before."""

    start: float
    end: float


Event = Window | Piece | SpeechEnd


class Windower:
    """Cuts the speech of one channel into windows, each as soon as it is complete.

    Spans with less than `min_s` between them are one. In each, windows start every `step_s` from its begin; the last
    ends where the speech ends, full length too, so it may overlap the one before more than others do. Speech shorter
    than a window is one window. Pieces tile the speech, and each comes before the windows that end in it, so that the
    words of a window are known by then.

    It holds about a window of the stream (and a piece, where there are pieces), and cuts at the same samples
    whatever the size of the blocks.

    Args:
        plan: Lengths of windows.
        model: Finds speech.
    """

    def __init__(self, plan: WindowPlan, model: SpeechModel) -> None:
        self._window, self._step, self._min = (
            _samples(time_s) for time_s in (plan.window_s, plan.step_s, plan.min_s)
        )
        self._piece = None if plan.piece_s is None else _samples(plan.piece_s)
        self._detector = SpeechDetector(model)
        self._groups = Groups()
        self._buffer: Samples = np.empty(0, np.float32)
        self._offset = 0  # of the buffer in the stream
        self._speech: Span | None = None  # not over; its end is what is certain so far
        self._windows = 0  # that were cut from it
        self._piece_end = 0  # to where it was cut into pieces

    @property
    def duration(self) -> float:
        """Length in s of what was fed, right after `close`."""
        return (self._offset + len(self._buffer)) / RATE_HZ

    def feed(self, block: Samples) -> list[Event]:
        """What is complete with a block of (time,) samples in [-1, 1] at 16 kHz, in order."""
        found: list[Event] = []
        for group in self._groups.add(block):
            self._buffer = np.concatenate([self._buffer, group])
            found += self._follow(self._detector.feed(group))
            self._forget()
        return found

    def close(self) -> list[Event]:
        """What is complete with the end of the stream."""
        rest = self._groups.rest()
        self._buffer = np.concatenate([self._buffer, rest])
        return [*self._follow([*self._detector.feed(rest), *self._detector.close()]), *self._end()]

    def _follow(self, spans: list[Span]) -> list[Event]:
        running = self._detector.running
        found: list[Event] = []
        for span in [*spans, *([running] if running else [])]:
            if self._speech and span.start - self._speech.end >= self._min:
                found += self._end()
            if self._speech is None:
                self._speech, self._windows, self._piece_end = span, 0, span.start
            self._speech = Span(self._speech.start, span.end)
            found += self._cut(self._speech)
        if self._speech and not running and self._detector.settled - self._speech.end >= self._min:
            found += self._end()
        return found

    def _cut(self, speech: Span) -> list[Event]:
        """Pieces and windows that fit in the speech so far, however long it goes on."""
        found: list[Event] = []
        while self._piece and speech.end - self._piece_end >= self._piece + self._min:
            found += self._cut_piece(self._piece_end + self._piece) + self._cut_windows(
                speech, self._piece_end
            )
        return found if self._piece else self._cut_windows(speech, speech.end)

    def _cut_piece(self, end: int) -> list[Event]:
        start, self._piece_end = self._piece_end, end
        return [Piece(start / RATE_HZ, end / RATE_HZ, self._read(start, end))]

    def _cut_windows(self, speech: Span, end: int) -> list[Event]:
        found: list[Event] = []
        while (start := speech.start + self._windows * self._step) + self._window <= end:
            found.append(self._window_of(start, start + self._window))
            self._windows += 1
        return found

    def _end(self) -> list[Event]:
        """What is left of the speech, now that it is over."""
        speech, self._speech = self._speech, None
        if speech is None or speech.end - speech.start < self._min:
            return []
        found: list[Event] = []
        if self._piece:  # two halves rather than a whole piece and a scrap
            if speech.end - self._piece_end > self._piece:
                found += self._cut_piece((self._piece_end + speech.end) // 2)
            found += self._cut_piece(speech.end)
        found += self._cut_windows(speech, speech.end)
        last_end = speech.start + (self._windows - 1) * self._step + self._window if self._windows else 0
        if last_end < speech.end:
            found.append(self._window_of(max(speech.start, speech.end - self._window), speech.end))
        return [*found, SpeechEnd(speech.start / RATE_HZ, speech.end / RATE_HZ)]

    def _window_of(self, start: int, end: int) -> Window:
        return Window(start / RATE_HZ, end / RATE_HZ, self._read(start, end))

    def _read(self, start: int, end: int) -> Samples:
        return self._buffer[start - self._offset : end - self._offset].copy()

    def _forget(self) -> None:
        """Drop what no window or piece to come can hold."""
        first = self._detector.settled
        if self._speech:
            coming = self._speech.start + self._windows * self._step
            last = max(self._speech.start, self._speech.end - self._window)
            first = min(first, coming, last, self._piece_end if self._piece else last)
        if first > self._offset:
            self._buffer, self._offset = self._buffer[first - self._offset :].copy(), first


@dataclass(frozen=True)
class Stretch:
    """A part of a recording with one answer.

    Attributes:
        start: Begin in s.
        end: End in s.
        probabilities: (size,) means of what the windows over it were given; None without speech.
        windows: How many these are.
    """

    start: float
    end: float
    probabilities: Floats | None
    windows: int


class Stretches:
    """Puts the answers to overlapping windows together into stretches that tile the recording.

    Within a span of speech they are `step_s` long; what is left at the end is a stretch of its own if it is at least
    `min_s` long, else part of the one before. Speech with one window is one stretch. A stretch has the mean over the
    windows that overlap it, weighted by how much of it they do. Between spans there is no speech.

    Args:
        plan: That of the `Windower`.
    """

    def __init__(self, plan: WindowPlan) -> None:
        self._step, self._min = _samples(plan.step_s), _samples(plan.min_s)
        self._reached = 0  # samples of the recording in stretches so far
        self._held: list[tuple[int, int, Floats]] = []

    def add(self, window: Window, probabilities: NDArray[np.floating[Any]]) -> list[Stretch]:
        """Take the answer to the next window; what no later one can change.

        Args:
            window: In the order of the `Windower`.
            probabilities: (size,) of all that is to be averaged: classes, perhaps of several tasks and branches.
        """
        start, end = _samples(window.start), _samples(window.end)
        found = [] if self._held else self._silence(start)
        self._held.append((start, end, np.asarray(probabilities, np.float64)))
        while self._reached + self._step <= start:
            found.append(self._stretch(self._reached + self._step))
        self._held = [held for held in self._held if held[1] > self._reached]
        return found

    def end_speech(self, speech: SpeechEnd) -> list[Stretch]:
        """The last stretches of a span of speech that is over."""
        found, end = [], _samples(speech.end)
        while len(self._held) > 1 and end - self._reached >= self._step + self._min:
            found.append(self._stretch(self._reached + self._step))
        found.append(self._stretch(end))
        self._held = []
        return found

    def close(self, duration: float) -> list[Stretch]:
        """The silence at the end of a recording of `duration` s."""
        return self._silence(_samples(duration))

    def _silence(self, end: int) -> list[Stretch]:
        start, self._reached = self._reached, end
        return [Stretch(start / RATE_HZ, end / RATE_HZ, None, 0)] if end > start else []

    def _stretch(self, end: int) -> Stretch:
        start, self._reached = self._reached, end
        over = [(min(stop, end) - max(first, start), answer) for first, stop, answer in self._held]
        over = [(overlap, answer) for overlap, answer in over if overlap > 0]
        mean = np.average([answer for _, answer in over], axis=0, weights=[overlap for overlap, _ in over])
        return Stretch(start / RATE_HZ, end / RATE_HZ, np.asarray(mean, np.float64), len(over))


def _samples(time_s: float) -> int:
    return round(time_s * RATE_HZ)
