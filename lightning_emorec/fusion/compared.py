"""The rules that every fusion is shown with."""

from __future__ import annotations

from lightning_emorec.fusion.average import Average
from lightning_emorec.fusion.log_linear import LogLinear
from lightning_emorec.fusion.max_confidence import MaxConfidence
from lightning_emorec.fusion.rule import FusionRule
from lightning_emorec.fusion.weighted import Weighted

RULES: dict[str, type[FusionRule]] = {
    "average": Average,
    "weighted": Weighted,
    "max_confidence": MaxConfidence,
    "log_linear": LogLinear,
}


def compared_rules(rule: FusionRule) -> tuple[str, dict[str, FusionRule]]:
    """The name of the chosen rule, and the rules that it is compared with, itself among them."""
    chosen = next((name for name, kind in RULES.items() if type(rule) is kind), type(rule).__name__)
    return chosen, {**{name: kind() for name, kind in RULES.items()}, chosen: rule}
