"""Whether the parts of a split have the classes that a model is to learn."""

from __future__ import annotations

import logging

from lightning_emorec.errors import EmorecError
from lightning_emorec.splits.split import Parts
from lightning_emorec.types import Tasks

log = logging.getLogger(__name__)


def check_classes(parts: Parts, tasks: Tasks) -> None:
    """Warn of classes of the first task that no training or no validation clip has.

    Raises:
        EmorecError: One of these parts has clips, but of fewer than two classes.
    """
    task, classes = next(iter(tasks.items()))
    for name, clips in (("training", parts.train), ("validation", parts.val)):
        if not clips:
            continue  # a split without validation
        found = {clip.labels[task] for clip in clips if task in clip.labels}
        if len(found) < 2:
            raise EmorecError(
                f"at least two classes of {task} among the {name} clips",
                f"{', '.join(sorted(found)) or 'none'}",
                "choose another data.split, or mend the corpus's labels",
            )
        if missing := [one for one in classes if one not in found]:
            log.warning("no %s clip is labelled %s: %s", name, task, ", ".join(missing))
