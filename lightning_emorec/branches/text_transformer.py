"""A pretrained transformer over a transcript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.hub_weights import WeightsFrom
from lightning_emorec.branches.pretrained_text import PretrainedText, Trained
from lightning_emorec.branches.text_weights import TextWeights
from lightning_emorec.branches.transcript_args import transcript_of
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, TranscriptSource, Value
from lightning_emorec.types import Batch, Logits, Tasks


class TextTransformer(GradientBranch):
    """Any encoder that transformers' `AutoModel` loads, pooled, a hidden layer, and a linear head a task.

    Args:
        tasks: Task name -> class names.
        weights: Hub id (`distilbert-base-uncased`, `roberta-base`) or a local folder with config, tokeniser and
            weights.
        weights_from: `pretrained` loads them; `config` takes the architecture alone, with random weights, and
            then `weights` may also be a bare architecture (`distilbert`), which needs no file at all.
        config_overrides: With `config`: sizes that replace its own, by the config's own names.
        transcript: Where the text comes from: `whisper`, the corpus's `reference`, or a `file`.
        whisper: Name or path of the Whisper model; null means `$EMOREC_WHISPER`, else tiny.en.
        transcript_file: A CSV with the columns clip and text, for `transcript: file`.
        context_s: Pad clips to this and not to 30 s before Whisper hears them: faster, less faithful.
        pooling: `mean` over a text's tokens, or its first token (`cls`).
        max_tokens: Longer texts lose their beginning.
        train: What is trained of the encoder: nothing (`head`), its `top` layers, or `all`.
        top_layers: How many layers `top` means.
        hidden: Units between the encoder and the heads.
        dropout: Before the heads.
        encoder_lr: Peak learning rate of the encoder's top layer.
        layer_decay: Factor of the learning rate from each layer to the one below it.
        loss_weights: Task name -> factor of its loss; a task that is not named weighs 1.
        label_smoothing: Share of the target that is spread over all classes.
        class_weights: Weigh each class by the inverse of its share of the training clips.
        lr: Peak learning rate of what is not pretrained: hidden layer and heads.
        weight_decay: Of matrices.
        warmup_epochs: Epochs of linear rise to the learning rates; may be a fraction.

    Raises:
        EmorecError: An argument out of range.
    """

    def __init__(
        self,
        tasks: Tasks,
        weights: str = "distilbert-base-uncased",
        weights_from: WeightsFrom = "pretrained",
        config_overrides: dict[str, int] | None = None,
        transcript: TranscriptSource = "whisper",
        whisper: str | None = None,
        transcript_file: str | None = None,
        context_s: float | None = None,
        pooling: Literal["mean", "cls"] = "mean",
        max_tokens: int = 128,
        train: Trained = "top",
        top_layers: int = 2,
        hidden: int = 256,
        dropout: float = 0.2,
        encoder_lr: float = 5e-5,
        layer_decay: float = 0.9,
        loss_weights: dict[str, float] | None = None,
        label_smoothing: float = 0.0,
        class_weights: bool = False,
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        warmup_epochs: float = 0.2,
    ) -> None:
        super().__init__(tasks, loss_weights, label_smoothing, class_weights, lr, weight_decay, warmup_epochs)
        for knob, count in {"max_tokens": max_tokens, "top_layers": top_layers, "hidden": hidden}.items():
            if count < 1:
                raise EmorecError(f"{knob} of at least 1", f"{count}", f"mend model.init_args.{knob}")
        if not 0 <= dropout < 1:
            raise EmorecError("dropout in [0, 1)", f"{dropout}", "mend model.init_args.dropout")
        for knob, factor in {"encoder_lr": encoder_lr, "layer_decay": layer_decay}.items():
            if not 0 < factor <= 1:
                raise EmorecError(f"{knob} in (0, 1]", f"{factor}", f"mend model.init_args.{knob}")
        self.weights = TextWeights(weights, weights_from, config_overrides)
        self.encoder_lr = encoder_lr
        self.layer_decay = layer_decay
        self.text = PretrainedText(hidden, pooling, max_tokens, train, top_layers)
        self.dropout = nn.Dropout(dropout)
        self.embed_size = hidden
        self.heads = nn.ModuleDict({task: nn.Linear(hidden, len(classes)) for task, classes in tasks.items()})

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The transcript that these arguments ask for."""
        return [transcript_of(init_args)]

    @classmethod
    def check_available(cls, init_args: Mapping[str, Any]) -> None:
        """See whether the weights and the transcript can be had.

        Raises:
            UnavailableError: They cannot.
        """
        names = ("weights", "weights_from", "config_overrides")
        TextWeights(*(init_args[name] for name in names)).check_available()
        super().check_available(init_args)

    @cached_property
    def text_key(self) -> str:
        """Key of the transcript in `Batch.features`; kept, since it costs a look at the disk."""
        return self.features[0].key

    def learn_from_training(self, features: Mapping[str, Sequence[Value]]) -> None:
        """Load the encoder; a bare architecture learns its word pieces from the training transcripts.

        Raises:
            EmorecError: It cannot be had, or is no encoder of text.
        """
        (transcript,) = self.features
        self.text.learn(self.weights, cast("list[str]", transcript.collate(features[transcript.key])))

    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes), from the transcripts alone."""
        states = self.dropout(self.embed(batch))
        return {task: head(states) for task, head in self.heads.items()}

    def embed(self, batch: Batch) -> Tensor:
        """(batch, embed_size): the hidden layer over the encoder."""
        return torch.tanh(self.text(cast("list[str]", batch.features[self.text_key])))

    def rate_of(self, name: str) -> float:
        """Lower for each layer further down (ULMFiT: Howard & Ruder 2018), the embeddings lowest."""
        own = name.removeprefix("text.")
        depth = self.text.depth_of(own) if own != name else None
        return self.lr if depth is None else self.encoder_lr * self.layer_decay**depth
