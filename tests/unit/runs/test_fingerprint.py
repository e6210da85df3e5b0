from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lightning_emorec.runs.fingerprint import fingerprint


def of_model(**init_args: Any) -> str:
    config = {
        "model": {"class_path": "TextTransformer", "init_args": init_args},
        "data": {"batch_size": 8, "workers": 0},
        "trainer": {"max_epochs": 1},
        "seed_everything": 1,
    }
    return fingerprint(config, "clips", [])


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"12345")
    return folder


def test_a_folder_of_weights_counts_by_its_content_and_not_by_its_name(weights: Path, tmp_path: Path) -> None:
    before = of_model(weights=str(weights))
    moved = weights.rename(tmp_path / "elsewhere")
    assert of_model(weights=str(moved)) == before
    (moved / "model.safetensors").write_bytes(b"123456")
    assert of_model(weights=str(moved)) != before


def test_a_checkpoint_inside_a_list_or_a_dict_counts_by_its_content(weights: Path) -> None:
    file = weights / "model.safetensors"
    before = of_model(checkpoints={"audio": str(file)})
    file.write_bytes(b"other weights")
    assert of_model(checkpoints={"audio": str(file)}) != before


def test_a_name_that_is_no_file_counts_as_it_is() -> None:
    assert of_model(weights="roberta-base") != of_model(weights="distilbert-base-uncased")
    assert of_model(weights="roberta-base", dropout=0.1) == of_model(weights="roberta-base", dropout=0.1)


def test_a_run_that_begins_from_a_checkpoint_is_another_for_each_content_of_the_file(weights: Path) -> None:
    config: dict[str, Any] = {"model": {}, "data": {}, "trainer": {}, "seed_everything": 1}
    plain = fingerprint(config, "clips", [])
    assert fingerprint({**config, "ckpt_path": None}, "clips", []) == plain
    assert fingerprint({**config, "ckpt_path": "last"}, "clips", []) == plain
    file = weights / "model.safetensors"
    from_file = fingerprint({**config, "ckpt_path": str(file)}, "clips", [])
    moved = file.rename(weights / "moved.ckpt")
    assert fingerprint({**config, "ckpt_path": str(moved)}, "clips", []) == from_file != plain
    moved.write_bytes(b"other weights")
    assert fingerprint({**config, "ckpt_path": str(moved)}, "clips", []) not in (from_file, plain)


def test_a_run_that_is_to_be_refitted_is_another_and_one_that_is_not_is_as_before_there_were_refits() -> None:
    config: dict[str, Any] = {"model": {}, "data": {}, "trainer": {}, "seed_everything": 1}
    plain = fingerprint(config, "clips", [])
    assert fingerprint({**config, "refit": False}, "clips", []) == plain
    assert fingerprint({**config, "refit": True}, "clips", []) != plain


def test_english_transcripts_are_as_before_a_language_could_be_chosen() -> None:
    assert of_model(language="en") == of_model()
    assert of_model(language="pl") != of_model()
