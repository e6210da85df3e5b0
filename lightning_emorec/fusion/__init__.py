"""Fusion: rules over branch logits, and the module that freezes branches under them."""

from lightning_emorec.fusion.adapted import AdaptedMode, SpeakerAdaptation
from lightning_emorec.fusion.fitted_rules import RULES, FittedRules, compared_rules
from lightning_emorec.fusion.founding import found_confidence, out_of_actor
from lightning_emorec.fusion.log_linear import LogLinear
from lightning_emorec.fusion.module import FusionModule
from lightning_emorec.fusion.rule import FusionRule
from lightning_emorec.fusion.simple_rules import Average, MaxConfidence, Weighted

__all__ = [
    "RULES",
    "AdaptedMode",
    "Average",
    "FittedRules",
    "FusionModule",
    "FusionRule",
    "LogLinear",
    "MaxConfidence",
    "SpeakerAdaptation",
    "Weighted",
    "compared_rules",
    "found_confidence",
    "out_of_actor",
]
