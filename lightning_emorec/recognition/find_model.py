"""Which model `--ckpt` means."""

from __future__ import annotations

import logging
from pathlib import Path

from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.model import RecognitionModel
from lightning_emorec.run_paths import best_checkpoint

log = logging.getLogger(__name__)

EXPORTED = "model.onnx"
"""File by which the folder of an export is known."""

HUB = "hf:"
"""How a model on the Hugging Face hub is named: `hf:USER/REPO` or `hf:USER/REPO@REVISION`."""


def find_model(ckpt: str | None, runs: Path, offline: bool = False) -> Path:
    """The checkpoint, or the folder of an export, that a user means.

    Args:
        ckpt: A run's name or folder, a checkpoint, the folder of an export, or `hf:USER/REPO[@REVISION]`; None means
            the newest finished run.
        runs: Folder of all runs.
        offline: Take from the hub only what is here already.

    Raises:
        EmorecError: There is none.
    """
    if ckpt is None:
        return newest_run(runs)
    if ckpt.startswith(HUB):
        from lightning_emorec.recognition.hub import fetch

        return fetch(ckpt.removeprefix(HUB), offline)
    for given in (Path(ckpt).expanduser(), runs / ckpt):
        if given.is_file() or (given / EXPORTED).is_file():
            return given
        if best_checkpoint(given).is_file():
            return best_checkpoint(given)
    expected = f"a run in {runs}, a checkpoint, the folder of an export, or {HUB}USER/REPO"
    raise EmorecError(expected, ckpt, "set --ckpt")


def newest_run(runs: Path) -> Path:
    """The best checkpoint of the run in a folder that was finished last: no branch, fold, refit or trial.

    Raises:
        EmorecError: No run is finished.
    """
    # Branches lie in a folder of their own; folds and trials lie in the folder of their crossval or sweep.
    done = [
        file
        for file in runs.glob("*/done")
        if best_checkpoint(file.parent).is_file() and not file.parent.name.endswith("-refit")
    ]
    if not done:
        fix = "train a model with `fit`, or name one with --ckpt"
        raise EmorecError("a finished run", f"none in {runs}", fix)
    newest = max(done, key=lambda file: file.stat().st_mtime).parent
    log.info("model: %s, the newest finished run", newest)
    return best_checkpoint(newest)


def open_model(
    found: Path, read_text: bool = True, device: str | None = None, threads: int | None = None
) -> RecognitionModel:
    """Load what `find_model` found.

    Args:
        found: A checkpoint, or the folder of an export.
        read_text: False leaves out branches that read text.
        device: For a checkpoint; None means a GPU where there is one. An export is computed on the CPU.
        threads: That the model computes with; None means as the runtime chooses.

    Raises:
        EmorecError: It cannot be loaded, or not for that device.
    """
    if found.is_dir() or found.name == EXPORTED:
        from lightning_emorec.recognition.onnx_model import OnnxModel

        if device not in (None, "cpu"):
            expected = "no --device but cpu with an export, which is computed there"
            raise EmorecError(expected, str(device), "leave out --device, or name a checkpoint with --ckpt")
        if not read_text:
            log.warning("--no_text changes nothing: the model reads no text")
        return OnnxModel(found if found.is_dir() else found.parent, threads)
    import torch

    from lightning_emorec.recognition.torch_model import TorchModel

    if threads is not None:
        torch.set_num_threads(threads)
    return TorchModel(found, read_text, device)
