from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audiomentations.core.transforms_interface import BaseWaveformTransform
from jsonargparse import ArgumentParser

from lightning_emorec.augment import augment

FOLDER = Path(__file__).resolve().parents[3] / "configs" / "augment"
FRAGMENTS = sorted(FOLDER.glob("*.yaml"))
RATE_HZ = 16_000


class Data:
    """Has the slot that a fragment is put into."""

    def __init__(self, augment: list[BaseWaveformTransform] | None = None) -> None:
        self.augment = augment


def transforms_of(path: Path) -> list[BaseWaveformTransform]:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Data, "data", sub_configs=True)
    parsed = parser.instantiate(parser.parse_args(["--data.augment", str(path)]))
    return parsed.data.augment


def test_the_fragments_are_there() -> None:
    assert {"none", "noise", "standard"} <= {path.stem for path in FRAGMENTS}


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.stem)
def test_a_fragment_is_a_list_of_transforms_that_work(path: Path) -> None:
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, RATE_HZ).astype(np.float32)
    transforms = transforms_of(path)
    changed = [augment(audio, transforms, RATE_HZ, seed) for seed in range(20)]
    assert any(len(a) != len(audio) or not np.array_equal(a, audio) for a in changed) == bool(transforms)
    assert all(0.8 < len(a) / len(audio) < 1.25 for a in changed)
