from __future__ import annotations

import pytest

from lightning_emorec.progress import progress_bar, track


def test_a_bar_is_drawn_on_stderr_and_stays_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(3), "Counting")) == [0, 1, 2]
    out, err = capsys.readouterr()
    assert out == ""
    assert "Counting" in err
    assert "3/3" in err


def test_a_bar_that_is_not_shown_draws_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(show=False) as progress:
        progress.advance(progress.add_task("Counting", total=1))
    assert "Counting" not in capsys.readouterr().err
