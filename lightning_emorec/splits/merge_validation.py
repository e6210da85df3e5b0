"""Any other split, its validation actors put to training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from lightning_emorec.splits.split import Parts, Split
from lightning_emorec.types import Clip, Part


class UnvalidatedParts(Parts):
    """Parts of which nobody validates."""

    required: ClassVar[tuple[Part, ...]] = ("train",)


class WithoutValidation(Split):
    """Another split whose validation actors train as well; those of the test stay as they are.

    For a model whose every choice has been made: nothing is left to choose it by. `fit --refit true` makes
    such splits by itself.

    Args:
        split: The other split.
    """

    def __init__(self, split: Split) -> None:
        self.split = split

    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Put those who validate in the other split to those who train."""
        actors = self.split.actors(clips)
        return {**actors, "train": [*actors["train"], *actors["val"]], "val": []}

    def parts(self, clips: Sequence[Clip]) -> Parts:
        """Part the clips as the other split does, and join two of its parts in the order of the corpus.

        Raises:
            EmorecError: As the other split's.
        """
        parts = self.split.parts(clips)
        learned_from = {clip.id for clip in (*parts.train, *parts.val)}
        train = [clip for clip in clips if clip.id in learned_from]
        return UnvalidatedParts(train, [], parts.test, parts.absent_test_actors)
