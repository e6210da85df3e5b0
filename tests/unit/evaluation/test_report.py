from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lightning_emorec.evaluation.evaluate import evaluate_results
from lightning_emorec.evaluation.report import write_report
from lightning_emorec.evaluation.results import RunResults, Weights
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import UNLABELLED, Clip
from tests.unit.evaluation.conftest import with_actors, with_logits, with_rule
from tests.unit.evaluation.pages import Tags, words


def page(results: RunResults, folder: Path, curves: dict[str, Path] | None = None) -> str:
    return write_report(results, evaluate_results(results), folder, curves or {}).read_text(encoding="utf8")


@pytest.fixture(scope="module")
def fused_page(fused: RunResults, tmp_path_factory: pytest.TempPathFactory) -> str:
    return page(fused, tmp_path_factory.mktemp("fused"))


def headings(html: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", html)


def test_the_page_loads_nothing_and_closes_its_tags(fused_page: str) -> None:
    html = fused_page
    tags = Tags()
    tags.feed(html)
    assert tags.loads == []
    assert tags.open == []
    assert not re.search(r"url\((?!#)", html)


def test_the_headline_is_the_judged_part(fused_page: str) -> None:
    text = words(fused_page)
    assert (
        "Accuracy, test 66.7 % of the clips are right; chance is 50.0 % no interval: all clips are of 3 actors"
        in text
    )
    assert "UAR, test 50.0 %" in text
    assert "Test: 6 clips of 3 actors" in text
    assert "No test was made" not in text


def test_a_run_without_test_states_the_reason(untested: RunResults, tmp_path: Path) -> None:
    text = words(page(untested, tmp_path))
    assert "No test was made. The split keeps actors 1, 9, 17, 19 for the test" in text
    assert "these figures are optimistic" in text
    assert "Accuracy, validation 50.0 %" in text
    assert "test 0 absent: 1, 9, 17, 19" in text
    not_asked = words(page(replace(untested, absent_test_actors=[]), tmp_path))
    assert "This run was not asked to test" in not_asked


def test_synthetic_voices_are_named_first(fused: RunResults, fused_page: str, tmp_path: Path) -> None:
    assert "SYNTHETIC" not in fused_page
    html = page(replace(fused, synthetic=True), tmp_path)
    assert html.index("SYNTHETIC: the voices") < html.index("<h1>")


def test_speakers_of_the_training_among_those_judged_are_admitted(
    fused: RunResults, fused_page: str, tmp_path: Path
) -> None:
    assert "none of whose recordings it was trained on" in words(fused_page)
    shared = with_actors(fused, train=["8", "1"])
    text = words(page(shared, tmp_path))
    assert "none of whose recordings" not in text
    assert "1 of the 3 it is judged on here were among them" in text


def test_the_fusion_is_compared_with_its_best_branch(
    fused: RunResults, fused_page: str, tmp_path: Path
) -> None:
    assert "The fusion is as good as its best branch, sound" in words(fused_page)
    worse = with_rule(fused, "average", Weights({"sound": 0.5, "words": 0.5}, None))
    assert "The fusion is 50.0 points worse than its best branch, sound" in words(page(worse, tmp_path))


def test_scores_over_three_actors_have_a_dash_for_an_interval(fused_page: str) -> None:
    text = words(fused_page)
    assert "interval over 3 actors" not in text
    assert "sound 66.7 – (3 actors)" in text


def test_each_system_is_tested_against_the_best_branch(fused_page: str) -> None:
    text = words(fused_page)
    # `words` has 0, 0 and 1 of 2 clips where `sound` has 2, 1 and 1: 2 of 4 sign patterns are as extreme.
    assert "25.0 −50.0 p = 0.500" in text
    assert "All 6 pairs that were tested" in text


def test_the_least_p_that_so_few_actors_can_give_is_said(fused_page: str) -> None:
    assert "With 3 actors the permutation test can give no p below 0.250" in words(fused_page)


def test_groups_have_scores_of_their_own(fused_page: str, results: RunResults, tmp_path: Path) -> None:
    # Of the clips labelled male, those of actors 8, 8 and 10 are right.
    assert "male sex 100.0 – (2 actors)" in words(fused_page)
    part = results.output["test"]
    unlabelled = {**part.labels, "sex": torch.full((6,), UNLABELLED)}
    alone = PartLogits(part.clip_ids, part.logits, unlabelled)
    assert "Clips that are" not in words(page(with_logits(results, output={"test": alone}), tmp_path))


def test_pretrained_parts_are_shown_with_their_training_data(fused: RunResults, tmp_path: Path) -> None:
    config = "model: {init_args: {weights: microsoft/wavlm-large, whisper: whisper}}"
    text = words(page(replace(fused, config=config), tmp_path))
    assert "microsoft/wavlm-large Libri-Light, GigaSpeech and VoxPopuli" in text
    assert "Whisper 680,000 h" in text
    assert "Pretrained parts" not in words(page(replace(fused, config="model: {}"), tmp_path))


def test_calibration_is_described_and_drawn(fused_page: str) -> None:
    text = words(fused_page)
    assert "Risk and coverage" in text
    assert "of all 33.3 %" in text  # two of six are wrong


def test_what_was_chosen_on_what_is_listed(fused_page: str, untested: RunResults, tmp_path: Path) -> None:
    text = words(fused_page)
    assert "chosen on the validation actors, 4, 6." in text
    assert "Nothing was chosen on the test actors, 8-10: this run used their clips once" in text
    assert "No clip of a test actor was used." in words(page(untested, tmp_path))


def test_a_wrong_clip_shows_what_the_model_read(fused: RunResults, tmp_path: Path) -> None:
    assert "transcript of the model" not in words(page(fused, tmp_path))
    same = replace(fused, texts={"test-3": "text of TEST 3", "test-4": "text of test 4"})
    assert "transcript of the model" not in words(page(same, tmp_path))
    other = replace(fused, texts={"test-3": "", "test-4": "next of test"})
    text = words(page(other, tmp_path))
    assert "“Text of test-3.” · transcript of the model: empty" in text
    assert "“Text of test-4.” · transcript of the model: “next of test”" in text


def test_a_single_actor_has_no_interval_and_a_reason(results: RunResults, tmp_path: Path) -> None:
    clips = {name: replace(clip, actor="8") for name, clip in results.clips.items()}
    text = words(page(replace(results, clips=clips), tmp_path))
    assert "no interval: all clips are of one actor" in text
    assert "95 %" not in text


def test_a_branch_left_out_has_its_row_and_reason_in_the_report(fused_page: str) -> None:
    assert "more left out: expected weights; found none; download them" in words(fused_page)


def test_the_fusion_is_explained(fused: RunResults, fused_page: str, tmp_path: Path) -> None:
    assert "The temperature is 1.25 : above 1, so the fused probabilities were made less certain" in words(
        fused_page
    )
    unweighted = with_rule(fused, "average", Weights(None, None))
    text = words(page(unweighted, tmp_path))
    assert "This rule has no weights" in text
    assert "The temperature is" not in text


def test_a_single_branch_has_no_section_on_fusion(results: RunResults, tmp_path: Path) -> None:
    assert "Weights of the branches" not in headings(page(results, tmp_path))


def test_other_tasks_have_a_row_each(fused_page: str) -> None:
    assert "sex male, female 100.0 60.0 100.0" in words(fused_page)


def test_a_run_of_one_task_has_no_section_on_others(results: RunResults, tmp_path: Path) -> None:
    part = results.output["test"]
    alone = PartLogits(
        part.clip_ids, {"emotion": part.logits["emotion"]}, {"emotion": part.labels["emotion"]}
    )
    one_task = with_logits(
        replace(results, tasks={"emotion": results.tasks["emotion"]}), output={"test": alone}
    )
    assert "Further tasks" not in headings(page(one_task, tmp_path))


def test_wrong_clips_are_listed_with_text_and_prediction(fused_page: str) -> None:
    text = words(fused_page)
    assert "2 of 6 test clips" in text
    assert "test-4 actor 9 · “Text of test-4.” sad angry 78.7 %" in text


def test_what_comes_from_outside_is_escaped(fused: RunResults, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    clips = {name: replace(clip, text=evil) for name, clip in fused.clips.items()}
    outside = replace(fused, name=evil, clips=clips, left_out={evil: evil}, config=evil)
    outside = replace(outside, folds=[replace(outside.fold, versions={evil: evil})])
    html = page(outside, tmp_path)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 7


def test_a_model_without_mistakes_says_none(results: RunResults, tmp_path: Path) -> None:
    part = results.output["test"]
    labels = part.labels["emotion"]
    perfect = PartLogits(part.clip_ids, {"emotion": torch.eye(3)[labels]}, {"emotion": labels})
    assert "Wrong predictions None." in words(page(with_logits(results, output={"test": perfect}), tmp_path))


def test_what_was_warned_of_before_the_run_is_shown_in_the_report(
    results: RunResults, tmp_path: Path
) -> None:
    text = words(page(replace(results, warnings=["m was trained on Ravdess"]), tmp_path))
    assert "Warning. m was trained on Ravdess." in text


def test_a_one_class_model_is_warned_of_in_the_report(untested: RunResults, tmp_path: Path) -> None:
    assert "Warning. FusionModule predicts one class only" in words(page(untested, tmp_path))


def test_learning_curves_are_shown_where_there_are_any(
    fused: RunResults, fused_page: str, tmp_path: Path
) -> None:
    learned = tmp_path / "sound.csv"
    learned.write_text("epoch,train/loss,val/emotion/accuracy\n0,2,0.1\n1,1,0.2\n", encoding="utf8")
    html = page(fused, tmp_path, {"sound": learned, "words": tmp_path / "absent.csv"})
    section = html[html.index("Training curves") : html.index("Wrong predictions")]
    assert section.count("<svg") == 1
    assert "<b>sound</b>" in section
    assert "Training curves" not in headings(fused_page)


def test_how_it_was_measured_is_shown(fused_page: str) -> None:
    text = words(fused_page)
    assert "training 12 3: 1-3 – –" in text
    assert "test 6 3: 8-10 66.7 50.0" in text
    assert "Time fit 1 min 1 s" in text
    assert "seed_everything: 1" in text


def test_a_large_run_makes_a_small_page(fused: RunResults, tmp_path: Path) -> None:
    classes = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
    generator = torch.Generator().manual_seed(1)
    ids = [f"clip-{number}" for number in range(3000)]
    labels = torch.randint(0, 8, (3000,), generator=generator)
    part = PartLogits(ids, {"emotion": torch.randn(3000, 8, generator=generator)}, {"emotion": labels})
    clips = {name: Clip(name, str(row % 90), None, text="word " * 500) for row, name in enumerate(ids)}
    large = replace(
        fused,
        tasks={"emotion": classes},
        clips=clips,
    )
    html = page(
        with_logits(
            large,
            branches={name: {"test": part} for name in ("sound", "words")},
            rules={name: {"test": part} for name in ("average", "log_linear")},
        ),
        tmp_path,
    )
    assert len(html.encode()) < 1_500_000
    assert words(html).count("“word word") == 100


@pytest.mark.parametrize(
    ("classes", "listed"), [(["calm", "sad"], "calm or sad."), (["a", "b", "c"], "a, b or c.")]
)
def test_the_classes_are_named_in_a_sentence(
    results: RunResults, tmp_path: Path, classes: list[str], listed: str
) -> None:
    part = results.output["test"]
    size = len(classes)
    narrow = PartLogits(
        part.clip_ids, {"emotion": torch.eye(size)[[0] * 6]}, {"emotion": torch.arange(6) % size}
    )
    assert listed in words(
        page(with_logits(replace(results, tasks={"emotion": classes}), output={"test": narrow}), tmp_path)
    )


def test_a_fusion_of_refits_shows_its_training_actors_and_earlier_scores(
    refitted: RunResults, fused_page: str, tmp_path: Path
) -> None:
    html = page(refitted, tmp_path)
    assert "Before refit" in html
    assert "It learned from 5 speakers" in html
    assert "trained once more, from the beginning" in html
    assert "Before refit" not in fused_page
    assert "It learned from 3 speakers" in fused_page


def test_a_refit_without_validation_is_reported(results: RunResults, tmp_path: Path) -> None:
    tested = with_logits(results, output={"test": results.output["test"]})
    alone = replace(with_actors(tested, val=[]), clip_counts={**results.clip_counts, "val": 0})
    assert "There were no validation actors" in page(alone, tmp_path)
    assert "There were no validation actors" not in page(results, tmp_path / "other")
