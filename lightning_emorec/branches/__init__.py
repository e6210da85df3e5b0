"""Branches: models of one view of a clip, each from a batch to logits."""

from lightning_emorec.branches.audio_cnn import AudioCnn
from lightning_emorec.branches.branch import Branch
from lightning_emorec.branches.closed_form import ClosedFormBranch, require_no_epochs, solve_with
from lightning_emorec.branches.ddp import Collector
from lightning_emorec.branches.descriptors import DescriptorsCnn, DescriptorsLstm
from lightning_emorec.branches.factory import (
    Spec,
    branch_class,
    branch_features,
    branch_origins,
    build_branch,
    needs_audio,
    resolve_spec,
    spec_of,
)
from lightning_emorec.branches.functionals import FunctionalsMlp, FunctionalsSvc
from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.joint import Joint
from lightning_emorec.branches.published_cnn import PublishedCnn
from lightning_emorec.branches.text_transformer import TextTransformer
from lightning_emorec.branches.tfidf import TfidfSvc
from lightning_emorec.branches.transcript_gru import TranscriptGru
from lightning_emorec.branches.tuned import SpeechEncoder, WhisperTuned
from lightning_emorec.branches.vader import Vader
from lightning_emorec.branches.whisper_states import WhisperEncoder, WhisperStatistics

__all__ = [
    "AudioCnn",
    "Branch",
    "ClosedFormBranch",
    "Collector",
    "DescriptorsCnn",
    "DescriptorsLstm",
    "FunctionalsMlp",
    "FunctionalsSvc",
    "GradientBranch",
    "Joint",
    "PublishedCnn",
    "Spec",
    "SpeechEncoder",
    "TextTransformer",
    "TfidfSvc",
    "TranscriptGru",
    "Vader",
    "WhisperEncoder",
    "WhisperStatistics",
    "WhisperTuned",
    "branch_class",
    "branch_features",
    "branch_origins",
    "build_branch",
    "needs_audio",
    "require_no_epochs",
    "resolve_spec",
    "solve_with",
    "spec_of",
]
