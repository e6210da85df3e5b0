"""Linear functions of the TF-IDF of word and character n-grams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from lightning_emorec.branches.vocabulary import tokenise


class TfidfLinear(nn.Module):
    """Texts to TF-IDF to `outputs` numbers, as scikit-learn's `FeatureUnion` of vectorisers and a linear model.

    Words, and characters within words, each weigh in with a vector of length 1. The terms are this module's
    extra state, in plain types: a checkpoint holds no scikit-learn object, and none is asked to predict.

    Args:
        outputs: Width of what comes out.
        word_ngrams: The longest word n-gram.
        char_ngrams: The longest character n-gram; the shortest has 2.
        min_count: A term in fewer training texts is not known.
    """

    bias: Tensor

    def __init__(self, outputs: int, word_ngrams: int, char_ngrams: int, min_count: int) -> None:
        super().__init__()
        self._options = {"sublinear_tf": True, "min_df": min_count}
        self._word_ngrams = (1, word_ngrams)
        self._char_ngrams = (2, char_ngrams)
        self._analyse = [vectoriser.build_analyzer() for _, vectoriser in self.vectorisers().transformer_list]
        self.register_buffer("bias", torch.zeros(outputs))
        self._build([[] for _ in self._analyse])

    def vectorisers(self) -> FeatureUnion:
        """The vectorisers of scikit-learn that learn the terms; without state."""
        words = TfidfVectorizer(
            tokenizer=tokenise,
            token_pattern=None,
            lowercase=False,
            ngram_range=self._word_ngrams,
            **self._options,
        )
        characters = TfidfVectorizer(analyzer="char_wb", ngram_range=self._char_ngrams, **self._options)
        return FeatureUnion([("words", words), ("characters", characters)])

    def take(self, fitted: FeatureUnion, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        """Take the terms of fitted `vectorisers` and the linear map that follows them.

        Args:
            fitted: The vectorisers, fitted.
            weight: (terms, outputs).
            bias: (outputs,).
        """
        learned = [vectoriser for _, vectoriser in fitted.transformer_list]
        self._build([list(vectoriser.get_feature_names_out()) for vectoriser in learned])
        self.columns.idf.copy_(torch.from_numpy(np.concatenate([vectoriser.idf_ for vectoriser in learned])))
        self.columns.weight.copy_(torch.from_numpy(weight))
        self.bias.copy_(torch.from_numpy(bias))

    def forward(self, texts: Sequence[str]) -> Tensor:
        """(texts, outputs): the bias alone where no term of a text is known."""
        found, counts, blocks, starts = self._count(texts)
        values = (1 + counts.log()) * self.columns.idf[found]  # (terms of all texts,)
        squares = values.new_zeros(len(texts) * len(self._analyse))
        lengths = squares.index_add(0, blocks, values.square()).sqrt()  # (texts * vectorisers,)
        values = values / lengths[blocks]
        sums = embedding_bag(found, self.columns.weight, starts, mode="sum", per_sample_weights=values)
        return sums + self.bias

    def _count(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Columns and counts of the known terms, the vector each is part of, and where each text starts."""
        columns: list[int] = []
        counts: list[int] = []
        blocks: list[int] = []
        starts: list[int] = []
        for row, text in enumerate(texts):
            starts.append(len(columns))
            for number, (analyse, column_of) in enumerate(zip(self._analyse, self._column_of, strict=True)):
                found = Counter(column_of[term] for term in analyse(text) if term in column_of)
                columns += found.keys()
                counts += found.values()
                blocks += [row * len(self._analyse) + number] * len(found)
        whole = [
            torch.tensor(of, dtype=torch.long, device=self.bias.device) for of in (columns, blocks, starts)
        ]
        return whole[0], torch.tensor(counts).to(self.bias), whole[1], whole[2]

    def get_extra_state(self) -> dict[str, Any]:
        """The terms of each vectoriser, in the order of their columns."""
        return {"terms": [list(column_of) for column_of in self._column_of]}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the terms of a checkpoint; the numbers follow."""
        self._build(state["terms"])

    def _build(self, terms: Sequence[Sequence[str]]) -> None:
        numbers = count()
        self._column_of = [{str(term): next(numbers) for term in of} for of in terms]
        self.columns = _Columns(sum(map(len, terms)), len(self.bias)).to(self.bias)


class _Columns(nn.Module):
    """What there is of each term; a module of its own, since extra state is restored before a child's buffers."""

    idf: Tensor
    weight: Tensor

    def __init__(self, terms: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("idf", torch.zeros(terms))
        self.register_buffer("weight", torch.zeros(terms, outputs))
