"""`python -m lightning_emorec export`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lightning_emorec.errors import EmorecError


def export(
    run: str,
    folder: Path,
    int8: bool = False,
    check: bool = True,
    max_loss: float = 0.01,
    adapt: Literal["none", "speaker"] = "none",
    runs: Path = Path("runs"),
) -> Path:
    """Write a trained model as one ONNX file from a waveform to log-probabilities, with its card and licences.

    Branches that a graph cannot hold, such as those that read text, are left out; the fusion is solved again over
    the others, and what that costs is printed.

    Args:
        run: Folder of a run, its name under `--runs`, or a checkpoint.
        folder: To write: new, empty or an earlier export.
        int8: Put weights into 8 bits, if UAR on validation clips stays.
        check: Compare with PyTorch's answers on generated clips, before the weights are put into 8 bits.
        max_loss: Largest loss of UAR by 8 bits; 1 takes any, measured or not.
        adapt: An export judges each clip by itself; `speaker` is refused.
        runs: Folder of all runs.

    Raises:
        EmorecError: An adapted model is asked for, there is no such run, no branch can be held, the folder holds
            something else, the check finds a difference, or 8 bits lose more than `max_loss`.
    """
    if adapt != "none":
        fix = "leave out --adapt, and adapt with `predict --adapt` by the checkpoint"
        raise EmorecError("--adapt none: an export judges each clip by itself", f"--adapt {adapt}", fix)
    from lightning_emorec.export.write import write_export

    return write_export(run, folder, int8, check, max_loss, runs)
