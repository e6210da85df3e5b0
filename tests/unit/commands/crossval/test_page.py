from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightning_emorec.commands.crossval.gather import gather
from lightning_emorec.commands.crossval.report import write_crossval_page
from lightning_emorec.evaluation.evaluate import evaluate_results
from tests.unit.commands.crossval.conftest import add_seed
from tests.unit.evaluation.pages import Tags, words


def page(folder: Path) -> str:
    results = gather(folder)
    return write_crossval_page(results, evaluate_results(results), folder).read_text(encoding="utf8")


def plan(folder: Path, **changed: object) -> None:
    kept = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**kept, **changed}))


@pytest.fixture
def html(folder: Path) -> str:
    return page(folder)


def test_the_page_is_self_contained_and_shows_what_was_found_and_how(html: str) -> None:
    tags = Tags()
    tags.feed(html)
    assert (tags.loads, tags.open) == ([], [])
    text = words(html)
    assert "95 % interval over 4 actors" in text
    assert "Test: 8 clips of 4 actors in 2 folds. The model is log_linear (out of fold)." in text
    assert "sound 87.5 62.5–100.0" in text  # the best branch, with its interval
    assert "words 62.5" in text
    assert "−25.0 p = 0.750" in text  # against the best branch
    assert "All 10 pairs that were tested" in text
    assert "0 0, 1 4 75.0" in text  # fold 0: its actors, clips and accuracy
    assert "weighted validation clips log_linear validation clips weighted out of fold" in text
    assert "sound 50.0 ± 23.6" in text  # 2/3 and 1/3
    assert "Out of fold: rules solved on the 4 clips of a fold" in text
    assert "0 0, 1 30 2: 20, 21" in text  # whom a fold tested on, stopped by and learned from
    assert "crossval --config config.yaml --folds 2 --seeds 1 --inner 2 --val_actors 1" in text
    assert "SYNTHETIC" not in text
    assert "Everything was done with" not in text


def test_synthetic_voices_branches_left_out_and_several_seeds_are_shown(folder: Path) -> None:
    add_seed(folder)
    plan(folder, synthetic=True, left_out={"more": "expected weights; found <none>"})
    html = page(folder)
    text = words(html)
    assert html.index("SYNTHETIC: the voices") < html.index("<h1>")
    assert "more left out: expected weights; found &lt;none&gt;" in text
    assert "Everything was done with 2 seeds." in text
    assert "intervals, tests and figures are of seed 1" in text
    assert "68.8 ± 26.5" in text  # `sound` has 7 and 4 of 8 right


def test_a_single_branch_has_a_page_without_rules(folder: Path) -> None:
    kept = json.loads((folder / "plan.json").read_text())
    plan(folder, branches=["sound"], fused=False, inner=0, cells=kept["cells"])
    text = words(page(folder))
    assert "The model is sound." in text
    assert "Branches and rules" not in text
    assert "best branch" not in text
    assert "Weights of the branches" not in text
