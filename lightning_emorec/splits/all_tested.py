"""Everyone tests: for a model that was trained on another corpus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from lightning_emorec.splits.split import Parts, Split, actors_in, require_actors
from lightning_emorec.types import Clip, Part


class TestedParts(Parts):
    """Parts of which nobody trains or validates."""

    required: ClassVar[tuple[Part, ...]] = ("test",)


class AllTested(Split):
    """Test on every actor of the corpus: `test --ckpt_path` of a model that was trained on another one."""

    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Put all to the test."""
        return {"train": [], "val": [], "test": actors_in(clips)}

    def parts(self, clips: Sequence[Clip]) -> Parts:
        """Put all clips to the test.

        Raises:
            EmorecError: No clips, or one without an actor.
        """
        require_actors(clips)
        return TestedParts([], [], list(clips))
