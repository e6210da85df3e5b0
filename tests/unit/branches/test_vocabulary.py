from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lightning_emorec.branches.vocabulary import (
    EMPTY,
    PADDING,
    UNKNOWN,
    WordEmbedding,
    read_glove,
    tokenise,
    vocabulary,
)
from lightning_emorec.errors import EmorecError

GLOVE = "the 0.1 0.2 0.3\ndoor 1 2 3\n. . 7 8 9\n"
"""Three numbers a word; the last word has a space inside."""


def written(folder: Path, content: str = GLOVE) -> Path:
    path = folder / "glove.txt"
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Kids are talking, by the DOOR!", ["kids", "are", "talking", "by", "the", "door", "!"]),
        ("don't; don’t 'quoted' rock 'n' roll", ["don't", "don't", "quoted", "rock", "n", "roll"]),
        ("café naïve 24 a_b", ["café", "naïve", "24", "a", "b"]),
        ("Really?! No...", ["really", "?", "!", "no"]),
        (" ... ", []),
    ],
)
def test_words_keep_their_apostrophes_and_marks_of_feeling_count_as_words(
    text: str, words: list[str]
) -> None:
    assert tokenise(text) == words


def test_a_vocabulary_is_ordered_by_count_and_then_by_the_alphabet() -> None:
    assert vocabulary(["b a", "c a", "c"], min_count=1) == ["a", "c", "b"]


def test_rare_words_are_left_out_of_a_vocabulary() -> None:
    assert vocabulary(["b a", "c a", "c"], min_count=2) == ["a", "c"]


def test_words_become_rows_and_unknown_or_absent_words_have_rows_of_their_own() -> None:
    embedding = WordEmbedding(4, frozen=False)
    embedding.learn(["the", "door"])
    rows = embedding.encode("The window, the door", max_words=10)
    assert rows[0] == rows[2]
    assert rows[1] == UNKNOWN
    assert len({PADDING, UNKNOWN, EMPTY, rows[0], rows[3]}) == 5
    assert embedding.encode("...", max_words=10) == [EMPTY]


def test_long_texts_lose_their_beginning() -> None:
    embedding = WordEmbedding(4, frozen=False)
    embedding.learn(["the", "door"])
    assert embedding.encode("a " * 100 + "the door", max_words=2) == embedding.encode("the door", max_words=2)


def test_vectors_given_for_words_are_theirs() -> None:
    embedding = WordEmbedding(3, frozen=False)
    embedding.learn(["the", "door"], {"door": torch.tensor([1.0, 2.0, 3.0])})
    (row,) = embedding.encode("door", max_words=1)
    assert embedding(torch.tensor([[row]])).tolist() == [[[1, 2, 3]]]


def test_vectors_of_another_width_are_projected() -> None:
    embedding = WordEmbedding(5, frozen=False)
    embedding.learn(["door"], {"door": torch.tensor([1.0, 2.0, 3.0])})
    assert embedding.table.embedding_dim == 3
    assert embedding(torch.tensor([[0, 3]])).shape == (1, 2, 5)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_table_is_not_trained(frozen: bool) -> None:
    embedding = WordEmbedding(5, frozen=frozen)
    embedding.learn(["door"], {"door": torch.tensor([1.0, 2.0, 3.0])})
    trained = {name for name, weight in embedding.named_parameters() if weight.requires_grad}
    assert trained == ({"projection.weight"} if frozen else {"table.weight", "projection.weight"})


@pytest.mark.parametrize("vectors", [None, {"door": torch.tensor([1.0, 2.0, 3.0])}])
def test_a_learned_embedding_loads_strictly_into_one_that_never_saw_the_data(
    vectors: dict[str, torch.Tensor] | None,
) -> None:
    learned, fresh = WordEmbedding(5, frozen=True), WordEmbedding(5, frozen=True)
    learned.learn(["the", "door"], vectors)
    fresh.load_state_dict(learned.state_dict(), strict=True)
    rows = torch.tensor([learned.encode("the door is open", max_words=4)])
    assert fresh.encode("the door is open", max_words=4) == rows[0].tolist()
    assert torch.equal(fresh(rows), learned(rows))
    assert not fresh.table.weight.requires_grad


def test_the_vectors_of_wanted_words_are_read(tmp_path: Path) -> None:
    vectors = read_glove(written(tmp_path), ["door", "window", ". ."])
    assert {word: vector.tolist() for word, vector in vectors.items()} == {
        "door": [1, 2, 3],
        ". .": [7, 8, 9],
    }


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("the 0.1 0.2\ndoor 1\n", "line 2 has 1 numbers"),
        ("the 0.1 0.2\n\n", "line 2 has 0 numbers"),
        ("the 0.1 0.2\ndoor one two\n", "could not convert"),
        ("the 0.1 0.2\n", "found none of them in"),
        ("", "found none of them in"),
    ],
)
def test_a_malformed_file_of_vectors_is_told(tmp_path: Path, content: str, complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        read_glove(written(tmp_path, content), ["door"])


def test_a_missing_file_of_vectors_is_told(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=r"a GloVe text file; found .*nowhere.txt: No such file"):
        read_glove(tmp_path / "nowhere.txt", ["door"])
