"""Transformers that encode text, and their tokenisers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lightning_emorec.branches.hub_weights import HubWeights, encoder_of
from lightning_emorec.errors import EmorecError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

_UNNEEDED = ("pooler.",)  # made for another task


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
        with self.told("an encoder of text"):
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
