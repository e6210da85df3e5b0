"""A pretrained encoder of speech under a head of ours, both trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import gelu

from lightning_emorec.audio import paths_of
from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.layer_mix import LayerMix
from lightning_emorec.branches.pooling import AttentiveStatistics, frame_mask
from lightning_emorec.branches.pretrained_speech import PretrainedSpeech
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Value
from lightning_emorec.types import Batch, Logits, Tasks

_CLIPS = 64  # that tell mean and deviation of the states: about 10,000 frames


class TunedBranch(GradientBranch):
    """States of all layers, mixed by learned weights, projected, pooled by attention, and a linear head a task.

    The states are standardised by what the untrained encoder makes of some training clips.

    Args:
        tasks: Task name -> class names.
        width: What the states are projected to.
        noise: Standard deviation of what training adds to each standardised state.
        dropout: Of the mixed states and before the heads.
        encoder_lr: Peak learning rate of the encoder.
        loss_weights: Task name -> factor of its loss; a task that is not named weighs 1.
        label_smoothing: Share of the target that is spread over all classes.
        class_weights: Weigh each class by the inverse of its share of the training clips.
        lr: Peak learning rate of the rest.
        weight_decay: Of matrices and kernels.
        warmup_epochs: Epochs of linear rise to the learning rates.

    Attributes:
        speech: The encoder, which the leaf gives.
    """

    hears = "augmented"
    speech: PretrainedSpeech

    def __init__(
        self,
        tasks: Tasks,
        width: int,
        noise: float,
        dropout: float,
        encoder_lr: float,
        loss_weights: dict[str, float] | None,
        label_smoothing: float,
        class_weights: bool,
        lr: float,
        weight_decay: float,
        warmup_epochs: float,
    ) -> None:
        super().__init__(tasks, loss_weights, label_smoothing, class_weights, lr, weight_decay, warmup_epochs)
        if width < 1:
            raise EmorecError("width of at least 1", f"{width}", "mend model.init_args.width")
        if not 0 <= dropout < 1:
            raise EmorecError("dropout in [0, 1)", f"{dropout}", "mend model.init_args.dropout")
        if noise < 0:
            raise EmorecError("noise of 0 or more", f"{noise}", "mend model.init_args.noise")
        if encoder_lr <= 0:
            raise EmorecError("a positive encoder_lr", f"{encoder_lr}", "mend model.init_args.encoder_lr")
        self.noise = noise
        self.encoder_lr = encoder_lr
        self.mix = LayerMix(width)
        self.pooling = AttentiveStatistics(width)
        self.embed_size = self.pooling.outputs
        self.norm = nn.LayerNorm(self.embed_size)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict(
            {task: nn.Linear(self.embed_size, len(classes)) for task, classes in tasks.items()}
        )

    @property
    def built_for_hz(self) -> int:
        """The rate that encoders of speech were trained on."""
        return 16000

    def learn_from_training(self, features: Mapping[str, Sequence[Value]]) -> None:
        """Load the encoder, and learn its sizes and the mean and deviation of its states from training clips.

        Raises:
            EmorecError: The encoder cannot be had, or is of another kind.
        """
        self.speech.learn()
        self.speech.eval()
        clips = self.data.usable("train")
        paths = paths_of(clips[:: -(-len(clips) // _CLIPS)])
        self.mix.learn([self._states(path) for path in paths])
        self.speech.train(self.training)

    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes)."""
        pooled = self.dropout(self.embed(batch))
        return {task: head(pooled) for task, head in self.heads.items()}

    def embed(self, batch: Batch) -> Tensor:
        """(batch, embed_size): what is pooled over the frames."""
        states, lengths = self.speech(batch.audio, batch.lengths)  # (batch, frames, layers, states)
        own = frame_mask(lengths, states.shape[1])[:, :, None]  # (batch, frames, 1)
        mixed = self.mix(states, self.noise if self.training else 0.0)
        mixed = self.dropout(gelu(mixed)) * own  # (batch, frames, width)
        pooled: Tensor = self.norm(self.pooling(mixed.transpose(1, 2), lengths))  # (batch, 2 * width)
        return pooled

    def rate_of(self, name: str) -> float:
        """The encoder has its own."""
        return self.encoder_lr if name.startswith("speech.") else self.lr

    @torch.no_grad()
    def _states(self, path: Path) -> NDArray[np.float16]:
        """(frames, layers, states) of a training clip as it is."""
        sound = torch.tensor(
            self.data.front_end(self.data.audio.load(path))
        )  # decoded audio cannot be written to
        place = self.mix.projection.weight.device
        states, _ = self.speech(sound[None].to(place), torch.tensor([len(sound)], device=place))
        kept: NDArray[np.float16] = states[0].half().cpu().numpy()
        return kept
