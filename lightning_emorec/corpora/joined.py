"""Several corpora as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lightning_emorec.corpora.corpus import Corpus
from lightning_emorec.errors import EmorecError
from lightning_emorec.speaker_names import canonical
from lightning_emorec.types import Clip, Tasks


class JoinedCorpora(Corpus):
    """Several corpora as one, each with its own label map: `LeaveCorpusOut` tests on one of them.

    Ids and actors begin with the name of their corpus, as `ravdess/1` does: actor 1 of one corpus is not actor 1 of
    another.

    The first task, which a run is judged by, is that of the first corpus, and every corpus must have it. The further
    tasks are those of any corpus; clips of the others are unlabelled for them. The classes of a task are those of the
    first corpus in its order, then what each further corpus adds. To keep to the classes that all have, map the others
    to null in the corpus' own `labels`.

    Args:
        corpora: Name -> corpus.

    Raises:
        EmorecError: Fewer than two corpora, a name that is empty or has a slash, or a corpus without the first task.
    """

    def __init__(self, corpora: dict[str, Corpus]) -> None:
        fix = "set --data.corpus.corpora"
        if len(corpora) < 2:
            raise EmorecError("at least two corpora to join", str(len(corpora)), fix)
        if wrong := [name for name in corpora if not name.strip() or "/" in name]:
            raise EmorecError("names of corpora without a slash", repr(wrong[0]), fix)
        self._corpora = dict(corpora)
        self.synthetic = any(corpus.synthetic for corpus in corpora.values())
        task = next(iter(next(iter(corpora.values())).tasks))
        if without := [name for name, corpus in corpora.items() if task not in corpus.tasks]:
            found = f"{', '.join(self._corpora[without[0]].tasks)} in {without[0]}"
            raise EmorecError(f"the task {task} in each of the corpora", found, fix)

    @property
    def tasks(self) -> Tasks:
        """The tasks of all, each with the classes of all, in the order of the corpora."""
        joined: dict[str, dict[str, None]] = {}
        for corpus in self._corpora.values():
            for task, classes in corpus.tasks.items():
                joined.setdefault(task, {}).update(dict.fromkeys(classes))
        return {task: list(classes) for task, classes in joined.items()}

    def prepare(self) -> None:
        """Prepare each corpus."""
        for corpus in self._corpora.values():
            corpus.prepare()

    def clips(self) -> list[Clip]:
        """List the clips of all, sorted by id.

        Raises:
            EmorecError: As of each corpus, or a recording that two of them have.
        """
        clips = [
            replace(clip, id=f"{name}/{clip.id}", actor=clip.actor and f"{name}/{canonical(clip.actor)}")
            for name, corpus in self._corpora.items()
            for clip in corpus.clips()
        ]
        _refuse_shared(clips)
        return sorted(clips, key=lambda clip: clip.id)


def _refuse_shared(clips: Sequence[Clip]) -> None:
    """A recording in two corpora would have two actors, and could be trained and tested on."""
    first: dict[object, str] = {}
    for clip in clips:
        if clip.path is not None:
            name = clip.id.partition("/")[0]
            other = first.setdefault(clip.path.absolute(), name)
            if other != name:
                found = f"{clip.path} in {other} and {name}"
                raise EmorecError("each recording in one corpus", found, "set --data.corpus.corpora")
