"""All conditions that `stress` knows."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_emorec.audio import AudioStore
from lightning_emorec.commands.stress.channel import Mp3, Telephone
from lightning_emorec.commands.stress.degradation import Degradation
from lightning_emorec.commands.stress.noise import Babble, WhiteNoise
from lightning_emorec.commands.stress.recording import Clipping, Louder, Quieter, Truncation
from lightning_emorec.commands.stress.room import Reverberation
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip

MISSING = "missing"
"""The condition of a modality that is not there; the others degrade audio."""

DEGRADATIONS: tuple[type[Degradation], ...] = (
    WhiteNoise,
    Babble,
    Reverberation,
    Telephone,
    Mp3,
    Clipping,
    Quieter,
    Louder,
    Truncation,
)

CONDITIONS = (*(kind.name for kind in DEGRADATIONS), MISSING)


def check_conditions(names: Sequence[str]) -> None:
    """Refuse what is no condition.

    Raises:
        EmorecError: A name is unknown, or there is none.
    """
    if unknown := [name for name in names if name not in CONDITIONS]:
        known = f"conditions among {', '.join(CONDITIONS)}"
        raise EmorecError(known, ", ".join(unknown), "mend --conditions")
    if not names:
        raise EmorecError("at least one condition", "none", "mend --conditions, or leave it out for all")


def degradations(names: Sequence[str], voices: Sequence[Clip], audio: AudioStore) -> list[Degradation]:
    """Those of the named conditions that degrade audio, in the order of `CONDITIONS`.

    Args:
        names: Of `CONDITIONS`.
        voices: Clips that babble is made from.
        audio: Where their audio is.
    """
    wanted = [kind for kind in DEGRADATIONS if kind.name in names]
    return [Babble(voices, audio) if kind is Babble else kind() for kind in wanted]
