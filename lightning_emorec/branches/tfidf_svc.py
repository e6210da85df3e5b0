"""A linear support vector machine over the TF-IDF of a transcript."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from torch import Tensor

from lightning_emorec.branches.calibrated import calibrate, held_out_scores, temper
from lightning_emorec.branches.closed_form import ClosedFormBranch
from lightning_emorec.branches.tfidf import TfidfLinear
from lightning_emorec.branches.transcript_args import transcript_of
from lightning_emorec.dataset import labels
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, TranscriptSource
from lightning_emorec.types import UNLABELLED, Batch, Logits, Tasks

Array = NDArray[np.float64]

CALIBRATIONS = {"temperature": temper, "multinomial": calibrate}


class TfidfSvc(ClosedFormBranch):
    """TF-IDF of word and character n-grams, a linear SVC a task, and its scores calibrated into logits.

    The scores that it is calibrated on come from training actors whom the scoring machine never read; then it
    is fitted again on all of them. Scores and calibration are both linear, so one map is kept.

    Args:
        tasks: Task name -> class names.
        transcript: Where the text comes from: `whisper`, the corpus's `reference`, or a `file`.
        whisper: Name or path of the Whisper model; null means `$EMOREC_WHISPER`, else tiny.en.
        transcript_file: A CSV with the columns clip and text, for `transcript: file`.
        context_s: Pad clips to this and not to 30 s before Whisper hears them: faster, less faithful.
        word_ngrams: The longest word n-gram.
        char_ngrams: The longest character n-gram; the shortest has 2.
        min_count: A term in fewer training texts is not known.
        c: Inverse strength of the SVC's ridge.
        class_weights: Weigh each class by the inverse of its share of the training clips.
        calibration: `temperature` scales the scores and keeps what the SVC predicts; `multinomial` is a
            logistic regression over them, which knows better how frequent the classes are.
        folds: Groups of training actors that are held out in turn for the calibration.

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
        word_ngrams: int = 2,
        char_ngrams: int = 5,
        min_count: int = 2,
        c: float = 0.1,
        class_weights: bool = True,
        calibration: Literal["temperature", "multinomial"] = "temperature",
        folds: int = 5,
    ) -> None:
        super().__init__(tasks)
        least = {"word_ngrams": 1, "char_ngrams": 2, "min_count": 1, "folds": 2}
        given = {
            "word_ngrams": word_ngrams,
            "char_ngrams": char_ngrams,
            "min_count": min_count,
            "folds": folds,
        }
        for knob, value in given.items():
            if value < least[knob]:
                raise EmorecError(
                    f"{knob} of at least {least[knob]}", f"{value}", f"mend model.init_args.{knob}"
                )
        if c <= 0:
            raise EmorecError("a positive c", f"{c}", "mend model.init_args.c")
        self.linear = TfidfLinear(sum(map(len, tasks.values())), word_ngrams, char_ngrams, min_count)
        self.min_count = min_count
        self.c = c
        self.class_weights = class_weights
        self.calibration = calibration
        self.folds = folds

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """The transcript that these arguments ask for."""
        return [transcript_of(init_args)]

    @cached_property
    def text_key(self) -> str:
        """Key of the transcript in `Batch.features`; kept, since it costs a look at the disk."""
        return self.features[0].key

    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes), from the transcripts alone."""
        rows: Tensor = self.linear(cast("list[str]", batch.features[self.text_key]))
        ends = list(accumulate(map(len, self.tasks.values())))
        return dict(zip(self.tasks, rows.tensor_split(ends[:-1], dim=1), strict=True))

    def solve(self) -> None:
        """Learn the terms of the training transcripts, and a calibrated machine for each task.

        Raises:
            EmorecError: No term is frequent enough, or all clips are of one actor.
        """
        (transcript,) = self.features
        values = self.data.training_features()[transcript.key]
        texts = np.array(transcript.collate(values), dtype=object)
        clips = self.data.usable("train")
        actors = np.array([clip.actor for clip in clips])
        vectorisers = self.linear.vectorisers()
        try:
            terms = vectorisers.fit_transform(texts)
            solved = []
            for task, classes in self.tasks.items():
                found = np.array([labels(clip, self.tasks)[task] for clip in clips])
                known = found != UNLABELLED
                solved.append(
                    self._solve_task(texts[known], terms[known], found[known], actors[known], len(classes))
                )
        except ValueError as error:  # scikit-learn's way to say that a vocabulary is empty
            expected = f"terms in at least {self.min_count} training transcripts"
            raise EmorecError(expected, str(error), "lower model.init_args.min_count") from error
        weights, biases = zip(*solved, strict=True)
        self.linear.take(vectorisers, np.concatenate(weights, axis=1), np.concatenate(biases))

    def _solve_task(
        self, texts: NDArray[Any], terms: Any, found: NDArray[np.int64], actors: NDArray[Any], classes: int
    ) -> tuple[Array, Array]:
        """(terms, classes) and (classes,): an SVC and its calibration in one linear map."""
        present = np.unique(found)
        if len(present) < 2:
            return np.zeros((terms.shape[1], classes)), calibrate(np.zeros((len(found), classes)), found)[1]
        machine = LinearSVC(C=self.c, class_weight="balanced" if self.class_weights else None, random_state=0)
        scores = held_out_scores(
            make_pipeline(self.linear.vectorisers(), machine), texts, found, list(actors), classes, self.folds
        )
        scale, shift = CALIBRATIONS[self.calibration](scores, found)  # (classes, classes), (classes,)
        machine.fit(terms, found)
        both = [-1, 1] if len(present) == 2 else [1]  # of two classes scikit-learn keeps the second's row
        weight, bias = np.zeros((classes, terms.shape[1])), np.zeros(classes)
        weight[present] = np.concatenate([sign * machine.coef_ for sign in both])
        bias[present] = np.concatenate([sign * machine.intercept_ for sign in both])
        return (scale @ weight).T, scale @ bias + shift
