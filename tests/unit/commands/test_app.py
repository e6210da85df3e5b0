"""What `app` refuses before it loads anything."""

from __future__ import annotations

import pytest

from lightning_emorec.commands import app
from lightning_emorec.errors import EmorecError, UnavailableError


def test_without_gradio_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "find_spec", lambda _: None)
    with pytest.raises(UnavailableError, match=r"pip install 'lightning-emorec\[app\]'"):
        app.app()


@pytest.mark.parametrize("limits", [{"max_minutes": 0}, {"max_minutes": float("nan")}, {"max_mb": 0}])
def test_limits_are_positive(limits: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "find_spec", lambda _: object())
    with pytest.raises(EmorecError, match="set --max_minutes and --max_mb"):
        app.app(**limits)  # type: ignore[arg-type]
