"""Frozen branches under a fusion rule: itself a branch."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, cast

import torch
import yaml
from jsonargparse.typing import Path_fr
from torch import Tensor, nn

from lightning_emorec.branches import (
    ClosedFormBranch,
    Collector,
    best_checkpoint,
    branch_class,
    branch_features,
    build_branch,
    logits_file,
    resolve_spec,
)
from lightning_emorec.features import Feature
from lightning_emorec.fusion.average import Average
from lightning_emorec.fusion.log_linear import LogLinear
from lightning_emorec.fusion.max_confidence import MaxConfidence
from lightning_emorec.fusion.rule import FusionRule
from lightning_emorec.fusion.weighted import Weighted
from lightning_emorec.metrics import PartLogits
from lightning_emorec.types import UNLABELLED, Batch, EmorecError, Logits, Part, Tasks

RULES: dict[str, type[FusionRule]] = {
    "average": Average,
    "weighted": Weighted,
    "max_confidence": MaxConfidence,
    "log_linear": LogLinear,
}


class FusionModule(ClosedFormBranch):
    """Fuses the logits of frozen branches by a rule that is solved on the validation clips.

    Every rule of `RULES` is fitted, so that they can be compared; `rule` alone makes the module's logits.

    Args:
        tasks: Task name -> class names.
        branches: Name -> a branch's config (a RUN file, its contents, or just class_path and init_args).
            The hyper-parameters that a checkpoint carries hold class_path and init_args only, and the weights
            are in the checkpoint's own state: it needs no other file.
        rule: Makes the module's logits; the log-linear pool by default.
        missing_branch: What to do about a branch whose pretrained part cannot be had: leave it out, or stop.
        overrides: Branch name -> dotted key of its config -> value, applied before it is trained.

    Raises:
        EmorecError: No branches, or a branch whose spec is wrong.
    """

    def __init__(
        self,
        tasks: Tasks,
        branches: dict[str, Path_fr | dict[str, Any]],
        rule: FusionRule | None = None,
        missing_branch: Literal["skip", "error"] = "error",
        overrides: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(tasks)
        if not branches:
            raise EmorecError("at least one branch to fuse", "none", "add to model.init_args.branches")
        rule = rule or LogLinear()
        self.rule_name, rules = compared_rules(rule)
        self.rules = nn.ModuleDict(
            {name: nn.ModuleDict({task: deepcopy(made) for task in tasks}) for name, made in rules.items()}
        )
        self.branches = nn.ModuleDict()
        self.branch_results: dict[str, dict[Part, PartLogits]] = {}
        self._folders: dict[str, Path] = {}
        self._collectors: dict[str, Collector] = {}
        self._keep({name: resolve_spec(_spec(config), tasks) for name, config in branches.items()})
        if isinstance(
            self.hparams.get("rule"), FusionRule
        ):  # built in Python: what it learned is in the state
            self.hparams["rule"] = {"class_path": f"{type(rule).__module__}.{type(rule).__name__}"}
        self.hparams.update(overrides=None)  # applied to the branches' configs before this is built

    def use_trained(self, folders: Mapping[str, Path]) -> None:
        """Take the weights, and the logits where they are kept, of these branches; leave the others out.

        Args:
            folders: Branch name -> run folder of the branch.
        """
        self._folders = dict(folders)
        self._keep({name: self.specs[name] for name in folders})

    def _keep(self, specs: dict[str, Any]) -> None:
        self.specs = specs
        self.hparams["branches"] = specs
        hears_nothing = all(branch_class(spec).hears == "nothing" for spec in specs.values())
        self.hears = "nothing" if hears_nothing else "plain"

    @property
    def features(self) -> list[Feature]:
        """Union of the branches' features."""
        wanted = [feature for spec in self.specs.values() for feature in branch_features(spec)]
        return list({feature.key: feature for feature in wanted}.values())

    def configure_model(self) -> None:
        """Build the branches, frozen. Their weights come from their run folders, or else from a checkpoint's state.

        Not in the constructor: there, LightningCLI would give each branch this module's hyper-parameters.
        """
        if len(self.branches):
            return
        for name, spec in self.specs.items():
            branch = build_branch(spec, self.tasks)
            if name in self._folders:
                saved = torch.load(
                    best_checkpoint(self._folders[name]), map_location="cpu", weights_only=True
                )
                branch.load_state_dict(saved["state_dict"])
            self.branches[name] = branch.requires_grad_(False).eval()

    def forward(self, batch: Batch) -> Logits:
        """Fused log-probabilities of each task, (batch, classes)."""
        return self.fuse({name: branch(batch) for name, branch in self.branches.items()}, self.rule_name)

    def fuse(self, logits: Mapping[str, Logits], rule_name: str) -> Logits:
        """Fuse branch logits, task by task, by one of the rules."""
        return {task: self.rule(task, rule_name)(self._stack(logits, task)) for task in self.tasks}

    def rule(self, task: str, rule_name: str | None = None) -> FusionRule:
        """The rule of a task: by name, or the chosen one."""
        return cast(FusionRule, cast(nn.ModuleDict, self.rules[rule_name or self.rule_name])[task])

    def rule_results(self, part: Part) -> dict[str, PartLogits]:
        """Rule name -> what it makes of a part that has been evaluated."""
        parts = {name: results[part] for name, results in self.branch_results.items()}
        first = next(iter(parts.values()))
        logits = {name: result.logits for name, result in parts.items()}
        return {
            name: PartLogits(first.clip_ids, self.fuse(logits, name), first.labels) for name in self.rules
        }

    def solve(self) -> None:
        """Fit every rule on the branch logits of the validation clips."""
        self._take_kept("val")
        if self._pending("val"):
            with torch.no_grad():
                for batch in self.data.val_dataloader():
                    self.evaluate(self.trainer.strategy.batch_to_device(batch), "val")
        self._finish_branches("val")
        labels = self.branch_results[next(iter(self.specs))]["val"].labels
        logits = {name: results["val"].logits for name, results in self.branch_results.items()}
        for task in self.tasks:
            stacked, labelled = self._stack(logits, task), labels[task] != UNLABELLED
            for rule_name in self.rules:
                self.rule(task, rule_name).fit(stacked[:, labelled], labels[task][labelled])

    def on_validation_start(self) -> None:
        """Take kept logits of the validation clips."""
        self._take_kept("val")

    def on_test_start(self) -> None:
        """Take kept logits of the test clips."""
        self._take_kept("test")

    def on_predict_start(self) -> None:
        """Take kept logits of the training clips."""
        self._take_kept("train")

    def evaluate(self, batch: Batch, part: Part) -> None:
        """Run the branches whose logits of this part are not known; each is run once for a part."""
        for name in self._pending(part):
            self._collectors.setdefault(name, Collector()).add(batch, self.branches[name](batch))

    def finish(self, part: Part) -> PartLogits:
        """The chosen rule's logits of a part."""
        self._finish_branches(part)
        return self.rule_results(part)[self.rule_name]

    def _finish_branches(self, part: Part) -> None:
        for name in self._pending(part):
            result = self._collectors.pop(name).take(self, self.clip_ids(part))
            self.branch_results.setdefault(name, {})[part] = result
            if name in self._folders and self.trainer.is_global_zero:
                result.save(logits_file(self._folders[name], part))

    def _take_kept(self, part: Part) -> None:
        ids = self.clip_ids(part)
        for name, folder in self._folders.items():
            file = logits_file(folder, part)
            if part not in self.branch_results.get(name, {}) and file.is_file():
                kept = PartLogits.load(file)
                if kept.clip_ids == ids:
                    self.branch_results.setdefault(name, {})[part] = kept

    def _pending(self, part: Part) -> list[str]:
        return [name for name in self.specs if part not in self.branch_results.get(name, {})]

    def _stack(self, logits: Mapping[str, Logits], task: str) -> Tensor:
        return torch.stack([logits[name][task].float() for name in self.specs])  # (branches, clips, classes)


def compared_rules(rule: FusionRule) -> tuple[str, dict[str, FusionRule]]:
    """The name of the chosen rule, and the rules that it is compared with, itself among them."""
    chosen = next((name for name, kind in RULES.items() if type(rule) is kind), type(rule).__name__)
    return chosen, {**{name: kind() for name, kind in RULES.items()}, chosen: rule}


def _spec(config: Path_fr | dict[str, Any]) -> dict[str, Any]:
    """The class_path and init_args of a branch's config, whichever form it has."""
    content = config if isinstance(config, dict) else yaml.safe_load(Path(config).read_text(encoding="utf8"))
    spec = content.get("model", content)
    if not isinstance(spec, dict) or "class_path" not in spec:
        raise EmorecError(
            "a branch's config with model.class_path", f"{config}", "mend model.init_args.branches"
        )
    return spec
