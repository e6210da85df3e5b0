"""What a checkpoint holds beside Lightning's own, and its plain content read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
import yaml

from lightning_emorec.config_loader import replaced
from lightning_emorec.errors import EmorecError
from lightning_emorec.renamed import current_class_path

RUN_CONFIG = "run_config"
"""Key of the run's config in a checkpoint, as YAML text."""

FEATURES = "features"
"""Key of the model's feature keys in a checkpoint."""

VALIDATION = "validation"
"""Key of the validation logits in a checkpoint, as `ValidationLogits.to_state` gives them."""


def read_checkpoint(file: str | Path, fix: str = "check --ckpt_path") -> dict[str, Any]:
    """Read a checkpoint's plain content, in which classes have the paths of today.

    Args:
        file: The checkpoint.
        fix: What to do if it is missing or damaged, for the error.

    Raises:
        EmorecError: It is missing or damaged.
    """
    if not Path(file).is_file():
        raise EmorecError("a checkpoint file", f"no file {file}", fix)
    try:
        checkpoint = cast(dict[str, Any], torch.load(file, map_location="cpu", weights_only=True))
    except Exception as error:  # damaged bytes can raise nearly anything when they are unpickled
        found = f"{file}, which cannot be read"
        raise EmorecError("a checkpoint that `fit` wrote", found, fix) from error
    names = (current_class_path,)
    if "hyper_parameters" in checkpoint:
        checkpoint["hyper_parameters"] = replaced(checkpoint["hyper_parameters"], names)
    if RUN_CONFIG in checkpoint:
        config = replaced(yaml.safe_load(checkpoint[RUN_CONFIG]), names)
        checkpoint[RUN_CONFIG] = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    return checkpoint
