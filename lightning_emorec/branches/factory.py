"""Branches from plain specs: {class_path, init_args}."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from jsonargparse import ArgumentError, ArgumentParser, Namespace, set_parsing_settings
from jsonargparse.typing import Path_fr

from lightning_emorec.branches.branch import Branch
from lightning_emorec.config_loader import load_config
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature
from lightning_emorec.types import Tasks

# A spec inside a dict stays a spec: jsonargparse would otherwise build whatever looks like one.
set_parsing_settings(instantiate_subclass_spec_in_any=False)

Spec = dict[str, Any]
"""{"class_path": ..., "init_args": {...}}, plain values only, without `tasks`."""


def resolve_spec(spec: Mapping[str, Any], tasks: Tasks) -> Spec:
    """Check a spec, and fill in the full class path and every default.

    Raises:
        EmorecError: The class is not a branch, or an argument is unknown or of a wrong type.
    """
    resolved = cast(dict[str, Any], _parse(spec, tasks)[1].branch.as_dict())
    resolved["init_args"].pop("tasks")
    return {"class_path": resolved["class_path"], "init_args": resolved["init_args"]}


def build_branch(spec: Mapping[str, Any], tasks: Tasks) -> Branch:
    """Build an untrained branch, with what it leaves to `configure_model`.

    Raises:
        EmorecError: As `resolve_spec`.
    """
    parser, config = _parse(spec, tasks)
    branch = cast(Branch, parser.instantiate(config).branch)
    branch.configure_model()
    return branch


def branch_class(spec: Spec) -> type[Branch]:
    """The class of a resolved spec."""
    module, _, name = spec["class_path"].rpartition(".")
    return cast(type[Branch], getattr(importlib.import_module(module), name))


def branch_features(spec: Spec) -> list[Feature]:
    """The features that a branch with a resolved spec needs, without building it."""
    return branch_class(spec).features_of(spec["init_args"])


def branch_origins(spec: Spec) -> list[str]:
    """What the training of a branch with a resolved spec starts from, beside its arguments, without building it."""
    return branch_class(spec).origins(spec["init_args"])


def needs_audio(spec: Spec) -> bool:
    """Whether a branch with a resolved spec can do nothing with a clip without audio, without building it."""
    return branch_class(spec).audio_input != "none" or any(
        feature.from_audio for feature in branch_features(spec)
    )


def _parse(spec: Mapping[str, Any], tasks: Tasks) -> tuple[ArgumentParser, Namespace]:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--branch", type=Branch, required=True)
    given = {"class_path": spec["class_path"], "init_args": {**(spec.get("init_args") or {}), "tasks": tasks}}
    try:
        return parser, parser.parse_object({"branch": given})
    except ArgumentError as error:
        reason = " ".join(str(error).split())
        raise EmorecError(
            "a branch's class_path and init_args", reason, f"correct the arguments of {spec['class_path']}"
        ) from error


def spec_of(config: Path_fr | dict[str, Any] | str) -> dict[str, Any]:
    """The class_path and init_args of a branch's config, whichever form it has.

    Raises:
        EmorecError: It names no class.
    """
    content = config if isinstance(config, dict) else load_config(Path(config).read_text(encoding="utf8"))
    spec = content.get("model", content)
    if not isinstance(spec, dict) or "class_path" not in spec:
        raise EmorecError(
            "a branch's config with model.class_path", f"{config}", "set model.init_args.branches"
        )
    return spec
