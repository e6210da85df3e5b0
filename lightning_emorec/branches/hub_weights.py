"""Transformers found by hub id or path, checked without loading, and loaded by the library's own loader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from lightning_emorec.errors import EmorecError, UnavailableError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

WeightsFrom = Literal["pretrained", "config"]

_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
_CONFIG = ("config.json",)
_FIX = (
    "give `weights` a folder that has them, or train the architecture from nothing with weights_from: config"
)
_REACH_S = 4.0
_LONGEST_REASON = 300


class HubWeights:
    """An encoder.

    Args:
        name: A hub id (`roberta-base`) or a local folder; for `config` also a bare architecture of the library
            (`distilbert`), which takes the library's sizes.
        weights_from: `pretrained` weights, or random ones in the shape that the `config` says.
        overrides: For `config`: sizes that replace the config's own.

    Raises:
        EmorecError: Overrides for pretrained weights.
    """

    def __init__(
        self, name: str, weights_from: WeightsFrom, overrides: Mapping[str, int | list[int]] | None
    ) -> None:
        if overrides and weights_from == "pretrained":
            raise EmorecError(
                "no config_overrides with weights_from: pretrained",
                f"{dict(overrides)}",
                "leave them out, or set model.init_args.weights_from config",
            )
        self.name = name
        self.weights_from = weights_from
        self.overrides = overrides or {}

    def check_available(self) -> None:
        """See whether the files are here or can be downloaded, without loading or downloading them.

        Raises:
            UnavailableError: They are neither in the folder, nor in the hub's cache, nor within reach.
        """
        wanted = _WEIGHTS if self.weights_from == "pretrained" else _CONFIG
        if self.from_nothing:
            return
        if self._folder.is_dir():
            found = sorted(path.name for path in self._folder.iterdir())
            if not set(found) & set(wanted):
                raise UnavailableError(
                    " or ".join(wanted), f"{', '.join(found) or 'nothing'} in {self._folder}", _FIX
                )
        elif reason := _unreachable(self.name, wanted):
            raise UnavailableError(
                f"the {self.weights_from} files of {self.name} in a folder, in the hub's cache or on the hub",
                reason,
                _FIX,
            )

    @contextmanager
    def errors_in_one_line(self, kind: str) -> Iterator[None]:
        """Turn what the library raises into an error of one line.

        Args:
            kind: What the files should have held.

        Raises:
            UnavailableError: The files cannot be had.
            EmorecError: They hold something else, or the overrides do not fit it.
        """
        try:
            yield
        except EmorecError:
            raise
        except OSError as error:
            raise UnavailableError(f"the files of {self.name}", _one_line(error), _FIX) from error
        except (
            Exception
        ) as error:  # damaged files and sizes that do not fit raise nearly anything in the library
            raise EmorecError(f"{kind} in {self.name}", _one_line(error), _FIX) from error

    def config(self) -> PreTrainedConfig:
        """The architecture, overrides applied; from the library itself where `from_nothing`."""
        from transformers import AutoConfig

        given = AutoConfig.for_model if self.from_nothing else AutoConfig.from_pretrained
        return _resized(given(self.name if self.from_nothing else self.source), self.overrides)

    def model(self, unneeded: Sequence[str]) -> PreTrainedModel:
        """The encoder in float32.

        Args:
            unneeded: Beginnings of the names of weights that the files may lack.

        Raises:
            EmorecError: They lack others.
        """
        if self.weights_from == "config":
            return encoder_of(self.config())
        return _pretrained(self.source, tuple(unneeded))

    @property
    def source(self) -> str:
        """What the library's loaders are given; a resolved path is never taken for a hub id."""
        return str(self._folder.resolve()) if self._folder.is_dir() else self.name

    @property
    def from_nothing(self) -> bool:
        """Whether `name` is a bare architecture."""
        from transformers import CONFIG_MAPPING

        return self.weights_from == "config" and not self._folder.is_dir() and self.name in CONFIG_MAPPING

    @property
    def _folder(self) -> Path:
        return Path(self.name).expanduser()


def _pretrained(source: str, unneeded: tuple[str, ...]) -> PreTrainedModel:
    """The model, all of it: what the files lack would be random, which the library only reports in a table."""
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        model, report = AutoModel.from_pretrained(source, dtype=torch.float32, output_loading_info=True)
    finally:
        logging.set_verbosity(before)
    if missing := sorted(key for key in report["missing_keys"] if not key.startswith(unneeded)):
        found = f"no {missing[0]} (and {len(missing) - 1} more missing)"
        raise EmorecError(f"the weights of a whole {model.config.model_type} in {source}", found, _FIX)
    return cast("PreTrainedModel", model)


def encoder_of(config: PreTrainedConfig) -> PreTrainedModel:
    """The architecture with random weights, in float32 whatever its authors trained in."""
    import torch
    from transformers import AutoModel

    return cast("PreTrainedModel", AutoModel.from_config(config, dtype=torch.float32))


def _resized(config: PreTrainedConfig, overrides: Mapping[str, int | list[int]]) -> PreTrainedConfig:
    for key, value in overrides.items():
        if not isinstance(getattr(config, key, None), int | list | tuple):
            sizes = [name for name, size in config.to_dict().items() if type(size) in (int, list, tuple)]
            raise EmorecError(
                f"config_overrides among {', '.join(sizes)}", key, "set model.init_args.config_overrides"
            )
        setattr(config, key, value)
    return config


@lru_cache(maxsize=16)
def _unreachable(name: str, wanted: tuple[str, ...]) -> str | None:
    """Why the hub cannot give any of these files, or None; asked once a process."""
    from huggingface_hub import HfApi, constants, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        if any(isinstance(try_to_load_from_cache(name, file), str) for file in wanted):
            return None
        if constants.HF_HUB_OFFLINE:
            return "neither, and HF_HUB_OFFLINE is set"
        listed = HfApi().model_info(name, timeout=_REACH_S).siblings or []
    except HFValidationError:
        return f"no folder {name}"
    except Exception as error:  # the client's transport, and with it the errors, changes between releases
        return f"neither ({_one_line(error)})"
    return None if {file.rfilename for file in listed} & set(wanted) else f"none of {', '.join(wanted)}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:_LONGEST_REASON]
