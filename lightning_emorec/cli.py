"""`fit`, `validate` and `test` on LightningCLI: argument parsing, inlined branch configs, calls into `runs`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import yaml
from jsonargparse import Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from rich.console import Console

# Imported for their side effect too: jsonargparse finds a class by its short name once it is imported.
from lightning_emorec import config_loader, corpora, fusion, splits  # noqa: F401
from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.branches import Branch, ClosedFormBranch, branch_class
from lightning_emorec.checkpoint_file import VALIDATION, read_checkpoint
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.distributed.launch import Launch, use_processes_of
from lightning_emorec.distributed.precompute import compute_features_then_run_on_rank_zero, take_processes
from lightning_emorec.distributed.process_group import leave_group
from lightning_emorec.distributed.rendezvous import Coordinator
from lightning_emorec.evaluation.finish import finish
from lightning_emorec.evaluation.from_run import gather_results
from lightning_emorec.evaluation.results import BeforeRefit
from lightning_emorec.evaluation.run_splits import loop_over_parts
from lightning_emorec.evaluation.table import split_table
from lightning_emorec.fusion import FusionModule
from lightning_emorec.inference import datamodule_of, other_features
from lightning_emorec.installation import command_name
from lightning_emorec.nested import as_yaml
from lightning_emorec.part_logits import ValidationLogits
from lightning_emorec.runs import steps
from lightning_emorec.runs.arguments import CommandLine, add_run_arguments, read_command_line
from lightning_emorec.runs.checkpoint import corpus_to_judge_on, model_of, refuse_other_hyperparameters
from lightning_emorec.runs.overrides import override_transforms, overrides_by_branch
from lightning_emorec.runs.plan import RunPlan
from lightning_emorec.runs.planning import plan_evaluation, plan_fit
from lightning_emorec.runs.refit import plan_refit
from lightning_emorec.runs.share_plan import agreed_plan
from lightning_emorec.runs.train_branches import branch_run


class EmorecCLI(LightningCLI):
    """LightningCLI with run folders, inlined branch configs and results at the end.

    `held` receives the lock on the run folder, and is closed when the command ends.
    """

    def __init__(self, command: CommandLine, held: ExitStack) -> None:
        self.command = command
        self.held = held
        self.clock = steps.Clock()
        self.refit_config: dict[str, Any] | None = None
        self.kept: ValidationLogits | None = None  # in the checkpoint to validate or test
        super().__init__(
            model_class=Branch,
            subclass_mode_model=True,
            datamodule_class=EmotionDataModule,
            save_config_callback=None,  # config.yaml is written before anything is trained
            seed_everything_default=1,
            auto_configure_optimizers=False,
            args=command.args,
            parser_kwargs={"prog": command_name()},
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """LightningCLI's without `predict`, a verb of this package that takes audio files."""
        verbs = LightningCLI.subcommands()
        return {verb: verbs[verb] for verb in ("fit", "validate", "test")}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the flags of a run, and the links between data, seed and model."""
        add_run_arguments(parser)
        parser.link_arguments("data.tasks", "model.init_args.tasks", apply_on="instantiate")
        parser.link_arguments("seed_everything", "data.seed", compute_fn=int)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse without LightningCLI's warning about arguments that did not come from `sys.argv`."""
        self.config = parser.parse_args(args)
        if self.command.transforms:
            data = self.config[self.config.subcommand].data
            data.augment = override_transforms(data.augment, self.command.transforms)

    def before_instantiate_classes(self) -> None:
        """Make the plan of the run, or read the plan of another process."""
        config = self.config[self.subcommand]
        if self.subcommand == "fit":
            self._inline_branches(config)
        plain = self._dump(config)
        if (file := plain.pop("resolve_to")) is not None:
            write_atomically(Path(file), as_yaml(plain))
            raise SystemExit(0)
        use_processes_of(Launch.of_environment(), config.trainer)
        data = datamodule_of(plain["data"])
        if self.subcommand == "fit":
            refuse_other_hyperparameters(config.ckpt_path, plain["model"])
        else:
            config.verbose = False  # the result table shows the scores
            if corpus := corpus_to_judge_on(config.ckpt_path, plain["data"]["corpus"], data.tasks):
                plain["data"]["corpus"] = corpus
                data = datamodule_of(plain["data"])
                given = {**corpus["init_args"], "corpus": config.data.corpus}
                init_args = Namespace(**given)  # type: ignore[no-untyped-call]
                config.data.corpus = Namespace(class_path=corpus["class_path"])  # type: ignore[no-untyped-call]
                config.data.corpus.init_args = init_args
        self.plain = plain
        self.plan = agreed_plan(partial(self._decide, data), self.command.plan, self.held)
        steps.place_checkpoints(config.checkpoint, self.plan.folder, data)
        if issubclass(branch_class(plain["model"]), ClosedFormBranch):
            self.processes = take_processes(config.trainer)
        steps.seed_run(config.seed_everything, branch_class(plain["model"]).seed_name)

    def _decide(self, data: EmotionDataModule, coordinator: Coordinator | None) -> RunPlan:
        if self.subcommand != "fit":
            return plan_evaluation(self.plain, str(self.subcommand), self.held)
        data.corpus.prepare()
        Console().print(split_table(data.parts, data.tasks, data.corpus.synthetic))
        return plan_fit(self.plain, data, self.held, coordinator)

    def after_instantiate_classes(self) -> None:
        """Load a fusion's branches, find the checkpoint to resume from, compute the features of a closed-form model."""
        model = cast(Branch, self.model)
        if isinstance(model, FusionModule) and self.plan.branches:
            model.use_trained(self.plan.branches)
        given = self._get(self.config_init, "ckpt_path")
        if self.subcommand == "fit":
            self.config_init.fit.ckpt_path = steps.checkpoint_to_resume(self.plan.folder, model, given)
        else:
            checkpoint = read_checkpoint(given)
            self.plan.warnings.extend(other_features(checkpoint, model))
            self.kept = ValidationLogits.of_state(checkpoint.get(VALIDATION, {}))
        if isinstance(model, ClosedFormBranch):
            compute_features_then_run_on_rank_zero(
                self.processes, model, self.datamodule, self.plan.folder, *self.plan.arguments
            )

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The trainer, with the loggers, callbacks and plugins of this package."""
        given = self._get(self.config_init, "trainer")
        parts = steps.trainer_parts(given, self.plain, self.plan.folder, self.held)
        trainer = super().instantiate_trainer(**parts, **kwargs)
        steps.prepare_trainer(trainer, self.plan, self.held)
        return trainer

    def before_fit(self) -> None:
        """End the stage `prepare`, without the time spent on branches."""
        self.clock.end_of("prepare", without=self.plan.seconds.get("branches", 0.0))

    def fit(self, model: Branch, datamodule: EmotionDataModule, **arguments: Any) -> None:
        """Called by LightningCLI in place of `Trainer.fit`."""
        steps.train_or_solve(self.trainer, model, datamodule, **arguments)

    def after_fit(self) -> None:
        """Evaluate the best checkpoint, and plan its refit."""
        data = cast(EmotionDataModule, self.datamodule)
        self.clock.end_of("fit", without=data.prepared_s)
        self.clock.seconds["prepare"] += data.prepared_s
        train, test = (bool(self._get(self.config, knob)) for knob in ("score_training", "test_after_fit"))
        before = loop_over_parts(self.trainer, cast(Branch, self.model), data, self.plan, train, test)
        if self._get(self.config, "refit") and not self.plan.branches and self.trainer.is_global_zero:
            refit, self.refit_config = plan_refit(self.plain, data, self.plan.folder)
            self.plan = replace(self.plan, refits={self.plan.folder.name: refit})
        self._finish(before)

    def after_validate(self) -> None:
        """Write the results."""
        self._finish()

    after_test = after_validate

    def _finish(self, before_refit: BeforeRefit | None = None) -> None:
        self.clock.end_of("evaluate")
        if self.trainer.is_global_zero:
            parts = (cast(Branch, self.model), self.datamodule, self.plan, self.clock.seconds)
            results = gather_results(*parts, as_yaml(self.plain), before_refit, self.kept)
            done = self.refit_config is None
            finish(results, self.plan.folder, self.plan.branches, self.trainer.loggers, done=done)

    def _inline_branches(self, config: Namespace) -> None:
        """Replace paths of branch configs by their contents, so that config.yaml alone repeats the run."""
        fusion_args = config.model.init_args
        if (branches := fusion_args.get("branches")) is None:
            return
        overrides = overrides_by_branch({**(fusion_args.overrides or {}), **self.command.branches}, branches)
        fusion_args.branches = branches = {k: v for k, v in branches.items() if v != "skip"}
        fused, parser = self._dump(config), self._parser("fit")
        for name, branch in branches.items():
            own = branch if isinstance(branch, dict) else self._dump(parser.parse_path(branch))
            run = branch_run(own, fused, overrides.get(name, {}))
            branches[name] = self._dump(parser.parse_object(run))
            given = branches[name]["model"].get("init_args", {})
            if fusion_args.get("adapt") == "speaker" and "adapt" in given:
                given["adapt"] = "speaker"
        fusion_args.overrides = None

    def _dump(self, config: Namespace) -> dict[str, Any]:
        """A parsed config as plain values."""
        text = self._parser(self.subcommand).dump(config, skip_unset=False, skip_validation=True)
        return cast(dict[str, Any], yaml.safe_load(text))

    def _parse_ckpt_path(self) -> None:
        """Take the model from the checkpoint to `validate` or `test`; `fit` takes it from the config."""
        verb = self.config.subcommand
        if verb != "fit" and (file := self.config[verb].ckpt_path) is not None:
            model = {verb: {"model": model_of(read_checkpoint(file))}}
            self.config = self.parser.parse_object(model, self.config)


def run(args: list[str]) -> EmorecCLI:
    """Run `fit`, `validate` or `test`, and return its CLI object."""
    with ExitStack() as held:
        cli = EmorecCLI(read_command_line(args), held)
        leave_group()
        if cli.refit_config is not None:
            steps.train_refit(cli.plan, cli.refit_config)
    return cli
