"""A pretrained transformer over a transcript."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from lightning_emorec.branches.checks import check_at_least, check_factors, check_shares
from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.hub_weights import WeightsFrom
from lightning_emorec.branches.pretrained_text import PretrainedText, TextWeights, Trained
from lightning_emorec.branches.transcript import TranscriptBranch
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import Batch, Tasks


class TextTransformer(TranscriptBranch, GradientBranch):
    """Any encoder that transformers' `AutoModel` loads, pooled, a hidden layer, and a linear head a task.

    Args:
        tasks: Task name -> class names.
        weights: Hub id (`distilbert-base-uncased`, `roberta-base`) or a local folder with config, tokeniser and
            weights.
        weights_from: `pretrained` loads them; `config` takes the architecture alone, with random weights, and
            then `weights` may also be a bare architecture (`distilbert`), which needs no file at all.
        config_overrides: With `config`: sizes that replace its own, by the config's own names.
        pooling: `mean` over a text's tokens, or its first token (`cls`).
        max_tokens: Longer texts lose their beginning.
        train: What is trained of the encoder: nothing (`head`), its `top` layers, or `all`.
        top_layers: How many layers `top` means.
        hidden: Units between the encoder and the heads.
        dropout: Before the heads.
        encoder_lr: Peak learning rate of the encoder's top layer.
        layer_decay: Factor of the learning rate from each layer to the one below it.
        label_smoothing: Share of the target that is spread over all classes.
        weight_decay: Of matrices.
        warmup_epochs: Epochs of linear rise to the learning rates; may be a fraction.
        recipe: As `TranscriptBranch` and `GradientBranch`; `lr` is that of hidden layer and heads.
    """

    def __init__(
        self,
        tasks: Tasks,
        weights: str = "distilbert-base-uncased",
        weights_from: WeightsFrom = "pretrained",
        config_overrides: dict[str, int] | None = None,
        pooling: Literal["mean", "cls"] = "mean",
        max_tokens: int = 128,
        train: Trained = "top",
        top_layers: int = 2,
        hidden: int = 256,
        dropout: float = 0.2,
        encoder_lr: float = 5e-5,
        layer_decay: float = 0.9,
        label_smoothing: float = 0.0,
        weight_decay: float = 1e-2,
        warmup_epochs: float = 0.2,
        **recipe: Any,
    ) -> None:
        super().__init__(
            tasks,
            label_smoothing=label_smoothing,
            weight_decay=weight_decay,
            warmup_epochs=warmup_epochs,
            **recipe,
        )
        check_at_least(1, max_tokens=max_tokens, top_layers=top_layers, hidden=hidden)
        check_shares(dropout=dropout)
        check_factors(encoder_lr=encoder_lr, layer_decay=layer_decay)
        self.weights = TextWeights(weights, weights_from, config_overrides)
        self.encoder_lr = encoder_lr
        self.layer_decay = layer_decay
        self.text = PretrainedText(hidden, pooling, max_tokens, train, top_layers)
        self.add_heads(hidden, dropout)

    @classmethod
    def check_available(cls, init_args: Mapping[str, Any]) -> None:
        """See whether the weights and the transcript can be had.

        Raises:
            UnavailableError: They cannot.
        """
        given = cls.with_defaults(init_args)
        names = ("weights", "weights_from", "config_overrides")
        TextWeights(*(given[name] for name in names)).check_available()
        super().check_available(init_args)

    def learn_from_training(self, training: TrainingData) -> None:
        """Learn class weights, and load the encoder; a bare architecture learns its word pieces from the transcripts.

        Raises:
            EmorecError: It cannot be had, or is no encoder of text.
        """
        super().learn_from_training(training)
        self.text.learn(self.weights, training.collated(self.transcript))

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """The tokens of the transcripts."""
        return self.text.tokenise(self.texts(batch))

    def encode(self, tokens: Tensor, inside: Tensor) -> Tensor:
        """(batch, embed_size): the hidden layer over the encoder."""
        return torch.tanh(self.text(tokens, inside))

    def rate_of(self, name: str) -> float:
        """Lower for each layer further down (ULMFiT: Howard & Ruder 2018), the embeddings lowest."""
        own = name.removeprefix("text.")
        depth = self.text.depth_of(own) if own != name else None
        return self.lr if depth is None else self.encoder_lr * self.layer_decay**depth
