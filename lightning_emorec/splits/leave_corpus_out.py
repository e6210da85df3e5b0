"""Train on some corpora, test on another."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import zip_longest

from lightning_emorec.errors import EmorecError
from lightning_emorec.splits.balance import ValActors, checked_val_actors
from lightning_emorec.splits.folds import test_on
from lightning_emorec.splits.split import Split, actors_in, sexes_in
from lightning_emorec.types import Clip, Part


class LeaveCorpusOut(Split):
    """Test on every actor of one of the corpora in a `JoinedCorpora`; the actors of the others train and validate.

    Validation actors are of each corpus and each sex in turn.

    Args:
        test: Name of the corpus to test on.
        val_actors: How many actors of the others validate, or which share of them, such as 0.15; null for 4, or a
            share of 0.15 where 4 actors have very few clips.
        seed: Which of the other actors validate.

    Raises:
        EmorecError: A number of validation actors that cannot be.
    """

    def __init__(self, test: str, val_actors: ValActors = None, seed: int = 0) -> None:
        self.test = test
        self.val_actors = checked_val_actors(val_actors)
        self.seed = seed

    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Part the actors by the corpus that their names begin with.

        Raises:
            EmorecError: No such corpus, no other one, or too few actors to validate and train on.
        """
        of_corpus: dict[str, list[str]] = {}
        for actor in actors_in(clips):
            name, slash, _ = actor.partition("/")
            of_corpus.setdefault(name if slash else "", []).append(actor)
        if self.test not in of_corpus or len(of_corpus) < 2:
            found = ", ".join(filter(None, of_corpus)) or "clips of no JoinedCorpora"
            expected = f"actors of the corpus {self.test} and of another"
            raise EmorecError(
                expected, found, "set data.split.init_args.test, or data.corpus to JoinedCorpora"
            )
        tested = of_corpus.pop(self.test)
        for actors in of_corpus.values():
            random.Random(self.seed).shuffle(actors)
        others = [one for row in zip_longest(*of_corpus.values()) for one in row if one is not None]
        return test_on([tested, others], 0, self.val_actors, clips, sexes_in(clips))
