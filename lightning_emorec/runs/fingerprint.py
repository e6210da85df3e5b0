"""Fingerprint of a run: a short hash of everything that determines the trained model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning_emorec import __version__
from lightning_emorec.audio import AudioStore
from lightning_emorec.dataset import content_of
from lightning_emorec.hashing import sha256, short_hash
from lightning_emorec.splits import Parts
from lightning_emorec.types import Tasks

Config = Mapping[str, Any]

# Left out of the fingerprint: where a run happens, not what it computes. `corpus` and `split` count by the content of
# their training and validation clips; nothing is learned from test clips.
PLACE_OF_DATA = {"corpus", "split", "cache", "workers", "on_error"}
PLACE_OF_TRAINING = {
    "accelerator",
    "strategy",
    "devices",
    "num_nodes",
    "logger",
    "default_root_dir",
    "enable_progress_bar",
    "enable_model_summary",
    "log_every_n_steps",
    "profiler",
    "detect_anomaly",
    "plugins",
}

# Arguments that came later, with the value that stands for what was done before there was a choice.
AS_BEFORE = {"channel": None, "language": "en", "adapt": "none"}


def describe_clips(parts: Parts, audio: AudioStore, tasks: Tasks) -> str:
    """A hash of the training and validation clips and their labels for the tasks."""
    return short_hash([content_of(clips, audio, tasks) for clips in (parts.train, parts.val)])


def fingerprint(config: Config, clips: str, origins: Iterable[str]) -> str:
    """Hash of a resolved run config, its clips and the files and features that the training starts from.

    Args:
        config: With all defaults filled in.
        clips: The result of `describe_clips`.
        origins: The result of `branch_origins`: digests of weights, keys of features.
    """
    began_from = config.get("ckpt_path")
    return short_hash(
        {
            "model": _by_content(_as_before(config["model"])),
            "data": {
                key: value for key, value in _as_before(config["data"]).items() if key not in PLACE_OF_DATA
            },
            "trainer": {
                key: value for key, value in config["trainer"].items() if key not in PLACE_OF_TRAINING
            },
            "checkpoint": config.get("checkpoint"),
            "seed": config["seed_everything"],
            "clips": clips,
            "features": sorted(set(origins)),
            "version": __version__,
            **({"refit": True} if config.get("refit") else {}),
            **({} if began_from in (None, "last") else {"ckpt_path": _by_content(began_from)}),
        }
    )


def fusion_fingerprint(config: Config, prints: Mapping[str, str], clips: str) -> str:
    """The fingerprint of a fused run; the config of each branch is replaced by its fingerprint in `prints`."""
    model = config["model"]
    with_prints = {**model, "init_args": {**model["init_args"], "branches": dict(prints)}}
    return fingerprint({**config, "model": with_prints}, clips, [])


def _as_before(value: Any) -> Any:
    """Without arguments, at any depth, that `AS_BEFORE` lists with this value."""
    if isinstance(value, list):
        return [_as_before(inner) for inner in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: _as_before(inner)
        for key, inner in value.items()
        if key not in AS_BEFORE or inner != AS_BEFORE[key]
    }


def _by_content(value: Any) -> Any:
    """Replace paths of files and folders (weights, word vectors, checkpoints) by digests of their content."""
    if isinstance(value, Mapping):
        return {key: _by_content(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_by_content(inner) for inner in value]
    if not isinstance(value, str) or not value:
        return value
    path = Path(value).expanduser()
    if path.is_dir():
        return [(file.name, sha256(file)) for file in sorted(path.iterdir()) if file.is_file()]
    return sha256(path) if path.is_file() else value
