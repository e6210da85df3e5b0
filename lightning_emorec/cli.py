"""`fit`, `validate` and `test` through LightningCLI."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import yaml
from jsonargparse import Namespace
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from rich.console import Console

# Imported for their side effect too: jsonargparse finds a class by its short name once it is imported.
from lightning_emorec import config_loader, corpora, fusion, splits  # noqa: F401
from lightning_emorec.atomic_write import write_atomically
from lightning_emorec.augment import draw_seed
from lightning_emorec.branches import Branch, ClosedFormBranch, branch_class
from lightning_emorec.callbacks.checkpoint_io import AtomicCheckpointIO
from lightning_emorec.callbacks.last_checkpoint import LastCheckpoint
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.distributed.launch import Launch, use_processes_of
from lightning_emorec.distributed.precompute import Processes
from lightning_emorec.distributed.process_group import leave_group
from lightning_emorec.distributed.rendezvous import Leader, agree
from lightning_emorec.distributed.shutdown import keep_handlers
from lightning_emorec.distributed.sync_batch_norm import SyncBatchNormPlugin
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation import BeforeRefit, finish, gather_results, loop_over_parts, split_table
from lightning_emorec.fusion import FusionModule
from lightning_emorec.installation import command_name
from lightning_emorec.jobs.environments import environments
from lightning_emorec.jobs.pool import side_by_side
from lightning_emorec.loggers.loggers import loggers_of
from lightning_emorec.renamed import with_current_class_paths
from lightning_emorec.run_paths import last_checkpoint
from lightning_emorec.runs.arguments import add_run_arguments
from lightning_emorec.runs.checkpoint import (
    RunConfig,
    model_of,
    other_features,
    read_checkpoint,
    refuse_other_hyperparameters,
    refuse_other_tasks,
    with_config_of_checkpoint,
)
from lightning_emorec.runs.folder import mark_done
from lightning_emorec.runs.overrides import overrides_by_branch, take_flags
from lightning_emorec.runs.plan import RunPlan
from lightning_emorec.runs.planning import decide, decide_judging, decide_refit
from lightning_emorec.runs.train_branches import branch_run, train_branch


class EmorecCLI(LightningCLI):
    """LightningCLI with run folders, inlined branch configs and results at the end.

    Args:
        args: Command line, the verb first.
        held: Gets the lock on the run folder, for as long as the command runs.
    """

    def __init__(self, args: list[str], held: ExitStack) -> None:
        args, self.flags = take_flags(with_current_class_paths(args))
        self.held = held
        self.started = time.monotonic()
        self.seconds: dict[str, float] = {}
        self.refit_config: dict[str, Any] | None = None
        super().__init__(
            model_class=Branch,
            subclass_mode_model=True,
            datamodule_class=EmotionDataModule,
            save_config_callback=None,  # config.yaml is written before anything is trained
            seed_everything_default=1,
            auto_configure_optimizers=False,
            args=args,
            parser_kwargs={"prog": command_name()},
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """LightningCLI's without `predict`, which is a verb of our own, on files."""
        verbs = LightningCLI.subcommands()
        return {verb: verbs[verb] for verb in ("fit", "validate", "test")}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Name and place of the run, what is saved, and the links between data, seed and model."""
        add_run_arguments(parser)
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.filename": "best",
                "checkpoint.mode": "max",
                "checkpoint.enable_version_counter": False,
            }
        )
        parser.link_arguments("data.tasks", "model.init_args.tasks", apply_on="instantiate")
        parser.link_arguments("seed_everything", "data.seed", compute_fn=int)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse without LightningCLI's warning about arguments that did not come from `sys.argv`."""
        self.config = self.flags.set_in_transforms(parser.parse_args(args))

    def before_instantiate_classes(self) -> None:
        """Decide what the run will do, or take over what the launching process decided."""
        config = self.config[self.subcommand]
        if self.subcommand == "fit":
            self._inline_branches(config)
        plain = self._dump(config)
        if (file := plain.pop("resolve_to")) is not None:
            write_atomically(Path(file), yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
            raise SystemExit(0)
        use_processes_of(Launch.of_environment(), config.trainer)
        if self.subcommand == "fit":
            refuse_other_hyperparameters(config.ckpt_path, plain["model"])
        else:
            config.verbose = False  # our table says it better
            refuse_other_tasks(config.ckpt_path, self._datamodule(plain).tasks)
        self.plan = agree(lambda leader: self._decide(plain, leader), self.held)
        self.run_config = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
        self._place_checkpoints(config, plain)
        if issubclass(branch_class(plain["model"]), ClosedFormBranch):
            self.processes = Processes.taken_from(config.trainer)
        seed_everything(
            draw_seed(config.seed_everything, 0, config.model.class_path) % 2**32, workers=True, verbose=False
        )

    def after_instantiate_classes(self) -> None:
        """Give a fusion its branches; go on from the last epoch where there is one; solve in one process."""
        if isinstance(self.model, FusionModule) and self.plan.branches:
            self.model.use_trained(self.plan.branches)
        if self.subcommand == "fit":
            self._resume(self.config_init.fit)
        else:
            file = self._get(self.config, "ckpt_path")
            self.plan.warnings.extend(other_features(read_checkpoint(file), cast(Branch, self.model)))
        if isinstance(self.model, ClosedFormBranch):
            self.processes.go_on_alone(self.model, self.datamodule, str(self.plan.folder))

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The trainer, with our logger, checkpoint writer and config callback."""
        given = self._get(self.config_init, "trainer")
        logger = loggers_of(given.logger, self.plan.folder, self.run_config, self.held)
        plugins = [*(given.plugins or []), AtomicCheckpointIO()]
        if given.sync_batchnorm:
            plugins.append(SyncBatchNormPlugin())
        callbacks = [*(given.callbacks or []), RunConfig(self.run_config), LastCheckpoint(self.plan.folder)]
        trainer = super().instantiate_trainer(
            logger=logger or False,
            plugins=plugins,
            callbacks=callbacks,
            default_root_dir=str(self.plan.folder),
            **kwargs,
        )
        keep_handlers(trainer)
        # After the checkpoint of the best, whose score it holds: a resumed run would else take a worse one for it.
        trainer.callbacks.sort(key=lambda callback: isinstance(callback, LastCheckpoint))  # type: ignore[attr-defined]
        return trainer

    def before_fit(self) -> None:
        """Start the clock."""
        self._clock("prepare")

    def after_fit(self) -> None:
        """Judge the best checkpoint; decide on its refit."""
        self._clock("fit")
        self.seconds["fit"] -= self.datamodule.prepared_s
        self.seconds["prepare"] += self.datamodule.prepared_s
        train, test = (bool(self._get(self.config, knob)) for knob in ("score_training", "test_after_fit"))
        data = cast(EmotionDataModule, self.datamodule)
        before = loop_over_parts(self.trainer, cast(Branch, self.model), data, self.plan, train, test)
        if self._get(self.config, "refit") and not self.plan.branches and self.trainer.is_global_zero:
            refit, self.refit_config = decide_refit(yaml.safe_load(self.run_config), data, self.plan.folder)
            self.plan = replace(self.plan, refits={self.plan.folder.name: refit})
        self._finish(before)

    def after_validate(self) -> None:
        """Leave the results."""
        self._finish()

    def after_test(self) -> None:
        """Leave the results."""
        self._finish()

    def refit(self) -> None:
        """Train the refit of a run that is no fusion, whose branches have had theirs; this ends the run."""
        if self.refit_config is not None:
            name, refit = next(iter(self.plan.refits.items()))
            train = partial(
                train_branch, f"{name} (refit)", self.refit_config, refit.folder, refit_of=self.plan.folder
            )
            side_by_side([train], environments(jobs=1))
            mark_done(self.plan.folder)

    def _finish(self, before_refit: BeforeRefit | None = None) -> None:
        self._clock("evaluate")
        if self.trainer.is_global_zero:
            data = cast(EmotionDataModule, self.datamodule)
            results = gather_results(
                cast(Branch, self.model), data, self.plan, self.seconds, self.run_config, before_refit
            )
            done = self.refit_config is None
            finish(results, self.plan.folder, self.plan.branches, self.trainer.loggers, done=done)

    def _clock(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = now - self.started
        self.started = now

    def _decide(self, plain: dict[str, Any], leader: Leader | None) -> RunPlan:
        if self.subcommand != "fit":
            return decide_judging(plain, str(self.subcommand), self.held)
        data = self._datamodule(plain)
        data.corpus.prepare()
        Console().print(split_table(data.parts, data.tasks, data.corpus.synthetic))
        plan = decide(plain, data, self.held, leader)
        self.started += plan.seconds.get("branches", 0.0)  # their time is told apart
        return plan

    def _datamodule(self, plain: dict[str, Any]) -> EmotionDataModule:
        parser = LightningArgumentParser(exit_on_error=False)
        parser.add_lightning_class_args(EmotionDataModule, "data")
        return cast(EmotionDataModule, parser.instantiate(parser.parse_object({"data": plain["data"]})).data)

    def _inline_branches(self, config: Namespace) -> None:
        """Replace paths of branch configs by their contents, as the run folder must repeat the run by itself."""
        branches = config.model.init_args.get("branches")
        if branches is None:
            return
        overrides = overrides_by_branch(
            {**(config.model.init_args.overrides or {}), **self.flags.branches}, branches
        )
        config.model.init_args.branches = branches = {k: v for k, v in branches.items() if v != "skip"}
        fused, parser = self._dump(config), self._parser("fit")
        for name, branch in branches.items():
            own = branch if isinstance(branch, dict) else self._dump(parser.parse_path(branch))
            run = branch_run(own, fused, overrides.get(name, {}))
            branches[name] = self._dump(parser.parse_object(run))
        config.model.init_args.overrides = None

    def _dump(self, config: Namespace) -> dict[str, Any]:
        """A parsed config as plain values."""
        parser = self._parser(self.subcommand)
        return cast(
            dict[str, Any], yaml.safe_load(parser.dump(config, skip_unset=False, skip_validation=True))
        )

    def _place_checkpoints(self, config: Namespace, plain: dict[str, Any]) -> None:
        config.checkpoint.dirpath = str(self.plan.folder / "checkpoints")
        data = self._datamodule(plain)
        if config.checkpoint.monitor is None and not isinstance(data.split, splits.WithoutValidation):
            config.checkpoint.monitor = f"val/{next(iter(data.tasks))}/uar"

    def _resume(self, config: Namespace) -> None:
        last = last_checkpoint(self.plan.folder)
        if last.is_file() and not isinstance(self.model, ClosedFormBranch):
            config.ckpt_path = str(last)  # also of a run that began from a given file: it has gone on since
        elif config.ckpt_path == "last":
            raise EmorecError(
                "a checkpoint to go on from", f"no {last}", "leave out --ckpt_path to start anew"
            )

    def _parse_ckpt_path(self) -> None:
        """A checkpoint says what the model is when it is judged; when it is trained further, the config does."""
        verb = self.config.subcommand
        if verb != "fit" and (file := self.config[verb].ckpt_path) is not None:
            model = {verb: {"model": model_of(read_checkpoint(file))}}
            self.config = self.parser.parse_object(model, self.config)


def run(args: list[str]) -> EmorecCLI:
    """Run `fit`, `validate` or `test`, and return what it made."""
    with ExitStack() as held:
        cli = EmorecCLI(with_config_of_checkpoint(args, held), held)
        leave_group()
        cli.refit()
    return cli
