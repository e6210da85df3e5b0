"""A residual network over log-mel spectra, trained from scratch."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from lightning_emorec.branches.adversary import ActorAdversary
from lightning_emorec.branches.checks import check_above_zero, check_at_least, check_shares
from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.pooling import AttentiveStatistics
from lightning_emorec.branches.residual import STEM_STRIDE, ResidualEncoder
from lightning_emorec.branches.spectral import LogMel, SpecAugment, mild_warps, warp
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import Batch, Logits, Tasks


class AudioCnn(GradientBranch):
    """Log-mels, residual 2-D convolutions, attentive statistics over time, and a linear head a task.

    Args:
        tasks: Task name -> class names.
        rate_hz: Sampling rate of the audio; as `data.rate_hz`.
        mels: Mel bands.
        window_s: Length of a frame; 50 ms resolve the harmonics of a voice.
        hop_s: Time between frames.
        floor_db: Power is limited from below here, in dB of full scale.
        per_clip: Standardise each clip by its own mean and deviation instead of those of all training clips: that
            hides the speaker and the recorder, and with them how loud the clip is.
        width: Channels of the first stage; each further one has twice as many, and halves time and frequency.
        stages: Number of residual blocks, one a stage.
        dropout: Before the heads.
        mixup: Parameter of the beta distribution that two clips' shares are drawn from; 0 mixes none.
        adversary: Weight of a loss that makes the embedding free of the actor; 0 leaves it out.
        freq_masks: SpecAugment's masks over mels.
        freq_mels: Widest of them.
        time_masks: Its masks over frames.
        time_share: Widest of them, as a share of the frames.
        stretch: Largest relative change of a training clip's duration.
        mel_scale: Largest relative change of its mel axis.
        mel_shift: Largest shift of its mel axis, in mels.
        judge_warped: Judge a clip by the mean probabilities of itself and of mild warps of it, a slower and a faster
            one among them. Validation during training leaves that out.
        lr: Peak learning rate.
        warmup_epochs: Epochs of linear rise to `lr`.
        recipe: As `GradientBranch`.
    """

    audio_input = "augmented"

    def __init__(
        self,
        tasks: Tasks,
        rate_hz: int = 16000,
        mels: int = 80,
        window_s: float = 0.05,
        hop_s: float = 0.016,
        floor_db: float = -80.0,
        per_clip: bool = False,
        width: int = 16,
        stages: int = 4,
        dropout: float = 0.3,
        mixup: float = 0.0,
        adversary: float = 0.0,
        freq_masks: int = 1,
        freq_mels: int = 8,
        time_masks: int = 1,
        time_share: float = 0.1,
        stretch: float = 0.15,
        mel_scale: float = 0.08,
        mel_shift: float = 2.0,
        judge_warped: bool = True,
        lr: float = 2e-3,
        warmup_epochs: float = 3.0,
        **recipe: Any,
    ) -> None:
        super().__init__(tasks, lr=lr, warmup_epochs=warmup_epochs, **recipe)
        check_above_zero(rate_hz=rate_hz, window_s=window_s, hop_s=hop_s, width=width, stages=stages)
        check_shares(dropout=dropout, time_share=time_share, stretch=stretch, mel_scale=mel_scale)
        check_at_least(0, mixup=mixup, adversary=adversary)
        check_at_least(2 * STEM_STRIDE[0], mels=mels)
        self.mixup = mixup
        self.log_mel = LogMel(rate_hz, mels, window_s, hop_s, floor_db, per_clip)
        self.spec_augment = SpecAugment(
            freq_masks, freq_mels, time_masks, time_share, stretch, mel_scale, mel_shift
        )
        self.warps = mild_warps(stretch, mel_scale, mel_shift) if judge_warped else []
        self._fitting = False
        self.encoder = ResidualEncoder([width * 2**stage for stage in range(stages)])
        self.pooling = AttentiveStatistics(self.encoder.channels)
        self.norm = nn.LayerNorm(self.pooling.outputs)  # also right for a batch of one clip
        self.adversary_weight = adversary
        self.adversary = ActorAdversary(self.pooling.outputs) if adversary else None
        self.add_heads(self.pooling.outputs, dropout)

    def on_fit_start(self) -> None:
        """Judge clips by themselves from here on, since every epoch does."""
        self._fitting = True

    def on_fit_end(self) -> None:
        """Judge clips by their warps too."""
        self._fitting = False

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """The audio."""
        return {"audio": batch.audio, "lengths": batch.lengths}

    def net(self, audio: Tensor, lengths: Tensor) -> Logits:
        """Logits of each task, (batch, classes), from (batch, time) audio and (batch,) samples."""
        spectra, lengths = self._spectra(audio, lengths)
        judged = [self._classify(spectra, lengths)]
        if self.training or self._fitting or not self.warps:
            return judged[0]
        for by in self.warps:
            amounts = (spectra.new_full((len(spectra), 1), amount) for amount in by)
            judged.append(self._classify(*warp(spectra, lengths, *amounts)))
        return {
            task: torch.stack([logits[task].softmax(dim=1) for logits in judged]).mean(dim=0).log()
            for task in self.tasks
        }

    def encode(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """(batch, embed_size): mean and deviation of the states over the frames."""
        return self._pool(*self._spectra(audio, lengths))

    def learn_from_training(self, training: TrainingData) -> None:
        """Learn class weights, and who the training actors are for the adversary."""
        super().learn_from_training(training)
        if self.adversary is not None:
            self.adversary.learn([clip.actor for clip in training.clips])

    def training_loss(self, batch: Batch) -> Tensor:
        """Loss of a batch in which each clip is mixed with another, if `mixup` is above 0, and of the adversary."""
        spectra, lengths = self._spectra(batch.audio, batch.lengths)
        loss = self._mixed_loss(spectra, lengths, batch)
        if self.adversary is None:
            return loss
        guessed = self.adversary.loss(self._pool(spectra, lengths), batch.actors)
        return loss + self.adversary_weight * guessed

    def _mixed_loss(self, spectra: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
        if not self.mixup:
            return self.loss(self._classify(spectra, lengths), batch.labels)
        share, order = self.draw_mixture(self.mixup, spectra)
        spectra = share * spectra + (1 - share) * spectra[order]
        logits = self._classify(spectra, torch.maximum(lengths, lengths[order]))
        return self.mixed_loss(logits, batch.labels, share, order)

    def _spectra(self, audio: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        return cast("tuple[Tensor, Tensor]", self.spec_augment(*self.log_mel(audio, lengths)))

    def _classify(self, spectra: Tensor, lengths: Tensor) -> Logits:
        return self.classify(self._pool(spectra, lengths))

    def _pool(self, spectra: Tensor, lengths: Tensor) -> Tensor:
        states, lengths = self.encoder(spectra, lengths)  # (batch, channels, frames')
        pooled: Tensor = self.norm(self.pooling(states, lengths))  # (batch, 2 * channels)
        return pooled
