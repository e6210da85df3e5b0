"""`push`: an export on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from lightning_emorec.export.folder import files_as_written
from lightning_emorec.recognition.find_model import HUB
from lightning_emorec.recognition.hub import upload


def push(folder: Path, repository: str, public: bool = False, revision: str | None = None) -> None:
    """Put an export on the Hugging Face hub, from where `predict --ckpt hf:USER/REPO` takes it.

    A repository that is made is private, because the recordings of a corpus may not allow a public model, and what is
    public once cannot be called back; one that exists stays as it is. Only files that `export` wrote are sent. The
    token is that of `hf auth login` or of HF_TOKEN.

    Args:
        folder: That `export` wrote.
        repository: USER/REPO.
        public: Let everybody read the repository, if it is made.
        revision: Branch to write to, made where there is none; by default main.

    Raises:
        EmorecError: The folder is no export or was changed, there is no token, or the hub refuses it.
        UnavailableError: The hub cannot be reached.
    """
    commit = upload(folder, files_as_written(folder), repository, public, revision)
    print(f"push {commit}: predict --ckpt {HUB}{repository}{f'@{revision}' if revision else ''}")
