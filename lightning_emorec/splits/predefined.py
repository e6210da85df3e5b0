"""The parts that a corpus publishes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lightning_emorec.errors import EmorecError
from lightning_emorec.splits.split import PARTS, Parts, Split, actors_in, require_actors
from lightning_emorec.types import Clip, Part

log = logging.getLogger(__name__)


class Published(Split):
    """The parts that the corpus publishes.

    Args:
        allow_shared_actors: Accept actors in several parts, as in MELD. The scores are then not those for
            unseen speakers.
    """

    shared_actor_fix = "choose another data.split or set data.split.init_args.allow_shared_actors"

    def __init__(self, allow_shared_actors: bool = False) -> None:
        self.allow_shared_actors = allow_shared_actors

    def actors(self, clips: Sequence[Clip]) -> dict[Part, list[str]]:
        """Read off who speaks in each part."""
        return {part: actors_in(clip for clip in clips if clip.part == part) for part in PARTS}

    def parts(self, clips: Sequence[Clip]) -> Parts:
        """Part the clips as published.

        Raises:
            EmorecError: A clip without a published part, an actor in two parts that was not allowed, or no
                clips to train or to validate on.
        """
        if stray := [clip.id for clip in clips if clip.part is None]:
            found = f"none for {len(stray)} clips, e.g. {stray[0]}"
            raise EmorecError("a published part for each clip", found, "use another data.split, e.g. KFold")
        if not self.allow_shared_actors:
            return super().parts(clips)
        require_actors(clips)
        log.warning("actors may be in several parts: scores are not those for unseen speakers")
        chosen = {part: [clip for clip in clips if clip.part == part] for part in PARTS}
        return Parts(chosen["train"], chosen["val"], chosen["test"])
