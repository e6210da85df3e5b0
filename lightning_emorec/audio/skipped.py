"""Telling of clips that are left out."""

from __future__ import annotations

from collections.abc import Mapping

MOST_NAMED = 3
"""Clips that a warning names."""


def tell_skipped(skipped: Mapping[str, str]) -> list[str]:
    """What a reader of the figures must know; nothing if no clip is left out.

    Args:
        skipped: Clip id -> what is wrong with its audio.
    """
    if not skipped:
        return []
    named = [f"{clip} ({reason})" for clip, reason in skipped.items()][:MOST_NAMED]
    more = f" and {len(skipped) - MOST_NAMED} more" if len(skipped) > MOST_NAMED else ""
    return [f"clips left out because their audio cannot be used: {len(skipped)}: {'; '.join(named)}{more}"]
