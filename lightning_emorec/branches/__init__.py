"""Branches: one class a file."""

from lightning_emorec.branches.audio_cnn import AudioCnn
from lightning_emorec.branches.branch import Branch
from lightning_emorec.branches.build import Spec, branch_class, branch_features, build_branch, resolve_spec
from lightning_emorec.branches.closed_form import ClosedFormBranch, require_no_epochs
from lightning_emorec.branches.collector import Collector
from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.store import best_checkpoint, last_checkpoint, logits_file
from lightning_emorec.branches.transcript_gru import TranscriptGru

__all__ = [
    "AudioCnn",
    "Branch",
    "ClosedFormBranch",
    "Collector",
    "GradientBranch",
    "Spec",
    "TranscriptGru",
    "best_checkpoint",
    "branch_class",
    "branch_features",
    "build_branch",
    "last_checkpoint",
    "logits_file",
    "require_no_epochs",
    "resolve_spec",
]
