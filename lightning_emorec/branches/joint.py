"""Early fusion: one model over what several branches embed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pickle import UnpicklingError
from typing import Any, Self, cast

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from lightning_emorec.branches.branch import Branch
from lightning_emorec.branches.checks import check_at_least, check_shares
from lightning_emorec.branches.factory import (
    Spec,
    branch_class,
    branch_features,
    branch_origins,
    build_branch,
    resolve_spec,
)
from lightning_emorec.branches.gradient import GradientBranch
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, unique
from lightning_emorec.training_data import TrainingData
from lightning_emorec.types import AudioInput, Batch, Tasks

AUDIO_INPUTS = ("none", "plain", "augmented")
"""The least first."""


class Joint(GradientBranch):
    """One model over the concatenated embeddings of several branches.

    Each embedding is normalised and projected to one size; a layer over all of them, and a linear head a task,
    follow. Trained end to end, or over frozen branches that were trained before.

    Args:
        tasks: Task name -> class names.
        encoders: Modality -> class_path and init_args of a branch that embeds. Its heads and its loss are left
            out; it learns at its own rate.
        checkpoints: Modality -> checkpoint of a trained branch, whose weights its encoder starts from. The file
            is read when training starts and never again.
        frozen: Do not train the encoders; each of them then needs a checkpoint.
        normalise: Give each modality's embedding zero mean and unit variance, so that none drowns another.
        modality_dropout: Share of the training clips for which a modality is silenced, so that the model does
            not lean on one of them; a clip that would lose them all keeps them all.
        size: What each embedding is projected to.
        hidden: Units of the layer over all of them.
        dropout: Before that layer and before the heads.
        lr: Peak learning rate of what is not an encoder's.
        warmup_epochs: Epochs of linear rise to `lr`.
        recipe: As `GradientBranch`.

    Raises:
        EmorecError: No encoder, or one that does not embed.
    """

    audio_input: AudioInput = "augmented"  # at most; an instance takes what its encoders take

    def __init__(
        self,
        tasks: Tasks,
        encoders: dict[str, dict[str, Any]],
        checkpoints: dict[str, str] | None = None,
        frozen: bool = False,
        normalise: bool = True,
        modality_dropout: float = 0.2,
        size: int = 64,
        hidden: int = 64,
        dropout: float = 0.3,
        lr: float = 2e-3,
        warmup_epochs: float = 3.0,
        **recipe: Any,
    ) -> None:
        super().__init__(tasks, lr=lr, warmup_epochs=warmup_epochs, **recipe)
        self.specs = _encoder_specs(encoders)
        self.checkpoints = checkpoints or {}
        _check(self.specs, self.checkpoints)
        check_at_least(1, size=size, hidden=hidden)
        check_shares(dropout=dropout, modality_dropout=modality_dropout)
        self.hparams["encoders"] = self.specs
        self.hparams["checkpoints"] = None  # our own checkpoint holds the weights
        taken = (branch_class(spec).audio_input for spec in self.specs.values())
        self.audio_input = max(taken, key=AUDIO_INPUTS.index)
        self.frozen = frozen
        self.normalise = normalise
        self.modality_dropout = modality_dropout
        self.size = size
        self.encoders = nn.ModuleDict()
        self.projections = nn.ModuleDict()
        self.merge = nn.Sequential(
            nn.ReLU(), nn.Dropout(dropout), nn.Linear(len(self.specs) * size, hidden), nn.ReLU()
        )
        self.add_heads(hidden, dropout)

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:
        """Union of the encoders' features."""
        specs = _encoder_specs(init_args["encoders"])
        return unique(feature for spec in specs.values() for feature in branch_features(spec))

    @classmethod
    def origins(cls, init_args: Mapping[str, Any]) -> list[str]:
        """Union of the encoders' origins."""
        return [
            origin
            for spec in _encoder_specs(init_args["encoders"]).values()
            for origin in branch_origins(spec)
        ]

    @classmethod
    def check_available(cls, init_args: Mapping[str, Any]) -> None:
        """Raise if an encoder cannot be had here.

        Raises:
            UnavailableError: Weights, a file or an optional package is missing.
        """
        for spec in _encoder_specs(init_args["encoders"]).values():
            branch_class(spec).check_available(spec["init_args"])

    def configure_model(self) -> None:
        """Build the encoders, without opening a file.

        Not in the constructor: there, LightningCLI would give each encoder this model's hyper-parameters.
        """
        if len(self.encoders):
            return
        for name, spec in self.specs.items():
            encoder = build_branch(spec, {})  # without tasks it has no heads
            norm = nn.LayerNorm(encoder.embed_size) if self.normalise else nn.Identity()
            self.encoders[name] = encoder
            self.projections[name] = nn.Sequential(norm, nn.Linear(encoder.embed_size, self.size))
        self.train(self.training)

    def setup(self, stage: str) -> None:
        """Set up as every branch, with the encoders in place."""
        self.configure_model()  # Lightning calls it after this
        super().setup(stage)

    def check_rate(self, rate_hz: int) -> None:
        """Refuse audio at another rate than an encoder is built for."""
        for _, encoder in branches_in(self.encoders):
            encoder.check_rate(rate_hz)

    def learn_from_training(self, training: TrainingData) -> None:
        """Let each encoder learn as it would alone; those with a checkpoint take its weights instead.

        Raises:
            EmorecError: A frozen encoder without a checkpoint, or a checkpoint of another model.
        """
        super().learn_from_training(training)
        if self.frozen and (untrained := set(self.specs) - set(self.checkpoints)):
            raise EmorecError(
                "a checkpoint of every frozen encoder",
                f"none of {', '.join(sorted(untrained))}",
                "train the branch and name its best.ckpt in model.init_args.checkpoints",
            )
        for name, encoder in branches_in(self.encoders):
            if name in self.checkpoints:
                _take_weights(encoder, self.checkpoints[name])
            else:
                encoder.learn_from_training(training)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """As every branch's, over what is not frozen.

        Frozen only here: an encoder may replace its parameters when it takes those of a checkpoint.
        """
        if self.frozen:
            self.encoders.requires_grad_(False)
        return super().configure_optimizers()

    def rate_of(self, name: str) -> float:
        """Peak learning rate of a parameter; an encoder's are as it says."""
        part, _, rest = name.partition(".")
        if part != "encoders":
            return super().rate_of(name)
        encoder, _, own = rest.partition(".")
        return cast(GradientBranch, self.encoders[encoder]).rate_of(own)

    def train(self, mode: bool = True) -> Self:
        """Switch between training and evaluation; frozen encoders stay in evaluation."""
        super().train(mode)
        if self.frozen:
            self.encoders.eval()
        return self

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """Those of each encoder, after its name and a dot."""
        return joined_inputs(self.encoders, batch)

    def encode(self, **inputs: Tensor) -> Tensor:
        """(batch, embed_size), the layer over all modalities."""
        projected = [
            self.projections[name](self._encode(encoder, inputs_of(name, inputs)))
            for name, encoder in branches_in(self.encoders)
        ]
        modalities = self._silence(torch.stack(projected, dim=1))  # (batch, modalities, size)
        vectors: Tensor = self.merge(modalities.flatten(1))
        return vectors

    def _encode(self, encoder: Branch, inputs: Mapping[str, Tensor]) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return encoder.encode(**inputs)

    def _silence(self, modalities: Tensor) -> Tensor:
        if not self.training or self.modality_dropout == 0:
            return modalities
        kept = torch.rand(modalities.shape[:2], device=modalities.device) >= self.modality_dropout
        kept |= ~kept.any(dim=1, keepdim=True)
        return modalities * kept[:, :, None]


def branches_in(modules: nn.ModuleDict) -> Iterable[tuple[str, Branch]]:
    """Name and branch of each module."""
    return cast("Iterable[tuple[str, Branch]]", modules.items())


def joined_inputs(branches: nn.ModuleDict, batch: Batch) -> dict[str, Tensor]:
    """The inputs of several branches side by side, each after its branch's name and a dot."""
    return {
        f"{name}.{key}": values
        for name, branch in branches_in(branches)
        for key, values in branch.inputs(batch).items()
    }


def inputs_of(name: str, joined: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inputs of one branch out of `joined_inputs`; no branch has a dot in its name."""
    prefix = f"{name}."
    return {key.removeprefix(prefix): values for key, values in joined.items() if key.startswith(prefix)}


def _encoder_specs(encoders: Mapping[str, Any]) -> dict[str, Spec]:
    specs = {}
    for name, given in encoders.items():
        if not isinstance(given, dict) or "class_path" not in given:
            found = f"{given} for {name}"
            raise EmorecError("an encoder's class_path and init_args", found, "set model.init_args.encoders")
        specs[name] = resolve_spec(given, {})
        if "loss_weights" in specs[name]["init_args"]:
            specs[name]["init_args"]["loss_weights"] = None  # of tasks that an encoder does not have
    return specs


def _check(specs: Mapping[str, Spec], checkpoints: Mapping[str, str]) -> None:
    if not specs:
        raise EmorecError("at least one encoder", "none", "add to model.init_args.encoders")
    for name, spec in specs.items():
        kind = branch_class(spec)
        if not issubclass(kind, GradientBranch) or kind.encode is Branch.encode:
            found = f"{spec['class_path']} for {name}"
            raise EmorecError("encoders that embed", found, "choose another branch")
    if unknown := set(checkpoints) - set(specs):
        found = ", ".join(sorted(unknown))
        raise EmorecError(f"checkpoints of {list(specs)}", found, "set model.init_args.checkpoints")


def _take_weights(encoder: Branch, file: str) -> None:
    """Load a trained branch into an encoder, all but what it had for its tasks.

    Raises:
        EmorecError: The file cannot be read, or is of another kind of branch or other sizes.
    """
    try:
        saved = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
        encoder.load_state_dict(
            {key: value for key, value in saved.items() if not key.startswith(("heads.", "class_weight_"))}
        )
    except (EmorecError, OSError, EOFError, KeyError, RuntimeError, UnpicklingError) as error:
        reason = " ".join(str(error).split())
        raise EmorecError(
            f"a checkpoint of a {type(encoder).__name__} of the encoder's sizes",
            f"{file}: {reason}",
            "correct model.init_args.checkpoints, or the encoder",
        ) from error
