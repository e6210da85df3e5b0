"""Encoders of text that carry their own tokeniser, and the files that they come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from lightning_emorec.branches.hub_weights import HubWeights, encoder_of
from lightning_emorec.errors import EmorecError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

Trained = Literal["head", "top", "all"]

_UNNEEDED = ("pooler.",)  # weights made for another task
_MOST_REMEMBERED = 50_000  # texts: 150 MB at a width of 768


class PretrainedText(nn.Module):
    """Texts to vectors: a transformer, pooled, and a linear projection to a width of our own.

    The config and the tokeniser are this module's extra state, as plain strings, and the weights are in the
    state dict: a checkpoint is restored without the hub and without the folder that the model came from.
    The vectors of a frozen encoder are remembered by their tokens, so each text is encoded once.

    Args:
        size: Width of what comes out.
        pooling: `mean` over a text's tokens, or its first token (`cls`).
        max_tokens: Longer texts lose their beginning: an utterance comes after the context that it is given.
        trained: What is trained besides the projection: nothing (`head`), the `top` layers, or `all`.
        top_layers: How many layers `top` means.
    """

    encoder: PreTrainedModel | None

    def __init__(
        self, size: int, pooling: Literal["mean", "cls"], max_tokens: int, trained: Trained, top_layers: int
    ) -> None:
        super().__init__()
        self.size = size
        self.pooling = pooling
        self.max_tokens = max_tokens
        self.trained = trained
        self.top_layers = top_layers
        self.encoder = None
        self._tokeniser: Tokenizer | None = None
        self._remembered: dict[tuple[int, ...], Tensor] = {}

    def learn(self, weights: TextWeights, texts: Sequence[str]) -> None:
        """Load an encoder; `texts` is for `TextWeights.load`.

        Raises:
            EmorecError: As `TextWeights.load`, or fewer layers than are to be trained.
        """
        self._build(*weights.load(texts))

    def tokenise(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """(texts, tokens) int64 tokens, and 1 for those that are a text's own, 0 for the padding."""
        tokeniser = cast("Tokenizer", self._tokeniser)
        # One at a time: a batch is encoded by threads, and forked loaders would then warn of them.
        return self._padded([tokeniser.encode(text).ids for text in texts])

    def forward(self, tokens: Tensor, inside: Tensor) -> Tensor:
        """(texts, size), of what `tokenise` gives."""
        remember = self.trained == "head" and not torch.compiler.is_compiling()
        pooled = self._recall(tokens, inside) if remember else self._pool(tokens, inside)
        projected: Tensor = self.projection(pooled)
        return projected

    def depth_of(self, name: str) -> int | None:
        """How far below the encoder's top a parameter of this module is: 0 is the top layer; None is outside it."""
        place, layers = _layers(cast("PreTrainedModel", self.encoder))
        if not name.startswith("encoder."):
            return None
        inside = name.removeprefix(f"encoder.{place}.")
        return len(layers) - 1 - int(inside.split(".")[0]) if inside != name else len(layers)

    def train(self, mode: bool = True) -> PretrainedText:
        """Leave frozen parts in evaluation mode: their dropout would blur what they say."""
        super().train(mode)
        if self.encoder is not None and self.trained != "all":
            self.encoder.eval()
            for layer in self._top():
                layer.train(mode)
        return self

    def get_extra_state(self) -> dict[str, Any]:
        """Config and tokeniser, each as JSON text."""
        if self.encoder is None or self._tokeniser is None:
            return {}
        return {
            "config": self.encoder.config.to_json_string(use_diff=False),
            "tokeniser": self._tokeniser.to_str(),
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Build the encoder of a checkpoint; its weights follow."""
        from tokenizers import Tokenizer
        from transformers import AutoConfig

        if state:
            config = json.loads(state["config"])
            model = encoder_of(AutoConfig.for_model(config.pop("model_type"), **config))
            self._build(model, Tokenizer.from_str(state["tokeniser"]))

    def _build(self, encoder: PreTrainedModel, tokeniser: Tokenizer) -> None:
        place = next(self.parameters(), torch.empty(0)).device
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # made for another task; we pool ourselves
        self.encoder = encoder
        self._remembered.clear()
        # RoBERTa's positions start after that of the padding.
        longest = min(
            self.max_tokens, getattr(encoder.config, "max_position_embeddings", self.max_tokens + 2) - 2
        )
        tokeniser.enable_truncation(longest, direction="left")
        tokeniser.no_padding()
        self._tokeniser = tokeniser
        self.projection = nn.Linear(encoder.config.hidden_size, self.size)
        encoder.requires_grad_(self.trained == "all")
        for layer in self._top():
            layer.requires_grad_(True)
        self.to(place).train(self.training)

    def _padded(self, texts: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        rows = [torch.tensor(tokens) for tokens in texts]
        padding = cast("PreTrainedModel", self.encoder).config.pad_token_id or 0
        made = {
            "tokens": pad_sequence(rows, batch_first=True, padding_value=padding),
            "inside": pad_sequence([torch.ones_like(row) for row in rows], batch_first=True),
        }
        return {name: values.to(self.projection.weight.device) for name, values in made.items()}

    def _recall(self, tokens: Tensor, inside: Tensor) -> Tensor:
        lengths = inside.sum(dim=1).tolist()
        texts = [tuple(row[:own]) for row, own in zip(tokens.tolist(), lengths, strict=True)]
        if unknown := list(dict.fromkeys(text for text in texts if text not in self._remembered)):
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.clear()
                unknown = list(dict.fromkeys(texts))
            with torch.no_grad():
                pooled = self._pool(**self._padded(unknown)).cpu()
            self._remembered.update(zip(unknown, pooled, strict=True))
        return torch.stack([self._remembered[text] for text in texts]).to(self.projection.weight.device)

    def _pool(self, tokens: Tensor, inside: Tensor) -> Tensor:
        """(texts, width of the encoder)."""
        encoder = cast("PreTrainedModel", self.encoder)
        states: Tensor = encoder(input_ids=tokens, attention_mask=inside).last_hidden_state
        if self.pooling == "cls":
            return states[:, 0]
        return (states * inside.unsqueeze(-1)).sum(1) / inside.sum(1, keepdim=True)

    def _top(self) -> Sequence[nn.Module]:
        """The layers that are trained while the others are frozen."""
        if self.trained != "top":
            return []
        encoder = cast("PreTrainedModel", self.encoder)
        _, layers = _layers(encoder)
        if self.top_layers > len(layers):
            raise EmorecError(
                f"top_layers of at most {len(layers)}, which {encoder.config.model_type} has",
                f"{self.top_layers}",
                "set model.init_args.top_layers",
            )
        return list(layers)[-self.top_layers :]


def _layers(encoder: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """The stack of an encoder's layers and its name: in every model of the library its longest list of modules."""
    lists = [(name, part) for name, part in encoder.named_modules() if isinstance(part, nn.ModuleList)]
    return max(lists, key=lambda named: len(named[1]))


class TextWeights(HubWeights):
    """An encoder and its tokeniser; a bare architecture learns its word pieces from the training texts."""

    def load(self, texts: Sequence[str]) -> tuple[PreTrainedModel, Tokenizer]:
        """Load the encoder in float32, and its tokeniser.

        Args:
            texts: Training texts, from which a bare architecture learns its word pieces.

        Raises:
            UnavailableError: The files cannot be had.
            EmorecError: They hold no encoder of text, or the overrides do not fit it.
        """
        with self.errors_in_one_line("an encoder of text"):
            return self._learn(texts) if self.from_nothing else self._read()

    def _read(self) -> tuple[PreTrainedModel, Tokenizer]:
        from transformers import AutoTokenizer

        model = self.model(_UNNEEDED)
        return model, _backend(AutoTokenizer.from_pretrained(self.source), model.config.vocab_size)

    def _learn(self, texts: Sequence[str]) -> tuple[PreTrainedModel, Tokenizer]:
        config = self.config()
        tokeniser = _learned(texts, config.vocab_size)
        config.vocab_size, config.pad_token_id = tokeniser.get_vocab_size(), 0
        return encoder_of(config), tokeniser


def _backend(tokeniser: object, embeddings: int) -> Tokenizer:
    """The fast tokeniser, which can be written as one string and needs nothing else.

    The library makes an empty one where there is no file, hence the look at its size.
    """
    backend: Tokenizer | None = getattr(tokeniser, "backend_tokenizer", None)
    pieces = 0 if backend is None else backend.get_vocab_size()
    if backend is None or not embeddings / 2 < pieces <= embeddings:
        raise EmorecError(
            f"a tokenizer.json for {embeddings} pieces",
            f"{type(tokeniser).__name__} with {pieces}",
            "give `weights` a folder that has it",
        )
    return backend


def _learned(texts: Sequence[str], most_pieces: int) -> Tokenizer:
    """Word pieces as BERT's (Schuster & Nakajima 2012), learned from these texts; the padding is piece 0."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokeniser = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokeniser.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokeniser.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=most_pieces, special_tokens=special, show_progress=False)
    tokeniser.train_from_iterator(texts, trainer)
    tokeniser.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokeniser
