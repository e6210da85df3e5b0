"""Branches over the clips of a part, heard through any store of audio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from lightning.fabric.utilities import move_data_to_device
from torch.utils.data import DataLoader

from lightning_emorec.audio import AudioStore
from lightning_emorec.branches import Branch
from lightning_emorec.datamodule import FEATURE_RATE_HZ, EmotionDataModule
from lightning_emorec.dataset import ClipDataset, collate_with
from lightning_emorec.features import Feature, FeatureCache, FeatureReader, Transcript, VaderScores, unique
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import Batch, Clip


def listen(
    branches: Mapping[str, Branch],
    data: EmotionDataModule,
    clips: Sequence[Clip],
    audio: AudioStore,
    cache: Path,
) -> dict[str, PartLogits]:
    """What each branch makes of the clips.

    Args:
        branches: Name -> branch; all are moved to one device.
        data: Whose tasks, front end and batch size are used.
        clips: What is heard, as it is.
        audio: Where it is heard from.
        cache: Folder in which features of this very audio are kept.

    Raises:
        EmorecError: A clip lacks what a branch is to read.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with_sound = any(branch.audio_input != "none" for branch in branches.values())
    features = unique(feature for branch in branches.values() for feature in branch.features)
    reader = FeatureReader(FeatureCache(cache), features, audio.at(FEATURE_RATE_HZ))
    reader.fill(clips)
    loader = DataLoader(
        ClipDataset(
            clips, range(len(clips)), data.tasks, audio if with_sound else None, data.front_end, None, reader
        ),
        batch_size=data.batch_size,
        sampler=[(index, 0) for index in range(len(clips))],
        num_workers=data.workers,
        collate_fn=collate_with(features),
    )
    models = {name: branch.to(device).eval() for name, branch in branches.items()}
    collected: dict[str, list[PartLogits]] = {name: [] for name in branches}
    with torch.inference_mode():
        batch: Batch
        for batch in loader:
            moved = move_data_to_device(batch, device)
            for name, model in models.items():
                collected[name].append(PartLogits(batch.clip_ids, model(moved), batch.labels))
    return {name: PartLogits.join(batches) for name, batches in collected.items()}


def is_text(feature: Feature) -> bool:
    """Whether a feature is made from words."""
    return isinstance(feature, Transcript | VaderScores)
