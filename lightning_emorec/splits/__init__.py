"""Splits by actor: whom to train on, whom to validate on, whom to test on."""

from lightning_emorec.speaker_names import canonical
from lightning_emorec.splits.actor_lists import ActorLists
from lightning_emorec.splits.all_tested import AllTested, TestedParts
from lightning_emorec.splits.balance import Share
from lightning_emorec.splits.class_coverage import check_classes, telling_voices
from lightning_emorec.splits.folds import TEST_ACTORS, Folds, KFold, Scheme
from lightning_emorec.splits.leave_corpus_out import LeaveCorpusOut
from lightning_emorec.splits.merge_validation import UnvalidatedParts, WithoutValidation
from lightning_emorec.splits.predefined import Published
from lightning_emorec.splits.split import PARTS, Parts, Split
from lightning_emorec.splits.supported import Supported, supported

__all__ = [
    "PARTS",
    "TEST_ACTORS",
    "ActorLists",
    "AllTested",
    "Folds",
    "KFold",
    "LeaveCorpusOut",
    "Parts",
    "Published",
    "Scheme",
    "Share",
    "Split",
    "Supported",
    "TestedParts",
    "UnvalidatedParts",
    "WithoutValidation",
    "canonical",
    "check_classes",
    "supported",
    "telling_voices",
]
