"""How recordings are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lightning_emorec.errors import EmorecError


@dataclass(frozen=True)
class Options:
    """How recordings are cut and what results hold.

    Attributes:
        whole_s: Recordings up to this length, in s, are judged whole; longer ones in windows over their speech.
        window_s: Length of a window in s.
        step_s: From the begin of a window to that of the next in s.
        min_s: Speech in longer recordings that is shorter than this, in s, is not judged.
        coverage: Share of clips whose right class the prediction sets shall hold.
        branches: Give the probabilities of each branch too.
        tasks: Further tasks to give probabilities of; None of them by default, for sex is inferred of a person.
        channel: Of a recording with several, counted from 0; `each` takes each as a speaker, `mix` makes them one; None
            does as the model was trained: the channel that it was trained on, or a mix.
    """

    whole_s: float = 15.0
    window_s: float = 4.0
    step_s: float = 2.0
    min_s: float = 0.5
    coverage: float = 0.9
    branches: bool = False
    tasks: Sequence[str] = ()
    channel: int | Literal["each", "mix"] | None = None

    def __post_init__(self) -> None:
        for name in ("whole_s", "window_s", "step_s", "min_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise EmorecError(f"a positive {name}", f"{getattr(self, name)}", f"set --{name}")
        if self.step_s > self.window_s:
            found = f"{self.step_s} above {self.window_s}"
            raise EmorecError("step_s up to window_s", found, "set a smaller --step_s")
        if self.min_s > self.window_s:
            found = f"{self.min_s} above {self.window_s}"
            raise EmorecError("min_s up to window_s", found, "set a smaller --min_s")
        if not 0 < self.coverage < 1:
            raise EmorecError("a coverage between 0 and 1", f"{self.coverage}", "set --coverage, as 0.9")
