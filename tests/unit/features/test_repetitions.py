from __future__ import annotations

import pytest

from lightning_emorec.features.repetitions import drop_loops


@pytest.mark.parametrize(
    ("text", "left", "loops"),
    [
        ("", "", 0),
        ("Kids are talking by the door.", "Kids are talking by the door.", 0),
        ("no no no", "no no no", 0),
        ("no no no no", "no", 1),
        ("No, no. NO no! stop", "No, stop", 1),
        ("by the by the by the by the door", "by the door", 1),
        ("oh dear oh dear oh dear oh dear well well well well", "oh dear well", 2),
    ],
)
def test_a_phrase_said_four_times_or_more_is_cut_to_one(text: str, left: str, loops: int) -> None:
    assert drop_loops(text) == (left, loops)


def test_a_phrase_broken_off_at_the_end_goes_with_its_loop() -> None:
    assert drop_loops("well " + "thank you for watching " * 20 + "thank you") == (
        "well thank you for watching",
        1,
    )


def test_words_after_a_loop_that_do_not_continue_it_are_kept() -> None:
    assert drop_loops("go on " * 5 + "home") == ("go on home", 1)


def test_punctuation_without_letters_does_not_hide_the_end() -> None:
    assert drop_loops("- - - - -") == ("-", 1)
