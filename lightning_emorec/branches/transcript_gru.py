"""A bidirectional GRU over the words of a transcript."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.transcript_args import transcript_of
from lightning_emorec.branches.vocabulary import (
    EMPTY,
    PADDING,
    UNKNOWN,
    WordEmbedding,
    read_glove,
    vocabulary,
)
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, TranscriptSource, Value, transcript_feature
from lightning_emorec.types import Batch, Logits, Tasks

log = logging.getLogger(__name__)


class TranscriptGru(GradientBranch):
    """Word vectors, a bidirectional GRU, the mean and the maximum over the words, and a linear head a task.

    The vocabulary is learned from the training actors' transcripts and travels in the checkpoint.

    Args:
        tasks: Task name -> class names.
        transcript: Where the text comes from: `whisper`, the corpus's `reference`, or a `file`.
        whisper: Name or path of the Whisper model; null means `$EMOREC_WHISPER`, else tiny.en.
        transcript_file: A CSV with the columns clip and text, for `transcript: file`.
        context_s: Pad clips to this and not to 30 s before Whisper hears them: faster, less faithful.
        embedding_size: Width of the word vectors that the GRU reads.
        hidden: Units of the GRU, in each direction.
        layers: Layers of the GRU.
        dropout: Of the word vectors, between layers and before the heads.
        word_dropout: Share of the words that training replaces by the unknown word, so that it has a meaning.
        min_count: A word said less often in training is unknown.
        max_words: Longer texts lose their beginning.
        glove: A GloVe text file, for the vectors of the vocabulary's words; if they are not `embedding_size`
            wide, a learned projection follows them.
        freeze_glove: Do not train the word vectors when they come from GloVe.
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
        transcript: TranscriptSource = "whisper",
        whisper: str | None = None,
        transcript_file: str | None = None,
        context_s: float | None = None,
        embedding_size: int = 64,
        hidden: int = 64,
        layers: int = 1,
        dropout: float = 0.3,
        word_dropout: float = 0.05,
        min_count: int = 1,
        max_words: int = 64,
        glove: str | None = None,
        freeze_glove: bool = False,
        loss_weights: dict[str, float] | None = None,
        label_smoothing: float = 0.0,
        class_weights: bool = False,
        lr: float = 3e-3,
        weight_decay: float = 1e-2,
        warmup_epochs: float = 0.0,
    ) -> None:
        super().__init__(tasks, loss_weights, label_smoothing, class_weights, lr, weight_decay, warmup_epochs)
        _check_counts(
            embedding_size=embedding_size,
            hidden=hidden,
            layers=layers,
            min_count=min_count,
            max_words=max_words,
        )
        _check_shares(dropout=dropout, word_dropout=word_dropout)
        self.transcript = transcript_feature(transcript, whisper, transcript_file, context_s)
        self.word_dropout = word_dropout
        self.min_count = min_count
        self.max_words = max_words
        self.glove = glove
        self.embedding = WordEmbedding(embedding_size, frozen=glove is not None and freeze_glove)
        self.dropout = nn.Dropout(dropout)
        between = dropout if layers > 1 else 0.0  # torch warns about a dropout that has no place
        self.gru = nn.GRU(
            embedding_size, hidden, layers, batch_first=True, dropout=between, bidirectional=True
        )
        self.embed_size = 4 * hidden
        self.heads = nn.ModuleDict(
            {task: nn.Linear(self.embed_size, len(classes)) for task, classes in tasks.items()}
        )

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The transcript that these arguments ask for."""
        return [transcript_of(init_args)]

    def learn_from_training(self, features: Mapping[str, Sequence[Value]]) -> None:
        """Build the vocabulary and its vectors.

        Raises:
            EmorecError: The GloVe file cannot be read.
        """
        self.build_vocabulary(self.transcript.collate(features[self.text_key]))

    def build_vocabulary(self, texts: Sequence[str]) -> None:
        """Learn the words of the training clips' texts; the vectors start anew.

        Raises:
            EmorecError: The GloVe file cannot be read.
        """
        words = vocabulary(texts, self.min_count)
        if not words:
            log.warning(
                "no word is said %d times in the training transcripts: text can tell nothing", self.min_count
            )
        self.embedding.learn(words, read_glove(Path(self.glove), words) if self.glove and words else None)

    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes), from the transcripts alone."""
        pooled = self.dropout(self.embed(batch))
        return {task: head(pooled) for task, head in self.heads.items()}

    def embed(self, batch: Batch) -> Tensor:
        """(batch, embed_size): mean and maximum of the states over the words."""
        texts = cast("list[str]", batch.features[self.text_key])
        encoded = [torch.tensor(self.embedding.encode(text, self.max_words)) for text in texts]
        lengths = torch.tensor([len(rows) for rows in encoded])
        rows = pad_sequence(encoded, batch_first=True, padding_value=PADDING).to(
            self.device
        )  # (batch, words)
        states = self._states(self._drop_words(rows), lengths)  # (batch, words, 2 * hidden)
        inside = (rows != PADDING).unsqueeze(-1)  # (batch, words, 1)
        mean = (states * inside).sum(1) / inside.sum(1)
        highest = states.masked_fill(~inside, -torch.inf).amax(1)
        return torch.cat([mean, highest], dim=-1)  # (batch, 4 * hidden)

    @cached_property
    def text_key(self) -> str:
        """Key of the transcript in `Batch.features`; kept, since it costs a look at the disk."""
        return self.transcript.key

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


def _check_counts(**counts: int) -> None:
    for knob, count in counts.items():
        if count < 1:
            raise EmorecError(f"{knob} of at least 1", f"{count}", f"mend model.init_args.{knob}")


def _check_shares(**shares: float) -> None:
    for knob, share in shares.items():
        if not 0 <= share < 1:
            raise EmorecError(f"{knob} in [0, 1)", f"{share}", f"mend model.init_args.{knob}")
