from __future__ import annotations

from pathlib import Path

import pytest

from lightning_emorec.features import FeatureCache
from lightning_emorec.features import cache as cache_module
from lightning_emorec.features.cache import LostValueError
from tests.unit.features.test_cache import Counting, fill


def test_what_another_process_has_put_in_the_place_of_a_damaged_row_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FeatureCache(tmp_path)
    fill(cache, feature := Counting(), "a")
    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "_row", lambda *_, **__: (0, b"as it was before"))
        with pytest.raises(LostValueError):
            cache.get(feature.stored_as, "digest of a")
    assert cache.get(feature.stored_as, "digest of a") == {"id": "a"}
