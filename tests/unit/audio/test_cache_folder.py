from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lightning_emorec.audio import default_cache_folder
from lightning_emorec.errors import UnavailableError


def test_the_cache_folder_is_the_one_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOREC_CACHE", "~/emotions")
    assert default_cache_folder() == Path.home() / "emotions"


@pytest.mark.parametrize("value", [None, ""])
def test_the_cache_folder_is_the_users_by_default(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("EMOREC_CACHE", raising=False)
    if value is not None:
        monkeypatch.setenv("EMOREC_CACHE", value)
    assert default_cache_folder().name == "lightning_emorec"
    assert default_cache_folder().is_absolute()


def test_without_pooch_a_folder_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    monkeypatch.delenv("EMOREC_CACHE", raising=False)
    with pytest.raises(UnavailableError, match=r"a cache folder; found none, .* set EMOREC_CACHE"):
        default_cache_folder()
