"""Report of a cross-validation: tables on the terminal, and crossval.html."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from lightning_emorec.commands.crossval.results import (
    CrossvalResults,
    learned_weights,
    system_content,
    temperature_over_folds,
)
from lightning_emorec.evaluation.evaluate import Evaluation
from lightning_emorec.evaluation.leaderboard import MeanSd
from lightning_emorec.evaluation.report import shared_content, write_page
from lightning_emorec.evaluation.table import Line, headed, print_results, print_scores

PAGE = "crossval.html"


def write_crossval_page(results: CrossvalResults, evaluation: Evaluation, folder: Path) -> Path:
    """Write crossval.html and return its path."""
    scored = {label: system_content(results, of)[results.task] for label, of in evaluation.systems.items()}
    content = {
        **shared_content(results, evaluation),
        "cv": results,
        "by_way": evaluation.against(*results.both_ways) if results.chosen.way == "oof" else None,
        "scored": scored,
        "learned": [
            {
                "rule": rule,
                "shares": shares,
                "temperature": temperature_over_folds(results, rule, results.task),
            }
            for rule, shares in learned_weights(results).items()
        ],
        "how_solved": how_solved(results),
    }
    return write_page(folder / PAGE, f"{PAGE}.j2", content, "commands/crossval")


def print_crossval(
    results: CrossvalResults, evaluation: Evaluation, page: Path, console: Console | None = None
) -> None:
    """Print scores, weights, notes and, last, the path of the page; by default to standard output."""
    notes = [_legend(results, evaluation), *how_solved(results)]
    print_results(results, evaluation, page, notes, console, lambda console: _print_weights(results, console))


def _print_weights(results: CrossvalResults, console: Console) -> None:
    """Print the learned weights of the rules: mean and SD over folds and seeds."""
    learned = learned_weights(results)
    if not learned:
        return
    branches = next(iter(learned.values()))
    temperatures = [temperature_over_folds(results, rule, results.task) for rule in learned]
    lines = [Line(name, [_number(shares[name]) for shares in learned.values()]) for name in branches]
    lines[-1] = Line(lines[-1].name, lines[-1].cells, ends_section=True)
    lines.append(Line("temperature", [_number(of) for of in temperatures]))
    title = headed(
        results.synthetic,
        *results.heading,
        "weights, mean ± SD over folds" + (" and seeds" if results.seeds[1:] else ""),
    )
    print_scores(console, title, ["", *(_heading(results.label(rule)) for rule in learned)], lines)


def _heading(label: str) -> str:
    return label.replace(" (", "\n(").replace("(validation split)", "(validation)")


def _number(of: MeanSd | None) -> str:
    return "–" if of is None else f"{of['mean']:.2f}" + ("" if of["sd"] is None else f" ± {of['sd']:.2f}")


def _legend(results: CrossvalResults, evaluation: Evaluation) -> str:
    brackets = f"in brackets: interval over {evaluation.measured.actors} actors"
    if results.seeds[1:]:
        return f"{brackets}, of seed {results.seeds[0]}; ±: standard deviation over seeds"
    return brackets


def how_solved(results: CrossvalResults) -> list[str]:
    """A sentence for each way: the clips that its rules were solved on."""
    if not results.is_fusion:
        return []
    sentences = [f"validation split: rules solved on the {_range(results, 'val')} validation clips of a fold"]
    if results.inner and results.single:
        named = ", ".join(results.single)
        sentences.append(
            f"out of fold: rules solved on the {_range(results, 'oof')} validation clips of a fold, for which all "
            f"branches have logits. {named}: too expensive for inner folds, so logits of the single validation "
            f"split; the others: out-of-fold logits of {results.inner} inner folds"
        )
    elif results.inner:
        sentences.append(
            f"out of fold: rules solved on the {_range(results, 'oof')} clips of a fold's training and validation "
            f"actors, with logits of branches trained on the rest of {results.inner} inner folds"
        )
    return sentences


def _range(results: CrossvalResults, way: str) -> str:
    counts = [clips for fold in results.folds for name, clips in fold.solved_on.items() if name == way]
    return str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
