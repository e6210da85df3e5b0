"""Run folders, and the training of the branches that a fusion lacks."""

from lightning_emorec.training.agree import Leader, agree
from lightning_emorec.training.arguments import add_run_arguments
from lightning_emorec.training.averaging import AveragedWeights
from lightning_emorec.training.checkpoint_io import AtomicCheckpointIO
from lightning_emorec.training.csv_logger import MetricsCsv
from lightning_emorec.training.decide import decide, decide_judging, decide_refit
from lightning_emorec.training.group import leave_group
from lightning_emorec.training.last_checkpoint import LastCheckpoint
from lightning_emorec.training.launch import (
    Launch,
    environment_alone,
    refuse_other_ranks,
    use_processes_of,
)
from lightning_emorec.training.loggers import loggers_of
from lightning_emorec.training.missing import branch_run, train_branch
from lightning_emorec.training.overrides import overrides_by_branch, take_flags
from lightning_emorec.training.plan import PLAN_VARIABLE, RunPlan
from lightning_emorec.training.run_config import (
    RunConfig,
    other_features,
    read_checkpoint,
    refuse_other_hyperparameters,
    refuse_other_tasks,
    with_config_of_checkpoint,
)
from lightning_emorec.training.run_folder import is_done, locked, mark_done, write_atomically
from lightning_emorec.training.signals import keep_handlers
from lightning_emorec.training.sync_batch_norm import SyncBatchNormPlugin
from lightning_emorec.training.together import Processes
from lightning_emorec.training.wandb_run import WandbRun, flat

__all__ = [
    "PLAN_VARIABLE",
    "AtomicCheckpointIO",
    "AveragedWeights",
    "LastCheckpoint",
    "Launch",
    "Leader",
    "MetricsCsv",
    "Processes",
    "RunConfig",
    "RunPlan",
    "SyncBatchNormPlugin",
    "WandbRun",
    "add_run_arguments",
    "agree",
    "branch_run",
    "decide",
    "decide_judging",
    "decide_refit",
    "environment_alone",
    "flat",
    "is_done",
    "keep_handlers",
    "leave_group",
    "locked",
    "loggers_of",
    "mark_done",
    "other_features",
    "overrides_by_branch",
    "read_checkpoint",
    "refuse_other_hyperparameters",
    "refuse_other_ranks",
    "refuse_other_tasks",
    "take_flags",
    "train_branch",
    "use_processes_of",
    "with_config_of_checkpoint",
    "write_atomically",
]
