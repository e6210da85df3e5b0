"""Applies audiomentations transforms with draws that depend only on a seed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from audiomentations.core.transforms_interface import BaseWaveformTransform
from numpy.typing import NDArray

from lightning_emorec.errors import EmorecError


def draw_seed(run_seed: int, epoch: int, clip_id: str) -> int:
    """A 32-bit seed for one clip in one epoch: the same in every process and on every machine."""
    text = f"{run_seed}/{epoch}/{clip_id}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")


def augment(
    audio: NDArray[np.float32], transforms: Sequence[BaseWaveformTransform], rate_hz: int, seed: int
) -> NDArray[np.float32]:
    """Apply transforms in sequence.

    Args:
        audio: (time,) samples; not modified.
        transforms: audiomentations transforms; each is applied with its own probability.
        rate_hz: Sample rate.
        seed: Determines every draw.

    Returns:
        (time',) samples: a transform may change the length.

    Raises:
        EmorecError: A transform returned no samples, or NaN or infinite ones.
    """
    changed = audio.copy()  # some transforms work in place
    with seeded(seed):
        for transform in transforms:
            changed = np.asarray(transform(changed, rate_hz), dtype=np.float32)
            if changed.size == 0 or not np.isfinite(changed).all():
                found = "no samples" if changed.size == 0 else "NaN or infinite samples"
                raise EmorecError(
                    "finite audio from every transform",
                    f"{found} from {transform}",
                    "give it milder settings in data.augment or remove it",
                )
    return changed


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the two global generators that audiomentations uses, and restore their state afterwards."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
