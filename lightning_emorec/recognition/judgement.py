"""From a model's answer to the result for a stretch of a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lightning_emorec.confidence import Confidence, Floats
from lightning_emorec.recognition.model import RecognitionModel, Waveform
from lightning_emorec.recognition.options import Options
from lightning_emorec.recognition.segment import Segment

if TYPE_CHECKING:
    from lightning_emorec.recognition.known_speaker import KnownSpeaker

TASK, BRANCH, EMBEDDING = "task", "branch", "embedding"

UNKNOWN = Confidence(temperature=1.0, scores=np.zeros(0), actors=0)
"""Of a model without validation clips, and of a branch."""


@dataclass(frozen=True)
class Judgement:
    """What a model finds in a waveform, or on average in several.

    Attributes:
        columns: (kind, name) -> numbers: probabilities of tasks and branches, and embeddings.
        confidence: Task -> how far its probabilities go.
    """

    columns: Mapping[tuple[str, str], Floats]
    confidence: Mapping[str, Confidence]

    @property
    def vector(self) -> Floats:
        """All numbers in a row, for means over windows."""
        return np.concatenate(list(self.columns.values()))

    def with_vector(self, vector: Floats) -> Judgement:
        """The same with other numbers."""
        cuts = np.cumsum([len(values) for values in self.columns.values()])[:-1]
        return replace(self, columns=dict(zip(self.columns, np.split(vector, cuts), strict=True)))

    def embeddings(self) -> dict[str, Floats]:
        """Branch -> its embedding."""
        return {name: values for (kind, name), values in self.columns.items() if kind == EMBEDDING}


def judgements(
    model: RecognitionModel,
    options: Options,
    waveforms: Sequence[Waveform],
    texts: Sequence[str | None],
    content: str,
    embeddings: bool,
    speaker: KnownSpeaker | None = None,
) -> list[Judgement]:
    """Judge waveforms.

    Args:
        model: What judges.
        options: Which branches and tasks results hold.
        waveforms: (time,) each, at the model's rate.
        texts: What is said in each; the branches that read text are left out unless all are known.
        content: Digest of the recording.
        embeddings: Whether these are wanted.
        speaker: Whose clips they are, to be adapted by them; None judges each by itself.
    """
    known = [text for text in texts if text is not None]
    given = known if model.reads_text and len(known) == len(texts) else None
    contents = [content] * len(waveforms)
    if speaker is None:
        answer = model.judge(waveforms, given, embeddings, contents)
    else:
        answer = speaker.answer(model, waveforms, given, embeddings, contents)
    first = next(iter(model.tasks))
    columns = {
        (TASK, task): answer.confidence.get(task, UNKNOWN).probabilities(answer.logits[task])
        for task in (first, *options.tasks)
    }
    if options.branches:
        columns |= {
            (BRANCH, name): UNKNOWN.probabilities(logits[first]) for name, logits in answer.branches.items()
        }
    columns |= {(EMBEDDING, name): rows.astype(np.float64) for name, rows in answer.embeddings.items()}
    return [
        Judgement({key: values[place] for key, values in columns.items()}, answer.confidence)
        for place in range(len(waveforms))
    ]


def told(
    about: Segment, judged: Judgement, classes: Mapping[str, Sequence[str]], options: Options
) -> Segment:
    """A segment with what was found in it.

    Args:
        about: Where it is, without a label.
        judged: What was found.
        classes: Task -> classes, the emotion's first.
        options: Coverage of its set, and further tasks.
    """
    task = next(iter(classes))
    names, probabilities = classes[task], judged.columns[TASK, task]
    order = np.argsort(-probabilities, kind="stable").tolist()
    known = judged.confidence.get(task)
    inside = None if known is None else known.sets(probabilities[None], options.coverage)[0]
    chosen = [] if inside is None else [names[place] for place in order if inside[place]]
    return replace(
        about,
        label=names[order[0]],
        score=float(probabilities[order[0]]),
        probabilities=_named(names, probabilities),
        set=chosen,
        certain=None if inside is None else len(chosen) == 1,
        branches={
            name: _named(names, values) for (kind, name), values in judged.columns.items() if kind == BRANCH
        },
        tasks={other: _named(classes[other], judged.columns[TASK, other]) for other in options.tasks},
    )


def _named(classes: Sequence[str], probabilities: Floats) -> dict[str, float]:
    return dict(zip(classes, map(float, probabilities), strict=True))
