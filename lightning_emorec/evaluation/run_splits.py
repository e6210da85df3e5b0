"""The evaluation loops after a `fit`: validation, training and test clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from lightning_emorec.branches import Branch, ClosedFormBranch
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.evaluation.from_run import logits_of_part, validation_logits
from lightning_emorec.evaluation.results import BeforeRefit
from lightning_emorec.fusion import FusionModule
from lightning_emorec.inference import VALIDATION
from lightning_emorec.part_logits import save_whole
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
    solved = isinstance(model, ClosedFormBranch)  # is what it is: nothing to choose, nothing to read again
    file = None if solved else str(best)
    judge: dict[str, Any] = {"model": model, "datamodule": data, "ckpt_path": file, "weights_only": True}
    if not plan.refits and (solved or not data.parts.val):
        trainer.save_checkpoint(best)
    if data.parts.val:
        trainer.validate(**judge, verbose=False)
    test = test and bool(data.parts.test)
    if isinstance(model, FusionModule) and plan.refits:
        if test:
            loggers, trainer.loggers = trainer.loggers, []  # metrics.csv has the run's own test alone
            trainer.test(**judge, verbose=False)
            trainer.loggers = loggers
            before = logits_of_part(model, "test")
        model.use_refitted({name: refit.folder for name, refit in plan.refits.items()})
        trainer.save_checkpoint(best)
    if trainer.is_global_zero:
        keep_validation(best, model, data, plan)
    if train:
        trainer.predict(**judge, return_predictions=False)
    if test:
        trainer.test(**judge, verbose=False)
    return before


def keep_validation(best: Path, model: Branch, data: EmotionDataModule, plan: RunPlan) -> None:
    """Add to the best checkpoint the validation logits that its choices rest on; none where there are none.

    Args:
        best: The checkpoint.
        model: After its validation.
        data: The run's.
        plan: The run's.
    """
    if (known := validation_logits(model, data, plan)) is not None:
        content = torch.load(best, map_location="cpu", weights_only=True)
        save_whole({**content, VALIDATION: known.to_state()}, best)
