"""The plan of a `fit`, `validate` or `test`: made once, before anything is trained, and kept in the run folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.errors import EmorecError

# Not `plan.json`: a cross-validation has a file of that name.
PLAN = "run_plan.json"


@dataclass(frozen=True)
class Refit:
    """The second training of a model, on training and validation actors.

    Attributes:
        folder: Run folder of the refit.
        epochs: Number of epochs, chosen in the first training; 0 for a closed-form model.
    """

    folder: Path
    epochs: int


@dataclass(frozen=True)
class RunPlan:
    """Decisions that all processes of a run share.

    A process reads the file only if its command line has `--plan FILE`; other commands overwrite an existing file.

    Attributes:
        folder: The run folder.
        branches: Branch name -> run folder of the trained branch; empty except for a fusion.
        left_out: Branch name -> the reason why it is not fused.
        seconds: Stage -> seconds spent before the run's own trainer starts: `branch NAME` for each trained branch,
            and `branches` for the wall time of all.
        warnings: Caveats shown with the run's scores.
        refits: Name of the branch, or of the run itself -> its refit; empty unless `refit` is set.
        refit_of: Folder of the original run if this run is a refit.
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
        """Parse the result of `as_text`."""
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
        """Read a file written by `write`."""
        if not file.is_file():
            raise EmorecError("the plan of a run that has begun", f"no file {file}", "remove --plan")
        return cls.of_text(file.read_text(encoding="utf8"))

    def write(self) -> Path:
        """Write the plan into the run folder, and return its file."""
        write_atomically(self.file, self.as_text())
        return self.file

    @property
    def file(self) -> Path:
        """The file of the plan in the run folder."""
        return self.folder / PLAN

    @property
    def arguments(self) -> list[str]:
        """Command line arguments that pass the plan to another process of the run."""
        return ["--plan", str(self.file)]

    def anywhere(self) -> RunPlan:
        """The plan with absolute paths, for a process in another working directory."""
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
        """The plan as JSON."""
        return json.dumps(asdict(self), default=str, indent=2, ensure_ascii=False) + "\n"
