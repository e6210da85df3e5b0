"""Actors named one by one."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_emorec.speaker_names import canonical
from lightning_emorec.splits.split import Split, actors_in
from lightning_emorec.types import Clip, Part


class ActorLists(Split):
    """Actors named one by one. A number may be written 1, "1" or "01".

    Quote a number with leading zeros: unquoted, YAML reads 010 as 8.

    Args:
        test: Actors to test on; they may be absent.
        val: Actors to validate on.
        train: Actors to train on; None means all the others that the corpus has.
    """

    def __init__(
        self, test: list[int | str], val: list[int | str], train: list[int | str] | None = None
    ) -> None:
        self.test = [canonical(actor) for actor in test]
        self.val = [canonical(actor) for actor in val]
        self.train = None if train is None else [canonical(actor) for actor in train]

    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Return the lists, with the rest of the corpus to train on if none was named."""
        train = self.train
        if train is None:
            named = {*self.test, *self.val}
            train = [actor for actor in actors_in(clips) if actor not in named]
        return {"train": train, "val": self.val, "test": self.test}
