"""Linear functions of the TF-IDF of a transcript's word and character n-grams: a support vector machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from lightning_emorec.branches.calibrated import calibrate, held_out_scores, temper
from lightning_emorec.branches.checks import check_above_zero, check_at_least
from lightning_emorec.branches.closed_form import PerTaskBranch
from lightning_emorec.branches.transcript import TranscriptBranch
from lightning_emorec.branches.vocabulary import tokenise
from lightning_emorec.errors import EmorecError
from lightning_emorec.training_data import LabelledClips, TrainingData
from lightning_emorec.types import Batch, Logits, Tasks

if TYPE_CHECKING:
    from sklearn.pipeline import FeatureUnion

Array = NDArray[np.float64]

CALIBRATIONS = {"temperature": temper, "multinomial": calibrate}


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
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import FeatureUnion

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

    def forward(self, columns: Tensor, counts: Tensor, blocks: Tensor, starts: Tensor) -> Tensor:
        """(texts, outputs), of what `count` gives: the bias alone where no term of a text is known."""
        values = (1 + counts.log()) * self.columns.idf[columns]  # (terms of all texts,)
        squares = values.new_zeros(len(starts) * len(self._analyse))
        lengths = squares.index_add(0, blocks, values.square()).sqrt()  # (texts * vectorisers,)
        values = values / lengths[blocks]
        sums = embedding_bag(columns, self.columns.weight, starts, mode="sum", per_sample_weights=values)
        return sums + self.bias

    def count(self, texts: Sequence[str]) -> dict[str, Tensor]:
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
        places = {"columns": columns, "blocks": blocks, "starts": starts}
        made = {
            name: torch.tensor(of, dtype=torch.long, device=self.bias.device) for name, of in places.items()
        }
        return {**made, "counts": torch.tensor(counts).to(self.bias)}

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


@dataclass(frozen=True)
class _Rows:
    """Texts of the training clips, their terms as a sparse matrix, and what made it."""

    texts: NDArray[Any]
    terms: Any
    vectorisers: FeatureUnion


class TfidfSvc(TranscriptBranch, PerTaskBranch):
    """TF-IDF of word and character n-grams, a linear SVC a task, and its scores calibrated into logits.

    The scores that it is calibrated on come from training actors whom the scoring machine was not fitted on; then
    it is fitted again on all of them. Scores and calibration are both linear, so one map is kept.

    Args:
        tasks: Task name -> class names.
        word_ngrams: The longest word n-gram.
        char_ngrams: The longest character n-gram; the shortest has 2.
        min_count: A term in fewer training texts is not known.
        c: Inverse strength of the SVC's ridge.
        class_weights: Weigh each class by the inverse of its share of the training clips.
        calibration: `temperature` scales the scores and keeps what the SVC predicts; `multinomial` is a
            logistic regression over them, which knows better how frequent the classes are.
        folds: Groups of training actors that are held out in turn for the calibration.
        recipe: As `TranscriptBranch`.
    """

    def __init__(
        self,
        tasks: Tasks,
        word_ngrams: int = 2,
        char_ngrams: int = 5,
        min_count: int = 2,
        c: float = 0.1,
        class_weights: bool = True,
        calibration: Literal["temperature", "multinomial"] = "temperature",
        folds: int = 5,
        **recipe: Any,
    ) -> None:
        super().__init__(tasks, **recipe)
        check_at_least(1, word_ngrams=word_ngrams, min_count=min_count)
        check_at_least(2, char_ngrams=char_ngrams, folds=folds)
        check_above_zero(c=c)
        self.linear = TfidfLinear(sum(map(len, tasks.values())), word_ngrams, char_ngrams, min_count)
        self.min_count = min_count
        self.c = c
        self.class_weights = class_weights
        self.calibration = calibration
        self.folds = folds

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """The counted terms of the transcripts."""
        return self.linear.count(self.texts(batch))

    def net(self, **counted: Tensor) -> Logits:
        """Logits of each task, (batch, classes)."""
        rows: Tensor = self.linear(**counted)
        ends = list(accumulate(map(len, self.tasks.values())))
        return dict(zip(self.tasks, rows.tensor_split(ends[:-1], dim=1), strict=True))

    def solve(self, training: TrainingData) -> None:
        """Learn the terms of the training transcripts, and a calibrated machine for each task.

        Raises:
            EmorecError: No term is frequent enough, or all clips are of one actor.
        """
        try:
            super().solve(training)
        except ValueError as error:  # scikit-learn's way to say that a vocabulary is empty
            expected = f"terms in at least {self.min_count} training transcripts"
            raise EmorecError(expected, str(error), "lower model.init_args.min_count") from error

    def learn_rows(self, training: TrainingData) -> _Rows:
        """Learn the terms."""
        texts = np.array(training.collated(self.transcript), dtype=object)
        vectorisers = self.linear.vectorisers()
        return _Rows(texts, vectorisers.fit_transform(texts), vectorisers)

    def solve_task(self, rows: _Rows, labelled: LabelledClips) -> tuple[Array, Array]:
        """(terms, classes) and (classes,): an SVC and its calibration in one linear map."""
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import LinearSVC

        texts, terms = rows.texts[labelled.places], rows.terms[labelled.places]
        found, classes = labelled.labels, labelled.classes
        present = np.unique(found)
        if len(present) < 2:
            return np.zeros((terms.shape[1], classes)), calibrate(np.zeros((len(found), classes)), found)[1]
        machine = LinearSVC(C=self.c, class_weight="balanced" if self.class_weights else None, random_state=0)
        pipeline = make_pipeline(self.linear.vectorisers(), machine)
        scores = held_out_scores(pipeline, texts, found, list(labelled.actors), classes, self.folds)
        scale, shift = CALIBRATIONS[self.calibration](scores, found)  # (classes, classes), (classes,)
        machine.fit(terms, found)
        both = [-1, 1] if len(present) == 2 else [1]  # of two classes scikit-learn keeps the second's row
        weight, bias = np.zeros((classes, terms.shape[1])), np.zeros(classes)
        weight[present] = np.concatenate([sign * machine.coef_ for sign in both])
        bias[present] = np.concatenate([sign * machine.intercept_ for sign in both])
        return (scale @ weight).T, scale @ bias + shift

    def take(self, rows: _Rows, solved: dict[str, tuple[Array, Array]]) -> None:
        """Keep the terms and the linear maps of all tasks, side by side."""
        weights, biases = zip(*solved.values(), strict=True)
        self.linear.take(rows.vectorisers, np.concatenate(weights, axis=1), np.concatenate(biases))
