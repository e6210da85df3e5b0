"""What Whisper's encoder makes of a clip, layer by layer (Radford et al. 2022, arXiv:2212.04356)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from lightning_emorec.audio import AudioStore, loud_span, sounds_of
from lightning_emorec.errors import EmorecError
from lightning_emorec.features.feature import Feature, Options, Value
from lightning_emorec.features.functionals import stack
from lightning_emorec.features.test_time_views import RECIPE, view_of
from lightning_emorec.features.whisper_context import (
    FRAME,
    RATE_HZ,
    SHORTEST,
    check_margin,
    frames_of,
)
from lightning_emorec.features.whisper_encoder import states_of
from lightning_emorec.features.whisper_weights import WhisperWeights
from lightning_emorec.hashing import short_hash
from lightning_emorec.types import Clip

if TYPE_CHECKING:
    from whisper import Whisper

Sound = NDArray[np.float32]

QUANTILES = (0.1, 0.5, 0.9)
"""Shares of a clip's frames whose states lie below a kept quantile."""

_STATISTICS = 2  # to be raised when other statistics are kept
_CLEANING = 1  # to be raised when short or long clips are treated in another way


class WhisperStates(Feature):
    """What features from the states of Whisper's encoder share.

    Each clip is encoded by itself, in float32 on every device, with a context that ends shortly after it: 30 s, as
    in training, take many times longer. Clips of more than 30 s are encoded in windows of 30 s. A clip of less
    than 0.1 s is followed by silence up to that length. All of a clip is encoded, but the states of the silence before
    and after its speech are left out: the length of that silence is unrelated to the emotion.

    Args:
        model: Name of a model or path of a checkpoint; None means `$EMOREC_WHISPER`, else tiny.en.
        margin_s: Silence after a clip's end; None fills the window of 30 s.
        trim_db: How far below the loudest frame silence lies; None keeps all states.
    """

    activity: ClassVar[str] = "computing Whisper states"

    def __init__(
        self, model: str | None = None, margin_s: float | None = 0.5, trim_db: float | None = 30.0
    ) -> None:
        check_margin(margin_s)
        if trim_db is not None and trim_db <= 0:
            raise EmorecError("a positive trim_db, or null", f"{trim_db}", "correct trim_db")
        self.weights = WhisperWeights(model)
        self.margin_s = margin_s
        self.trim_db = trim_db

    def options(self) -> Options:
        """Weights, context, trimming and cleaning."""
        margin_s, trim_db = (None if knob is None else float(knob) for knob in (self.margin_s, self.trim_db))
        weights = self.weights.identity
        return {"weights": weights, "margin_s": margin_s, "trim_db": trim_db, "cleaning": _CLEANING}

    def check_available(self) -> None:
        """Raise unless the weights are here or within reach."""
        self.weights.check_available()

    def compute(self, clips: Sequence[Clip], audio: AudioStore) -> Iterator[Value]:
        """Yield what is kept of the states of each clip."""
        paths = sounds_of(clips)
        store = audio.at(RATE_HZ)
        digests = store.digests(paths)
        model = self.weights.load()
        for path, digest in zip(paths, digests, strict=True):
            sound = store.load(path)
            yield self._kept(model, np.pad(sound, (0, max(0, SHORTEST - len(sound)))), digest)

    @abstractmethod
    def _kept(self, model: Whisper, sound: Sound, digest: str) -> NDArray[np.float16]:
        """What is kept of a clip of (time,) samples, whose content has this digest."""

    def _speech(self, model: Whisper, sound: Sound) -> Tensor:
        """(1 + layers, frames, width): the states of a clip without those of the silence around its speech."""
        states = states_of(model, sound, self.margin_s)
        if self.trim_db is None:
            return states
        start, end = loud_span(sound, RATE_HZ, self.trim_db)
        return states[:, start // FRAME : frames_of(end)]


class WhisperStateStatistics(WhisperStates):
    """Statistics over time of the states, of a clip and of views of it.

    A value is (views, 1 + layers, 5, width) float16: of the convolutions' output, then of each layer; mean, standard
    deviation, then `QUANTILES`. All are kept, whatever is asked for, since the encoder takes the time.

    Args:
        model: As `WhisperStates`.
        margin_s: As `WhisperStates`.
        trim_db: As `WhisperStates`.
        views: 1 is the clip as it is; more are drawn, see `view_of`.
    """

    name: ClassVar[str] = "whisper-statistics"

    def __init__(
        self,
        model: str | None = None,
        margin_s: float | None = 0.5,
        trim_db: float | None = 30.0,
        views: int = 1,
    ) -> None:
        super().__init__(model, margin_s, trim_db)
        if views < 1:
            raise EmorecError("views of at least 1", f"{views}", "correct views")
        self.views = views

    def options(self) -> Options:
        """Weights, context, cleaning, trimming and views."""
        return {**super().options(), "views": self.views, "recipe": RECIPE if self.views > 1 else None}

    @property
    def stored_as(self) -> str:
        """Another name than the key, which has been the same since mean and deviation of the layers were all."""
        return f"{self.name}-{short_hash({**self.options(), 'statistics': _STATISTICS}, digits=12)}"

    def _kept(self, model: Whisper, sound: Sound, digest: str) -> NDArray[np.float16]:
        views = (view_of(sound, number, digest, RATE_HZ) for number in range(self.views))
        return np.stack([statistics_of(self._speech(model, view)) for view in views]).astype(np.float16)

    def collate(self, values: Sequence[Value]) -> Tensor:
        """(batch, views, 1 + layers, 5, width) float32."""
        return torch.from_numpy(stack(values)).float()


class WhisperStateFrames(WhisperStates):
    """The states after chosen layers in every frame of 20 ms, or averaged over several.

    A value is (frames, layers, width) float16. In a batch a last column marks a clip's own frames, 1, and
    padding, 0.

    Args:
        model: As `WhisperStates`.
        margin_s: As `WhisperStates`.
        trim_db: As `WhisperStates`.
        layers: Which layers, counted from 1; None means all.
        step: Frames that are averaged into one, since a frame of all layers takes much room.
        view: 0 is the clip as it is; others are drawn, see `view_of`.
    """

    name: ClassVar[str] = "whisper-frames"

    def __init__(
        self,
        model: str | None = None,
        margin_s: float | None = 0.5,
        trim_db: float | None = 30.0,
        layers: Sequence[int] | None = None,
        step: int = 2,
        view: int = 0,
    ) -> None:
        super().__init__(model, margin_s, trim_db)
        if step < 1:
            raise EmorecError("step of at least 1", f"{step}", "correct step")
        if view < 0:
            raise EmorecError("view of 0 or more", f"{view}", "correct view")
        check_layers(layers)
        self.layers = None if layers is None else list(layers)
        self.step = step
        self.view = view

    def options(self) -> Options:
        """Weights, context, trimming, cleaning, layers, step and view."""
        layers = None if self.layers is None else ",".join(map(str, self.layers))
        recipe = RECIPE if self.view else None
        return {**super().options(), "layers": layers, "step": self.step, "view": self.view, "recipe": recipe}

    def _kept(self, model: Whisper, sound: Sound, digest: str) -> NDArray[np.float16]:
        states = self._speech(model, view_of(sound, self.view, digest, RATE_HZ))
        states = chosen_layers(states[1:], self.layers)  # (layers, frames, width)
        pieces = torch.split(states, self.step, dim=1)
        rows = torch.stack([piece.mean(dim=1) for piece in pieces])  # (frames / step, layers, width)
        return rows.half().cpu().numpy()

    def collate(self, values: Sequence[Value]) -> Tensor:
        """(batch, frames, layers, width + 1) float32: states and the mask, 0 after each clip's end."""
        rows = [torch.from_numpy(cast("NDArray[np.float16]", value)).float() for value in values]
        return pad_sequence([pad(row, (0, 1), value=1.0) for row in rows], batch_first=True)


def check_layers(layers: Sequence[int] | None) -> None:
    """Check the numbers of layers, without knowing how many there are."""
    if layers is not None and (not layers or min(layers) < 1):
        raise EmorecError(
            "layers counted from 1, or null", f"{list(layers)}", "correct model.init_args.layers"
        )


def chosen_layers(states: Tensor, layers: Sequence[int] | None, dim: int = 0) -> Tensor:
    """Those along `dim` that are chosen, counted from 1; None means all."""
    if layers is None:
        return states
    known = states.shape[dim]
    if max(layers) > known:
        raise EmorecError(f"layers of 1 to {known}", f"{list(layers)}", "correct model.init_args.layers")
    return states.index_select(dim, torch.tensor(layers, device=states.device) - 1)


def statistics_of(states: Tensor) -> NDArray[np.float32]:
    """(layers, 5, width) from (layers, frames, width): mean, deviation and `QUANTILES` over the frames."""
    mean, frames = states.mean(dim=1).cpu().numpy(), states.cpu().numpy()
    # In 64 bits, as torch adds them up too, which takes three times as long; a layer at a time, for the memory.
    deviation = np.stack([layer.std(axis=0, dtype=np.float64) for layer in frames]).astype(np.float32)
    # Sorted by NumPy: torch.quantile takes 15 times longer, and no more than 16 million states at once.
    ordered = np.sort(frames, axis=1)
    place = np.array(QUANTILES, np.float32) * (ordered.shape[1] - 1)
    below = place.astype(np.int64)
    low, high = (
        ordered[:, below],
        ordered[:, np.minimum(below + 1, ordered.shape[1] - 1)],
    )  # (layers, 3, width)
    moments = np.stack([mean, deviation], axis=1)
    return np.concatenate([moments, low + (place - below).astype(np.float32)[:, None] * (high - low)], axis=1)
