"""A corpus as a model sees it that was trained on other tasks or classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from lightning_emorec.corpora.corpus import Corpus
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip, Tasks


class SharedClasses(Corpus):
    """Another corpus with the tasks of a trained model, to judge the model by what both have.

    `validate` and `test` put it around a corpus whose tasks are not the model's. Classes are the same where their names
    are, after the corpus' own `labels`. Clips of a class of the first task that the model lacks are left out; further
    labels that it lacks are dropped.

    Args:
        corpus: The other corpus.
        tasks: The model's.

    Raises:
        EmorecError: The two share fewer than two classes of the model's first task.
    """

    def __init__(self, corpus: Corpus, tasks: dict[str, list[str]]) -> None:
        self._corpus, self._tasks = corpus, tasks
        self.synthetic = corpus.synthetic
        self._left_out = Counter[str]()
        self._first = next(iter(tasks))
        if self._first not in self.judged:
            found = ", ".join(corpus.tasks.get(self._first, [])) or f"no task {self._first}"
            expected = (
                f"at least two of the model's classes of {self._first}: {', '.join(tasks[self._first])}"
            )
            raise EmorecError(expected, f"{found} in the corpus", "name them alike by --data.corpus.labels")

    @property
    def tasks(self) -> Tasks:
        """The model's."""
        return {task: list(classes) for task, classes in self._tasks.items()}

    @property
    def judged(self) -> Tasks:
        """The tasks, and of each the two or more classes, that model and corpus share, in the order of the model."""
        own = self._corpus.tasks
        shared = {
            task: [one for one in classes if one in own.get(task, [])]
            for task, classes in self._tasks.items()
        }
        return {task: classes for task, classes in shared.items() if len(classes) > 1}

    @property
    def judged_by(self) -> dict[str, Any]:
        """What metrics.json says of it; the clips that are left out are known once they are listed."""
        judged = self.judged
        return {
            "classes": judged,
            "classes_not_in_corpus": {
                task: [one for one in self._tasks[task] if one not in classes]
                for task, classes in judged.items()
            },
            "tasks_not_judged": [task for task in self._tasks if task not in judged],
            "clips_left_out": dict(sorted(self._left_out.items())),
        }

    @property
    def remarks(self) -> list[str]:
        """One sentence, that probabilities are those among the shared classes, and what is not judged."""
        by = self.judged_by
        shared = ", ".join(by["classes"][self._first])
        said = [f"judged on what model and corpus share, of {self._first}: {shared}"]
        if missing := by["classes_not_in_corpus"][self._first]:
            said.append(f"the model's {', '.join(missing)} are not in the corpus and get no probability")
        if by["tasks_not_judged"]:
            said.append(f"not judged: {', '.join(by['tasks_not_judged'])}")
        if self._left_out:
            counted = ", ".join(f"{count:,} {label}" for label, count in by["clips_left_out"].items())
            said.append(f"clips of classes that the model lacks are left out: {counted}")
        return ["; ".join(said)]

    def prepare(self) -> None:
        """Prepare the corpus."""
        self._corpus.prepare()

    def clips(self) -> list[Clip]:
        """List the clips of classes that the model knows, and those without a label of the first task.

        Raises:
            EmorecError: As of the corpus.
        """
        kept, self._left_out = [], Counter[str]()
        for clip in self._corpus.clips():
            label = clip.labels.get(self._first)
            if label is not None and label not in self._tasks[self._first]:
                self._left_out[label] += 1
                continue
            known = {task: clip.labels.get(task) for task in self._tasks}
            labels = {
                task: one for task, one in known.items() if one is not None and one in self._tasks[task]
            }
            kept.append(replace(clip, labels=labels))
        return kept
