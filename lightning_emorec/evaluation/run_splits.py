"""The evaluation loops after a `fit`: validation, training and test clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from lightning_emorec.branches import Branch, ClosedFormBranch
from lightning_emorec.checkpoint_file import VALIDATION
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.evaluation.from_run import logits_of_part, validation_logits
from lightning_emorec.evaluation.results import BeforeRefit
from lightning_emorec.fusion import FusionModule
from lightning_emorec.part_logits import save_whole
from lightning_emorec.run_paths import best_checkpoint
from lightning_emorec.runs.plan import RunPlan


def loop_over_parts(
    trainer: Trainer, model: Branch, data: EmotionDataModule, plan: RunPlan, train: bool, test: bool
) -> BeforeRefit | None:
    """Evaluate the best checkpoint on validation clips, and with `train` and `test` on training and test clips.

    A fusion with refitted branches is tested with the original and then with the refitted branches, and its best
    checkpoint has the refitted ones. Without validation clips, the last epoch is the best.

    Returns:
        Test logits with the original branches, if there are refitted ones.
    """
    best, before = best_checkpoint(plan.folder), None
    solved = isinstance(model, ClosedFormBranch)  # no epoch to choose, no checkpoint to load
    file = None if solved else str(best)
    judge: dict[str, Any] = {"model": model, "datamodule": data, "ckpt_path": file, "weights_only": True}
    if not plan.refits and (solved or not data.parts.val):
        trainer.save_checkpoint(best)
    if data.parts.val:
        trainer.validate(**judge, verbose=False)
    test = test and bool(data.parts.test)
    if isinstance(model, FusionModule) and plan.refits:
        if test:
            loggers, trainer.loggers = trainer.loggers, []  # only the final test is logged
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
    """Add the `validation_logits`, if any, to the best checkpoint."""
    if (known := validation_logits(model, data, plan)) is not None:
        content = torch.load(best, map_location="cpu", weights_only=True)
        save_whole({**content, VALIDATION: known.to_state()}, best)
