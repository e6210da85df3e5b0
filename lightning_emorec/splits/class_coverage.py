"""Whether the parts of a split have the classes that a model is to learn, and enough clips of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache

from lightning_emorec.errors import EmorecError
from lightning_emorec.speaker_names import canonical
from lightning_emorec.splits.split import Parts
from lightning_emorec.types import Clip, Tasks

log = logging.getLogger(__name__)

_FEW_CLIPS = 20
"""Of fewer, one clip more or less recognised moves a score by more than 5 %."""


def check_classes(parts: Parts, tasks: Tasks) -> None:
    """Warn of what makes scores of the first task mean little.

    That is a class that no clip of a part has, a part with very few clips, and speakers who speak one class only:
    whoever knows the voice then knows the label.

    Raises:
        EmorecError: One of the parts that a model learns from has clips, but of fewer than two classes.
    """
    task, classes = next(iter(tasks.items()))
    for name, clips in (("training", parts.train), ("validation", parts.val), ("test", parts.test)):
        if not clips:
            continue  # a split without validation, or whose test actors are absent
        labelled = [clip for clip in clips if task in clip.labels]
        found = {clip.labels[task] for clip in labelled}
        if len(found) < 2 and name != "test":
            raise EmorecError(
                f"at least two classes of {task} among the {name} clips",
                f"{', '.join(sorted(found)) or 'none'}",
                "choose another data.split, or mend the corpus's labels",
            )
        if missing := [one for one in classes if one not in found]:
            warn_once(f"no {name} clip is labelled {task}: {', '.join(missing)}")
        if len(labelled) < _FEW_CLIPS:
            fix = (
                "; data.split.init_args.val_actors can be a share, such as 0.15"
                if name == "validation"
                else ""
            )
            warn_once(f"only {len(labelled)} {name} clips are labelled {task}: its figures are rough{fix}")
    if said := telling_voices(parts.train, task):
        warn_once(said)


@lru_cache
def warn_once(message: str) -> None:
    """Warn, once in a process: a run lists its clips to plan and to train, and a cross-validation deals each fold."""
    log.warning("%s", message)


def telling_voices(clips: Sequence[Clip], task: str) -> str:
    """A warning where most of the speakers of several training clips speak one class; else nothing."""
    spoken: dict[str, list[str]] = {}
    for clip in clips:
        if task in clip.labels:
            spoken.setdefault(canonical(clip.actor), []).append(clip.labels[task])
    several = [labels for labels in spoken.values() if len(labels) > 1]
    telling = sum(len(set(labels)) == 1 for labels in several)
    if 2 * telling <= len(several):
        return ""
    return (
        f"{telling} of {len(several)} training speakers of several clips speak one class of {task} only: whoever knows "
        "the voice knows the label, so a model may learn voices in its place"
    )
