"""Branches that an optimiser trains."""

from __future__ import annotations

import logging
import math
import random
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lightning_emorec.augment import draw_seed
from lightning_emorec.branches.branch import Branch
from lightning_emorec.branches.checks import check_above_zero, check_shares
from lightning_emorec.branches.ddp import take_buffers_of_first
from lightning_emorec.errors import EmorecError
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import UNLABELLED, Batch, Logits, Tasks

log = logging.getLogger(__name__)


class GradientBranch(Branch):
    """A branch trained by AdamW with a warm-up and a cosine: `encode`, then dropout and a linear head a task.

    A subclass passes these arguments on as `**recipe`, and names only those whose default is another.

    Args:
        tasks: Task name -> class names.
        loss_weights: Task name -> factor of its loss; a task that is not named weighs 1. Tasks that the corpus does
            not have are left out with a warning, so that a recipe serves several corpora.
        label_smoothing: Share of the target that is spread over all classes.
        class_weights: Weigh each class by the inverse of its share of the training clips.
        lr: Peak learning rate.
        weight_decay: Of matrices; vectors (biases, norms) are not decayed.
        warmup_epochs: Epochs of linear rise to `lr`; may be a fraction.
    """

    def __init__(
        self,
        tasks: Tasks,
        loss_weights: dict[str, float] | None = None,
        label_smoothing: float = 0.1,
        class_weights: bool = False,
        lr: float = 1e-3,
        weight_decay: float = 0.02,
        warmup_epochs: float = 1.0,
    ) -> None:
        super().__init__(tasks)
        check_shares(label_smoothing=label_smoothing)
        check_above_zero(lr=lr)
        self.loss_weights = loss_weights or {}
        self.label_smoothing = label_smoothing
        self.class_weights = class_weights
        self.lr = lr
        self.weight_decay = weight_decay
        self.warmup_epochs = warmup_epochs
        for task, classes in tasks.items():
            self.register_buffer(f"class_weight_{task}", torch.ones(len(classes)))

    def add_heads(self, embed_size: int, dropout: float = 0.0) -> None:
        """Make the heads over what `encode` gives; the constructor calls it where their weights are drawn."""
        self.embed_size = embed_size
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict(
            {task: nn.Linear(embed_size, len(classes)) for task, classes in self.tasks.items()}
        )

    def net(self, *args: Any, **inputs: Any) -> Logits:
        """Logits of each task, (batch, classes), from what `encode` takes."""
        return self.classify(self.encode(*args, **inputs))

    def classify(self, vectors: Tensor) -> Logits:
        """(batch, embed_size) -> logits of each task, (batch, classes)."""
        vectors = self.dropout(vectors)
        return {task: head(vectors) for task, head in self.heads.items()}

    def learn_from_training(self, training: TrainingData) -> None:
        """Learn class weights; a subclass learns what is its own, too."""
        if absent := sorted(self.loss_weights.keys() - self.tasks.keys()):
            names, tasks = ", ".join(absent), ", ".join(self.tasks)
            log.warning("loss_weights for %s count nothing: the corpus has the tasks %s", names, tasks)
        if self.class_weights:
            for task in self.tasks:
                counts = torch.tensor(training.class_counts(task), dtype=torch.float)
                share = counts / counts.sum().clamp(min=1)
                weight = torch.where(counts > 0, 1 / (share * len(counts)).clamp(min=1e-12), 1.0)
                self.get_buffer(f"class_weight_{task}").copy_(weight)

    def loss(self, logits: Logits, labels: dict[str, Tensor]) -> Tensor:
        """Weighted sum over tasks of smoothed cross-entropy; unlabelled clips count nothing.

        Args:
            logits: Task -> (batch, classes).
            labels: Task -> (batch,) int64, `UNLABELLED` allowed.

        Returns:
            A scalar.
        """
        total = next(iter(logits.values())).new_zeros(())
        for task, rows in logits.items():
            labelled = labels[task] != UNLABELLED
            if not labelled.any():
                total = total + 0 * rows.sum()  # DDP waits for a gradient of every head on every rank
                continue
            total = total + self.loss_weights.get(task, 1.0) * cross_entropy(
                rows[labelled],
                labels[task][labelled],
                weight=self.get_buffer(f"class_weight_{task}"),
                label_smoothing=self.label_smoothing,
            )
        return total

    def draw_mixture(self, mixup: float, rows: Tensor) -> tuple[float, Tensor]:
        """How each clip of a batch is mixed with another (Zhang et al. 2018).

        Args:
            mixup: Parameter of the beta distribution that the shares are drawn from.
            rows: (batch, ...).

        Returns:
            The share that a clip keeps, and (batch,) the places of the other clips.
        """
        share = float(torch.distributions.Beta(mixup, mixup).sample())
        return share, torch.randperm(len(rows), device=rows.device)

    def mixed_loss(self, logits: Logits, labels: dict[str, Tensor], share: float, order: Tensor) -> Tensor:
        """Loss of logits of mixed clips, as `draw_mixture` mixed them."""
        others = {task: values[order] for task, values in labels.items()}
        return share * self.loss(logits, labels) + (1 - share) * self.loss(logits, others)

    def training_loss(self, batch: Batch) -> Tensor:
        """Loss of a training batch; a branch that mixes examples overrides this."""
        return self.loss(self(batch), batch.labels)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Train on one batch.

        Raises:
            EmorecError: The loss is not finite.
        """
        loss = self.training_loss(batch)
        if not torch.isfinite(loss):
            raise EmorecError(
                "a finite loss",
                f"{loss.item()} in epoch {self.current_epoch} on clips {', '.join(batch.clip_ids)}",
                "look at these clips, or lower model.init_args.lr",
            )
        count = len(batch.clip_ids)
        self.log(
            "train/loss", loss, batch_size=count, on_epoch=True, on_step=False, prog_bar=True, sync_dist=True
        )
        return loss

    def on_train_epoch_start(self) -> None:
        """Seed all generators from (run seed, epoch, rank), since a checkpoint holds no generator's state."""
        seed = draw_seed(self.data.seed, self.current_epoch, f"rank {self.global_rank}")
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)

    def on_validation_start(self) -> None:
        """Judge one and the same model on every rank."""
        take_buffers_of_first(self)

    def rate_of(self, name: str) -> float:
        """Peak learning rate of a parameter; a branch with a pretrained part overrides this."""
        return self.lr

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW over what requires grad; the rate rises linearly and falls along a cosine, step by step."""
        alike: dict[tuple[float, float], list[nn.Parameter]] = {}  # (rate, decay) -> parameters
        for name, weight in self.named_parameters():
            if weight.requires_grad:
                decay = self.weight_decay if weight.ndim > 1 else 0.0
                alike.setdefault((self.rate_of(name), decay), []).append(weight)
        optimizer = torch.optim.AdamW(
            [{"params": some, "lr": lr, "weight_decay": decay} for (lr, decay), some in alike.items()]
        )
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        warmup = self.warmup_epochs * steps / max(1, self.trainer.max_epochs or 1)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, warmup, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _rate(step: int, warmup: float, steps: int) -> float:
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1.0, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
