"""A trained model outside its run: from a checkpoint to the logits of any clips."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
import yaml
from jsonargparse import ArgumentError, ArgumentParser
from lightning.fabric.utilities import move_data_to_device
from torch.utils.data import DataLoader

from lightning_emorec.audio import AudioStore, FrontEnd, default_cache_folder, with_audio
from lightning_emorec.branches import Branch, build_branch
from lightning_emorec.checkpoint_file import FEATURES, RUN_CONFIG, VALIDATION, read_checkpoint
from lightning_emorec.datamodule import FEATURE_RATE_HZ, EmotionDataModule
from lightning_emorec.dataset import ClipDataset, collate_with
from lightning_emorec.errors import EmorecError, UnavailableError
from lightning_emorec.features import FeatureCache, FeatureReader, unique
from lightning_emorec.fusion import FusionModule
from lightning_emorec.part_logits import OWN, PartLogits, ValidationLogits
from lightning_emorec.run_paths import best_checkpoint
from lightning_emorec.types import Batch, Clip, Tasks

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedModel:
    """A trained model with all that its use needs: neither corpus nor trainer nor another file of the run.

    Attributes:
        model: With its weights, in evaluation mode.
        front_end: What is done to the audio of a clip.
        batch_size: The run's.
        seed: The run's.
        config: The run's config as YAML text; empty for a model that was trained without the command line.
        checkpoint: The file.
        validation: Branch -> logits of the validation clips that the run chose by; empty
            where the run had none, and in a checkpoint of an earlier version.
        actors: Validation clip -> actor.
        before_refit: The model has since been trained on these clips; the logits are those of the one before.
    """

    model: Branch
    front_end: FrontEnd
    batch_size: int
    seed: int
    config: str
    checkpoint: Path
    validation: dict[str, PartLogits] = field(default_factory=dict)
    actors: dict[str, str] = field(default_factory=dict)
    before_refit: bool = False

    @property
    def tasks(self) -> Tasks:
        """Task name -> class names, in the order of the logits."""
        return self.model.tasks

    @property
    def fusion(self) -> FusionModule | None:
        """The model, where it is a fusion."""
        return self.model if isinstance(self.model, FusionModule) else None

    @property
    def branches(self) -> dict[str, Branch]:
        """Name -> branch of a fusion; of another model itself alone, under the name `model`."""
        if self.fusion is None:
            return {OWN: self.model}
        return {name: cast(Branch, branch) for name, branch in self.fusion.branches.items()}


def load_model(checkpoint: str | Path) -> TrainedModel:
    """Load a trained model, from any working directory and without running code from the file.

    Args:
        checkpoint: A file that `fit` wrote, or a run's folder, of which the best checkpoint is taken.

    Raises:
        EmorecError: The file is missing, damaged, no checkpoint of a run, or one of another version.
        UnavailableError: Features of the model need a file or a package that is not here.
    """
    file = best_checkpoint(Path(checkpoint)) if Path(checkpoint).is_dir() else Path(checkpoint)
    content = read_checkpoint(file, "name a run's folder or its checkpoints/best.ckpt")
    given, data = (dict(content.get(f"{key}hyper_parameters", {})) for key in ("", "datamodule_"))
    text = content.get(RUN_CONFIG, "")
    class_path = given.get("_class_path") or (yaml.safe_load(text) or {}).get("model", {}).get("class_path")
    if class_path is None or "tasks" not in given or not data:
        found = f"{file}, which does not describe the model"
        raise EmorecError("a checkpoint that `fit` wrote", found, "train the run with `fit`")
    init_args = {name: value for name, value in given.items() if name != "tasks" and not name.startswith("_")}
    with warnings.catch_warnings():
        # A rule that is built here is a hyper-parameter too; Lightning does not know that nothing is saved again.
        warnings.filterwarnings("ignore", message=".*is an instance of `nn.Module`.*")
        model = build_branch({"class_path": class_path, "init_args": init_args}, given["tasks"])
    model.load_state_dict(content["state_dict"])
    for warning in other_features(content, model):
        log.warning("%s", warning)
    settings = ("rate_hz", "trim_db", "peak_normalise", "max_s")
    channel = data.get("channel")  # which older checkpoints lack
    front_end = FrontEnd(**{name: data[name] for name in settings}, channel=channel)
    known = ValidationLogits.of_state(content.get(VALIDATION, {}))
    kept = (known.parts, known.actors, known.before_refit)
    return TrainedModel(model.eval(), front_end, data["batch_size"], data["seed"], text, file, *kept)


def logits_of(
    trained: TrainedModel,
    clips: Sequence[Clip],
    audio: AudioStore | None = None,
    *,
    features: Path | None = None,
    batch_size: int | None = None,
    workers: int = 0,
    device: torch.device | str | None = None,
    show: bool = False,
) -> PartLogits:
    """The model's logits of clips, which need neither labels nor an actor; of a fusion, those of its chosen rule.

    Arguments as in `branch_logits`.

    Returns:
        The clips that the model takes, in order: a model that needs audio leaves out clips without.
    """
    parts = branch_logits(
        trained,
        clips,
        audio,
        features=features,
        batch_size=batch_size,
        workers=workers,
        device=device,
        show=show,
    )
    if trained.fusion is None:
        return parts[OWN]
    return trained.fusion.fuse_parts(parts)[trained.fusion.rule_name]


def branch_logits(
    trained: TrainedModel,
    clips: Sequence[Clip],
    audio: AudioStore | None = None,
    *,
    names: Collection[str] | None = None,
    features: Path | None = None,
    batch_size: int | None = None,
    workers: int = 0,
    device: torch.device | str | None = None,
    show: bool = False,
) -> dict[str, PartLogits]:
    """The logits of each branch of a model.

    Args:
        trained: The model. It is moved to the device, and stays in evaluation mode.
        clips: At least one that each branch can take.
        audio: Where their audio is found, of the channel that it takes; None decodes the files, of the channel that
            the model was trained on, and keeps the result in the user's cache folder.
        names: Of `trained.branches`; None means all.
        features: Folder in which values of features are kept by the content of the audio file; None means the
            folder of `audio`. A store that changes the audio of a file needs a folder of its own.
        batch_size: Clips at a time; None means as in the run.
        workers: Processes that decode.
        device: None means a GPU where there is one.
        show: Progress bars while features are computed.

    Returns:
        Branch name -> its logits of the clips that it takes, in order: one that needs audio leaves out clips without.

    Raises:
        EmorecError: A clip lacks what a branch reads, or its audio cannot be used.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    branches = {
        name: branch.to(device).eval()
        for name, branch in trained.branches.items()
        if names is None or name in names
    }
    need_audio = {name for name, branch in branches.items() if branch.needs_audio}
    taken = _taken(branches, need_audio, clips)
    audio = audio or AudioStore(default_cache_folder(), trained.front_end.rate_hz, trained.front_end.channel)
    audio = audio.at(trained.front_end.rate_hz)
    needed = unique(feature for branch in branches.values() for feature in branch.features)
    reader = FeatureReader(FeatureCache(features or audio.folder), needed, audio.at(FEATURE_RATE_HZ))
    reader.fill(taken, show=show)
    decoded = audio if any(branch.audio_input != "none" for branch in branches.values()) else None
    loader = DataLoader(
        ClipDataset(taken, range(len(taken)), trained.tasks, decoded, trained.front_end, None, reader),
        batch_size=batch_size or trained.batch_size,
        sampler=[(index, 0) for index in range(len(taken))],
        num_workers=workers,
        collate_fn=collate_with(needed),
    )
    return _judged(branches, need_audio, loader, device)


@torch.inference_mode()
def _judged(
    branches: Mapping[str, Branch], need_audio: Collection[str], loader: Iterable[Batch], device: torch.device
) -> dict[str, PartLogits]:
    """Branch name -> its logits of the clips in all batches."""
    collected: dict[str, list[PartLogits]] = {name: [] for name in branches}
    for batch in loader:
        moved = move_data_to_device(batch, device)
        for name, branch in branches.items():
            own = _with_audio(moved) if name in need_audio else moved
            if own.clip_ids:
                speakers = branch.speaker_scores(own, logits := branch(own))
                collected[name].append(PartLogits(own.clip_ids, logits, own.labels, speakers=speakers))
    return {name: PartLogits.join(parts) for name, parts in collected.items()}


def _taken(branches: Collection[str], need_audio: Collection[str], clips: Sequence[Clip]) -> list[Clip]:
    """The clips that some branch takes, after a check that no branch is left without any."""
    audible = with_audio(clips)
    for name in branches:
        if not (audible if name in need_audio else clips):
            found = f"{len(clips)} clips, none of which has audio" if clips else "no clips"
            raise UnavailableError(f"clips that {name} can take", found, "give clips with an audio file")
    return audible if len(need_audio) == len(branches) else list(clips)


def _with_audio(batch: Batch) -> Batch:
    return batch if batch.has_audio is None or batch.has_audio.all() else batch.select(batch.has_audio)


def datamodule_of(config: Mapping[str, Any], source: str = "the config") -> EmotionDataModule:
    """The datamodule that `data` of a run's config describes.

    Args:
        config: Plain values, class paths in full.
        source: Where it is from, for an error.

    Raises:
        EmorecError: A setting that this version does not know.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(EmotionDataModule, "data")
    try:
        return cast(EmotionDataModule, parser.instantiate(parser.parse_object({"data": dict(config)})).data)
    except ArgumentError as error:
        found = f"{source}: {' '.join(str(error).split())}"
        raise EmorecError("data settings of this version", found, "train the run again") from error


def feature_keys(model: Branch) -> list[str]:
    """The keys of a model's features, sorted."""
    return sorted(feature.key for feature in model.features)


def other_features(checkpoint: Mapping[str, Any], model: Branch) -> list[str]:
    """A warning if a model would get other features than in training, as from another Whisper; else nothing."""
    here = set(feature_keys(model))
    trained = set(checkpoint.get(FEATURES, here))
    if trained == here:
        return []
    return [
        f"the model was trained on the features {_listed(trained - here)} and would be judged on "
        f"{_listed(here - trained)}: set EMOREC_WHISPER, or the files that it reads, as they were"
    ]


def _listed(keys: set[str]) -> str:
    return ", ".join(sorted(keys)) or "none"
