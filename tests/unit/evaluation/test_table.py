from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

from rich.console import Console, RenderableType

from lightning_emorec.evaluation.evaluate import evaluate_results
from lightning_emorec.evaluation.formats import brackets, interval
from lightning_emorec.evaluation.intervals import Estimate, Interval
from lightning_emorec.evaluation.results import RunResults, Weights
from lightning_emorec.evaluation.table import print_comparison, print_run, split_table
from lightning_emorec.splits import Parts
from lightning_emorec.types import Clip
from tests.unit.evaluation.conftest import MODEL, parts_of, with_logits, with_rule


def show(what: RenderableType, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(what)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def shown(results: RunResults, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width)
    print_comparison(results, evaluate_results(results), console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def printed(results: RunResults, report: Path = Path("runs/x/report.html")) -> str:
    console = Console(file=StringIO(), width=80)
    print_run(results, evaluate_results(results), report, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def row(text: str, start: str) -> list[str]:
    return next(line for line in text.splitlines() if line.strip().startswith(start)).split()


def test_each_branch_and_rule_has_its_scores_in_percent(fused: RunResults) -> None:
    text = shown(fused, width=100)
    accuracy, dash, number, unit, uar, macro_f1, _, weight = row(text, "sound")[1:]
    assert (accuracy, dash, f"{number} {unit}", uar, macro_f1, weight) == (
        "66.7",
        "[–,",
        "3 actors]",
        "50.0",
        "50.0",
        "75.0",
    )
    assert row(text, "words")[1] == "16.7"
    assert row(text, "log_linear (chosen)")[2:7] == ["66.7", "[–,", "3", "actors]", "50.0"]
    assert row(text, "oracle")[1:] == ["83.3", "–", "–", "–", "–"]
    assert row(text, "chance")[1:3] == ["50.0", "33.3"]


def test_the_title_names_the_judged_part(fused: RunResults, untested: RunResults) -> None:
    assert "emotion on TEST · 6 clips of 3 actors" in " ".join(shown(fused).split())
    text = " ".join(shown(untested).split())
    assert "emotion on VALIDATION (test actors absent: 1, 9, 17, 19) · 6 clips of 2 actors" in text


def test_a_branch_left_out_has_its_row_and_its_reason_below_the_table(fused: RunResults) -> None:
    text = printed(fused)
    assert row(text, "more") == ["more", "(left", "out)", "–", "–", "–", "–", "–"]
    assert "more is left out: expected weights; found none; download them" in text.splitlines()


def test_names_stay_on_one_line_in_80_columns(refitted: RunResults) -> None:
    names = {"sound": "whisper_statistics", "words": "transcript_gru", "average": "max_confidence"}
    logits = {
        kind: {names.get(name, name): of for name, of in parts_of(refitted, kind).items()}
        for kind in ("branch", "rule")
    }
    before = {
        replace(system, name=names.get(system.name, system.name)): of
        for system, of in refitted.before_refit.items()
    }
    renamed = with_logits(refitted, branches=logits["branch"], rules=logits["rule"])
    weights = Weights({"whisper_statistics": 0.75, "transcript_gru": 0.25}, 1.25)
    text = shown(with_rule(replace(renamed, before_refit=before), "log_linear", weights))
    assert row(text, "whisper_statistics") == (
        ["whisper_statistics", "66.7", "[–,", "3", "actors]", "50.0", "50.0", "12.0", "16.7", "75.0"]
    )
    for name in ("transcript_gru", "max_confidence", "log_linear (chosen)"):
        assert len(row(text, name)) - len(name.split()) == 9
    assert "too narrow for" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_columns_are_dropped_before_a_name_is_broken(fused: RunResults) -> None:
    rules = parts_of(fused, "rule")
    name = "a_rule_with_31_letters_or_so_in"
    text = shown(with_logits(fused, rules={**rules, name: rules["average"]}), 70)
    assert row(text, name)[1] == "16.7"
    assert text.splitlines()[-1] == "too narrow for: F1, ECE"
    assert row(text, "sound")[-1] == "75.0"
    assert max(map(len, text.splitlines())) <= 70


def test_a_name_that_no_table_could_hold_is_folded_and_leaves_the_numbers_whole(fused: RunResults) -> None:
    rules = parts_of(fused, "rule")
    name = "a_branch_whose_name_is_much_longer_than_anyone_would_want_to_read"
    text = shown(with_logits(fused, rules={**rules, name: rules["average"]}))
    assert max(map(len, text.splitlines())) <= 80
    assert [line.split()[-8:-2] for line in text.splitlines() if "16.7" in line] == [
        ["16.7", "[–,", "3", "actors]", "33.3", "33.3"]
    ] * 3


def test_a_single_branch_shows_validation_and_test_without_weights(results: RunResults) -> None:
    text = shown(results)
    assert row(text, "validation")[1:3] == ["50.0", "33.3"]
    assert row(text, "test")[1:6] == ["66.7", "[–,", "3", "actors]", "50.0"]
    assert "weight" not in text


def test_synthetic_audio_is_marked_as_synthetic(fused: RunResults) -> None:
    assert "SYNTHETIC" in shown(replace(fused, synthetic=True))
    assert "SYNTHETIC" not in shown(fused)


def test_names_in_brackets_are_shown_as_they_are(fused: RunResults) -> None:
    rules = parts_of(fused, "rule")
    named = with_logits(fused, rules={**rules, "[dim]": rules["average"]})
    text = printed(replace(named, name="[red]", left_out={"[bold]": "found [nothing]"}))
    assert [name for name in ("[red]", "[dim]", "[bold]", "[nothing]") if name not in text] == []


def test_the_report_comes_last(fused: RunResults) -> None:
    report = Path("/a/folder/that/is/far/away/from/here/and/has/a/long/name/so/that/lines/break/report.html")
    lines = printed(fused, report).splitlines()
    assert any(line.startswith("temperature 1.25") for line in lines)
    assert lines[-1] == f"report {report}"


def test_a_model_that_predicts_one_class_only_is_warned_of_on_the_terminal(results: RunResults) -> None:
    assert "WARNING" not in printed(results)
    text = printed(with_logits(results, output={"val": results.output["val"]}))
    assert "WARNING" in text
    assert "emotion is 'calm' for all 6 clips" in text


def test_a_warning_from_before_the_run_is_repeated_at_its_end(results: RunResults) -> None:
    text = printed(replace(results, warnings=["m was trained on Ravdess"]))
    assert "WARNING" in text
    assert "m was trained on Ravdess" in text


def split(absent: list[str]) -> Parts:
    def clips(actors: str, emotion: str) -> list[Clip]:
        return [
            Clip(f"{actor}-{n}", actor, None, {"emotion": emotion})
            for actor in actors.split()
            for n in range(2)
        ]

    train = [*clips("2 3 4 7", "calm"), *clips("3", "angry"), Clip("x", "2", None)]
    return Parts(train, clips("10 8", "angry"), [] if absent else clips("1 9", "calm"), absent)


def test_the_split_is_shown_with_actors_and_classes() -> None:
    text = show(split_table(split([]), {"emotion": ["calm", "angry"], "sex": ["male"]}, synthetic=False))
    assert row(text, "clips") == ["clips", "11", "4", "4"]
    assert row(text, "actors") == ["actors", "4:", "2-4,", "7", "2:", "8,", "10", "2:", "1,", "9"]
    assert row(text, "calm") == ["calm", "8", "0", "4"]
    assert row(text, "angry") == ["angry", "2", "4", "0"]
    assert row(text, "(unlabelled)") == ["(unlabelled)", "1", "0", "0"]
    assert "SYNTHETIC" not in text


def test_the_split_names_absent_test_actors() -> None:
    text = show(split_table(split(["17", "9"]), {"emotion": ["calm", "angry"]}, synthetic=True))
    assert "no test: 9, 17 absent" in text
    assert "SYNTHETIC" in text


def test_a_score_without_an_interval_has_no_brackets() -> None:
    assert brackets(Estimate(0.5, None)) == ""
    assert brackets(Estimate(0.5, Interval(0.25, 1.0))) == " [25.0, 100.0]"


def test_an_interval_over_fewer_than_four_actors_is_a_dash_with_their_number() -> None:
    assert brackets(Estimate(0.5, Interval(0.25, 1.0, 3))) == " [–, 3 actors]"
    assert brackets(Estimate(0.5, Interval(0.25, 1.0, 4))) == " [25.0, 100.0]"
    assert interval(Estimate(0.5, Interval(0.25, 1.0, 3))) == "– (3 actors)"
    assert interval(Estimate(0.5, Interval(0.25, 1.0, 4))) == "25.0–100.0"


def test_clips_without_audio_are_counted_below_the_table(fused: RunResults) -> None:
    branches = parts_of(fused, "branch")
    some = {part: of.select(of.clip_ids[1:]) for part, of in branches["sound"].items()}
    text = shown(with_logits(fused, branches={**branches, "sound": some}))
    assert "sound: scored without 1 clips that have no audio" in text


def test_each_branch_and_rule_has_its_accuracy_before_the_refit(
    refitted: RunResults, fused: RunResults, results: RunResults
) -> None:
    text = shown(refitted, 100)
    assert "before" in text
    assert {name: row(text, name)[-2:] for name in ("sound", "words")} == {
        "sound": ["16.7", "75.0"],
        "words": ["66.7", "25.0"],
    }
    assert "16.7" in row(text, "log_linear")
    assert "before" not in shown(fused, 100)
    before = {MODEL: parts_of(fused, "branch")["words"]["test"]}
    alone = shown(replace(results, before_refit=before), 100)
    assert row(alone, "test")[-1] == "16.7"
    assert "16.7" not in row(alone, "validation")


def test_validation_figures_of_a_fusion_of_refits_are_marked_as_those_before(
    refitted: RunResults, untested: RunResults
) -> None:
    assert "before the refit" in shown(replace(untested, refits=refitted.refits), 120)
    assert "before the refit" not in shown(untested, 120)
