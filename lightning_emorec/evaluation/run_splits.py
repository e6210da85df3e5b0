"""The evaluation loops after a `fit`: validation, training and test clips."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Trainer

from lightning_emorec.branches import Branch
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.evaluation.from_run import logits_of_part
from lightning_emorec.evaluation.results import BeforeRefit
from lightning_emorec.fusion import FusionModule
from lightning_emorec.run_paths import best_checkpoint
from lightning_emorec.runs.plan import RunPlan


def loop_over_parts(
    trainer: Trainer, model: Branch, data: EmotionDataModule, plan: RunPlan, train: bool, test: bool
) -> BeforeRefit | None:
    """Judge the best checkpoint on validation clips, then, where they are there, on test clips.

    A fusion whose branches were refitted is tested before and after they take their places, and its best
    checkpoint is that after. Where there are no validation clips, the last epoch is the best.

    Args:
        trainer: After its `fit`.
        model: Keeps its logits of each part.
        data: The run's.
        plan: The run's.
        train: Whether to judge on training clips too.
        test: Whether to test.

    Returns:
        What was found before branches were refitted, if they were.
    """
    best, before = best_checkpoint(plan.folder), None
    judge: dict[str, Any] = {"model": model, "datamodule": data, "ckpt_path": str(best), "weights_only": True}
    if data.parts.val:
        trainer.validate(**judge, verbose=False)
    else:
        trainer.save_checkpoint(best)
    test = test and bool(data.parts.test)
    if isinstance(model, FusionModule) and plan.refits:
        if test:
            loggers, trainer.loggers = trainer.loggers, []  # metrics.csv has the run's own test alone
            trainer.test(**judge, verbose=False)
            trainer.loggers = loggers
            before = logits_of_part(model, "test")
        model.use_refitted({name: refit.folder for name, refit in plan.refits.items()})
        trainer.save_checkpoint(best)
    if train:
        trainer.predict(**judge, return_predictions=False)
    if test:
        trainer.test(**judge, verbose=False)
    return before
