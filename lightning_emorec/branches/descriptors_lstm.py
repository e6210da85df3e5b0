"""A recurrent network over openSMILE's low-level descriptors."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lightning_emorec.branches.descriptors import DescriptorsBranch
from lightning_emorec.errors import EmorecError
from lightning_emorec.features.opensmile import DESCRIPTORS
from lightning_emorec.types import Tasks


class DescriptorsLstm(DescriptorsBranch):
    """eGeMAPS descriptors over time into a bidirectional LSTM, attentive statistics, and a linear head a task.

    Args:
        tasks: Task name -> class names.
        hidden: Units of the LSTM, in each direction.
        layers: Layers of the LSTM.
        dropout: Between layers and before the heads.
        noise: Standard deviation of what training adds to each standardised descriptor.
        max_frames: Longer clips are cut; a frame is 10 ms.
        step: Read every n-th frame only; openSMILE smooths over three.
        loss_weights: Task name -> factor of its loss; a task that is not named weighs 1.
        label_smoothing: Share of the target that is spread over all classes.
        class_weights: Weigh each class by the inverse of its share of the training clips.
        lr: Peak learning rate.
        weight_decay: Of matrices.
        warmup_epochs: Epochs of linear rise to `lr`.

    Raises:
        EmorecError: An argument out of range.
    """

    def __init__(
        self,
        tasks: Tasks,
        hidden: int = 48,
        layers: int = 2,
        dropout: float = 0.3,
        noise: float = 0.3,
        max_frames: int = 1500,
        step: int = 4,
        loss_weights: dict[str, float] | None = None,
        label_smoothing: float = 0.1,
        class_weights: bool = False,
        lr: float = 1e-3,
        weight_decay: float = 0.02,
        warmup_epochs: float = 2.0,
    ) -> None:
        for knob, count in {"hidden": hidden, "layers": layers}.items():
            if count < 1:
                raise EmorecError(f"{knob} of at least 1", f"{count}", f"mend model.init_args.{knob}")
        super().__init__(
            tasks,
            2 * hidden,
            dropout,
            noise,
            max_frames,
            step,
            loss_weights,
            label_smoothing,
            class_weights,
            lr,
            weight_decay,
            warmup_epochs,
        )
        between = dropout if layers > 1 else 0.0  # torch warns about a dropout that has no place
        self.lstm = nn.LSTM(
            DESCRIPTORS, hidden, layers, batch_first=True, dropout=between, bidirectional=True
        )

    def encode(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """(batch, frames, 25) -> (batch, 2 * hidden, frames)."""
        packed = pack_padded_sequence(frames, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=frames.shape[1])
        return states.transpose(1, 2)
