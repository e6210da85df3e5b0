"""Frozen branches under a fusion rule: itself a branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import torch
from jsonargparse.typing import Path_fr
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor, nn

from lightning_emorec.audio import with_audio
from lightning_emorec.branches import (
    Branch,
    ClosedFormBranch,
    Collector,
    branch_class,
    branch_features,
    build_branch,
    needs_audio,
    resolve_spec,
    spec_of,
)
from lightning_emorec.branches.adaptation import Adapt
from lightning_emorec.branches.joint import branches_in, inputs_of, joined_inputs
from lightning_emorec.dataset import content_of
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, unique
from lightning_emorec.fusion.fitted_rules import FittedRules, at_rows, compared_rules
from lightning_emorec.fusion.founding import out_of_actor
from lightning_emorec.fusion.log_linear import LogLinear
from lightning_emorec.fusion.rule import FusionRule
from lightning_emorec.metrics import Scores, score_part
from lightning_emorec.part_logits import PartLogits, ValidationLogits
from lightning_emorec.run_paths import best_checkpoint, logits_file
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import Batch, Logits, Part, Tasks


class FusionModule(ClosedFormBranch):
    """Fuses the logits of frozen branches by a rule that is solved on the validation clips.

    Every rule of `RULES` is fitted, so that they can be compared; `rule` alone makes the module's logits. Each is
    fitted once more to the branches that need no audio: a clip without audio is fused by that, from their logits.

    Args:
        tasks: Task name -> class names.
        branches: Name -> a branch's config (a RUN file, its contents, or just class_path and init_args); `skip`
            leaves out a branch that another config names.
            The hyper-parameters that a checkpoint carries hold class_path and init_args only, and the weights
            are in the checkpoint's own state: it needs no other file.
        rule: Makes the module's logits; the log-linear pool by default.
        missing_branch: What to do about a branch whose pretrained part cannot be had: leave it out, or stop.
        overrides: Branch name -> dotted key of its config -> value, applied before it is trained.
        adapt: `speaker` also measures the fusion adapted to a speaker by unlabelled clips, and lets it be used so.
            `fit` gives it to each branch that has such an argument too; the others are adapted in their logits.

    Attributes:
        across_actors: Task name -> validation scores of the chosen rule where each actor is fused by what is learned
            from the others; empty before validation, and where there is one actor.
    """

    seed_name = "lightning_emorec.fusion.FusionModule"

    def __init__(
        self,
        tasks: Tasks,
        branches: dict[str, Path_fr | dict[str, Any] | Literal["skip"]],
        rule: FusionRule | None = None,
        missing_branch: Literal["skip", "error"] = "error",
        overrides: dict[str, Any] | None = None,
        adapt: Adapt = "none",
    ) -> None:
        super().__init__(tasks)
        self.adapt = adapt
        given = {name: config for name, config in branches.items() if config != "skip"}
        if not given:
            raise EmorecError("at least one branch to fuse", "none", "add to model.init_args.branches")
        rule = rule or LogLinear()
        self.rule_name, rules = compared_rules(rule)
        self.fitted = FittedRules(rules, list(tasks), {})
        self.rules, self.rules_without_audio = (
            self.fitted.rules,
            self.fitted.rules_without_audio,
        )  # for the state
        self.branches = nn.ModuleDict()
        self.branch_results: dict[str, dict[Part, PartLogits]] = {}
        self.across_actors: dict[str, Scores] = {}
        self._folders: dict[str, Path] = {}
        self._collectors: dict[str, Collector] = {}
        self._keep({name: resolve_spec(spec_of(config), tasks) for name, config in given.items()})
        if isinstance(
            self.hparams.get("rule"), FusionRule
        ):  # built in Python: what it learned is in the state
            class_path = f"{type(rule).__module__}.{type(rule).__name__}"
            self.hparams["rule"] = {"class_path": class_path, "init_args": rule.options}
        self.hparams.update(overrides=None)  # applied to the branches' configs before this is built

    def use_trained(self, folders: Mapping[str, Path]) -> None:
        """Take weights, and kept logits, of these branches from their run folders; leave the others out."""
        self._folders = dict(folders)
        self._keep({name: self.specs[name] for name in folders})

    def _keep(self, specs: dict[str, Any]) -> None:
        self.specs = specs
        self.hparams["branches"] = specs
        without_audio = all(branch_class(spec).audio_input == "none" for spec in specs.values())
        self.audio_input = "none" if without_audio else "plain"
        self.fitted.needs_audio = {name: needs_audio(spec) for name, spec in specs.items()}

    @property
    def needs_audio(self) -> bool:
        """Whether every branch does: else a clip without audio is fused from the other branches."""
        return all(self.fitted.needs_audio.values())

    @property
    def features(self) -> list[Feature]:
        """Union of the branches' features."""
        return unique(feature for spec in self.specs.values() for feature in branch_features(spec))

    def configure_model(self) -> None:
        """Build the branches, frozen. Their weights come from their run folders, or else from a checkpoint's state.

        Not in the constructor: there, LightningCLI would give each branch this module's hyper-parameters.
        """
        if len(self.branches):
            return
        for name, spec in self.specs.items():
            branch = build_branch(spec, self.tasks)
            if name in self._folders:
                file = best_checkpoint(self._folders[name])
                branch.load_state_dict(torch.load(file, map_location="cpu", weights_only=True)["state_dict"])
            self.branches[name] = branch.requires_grad_(False).eval()

    def use_refitted(self, folders: Mapping[str, Path]) -> None:
        """Put refitted branches, by their run folders, in the place of those that the rules were solved on.

        Rules and validation logits stay: on these clips the refitted branches were trained.
        """
        self.use_trained(folders)
        self.branches.clear()
        self.configure_model()
        for results in (self.results, *self.branch_results.values()):
            results.pop("train", None)
            results.pop("test", None)

    def restricted(self, names: Sequence[str], parts: Mapping[str, PartLogits]) -> FusionModule:
        """A fusion of some of the branches, the same modules, by the same rules solved anew.

        Args:
            names: Of the branches, at least one.
            parts: Branch -> logits of the validation clips that the rules were solved on.
        """
        made = FusionModule(self.tasks, {name: self.specs[name] for name in names}, adapt=self.adapt)
        made.hparams["rule"] = self.hparams["rule"]
        made.rule_name, made.fitted = self.rule_name, self.fitted.restricted(names, parts)
        made.rules, made.rules_without_audio = made.fitted.rules, made.fitted.rules_without_audio
        made.branches.update({name: self.branches[name] for name in names})
        return made

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """Those of each branch, after its name and a dot."""
        return joined_inputs(self.branches, batch)

    def net(self, **inputs: Tensor) -> Logits:
        """Fused log-probabilities of clips that all branches can take."""
        made = {name: of.net(**inputs_of(name, inputs)) for name, of in branches_in(self.branches)}
        return self.fitted.fuse(made, self.rule_name)

    def forward(self, batch: Batch) -> Logits:
        """Fused log-probabilities of each task, (batch, classes)."""
        logits = {}
        for name, branch in self.branches.items():
            taken = self._taken(name, batch)
            logits[name] = (
                branch(batch) if taken is batch else at_rows(branch(taken), cast(Tensor, batch.has_audio))
            )
        return self.fitted.fuse(logits, self.rule_name, batch.has_audio)

    def rule(self, task: str, rule_name: str | None = None) -> FusionRule:
        """The rule of a task, for clips with audio: by name, or the chosen one."""
        return self.fitted.rule(rule_name or self.rule_name, task)

    def fuse_parts(self, parts: Mapping[str, PartLogits]) -> dict[str, PartLogits]:
        """Rule name -> fused logits, from the branches' logits of the clips that each takes."""
        return self.fitted.fuse_parts(parts)

    def rule_results(self, part: Part) -> dict[str, PartLogits]:
        """Rule name -> fused logits of a part that has been evaluated."""
        return self.fuse_parts(self._parts(part))

    def solve(self, training: TrainingData) -> None:
        """Fit every rule on the branch logits of the validation clips."""
        self._take_kept("val")
        if self._pending("val"):
            with torch.no_grad():
                for batch in self.data.val_dataloader():
                    self.evaluate(move_data_to_device(batch, self.device), "val")
        self._finish_branches("val")
        self.fitted.fit(self._parts("val"))

    def _score_across_actors(self) -> dict[str, Scores]:
        """Scores of the chosen rule, each validation actor fused by what is learned from the others."""
        known = ValidationLogits.of(self._parts("val"), self.data.clips("val"))
        fused = out_of_actor(self.fitted, self.rule_name, known.parts, known.actors)
        return {} if fused is None else score_part(self.judged(fused))

    def on_validation_start(self) -> None:
        """Take kept logits of the validation clips."""
        self._take_kept("val")

    def on_validation_epoch_end(self) -> None:
        """Score the validation part, by the rule as it is and across actors."""
        super().on_validation_epoch_end()
        self.across_actors = self._score_across_actors()
        for task, scores in self.across_actors.items():
            logged = {f"val/{task}/{metric}_across_actors": value for metric, value in scores.items()}
            del logged[f"val/{task}/clips_across_actors"]
            self.log_dict(logged, batch_size=1, sync_dist=True)

    def on_test_start(self) -> None:
        """Take kept logits of the test clips."""
        self._take_kept("test")

    def on_predict_start(self) -> None:
        """Take kept logits of the training clips."""
        self._take_kept("train")

    def evaluate(self, batch: Batch, part: Part) -> None:
        """Run the branches whose logits of this part are not known; each is run once for a part."""
        for name in self._pending(part):
            taken, branch = self._taken(name, batch), cast(Branch, self.branches[name])
            if taken.clip_ids:
                logits = branch(taken)
                speakers = branch.speaker_scores(taken, logits)
                self._collectors.setdefault(name, Collector()).add(taken, logits, speakers)

    def finish(self, part: Part) -> PartLogits:
        """The chosen rule's logits of a part."""
        self._finish_branches(part)
        return self.rule_results(part)[self.rule_name]

    def _finish_branches(self, part: Part) -> None:
        for name in self._pending(part):
            result = self.with_content(self._collectors.pop(name).take(self, self.clip_ids(part)), part)
            self.branch_results.setdefault(name, {})[part] = result
            if name in self._folders and self.trainer.is_global_zero:
                result.save(logits_file(self._folders[name], part))

    def _take_kept(self, part: Part) -> None:
        for name, folder in self._folders.items():
            file, clips = logits_file(folder, part), self.data.clips(part)
            taken = with_audio(clips) if self.fitted.needs_audio[name] else clips
            if part not in self.branch_results.get(name, {}) and file.is_file():
                kept = PartLogits.load(file)
                content = content_of(taken, self.data.audio, self.tasks)
                if (kept.clip_ids, kept.content) == ([clip.id for clip in taken], content):
                    self.branch_results.setdefault(name, {})[part] = kept

    def _pending(self, part: Part) -> list[str]:
        return [name for name in self.specs if part not in self.branch_results.get(name, {})]

    def _taken(self, name: str, batch: Batch) -> Batch:
        """The clips of a batch that a branch can take."""
        has_audio = batch.has_audio
        if has_audio is None or not self.fitted.needs_audio[name] or has_audio.all():
            return batch
        return batch.select(has_audio)

    def _parts(self, part: Part) -> dict[str, PartLogits]:
        """Branch name -> logits of a part that has been evaluated."""
        return {name: results[part] for name, results in self.branch_results.items()}
