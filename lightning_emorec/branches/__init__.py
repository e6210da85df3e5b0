"""Branches: one class a file."""

from lightning_emorec.branches.audio_cnn import AudioCnn
from lightning_emorec.branches.branch import Branch
from lightning_emorec.branches.closed_form import ClosedFormBranch, require_no_epochs, solve_with
from lightning_emorec.branches.collector import Collector
from lightning_emorec.branches.descriptors_cnn import DescriptorsCnn
from lightning_emorec.branches.descriptors_lstm import DescriptorsLstm
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
from lightning_emorec.branches.functionals_mlp import FunctionalsMlp
from lightning_emorec.branches.functionals_svc import FunctionalsSvc
from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.branches.joint import Joint
from lightning_emorec.branches.published_cnn import PublishedCnn
from lightning_emorec.branches.speech_encoder import SpeechEncoder
from lightning_emorec.branches.text_transformer import TextTransformer
from lightning_emorec.branches.tfidf_svc import TfidfSvc
from lightning_emorec.branches.transcript_gru import TranscriptGru
from lightning_emorec.branches.vader import Vader
from lightning_emorec.branches.whisper_encoder import WhisperEncoder
from lightning_emorec.branches.whisper_statistics import WhisperStatistics
from lightning_emorec.branches.whisper_tuned import WhisperTuned

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
