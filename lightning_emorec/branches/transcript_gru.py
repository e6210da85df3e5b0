"""A bidirectional GRU over the words of a transcript."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from lightning_emorec.branches.checks import check_at_least, check_shares
from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.transcript import TranscriptBranch
from lightning_emorec.branches.vocabulary import (
    EMPTY,
    PADDING,
    UNKNOWN,
    WordEmbedding,
    read_glove,
    vocabulary,
)
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import Batch, Tasks

log = logging.getLogger(__name__)


class TranscriptGru(TranscriptBranch, GradientBranch):
    """Word vectors, a bidirectional GRU, the mean and the maximum over the words, and a linear head a task.

    The vocabulary is learned from the training actors' transcripts and travels in the checkpoint.

    Args:
        tasks: Task name -> class names.
        embedding_size: Width of the word vectors that the GRU reads.
        hidden: Units of the GRU, in each direction.
        layers: Layers of the GRU.
        dropout: Of the word vectors, between layers and before the heads.
        word_dropout: Share of the words that training replaces by the unknown word, so that it has a meaning.
        min_count: A word that is rarer in training is unknown.
        max_words: Longer texts lose their beginning.
        glove: A GloVe text file, for the vectors of the vocabulary's words; if they are not `embedding_size`
            wide, a learned projection follows them.
        freeze_glove: Do not train the word vectors when they come from GloVe.
        label_smoothing: Share of the target that is spread over all classes.
        lr: Peak learning rate.
        weight_decay: Of matrices.
        warmup_epochs: Epochs of linear rise to `lr`.
        recipe: As `TranscriptBranch` and `GradientBranch`.
    """

    def __init__(
        self,
        tasks: Tasks,
        embedding_size: int = 64,
        hidden: int = 64,
        layers: int = 1,
        dropout: float = 0.3,
        word_dropout: float = 0.05,
        min_count: int = 1,
        max_words: int = 64,
        glove: str | None = None,
        freeze_glove: bool = False,
        label_smoothing: float = 0.0,
        lr: float = 3e-3,
        weight_decay: float = 1e-2,
        warmup_epochs: float = 0.0,
        **recipe: Any,
    ) -> None:
        super().__init__(
            tasks,
            label_smoothing=label_smoothing,
            lr=lr,
            weight_decay=weight_decay,
            warmup_epochs=warmup_epochs,
            **recipe,
        )
        check_at_least(
            1,
            embedding_size=embedding_size,
            hidden=hidden,
            layers=layers,
            min_count=min_count,
            max_words=max_words,
        )
        check_shares(dropout=dropout, word_dropout=word_dropout)
        self.word_dropout = word_dropout
        self.min_count = min_count
        self.max_words = max_words
        self.glove = glove
        self.embedding = WordEmbedding(embedding_size, frozen=glove is not None and freeze_glove)
        between = dropout if layers > 1 else 0.0  # torch warns about a dropout that has no place
        self.gru = nn.GRU(
            embedding_size, hidden, layers, batch_first=True, dropout=between, bidirectional=True
        )
        self.add_heads(4 * hidden, dropout)

    def learn_from_training(self, training: TrainingData) -> None:
        """Learn class weights, the vocabulary and its vectors.

        Raises:
            EmorecError: The GloVe file cannot be read.
        """
        super().learn_from_training(training)
        self.build_vocabulary(training.collated(self.transcript))

    def build_vocabulary(self, texts: Sequence[str]) -> None:
        """Learn the words of the training clips' texts; the vectors start anew.

        Raises:
            EmorecError: The GloVe file cannot be read.
        """
        words = vocabulary(texts, self.min_count)
        if not words:
            log.warning(
                "no word occurs %d times in the training transcripts: the text gives no information",
                self.min_count,
            )
        self.embedding.learn(words, read_glove(Path(self.glove), words) if self.glove and words else None)

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """(batch, words) rows of the embedding, and on the CPU, for packing, (batch,) how many are a text's own."""
        encoded = [torch.tensor(self.embedding.encode(text, self.max_words)) for text in self.texts(batch)]
        words = pad_sequence(encoded, batch_first=True, padding_value=PADDING).to(self.device)
        return {"words": words, "lengths": torch.tensor([len(rows) for rows in encoded])}

    def encode(self, words: Tensor, lengths: Tensor) -> Tensor:
        """(batch, embed_size): mean and maximum of the states over the words."""
        states = self._states(self._drop_words(words), lengths)  # (batch, words, 2 * hidden)
        inside = (words != PADDING).unsqueeze(-1)  # (batch, words, 1)
        mean = (states * inside).sum(1) / inside.sum(1)
        highest = states.masked_fill(~inside, -torch.inf).amax(1)
        return torch.cat([mean, highest], dim=-1)  # (batch, 4 * hidden)

    def _states(self, rows: Tensor, lengths: Tensor) -> Tensor:
        words = self.dropout(self.embedding(rows))
        packed = pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True)
        return states

    def _drop_words(self, rows: Tensor) -> Tensor:
        if not self.training or self.word_dropout == 0:
            return rows
        dropped = (torch.rand(rows.shape, device=rows.device) < self.word_dropout) & (rows > EMPTY)
        return rows.masked_fill(dropped, UNKNOWN)
