"""Models on the Hugging Face hub."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.run_paths import best_checkpoint

FILES = ["*.onnx", "*.json", "*.md", "*.txt", "*.yaml", "checkpoints/best.ckpt", "version"]
"""What a model needs: an export, or a run with its checkpoint; no pickles."""


def require_hub() -> None:
    """See whether the package that reaches the hub is installed.

    Raises:
        UnavailableError: It is not.
    """
    if find_spec("huggingface_hub") is None:
        fix = "run: pip install huggingface_hub"
        raise UnavailableError("the package huggingface_hub", "no such package", fix)


def fetch(name: str, offline: bool = False) -> Path:
    """The folder of a model on the hub, downloaded once into the hub's cache.

    Args:
        name: `USER/REPO` or `USER/REPO@REVISION`.
        offline: Take only what is in the cache.

    Returns:
        The export's folder, or the run's checkpoint.

    Raises:
        EmorecError: No such repository or revision, or no model in it.
        UnavailableError: The hub cannot be reached, or the model is not in the cache.
    """
    require_hub()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    try:
        folder = Path(
            snapshot_download(
                repository, revision=revision or None, allow_patterns=FILES, local_files_only=offline
            )
        )
    except HFValidationError as error:
        raise EmorecError("hf:USER/REPO or hf:USER/REPO@REVISION", f"hf:{name}", "set --ckpt") from error
    except LocalEntryNotFoundError as error:
        fix = "leave out --offline" if offline else "check the network, or name a local folder with --ckpt"
        raise UnavailableError(f"{name} in the hub's cache or on the hub", "neither", fix) from error
    except HfHubHTTPError as error:
        reason = " ".join(str(error).split())[:200]
        raise EmorecError(f"a model {name} on the hub", reason, "check the name, or log in") from error
    checkpoint = best_checkpoint(folder)
    return checkpoint if checkpoint.is_file() else folder
