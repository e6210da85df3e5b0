"""What every corpus does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from lightning_emorec.types import Clip, Tasks


class Corpus(ABC):
    """A source of labelled clips.

    A constructor checks its arguments and touches no disk; `prepare` may download or generate;
    `clips` lists what is there.
    """

    synthetic: bool = False
    """Whether the audio is generated: reports and tables then say SYNTHETIC."""

    @property
    @abstractmethod
    def tasks(self) -> Tasks:
        """Task name -> class names in logit order, the task a run is judged by first. Reads no file."""

    @property
    def judged(self) -> Tasks:
        """The tasks and classes that scores rest on: all, but where a model was trained on others."""
        return self.tasks

    @property
    def judged_by(self) -> dict[str, Any]:
        """What metrics.json says of scores that do not rest on all tasks and classes; else nothing."""
        return {}

    @property
    def remarks(self) -> list[str]:
        """What a reader of the figures must know of the clips: sentences without full stop."""
        return []

    def prepare(self) -> None:  # noqa: B027 - nothing to do where the files are the user's
        """Make the files be there: download or generate what is missing. Called in one process only.

        Raises:
            EmorecError: The files are absent and cannot be had.
        """

    @abstractmethod
    def clips(self) -> list[Clip]:
        """List the clips, sorted by id, without decoding any.

        Raises:
            EmorecError: No clips, a malformed name or row, or a label that is not in `tasks`.
        """
