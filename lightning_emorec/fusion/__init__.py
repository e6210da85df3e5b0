"""Fusion: rules over branch logits, and the module that freezes branches under them."""

from lightning_emorec.fusion.average import Average
from lightning_emorec.fusion.compared import RULES, compared_rules
from lightning_emorec.fusion.log_linear import LogLinear
from lightning_emorec.fusion.max_confidence import MaxConfidence
from lightning_emorec.fusion.module import FusionModule
from lightning_emorec.fusion.rule import FusionRule
from lightning_emorec.fusion.weighted import Weighted

__all__ = [
    "RULES",
    "Average",
    "FusionModule",
    "FusionRule",
    "LogLinear",
    "MaxConfidence",
    "Weighted",
    "compared_rules",
]
