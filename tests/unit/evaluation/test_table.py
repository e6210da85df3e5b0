from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

from rich.console import Console, RenderableType

from lightning_emorec.evaluation.evaluate import judge
from lightning_emorec.evaluation.intervals import Estimate, Interval
from lightning_emorec.evaluation.results import BeforeRefit, RunResults
from lightning_emorec.evaluation.table import print_results, results_table, split_table, with_interval
from lightning_emorec.splits import Parts
from lightning_emorec.types import Clip


def show(what: RenderableType, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(what)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def shown(results: RunResults, width: int = 80) -> str:
    return show(results_table(results, judge(results)), width)


def printed(results: RunResults, report: Path = Path("runs/x/report.html")) -> str:
    console = Console(file=StringIO(), width=80)
    print_results(results, judge(results), report, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def row(text: str, start: str) -> list[str]:
    return next(line for line in text.splitlines() if line.strip().startswith(start)).split()


def test_each_branch_and_rule_has_its_scores_in_percent(fused: RunResults) -> None:
    text = shown(fused, width=100)
    accuracy, low, high, uar, macro_f1, _, weight = row(text, "sound")[1:]
    assert (accuracy, low, high, uar, macro_f1, weight) == (
        "66.7",
        "[50.0,",
        "100.0]",
        "50.0",
        "50.0",
        "75.0",
    )
    assert row(text, "words")[1] == "16.7"
    assert row(text, "log_linear (chosen)")[2:6] == ["66.7", "[50.0,", "100.0]", "50.0"]
    assert row(text, "oracle (unattainable)")[2:] == ["83.3", "–", "–", "–", "–"]
    assert row(text, "chance (largest class)")[3:5] == ["50.0", "33.3"]


def test_the_title_names_the_judged_part(fused: RunResults, untested: RunResults) -> None:
    assert "emotion on TEST · 6 clips of 3 actors" in " ".join(shown(fused).split())
    text = " ".join(shown(untested).split())
    assert "emotion on VALIDATION (test actors absent: 1, 9, 17, 19) · 6 clips of 2 actors" in text


def test_a_branch_left_out_has_its_row_and_reason(fused: RunResults) -> None:
    text = shown(fused)
    assert row(text, "more") == ["more", "–", "–", "–", "–", "–"]
    assert "left out: expected weights; found none" in " ".join(text.split())


def test_a_long_name_and_reason_leave_the_numbers_whole(fused: RunResults) -> None:
    name = "a_branch_whose_name_is_much_longer_than_anyone_would_want_to_read"
    long = replace(
        fused, rules={**fused.rules, name: fused.rules["average"]}, left_out={"more": "why " * 200}
    )
    text = shown(long)
    assert max(map(len, text.splitlines())) <= 80
    assert [line.split()[-7:-2] for line in text.splitlines() if "16.7" in line] == [
        ["16.7", "[0.0,", "50.0]", "33.3", "33.3"]
    ] * 3
    assert text.count("why") < 30


def test_a_single_branch_shows_validation_and_test_without_weights(results: RunResults) -> None:
    text = shown(results)
    assert row(text, "validation")[1:3] == ["50.0", "33.3"]
    assert row(text, "test")[1:5] == ["66.7", "[50.0,", "100.0]", "50.0"]
    assert "weight" not in text


def test_synthetic_audio_is_said_to_be_synthetic(fused: RunResults) -> None:
    assert "SYNTHETIC" in shown(replace(fused, synthetic=True))
    assert "SYNTHETIC" not in shown(fused)


def test_names_in_brackets_are_shown_as_they_are(fused: RunResults) -> None:
    rules = {**fused.rules, "[dim]": fused.rules["average"]}
    text = printed(replace(fused, name="[red]", rules=rules, left_out={"[bold]": "found [nothing]"}))
    assert [name for name in ("[red]", "[dim]", "[bold]", "[nothing]") if name not in text] == []


def test_the_temperature_and_then_the_report_come_last(fused: RunResults) -> None:
    report = Path("/a/folder/that/is/far/away/from/here/and/has/a/long/name/so/that/lines/break/report.html")
    lines = printed(fused, report).splitlines()
    assert lines[-2].startswith("temperature 1.25")
    assert lines[-1] == f"report {report}"


def test_a_model_that_predicts_one_class_only_is_warned_of_on_the_terminal(results: RunResults) -> None:
    assert "WARNING" not in printed(results)
    text = printed(replace(results, output={"val": results.output["val"]}))
    assert "WARNING" in text
    assert "emotion is 'calm' for all 6 clips" in text


def test_what_was_warned_of_before_the_run_is_told_at_its_end(results: RunResults) -> None:
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


def test_a_score_without_an_interval_stands_alone() -> None:
    assert with_interval(Estimate(0.5, None)) == "50.0"
    assert with_interval(Estimate(0.5, Interval(0.25, 1.0))) == "50.0 [25.0, 100.0]"


def test_intervals_fit_100_columns(fused: RunResults) -> None:
    text = shown(replace(fused, left_out={}), width=100)
    lines = [line for line in text.splitlines() if "[" in line]
    assert len(lines) == 5  # the heading, two branches and two rules, each on one line
    assert max(map(len, text.splitlines())) <= 100


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
    alone = shown(replace(results, before_refit=BeforeRefit(fused.branches["words"]["test"])), 100)
    assert row(alone, "test")[-1] == "16.7"
    assert "16.7" not in row(alone, "validation")


def test_validation_figures_of_a_fusion_of_refits_are_said_to_be_those_before(
    refitted: RunResults, untested: RunResults
) -> None:
    assert "before the refit" in shown(replace(untested, refits=refitted.refits), 120)
    assert "before the refit" not in shown(untested, 120)
