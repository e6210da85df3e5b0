"""The audio networks of the first system, as they were published."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn.functional import batch_norm, pad
from torchaudio.transforms import FrequencyMasking, MelSpectrogram, TimeMasking

from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.errors import EmorecError
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import Batch, Tasks

LEAST_POWER = 1e-10
RANGE_DB = 80.0
"""Bins further than this below a clip's loudest are raised to it."""


class PublishedCnn(GradientBranch):
    """The CNN of shaheeeeeeeeem/multimodal-emotion-recognition-ravdess, to measure against.

    Every clip is brought to one length, silence included, and is an image of decibels below its own loudest bin.
    Convolutions are pooled over the whole image. Adam's rate is halved where the validation loss stands still;
    theirs was the loss weighted by class, here it is the plain one, `val/TASK/nll`.

    Args:
        tasks: Task name -> class names.
        larger: Their later network: two convolutions a block, 32 to 192 channels, SiLU, mean and maximum, AdamW.
        rate_hz: Sampling rate of the audio; as `data.rate_hz`.
        duration_s: Clips are cut after this, or filled with zeros up to it.
        mels: Mel bands.
        window: Samples of a frame.
        hop: Samples between frames.
        freq_mels: Widest SpecAugment mask over mels; 0 masks none.
        time_frames: Widest mask over frames; 0 masks none.
        label_smoothing: Share of the target that is spread over all classes.
        class_weights: Weigh each class by the inverse of its share of the training clips.
        lr: Learning rate at the start.
        weight_decay: Of every weight.
        plateau_patience: Validations without a better loss before the rate is halved.
        recipe: As `GradientBranch`; there is no warm-up.
    """

    audio_input = "augmented"

    def __init__(
        self,
        tasks: Tasks,
        larger: bool = False,
        rate_hz: int = 22050,
        duration_s: float = 3.5,
        mels: int = 128,
        window: int = 2048,
        hop: int = 512,
        freq_mels: int = 0,
        time_frames: int = 0,
        label_smoothing: float = 0.0,
        class_weights: bool = True,
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        plateau_patience: int = 4,
        **recipe: Any,
    ) -> None:
        super().__init__(
            tasks,
            label_smoothing=label_smoothing,
            class_weights=class_weights,
            lr=lr,
            weight_decay=weight_decay,
            warmup_epochs=0.0,
            **recipe,
        )
        self.hparams.pop("warmup_epochs", None)  # no argument of this class
        self.front_end = RelativeDecibels(rate_hz, duration_s, mels, window, hop)
        least = 2**4  # each block halves both sides of the image
        if min(mels, self.front_end.frames) < least:
            found = f"{mels} mels and {self.front_end.frames} frames"
            fix = "raise model.init_args.mels or duration_s, or lower hop"
            raise EmorecError(f"at least {least} mels and frames", found, fix)
        self.larger = larger
        self.plateau_patience = plateau_patience
        self.masks = nn.Sequential(
            FrequencyMasking(freq_mels, iid_masks=True), TimeMasking(time_frames, iid_masks=True)
        )
        self.body = _later_body() if larger else _first_body()
        # On a CPU a small convolution is three times faster with the channels last.
        self.body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.add_heads(128 if larger else 64)

    def learn_from_training(self, training: TrainingData) -> None:
        """Learn class weights, and the mean and deviation of the images as they are augmented in the first epoch."""
        super().learn_from_training(training)
        # Every rank reads all clips, so that all agree.
        self.front_end.learn(torch.from_numpy(training.augmented_audio(clip)) for clip in training.clips)

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """The audio."""
        return {"audio": batch.audio}

    def encode(self, audio: Tensor) -> Tensor:
        """(batch, embed_size), what the heads read, from (batch, time)."""
        spectra = self.front_end(audio)  # (batch, mels, frames)
        if self.training:
            spectra = self.masks(spectra)
        vectors: Tensor = self.body(spectra[:, None].contiguous(memory_format=torch.channels_last))
        return vectors

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam, or AdamW for the larger network, and a rate that is halved on a plateau."""
        kind = torch.optim.AdamW if self.larger else torch.optim.Adam
        trained = [weight for weight in self.parameters() if weight.requires_grad]
        optimizer = kind(trained, lr=self.lr, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=0.5, patience=self.plateau_patience
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {
                "scheduler": schedule,
                "monitor": f"val/{next(iter(self.tasks))}/nll",
                "frequency": self.trainer.check_val_every_n_epoch or 1,
            },
        }


class RelativeDecibels(nn.Module):
    """Mel spectra in decibels below each clip's loudest bin, standardised by one mean and one deviation.

    As librosa's `melspectrogram` and `power_to_db(ref=max)`, then (x - mean) / deviation over all training clips.

    Args:
        rate_hz: Sampling rate of the audio.
        duration_s: What every clip is cut or filled to.
        mels: Mel bands up to half the rate.
        window: Samples of a frame.
        hop: Samples between frames.

    Attributes:
        frames: Of every clip.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, rate_hz: int, duration_s: float, mels: int, window: int, hop: int) -> None:
        super().__init__()
        self.samples = int(duration_s * rate_hz)
        self.frames = 1 + self.samples // hop
        self.power = MelSpectrogram(
            rate_hz,
            n_fft=window,
            hop_length=hop,
            n_mels=mels,
            mel_scale="slaney",
            norm="slaney",
            pad_mode="constant",
        )
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    @torch.no_grad()
    def forward(self, audio: Tensor) -> Tensor:
        """(batch, time), zero after each clip's end -> (batch, mels, frames) in training deviations."""
        return (self.decibels(audio) - self.mean) / self.deviation

    def decibels(self, audio: Tensor) -> Tensor:
        """(batch, time) -> (batch, mels, frames), from -80 to 0."""
        audio = pad(audio[:, : self.samples], (0, max(0, self.samples - audio.shape[1])))
        levels = 10 * self.power(audio).clamp(min=LEAST_POWER).log10()
        relative: Tensor = levels - levels.amax(dim=(1, 2), keepdim=True)
        return relative.clamp(min=-RANGE_DB)

    @torch.no_grad()
    def learn(self, clips: Iterable[Tensor]) -> None:
        """Take the mean and the deviation over all bins of these clips, each (time,)."""
        count, total, square = 0, 0.0, 0.0
        for clip in clips:
            levels = self.decibels(clip[None]).double()
            count += levels.numel()
            total += float(levels.sum())
            square += float(levels.square().sum())
        mean = total / count
        self.mean.fill_(mean)
        self.deviation.fill_(max(square / count - mean**2, 1e-12) ** 0.5)


class LoneBatchNorm(nn.BatchNorm1d):
    """Batch normalisation that takes a training batch of one clip too, by what it remembers of the others."""

    def forward(self, vectors: Tensor) -> Tensor:
        """(batch, size) -> (batch, size)."""
        if self.training and len(vectors) == 1:
            return batch_norm(
                vectors, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(vectors)


class MeanAndMaximum(nn.Module):
    """Mean and maximum over an image: (batch, channels, height, width) -> (batch, 2 * channels)."""

    def forward(self, images: Tensor) -> Tensor:
        """Pool."""
        return torch.cat([images.mean(dim=(2, 3)), images.amax(dim=(2, 3))], dim=1)


def _first_body() -> nn.Sequential:
    """(batch, 1, mels, frames) -> (batch, 64)."""
    layers: list[nn.Module] = []
    for before, after, dropout in ((1, 16, 0.10), (16, 32, 0.15), (32, 64, 0.20)):
        layers += [*_convolution(before, after), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(dropout)]
    layers += [*_convolution(64, 128), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.35))


def _later_body() -> nn.Sequential:
    """(batch, 1, mels, frames) -> (batch, 128)."""
    layers: list[nn.Module] = []
    for before, after, dropout in ((1, 32, 0.08), (32, 64, 0.12), (64, 128, 0.16), (128, 192, 0.20)):
        layers += [*_convolution(before, after), nn.SiLU(), *_convolution(after, after), nn.SiLU()]
        layers += [nn.MaxPool2d(2), nn.Dropout2d(dropout)]
    layers += [MeanAndMaximum(), nn.Linear(384, 128), LoneBatchNorm(128), nn.SiLU(), nn.Dropout(0.40)]
    return nn.Sequential(*layers)


def _convolution(before: int, after: int) -> list[nn.Module]:
    # Their first network had a bias before the norm, which the norm takes out again.
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)]
