"""`fit`, `validate` and `test` through LightningCLI."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import yaml
from jsonargparse import Namespace
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from rich.console import Console

# Imported for their side effect too: jsonargparse finds a class by its short name once it is imported.
from lightning_emorec import corpora, fusion, splits  # noqa: F401
from lightning_emorec.augment import draw_seed
from lightning_emorec.branches import (
    Branch,
    ClosedFormBranch,
    best_checkpoint,
    branch_class,
    last_checkpoint,
)
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.evaluation import finish, gather_results, split_table
from lightning_emorec.fusion import FusionModule
from lightning_emorec.training import (
    PLAN_VARIABLE,
    AtomicCheckpointIO,
    LastCheckpoint,
    MetricsCsv,
    RunConfig,
    RunPlan,
    branch_run,
    decide,
    decide_judging,
    is_done,
    leave_group,
    locked,
    override,
    overrides_by_branch,
    refuse_other_hyperparameters,
    refuse_other_tasks,
    take_override_flags,
    with_config_of_checkpoint,
    write_atomically,
)
from lightning_emorec.types import EmorecError


class EmorecCLI(LightningCLI):
    """LightningCLI with run folders, inlined branch configs and results at the end.

    Args:
        args: Command line, the verb first.
        held: Gets the lock on the run folder, for as long as the command runs.
    """

    def __init__(self, args: list[str], held: ExitStack) -> None:
        args, self.overrides = take_override_flags(args)
        self.held = held
        self.started = time.monotonic()
        self.seconds: dict[str, float] = {}
        super().__init__(
            model_class=Branch,
            subclass_mode_model=True,
            datamodule_class=EmotionDataModule,
            save_config_callback=None,  # config.yaml is written before anything is trained
            seed_everything_default=1,
            auto_configure_optimizers=False,
            args=args,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """LightningCLI's without `predict`, which is a verb of our own, on files."""
        verbs = LightningCLI.subcommands()
        return {verb: verbs[verb] for verb in ("fit", "validate", "test")}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Name and place of the run, what is saved, and the links between data, seed and model."""
        parser.add_argument("--name", type=str, default="run", help="Name of the run's folder.")
        parser.add_argument("--runs", type=str, default="runs", help="Folder of all runs.")
        parser.add_argument(
            "--test_after_fit",
            type=bool,
            default=True,
            help="Test once, after every choice, where the clips are there.",
        )
        parser.add_argument(
            "--score_training",
            type=bool,
            default=False,
            help="Score the training clips too, as they are: what the model fits better than it generalises.",
        )
        parser.add_argument("--resolve_to", type=str | None, help="Write the full config there, and stop.")
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
        self.config = parser.parse_args(args)

    def before_instantiate_classes(self) -> None:
        """Decide what the run will do, or take over what the launching process decided."""
        config = self.config[self.subcommand]
        if self.subcommand == "fit":
            self._inline_branches(config)
        plain = self._dump(config)
        if (file := plain.pop("resolve_to")) is not None:
            write_atomically(Path(file), yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
            raise SystemExit(0)
        if self.subcommand == "fit":
            refuse_other_hyperparameters(config.ckpt_path, plain["model"])
        else:
            config.verbose = False  # our table says it better
            refuse_other_tasks(config.ckpt_path, self._datamodule(plain).tasks)
        handed_over = RunPlan.handed_over()
        if handed_over is None:
            self.plan = self._decide(plain)
            os.environ[PLAN_VARIABLE] = self.plan.as_text()
            self.held.callback(os.environ.pop, PLAN_VARIABLE, None)
        else:
            self.plan = handed_over
            if _rank() == 0:
                self.held.enter_context(locked(self.plan.folder))
            if is_done(self.plan.folder):
                raise SystemExit(0)
        self.run_config = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
        self._place_checkpoints(config, plain)
        if issubclass(branch_class(plain["model"]), ClosedFormBranch):
            # What is solved needs one device: DDP refuses a module that no gradient reaches. Branches keep theirs.
            config.trainer.devices, config.trainer.num_nodes, config.trainer.strategy = 1, 1, "auto"
        seed_everything(
            draw_seed(config.seed_everything, 0, config.model.class_path) % 2**32, workers=True, verbose=False
        )

    def after_instantiate_classes(self) -> None:
        """Give a fusion its branches; go on from the last epoch where there is one."""
        if isinstance(self.model, FusionModule) and self.plan.branches:
            self.model.use_trained(self.plan.branches)
        if self.subcommand == "fit":
            self._resume(self.config_init.fit)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The trainer, with our logger, checkpoint writer and config callback."""
        given = self._get(self.config_init, "trainer")
        loggers = given.logger if isinstance(given.logger, list) else [given.logger]
        logger = [made for made in loggers if made not in (None, True, False)]
        if given.logger is not False:
            logger.append(MetricsCsv(self.plan.folder))
        plugins = [*(given.plugins or []), AtomicCheckpointIO()]
        callbacks = [*(given.callbacks or []), RunConfig(self.run_config), LastCheckpoint(self.plan.folder)]
        trainer = super().instantiate_trainer(
            logger=logger or False,
            plugins=plugins,
            callbacks=callbacks,
            default_root_dir=str(self.plan.folder),
            **kwargs,
        )
        # After the checkpoint of the best, whose score it holds: a resumed run would else take a worse one for it.
        trainer.callbacks.sort(key=lambda callback: isinstance(callback, LastCheckpoint))  # type: ignore[attr-defined]
        return trainer

    def before_fit(self) -> None:
        """Start the clock."""
        self._clock("prepare")

    def after_fit(self) -> None:
        """Judge the best checkpoint on validation clips, then, where they are there, on test clips."""
        self._clock("fit")
        self.seconds["fit"] -= self.datamodule.prepared_s
        self.seconds["prepare"] += self.datamodule.prepared_s
        best = str(best_checkpoint(self.plan.folder))
        self.trainer.validate(
            self.model, datamodule=self.datamodule, ckpt_path=best, verbose=False, weights_only=True
        )
        if self._get(self.config, "score_training"):
            self.trainer.predict(
                self.model,
                datamodule=self.datamodule,
                ckpt_path=best,
                return_predictions=False,
                weights_only=True,
            )
        if self._get(self.config, "test_after_fit") and self.datamodule.parts.test:
            self.trainer.test(
                self.model, datamodule=self.datamodule, ckpt_path=best, verbose=False, weights_only=True
            )
        self._finish()

    def after_validate(self) -> None:
        """Leave the results."""
        self._finish()

    def after_test(self) -> None:
        """Leave the results."""
        self._finish()

    def _finish(self) -> None:
        self._clock("evaluate")
        if self.trainer.is_global_zero:
            data = cast(EmotionDataModule, self.datamodule)
            results = gather_results(cast(Branch, self.model), data, self.plan, self.seconds, self.run_config)
            finish(results, self.plan.folder, self.plan.branches)

    def _clock(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = now - self.started
        self.started = now

    def _decide(self, plain: dict[str, Any]) -> RunPlan:
        if self.subcommand != "fit":
            return decide_judging(plain, str(self.subcommand), self.held)
        data = self._datamodule(plain)
        data.corpus.prepare()
        Console().print(split_table(data.parts, data.tasks, data.corpus.synthetic))
        plan = decide(plain, data, self.held)
        self.started += sum(plan.seconds.values())  # the branches' time is told apart
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
            {**(config.model.init_args.overrides or {}), **self.overrides}, branches
        )
        fused = self._dump(config)
        parser = self._parser("fit")
        for name, branch in branches.items():
            own = branch if isinstance(branch, dict) else self._dump(parser.parse_path(branch))
            run = branch_run(override(own, overrides.get(name, {})), fused)
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
        if config.checkpoint.monitor is None:
            config.checkpoint.monitor = f"val/{next(iter(self._datamodule(plain).tasks))}/uar"

    def _resume(self, config: Namespace) -> None:
        last = last_checkpoint(self.plan.folder)
        if (
            config.ckpt_path in (None, "last")
            and last.is_file()
            and not isinstance(self.model, ClosedFormBranch)
        ):
            config.ckpt_path = str(last)
        elif config.ckpt_path == "last":
            raise EmorecError(
                "a checkpoint to go on from", f"no {last}", "leave out --ckpt_path to start anew"
            )

    def _parse_ckpt_path(self) -> None:
        """A checkpoint says what the model is when it is judged; when it is trained further, the config does."""
        if self.config.subcommand != "fit":
            super()._parse_ckpt_path()


def _rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0"))


def run(args: list[str]) -> EmorecCLI:
    """Run `fit`, `validate` or `test`, and return what it made."""
    with ExitStack() as held:
        cli = EmorecCLI(with_config_of_checkpoint(args, held), held)
    leave_group()
    return cli
