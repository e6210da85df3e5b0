"""Whisper's weights: found by name or path, distinguished by content, loaded no sooner than needed."""

from __future__ import annotations

import os
import pickle
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.hashing import sha256
from lightning_emorec.locks import lock

if TYPE_CHECKING:
    from whisper import Whisper

DEFAULT_MODEL = "tiny.en"
VARIABLE = "EMOREC_WHISPER"

_FIX = (
    f"give the path of a checkpoint as `whisper` or in ${VARIABLE}, or choose transcript: reference or file"
)
_KEPT = 31 * 2**20  # bytes; glibc learns from no more than 32 MB
_REACH_S = 5.0
_MULTILINGUAL_VOCABULARY = 51865  # tokens, as the library's `is_multilingual`


class WhisperWeights:
    """A Whisper model, by OpenAI's name for it or by the path of its checkpoint.

    Args:
        model: Name or path; None means `$EMOREC_WHISPER`, else tiny.en.
    """

    def __init__(self, model: str | None = None) -> None:
        self.model = model or os.environ.get(VARIABLE) or DEFAULT_MODEL

    @property
    def identity(self) -> str:
        """The digest of a local file; else the name, whose content the package fixes by its own digest."""
        path = self._path
        return f"sha256:{sha256(path)}" if path.is_file() else self.model

    def check_available(self) -> None:
        """See whether the weights are here or can be downloaded, without loading or downloading them.

        Raises:
            UnavailableError: The file is absent, or the named model neither downloaded nor within reach.
            EmorecError: Neither a file nor a name that Whisper knows.
        """
        import whisper

        path = self._path
        if path.is_file():
            return
        if self.model not in whisper.available_models():
            if path.suffix == ".pt" or path.name != self.model:
                raise UnavailableError("a Whisper checkpoint", f"no file {path}", _FIX)
            names = ", ".join(whisper.available_models())
            raise EmorecError(f"a Whisper model ({names}) or a file", self.model, _FIX)
        url = whisper._MODELS[self.model]
        if _is_downloaded(url):
            return
        if reason := _unreachable(url):
            raise UnavailableError(
                f"the weights of Whisper {self.model} in {_download_folder()}, or a network to fetch them",
                reason,
                _FIX,
            )

    def load(self) -> Whisper:
        """Load the model in float32, onto the GPU where there is one; a named model is downloaded once.

        Raises:
            UnavailableError: The download failed.
            EmorecError: The file is no Whisper checkpoint.
        """
        import whisper

        # glibc keeps twice what has been freed in one piece: without this the memory of a layer's states goes back to
        # the system and comes again, zeroed, for each clip, which is a seventh of the encoder's time.
        torch.empty(_KEPT, dtype=torch.uint8)
        path = self._path
        with self._read_errors():
            if path.is_file():
                return whisper.load_model(str(path.resolve()))  # never taken for the name of a model
            with _one_download(whisper._MODELS.get(self.model)):
                return whisper.load_model(self.model)

    def is_english_only(self) -> bool:
        """Whether the model has no words of other languages: told by the name, or by a file's vocabulary.

        Raises:
            EmorecError: The file is no Whisper checkpoint.
        """
        if not self._path.is_file():
            return self.model.endswith(".en")
        with self._read_errors():
            dims = torch.load(self._path, map_location="meta", weights_only=True)["dims"]  # reads no weights
            return bool(dims["n_vocab"] < _MULTILINGUAL_VOCABULARY)

    @contextmanager
    def _read_errors(self) -> Iterator[None]:
        """Turn what torch and the library raise into one line."""
        try:
            yield
        except OSError as error:  # urllib's errors are among them
            raise UnavailableError(f"the weights of Whisper {self.model}", str(error), _FIX) from error
        except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EmorecError("a Whisper checkpoint", f"{self.model}: {reason}", _FIX) from error

    @property
    def _path(self) -> Path:
        return Path(self.model).expanduser()


@lru_cache(maxsize=16)
def _unreachable(url: str) -> str | None:
    """Why a download would fail, or None; asked once a process, since several branches want the same file."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_REACH_S):
            return None
    except (urllib.error.URLError, OSError) as error:
        return f"neither ({getattr(error, 'reason', error)})"


@contextmanager
def _one_download(url: str | None) -> Iterator[None]:
    """Let one process download a file, if it is not there: the library would empty what another is writing."""
    if url is None or _is_downloaded(url):
        yield
        return
    with lock(_download_folder() / f"{Path(url).name}.lock"):
        yield


def _is_downloaded(url: str) -> bool:
    kept = _download_folder() / Path(url).name
    return kept.is_file() and sha256(kept) == url.split("/")[-2]  # the library compares it in the same way


def _download_folder() -> Path:
    """Where the library keeps what it downloads."""
    usual = os.environ.get("XDG_CACHE_HOME")
    return (Path.home() / ".cache" if usual is None else Path(usual)) / "whisper"
