"""Models on the Hugging Face hub. Its package is imported only where a model is fetched or pushed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.run_paths import best_checkpoint

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

FILES = ["*.onnx", "*.json", "*.md", "*.txt", "*.yaml", "SHA256SUMS", "checkpoints/best.ckpt", "version"]
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
    except HfHubHTTPError as error:
        fix = "correct --ckpt, or log in with `hf auth login` if it is private"
        raise EmorecError(f"a model {name} on the hub", reason_of(error), fix) from error
    except (LocalEntryNotFoundError, network_error()) as error:
        fix = "leave out --offline" if offline else "check the network, or name a local folder with --ckpt"
        raise UnavailableError(f"{name} in the hub's cache or on the hub", "neither", fix) from error
    checkpoint = best_checkpoint(folder)
    return checkpoint if checkpoint.is_file() else folder


def upload(folder: Path, names: list[str], repository: str, public: bool, revision: str | None) -> str:
    """Put files into a repository of the hub, as one commit; the repository is made where there is none.

    Args:
        folder: Where the files lie.
        names: Paths of the files in it.
        repository: `USER/REPO`.
        public: Whether a repository that is made can be read by everybody.
        revision: Branch, made where there is none; None means `main`.

    Returns:
        Address of the commit.

    Raises:
        EmorecError: The hub refuses it, as without a token or for another's name.
        UnavailableError: The hub cannot be reached.
    """
    require_hub()
    from huggingface_hub import HfApi, constants, get_token
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    if get_token() is None:
        fix = "run `hf auth login`, or set HF_TOKEN"
        raise EmorecError("a token of the hub that may write", "none", fix)
    api = HfApi(library_name="lightning-emorec")
    try:
        api.create_repo(repository, private=not public, exist_ok=True)
        if revision is not None:
            api.create_branch(repository, branch=revision, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=names,
            revision=revision,
            commit_message="Upload an export of lightning-emorec",
        )
    except HFValidationError as error:
        raise EmorecError("USER/REPO", repository, "correct REPOSITORY") from error
    except HfHubHTTPError as error:
        fix = "correct REPOSITORY, or use a token that may write there"
        raise EmorecError(f"leave to write to {repository} on the hub", reason_of(error), fix) from error
    except ValueError as error:  # the hub's word on the head of a card
        found = " ".join(str(error).split())[:200]
        raise EmorecError("a README.md that the hub takes", found, "export the model again") from error
    except (OfflineModeIsEnabled, network_error()) as error:
        found = f"{type(error).__name__} at {constants.ENDPOINT}"
        raise UnavailableError("the hub to answer", found, "check the network and run it again") from error
    return str(done.commit_url)


def network_error() -> type[Exception]:
    """What the hub's package raises where there is no connection, or one that breaks off.

    It is of httpx, whose name differs between releases of the package.
    """
    from huggingface_hub.errors import HfHubHTTPError

    return cast("type[Exception]", HfHubHTTPError.__bases__[0])


def reason_of(error: HfHubHTTPError) -> str:
    """Why the hub refuses something, in a line."""
    said = error.server_message or str(error)
    return f"status {error.response.status_code}: {' '.join(said.split())[:150]}"
