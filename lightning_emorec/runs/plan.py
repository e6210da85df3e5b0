"""What a `fit`, `validate` or `test` will do, decided once, before anything is trained, and kept in its run folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.errors import EmorecError

# Not `plan.json`: a cross-validation keeps its own plan under that name, in a folder beside.
PLAN = "run_plan.json"


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
    """Decisions that every process of a run must share; each would decide anew from the command line alone.

    A process reads the file only where its command line names it with `--plan`; a file that an earlier command left
    in a folder is written anew.

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

    @classmethod
    def read(cls, file: Path) -> RunPlan:
        """The plan that `write` left.

        Raises:
            EmorecError: There is no such file.
        """
        if not file.is_file():
            raise EmorecError("the plan of a run that has begun", f"no file {file}", "remove --plan")
        return cls.of_text(file.read_text(encoding="utf8"))

    def write(self) -> Path:
        """Write the plan into the run folder, and return its file."""
        write_atomically(self.file, self.as_text())
        return self.file

    @property
    def file(self) -> Path:
        """Where the plan is kept."""
        return self.folder / PLAN

    @property
    def arguments(self) -> list[str]:
        """What hands the plan to another process of the run, on its command line."""
        return ["--plan", str(self.file)]

    def anywhere(self) -> RunPlan:
        """The same for a process in another working directory."""
        return replace(
            self,
            folder=self.folder.resolve(),
            branches={name: folder.resolve() for name, folder in self.branches.items()},
            refits={
                name: replace(refit, folder=refit.folder.resolve()) for name, refit in self.refits.items()
            },
            refit_of=self.refit_of and self.refit_of.resolve(),
        )

    def as_text(self) -> str:
        """What `of_text` reads."""
        return json.dumps(asdict(self), default=str, indent=2, ensure_ascii=False) + "\n"
