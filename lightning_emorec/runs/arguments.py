"""The command line of `fit`, `validate` and `test`: flags added to Lightning's parser, and flags handled outside it."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser

from lightning_emorec.config_loader import replaced
from lightning_emorec.errors import EmorecError
from lightning_emorec.nested import as_yaml
from lightning_emorec.renamed import with_current_class_paths
from lightning_emorec.runs.checkpoint import config_to_judge

PLAN = "--plan"
"""Internal flag with the file of a `RunPlan`, for processes that another process starts."""

BRANCH = "--model.init_args.overrides."
TRANSFORM = re.compile(r"--data\.augment\.(?=[A-Z])")  # a class, as `SpeedPerturb`


def add_run_arguments(parser: LightningArgumentParser) -> None:
    """Add the flags of a run: its name and folder, what follows the `fit`, and which checkpoint is kept."""
    parser.add_argument("--name", type=str, default="run", help="Name of the run's folder.")
    parser.add_argument("--runs", type=str, default="runs", help="Folder of all runs.")
    parser.add_argument(
        "--test_after_fit",
        type=bool,
        default=True,
        help="Test the best checkpoint once, after all choices, if the corpus has the test clips.",
    )
    parser.add_argument(
        "--score_training",
        type=bool,
        default=False,
        help="Score the training clips too, without augmentation, to show overfitting.",
    )
    parser.add_argument(
        "--refit",
        type=bool,
        default=False,
        help="After all choices, train again on training and validation actors, for the chosen number of epochs.",
    )
    parser.add_argument(
        "--branch_jobs",
        type=int,
        default=1,
        help="Number of missing branches of a fusion to train at a time.",
    )
    parser.add_argument(
        "--resolve_to", type=str | None, help="Write the resolved config to this file, and exit."
    )
    parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
    defaults = {"filename": "best", "mode": "max", "enable_version_counter": False}
    parser.set_defaults({f"checkpoint.{key}": value for key, value in defaults.items()})


@dataclass(frozen=True)
class CommandLine:
    """A command line, split by who reads it.

    Attributes:
        args: For LightningCLI's parser.
        branches: NAME.KEY -> value from `BRANCH` flags: settings of the branches of a fused run. In jsonargparse,
            each of these flags would replace all overrides of the same branch in a config.
        transforms: CLASS.ARGUMENT -> value from `--data.augment.` flags. jsonargparse has no flags for list items.
        plan: File of the plan that another process made for this one.
    """

    args: list[str] = field(default_factory=list)
    branches: dict[str, Any] = field(default_factory=dict)
    transforms: dict[str, Any] = field(default_factory=dict)
    plan: Path | None = None


def read_command_line(args: Sequence[str]) -> CommandLine:
    """Extract the flags that the parser does not know (FLAG=VALUE or FLAG VALUE), and parse their values as YAML.

    `validate` and `test` with --ckpt_path and without --config use the config in the checkpoint.
    """
    line = CommandLine()
    plan = _option(sys.argv, PLAN)  # for a rank that Lightning started from a script which calls `main(args)`
    rest = iter(with_current_class_paths([*args]))
    for arg in rest:
        transform = TRANSFORM.match(arg)
        flag, equals, value = arg.partition("=")
        if not transform and not arg.startswith(BRANCH) and flag != PLAN:
            line.args.append(arg)
            continue
        text = value if equals else next(rest, None)
        if text is None:
            raise EmorecError(f"{flag}=VALUE", "no value", f"add a value to {flag}")
        if transform:
            line.transforms[flag[transform.end() :]] = yaml.safe_load(text)
        elif flag == PLAN:
            plan = text
        else:
            line.branches[flag.removeprefix(BRANCH)] = replaced(yaml.safe_load(text))
    with_config = _with_config_of_checkpoint(line.args)
    return CommandLine(with_config, line.branches, line.transforms, None if plan is None else Path(plan))


def _with_config_of_checkpoint(args: list[str]) -> list[str]:
    verb, *rest = args or [""]
    file = _option(rest, "--ckpt_path")
    if verb not in ("validate", "test") or file is None or _option(rest, "--config") or _option(rest, "-c"):
        return args
    return [verb, "--config", as_yaml(config_to_judge(file)), *rest]


def _option(args: Sequence[str], name: str) -> str | None:
    for position, arg in enumerate(args):
        if arg == name and position + 1 < len(args):
            return args[position + 1]
        if arg.startswith(f"{name}="):
            return arg.partition("=")[2]
    return None
