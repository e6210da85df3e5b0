from __future__ import annotations

from pathlib import Path

import pytest

from lightning_emorec.features import claims
from lightning_emorec.features.claims import Claims
from lightning_emorec.locks import Lock, try_lock


def test_what_one_has_claimed_another_leaves_alone_until_it_is_given_up(tmp_path: Path) -> None:
    first, second = Claims(tmp_path), Claims(tmp_path)
    assert first.take(["a", "b", "c"], 2) == ["a", "b"]
    assert second.take(["a", "b", "c"], 3) == ["c"]
    first.release()
    assert second.take(["a", "b"], 3) == ["a", "b"]


def test_a_claim_that_is_given_up_while_it_is_looked_at_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Claims(tmp_path), Claims(tmp_path)
    first.take(["a"], 1)

    def late(file: Path) -> Lock | None:
        if (held := try_lock(file)) is None:
            first.release()
        return held

    monkeypatch.setattr(claims, "try_lock", late)
    assert second.take(["a"], 1) == ["a"]
