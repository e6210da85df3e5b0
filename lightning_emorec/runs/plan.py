"""What a `fit` will do, decided once, in the launching process, before anything is trained."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

PLAN_VARIABLE = "EMOREC_PLAN"


@dataclass(frozen=True)
class Refit:
    """A model's second training, on training and validation actors.

    Attributes:
        folder: Its run folder.
        epochs: For how long, as the first training chose; 0 for a model that is solved.
    """

    folder: Path
    epochs: int


@dataclass(frozen=True)
class RunPlan:
    """Decisions that every rank must share; ranks and child processes re-run the script and would decide anew.

    Attributes:
        folder: The run folder.
        branches: Branch name -> run folder of the trained branch; empty but for a fusion.
        left_out: Branch name -> why it is not fused.
        seconds: Stage -> seconds spent before the run's own trainer starts: `branch NAME` for each that was trained,
            and `branches` for all of them by the clock.
        warnings: What a reader of the run's figures must know.
        refits: Branch name, or that of the run itself -> its refit; empty but with `refit`.
        refit_of: Folder of the run that this one is the refit of.
    """

    folder: Path
    branches: dict[str, Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    refits: dict[str, Refit] = field(default_factory=dict)
    refit_of: Path | None = None

    @classmethod
    def handed_over(cls) -> RunPlan | None:
        """The plan that the launching process left in the environment, if this is another process of its run."""
        text = os.environ.get(PLAN_VARIABLE)
        return None if text is None else cls.of_text(text)

    @classmethod
    def of_text(cls, text: str) -> RunPlan:
        """The plan that `as_text` wrote."""
        plan = json.loads(text)
        return cls(
            Path(plan["folder"]),
            {name: Path(folder) for name, folder in plan["branches"].items()},
            plan["left_out"],
            plan["seconds"],
            plan["warnings"],
            {name: Refit(Path(refit["folder"]), refit["epochs"]) for name, refit in plan["refits"].items()},
            plan["refit_of"] and Path(plan["refit_of"]),
        )

    def anywhere(self) -> RunPlan:
        """The same for a process in another working directory."""
        branches = {name: folder.resolve() for name, folder in self.branches.items()}
        return replace(self, folder=self.folder.resolve(), branches=branches)

    def as_text(self) -> str:
        """What `of_text` reads."""
        return json.dumps(asdict(self), default=str)
