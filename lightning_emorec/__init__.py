"""Speech emotion recognition for unseen speakers, in PyTorch Lightning."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lightning_emorec.user_caches import settle_user_caches

if TYPE_CHECKING:
    from lightning_emorec.inference import TrainedModel, branch_logits, load_model, logits_of
    from lightning_emorec.recognition.options import Options
    from lightning_emorec.recognition.recognizer import Recognizer
    from lightning_emorec.recognition.segment import Segment
    from lightning_emorec.types import Clip

__version__ = "0.2.0"

__all__ = [
    "Clip",
    "Options",
    "Recognizer",
    "Segment",
    "TrainedModel",
    "__version__",
    "branch_logits",
    "load_model",
    "logits_of",
]

_HOMES = {
    "Clip": "types",
    "Options": "recognition.options",
    "Recognizer": "recognition.recognizer",
    "Segment": "recognition.segment",
}
"""Name -> module of this package; all others of `__all__` are in `inference`."""


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for (PEP 562): torch takes seconds, and `--help` needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    settle_user_caches()
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'inference')}"), name)
