"""How branches, rules and chance compare on the part and the task that a run is judged by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from lightning_emorec.evaluation.results import PartResults, RunResults
from lightning_emorec.metrics import Scores, predicts_one_class, score
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.splits import canonical
from lightning_emorec.types import UNLABELLED, Part

Kind = Literal["part", "branch", "left out", "rule", "chosen", "oracle", "chance"]

PART_NAMES: dict[Part, str] = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class Standing:
    """One line of the comparison.

    Attributes:
        name: Of the branch, the rule or the part.
        kind: `chosen` is the rule that makes the model's output.
        scores: Those that the line has; none for a branch that was left out.
        weight: Share of a branch in the chosen rule; None where it has none.
        reason: Why a branch was left out.
        skipped: Clips that a branch could not take, as they have no audio; its scores rest on the others.
        before: Scores on the same clips before the refit; none where there is no refit to compare with.
    """

    name: str
    kind: Kind
    scores: Scores
    weight: float | None = None
    reason: str = ""
    skipped: int = 0
    before: Scores = field(default_factory=dict)


def first_task(results: RunResults) -> str:
    """The task a run is judged by."""
    return next(iter(results.tasks))


def standings(results: RunResults) -> list[Standing]:
    """Compare on the judged part: a fusion's branches and rules, or the parts of a single branch.

    A fusion of several branches also has its oracle, which takes each clip's right answer from any branch
    that has it; every run has chance.
    """
    part, task = results.judged_on, first_task(results)
    before = results.before_refit

    def scores(of: PartResults) -> Scores:
        return _score(of[part], task)

    lines = []
    if results.fusion:
        weights = results.fusion.weights or {}
        whole = len(results.output[part].clip_ids)
        lines += [
            Standing(
                name,
                "branch",
                scores(of),
                weights.get(name),
                skipped=whole - len(of[part].clip_ids),
                before=_score(before.branches[name], task) if before else {},
            )
            for name, of in results.branches.items()
        ]
        lines += [Standing(name, "left out", {}, reason=why) for name, why in results.left_out.items()]
        for name, of in results.rules.items():
            kind: Kind = "chosen" if name == results.fusion.rule else "rule"
            was = _score(before.rules[name], task) if before else {}
            lines.append(Standing(rule_line(results, name), kind, scores(of), before=was))
    else:
        for name, logits in results.output.items():
            was = _score(before.output, task) if before and name == part else {}
            lines.append(Standing(PART_NAMES[name], "part", _score(logits, task), before=was))
    if len(results.branches) > 1:
        lines.append(
            Standing(
                "oracle",
                "oracle",
                oracle(results.output[part], [b[part] for b in results.branches.values()], task),
            )
        )
    return [*lines, Standing("chance", "chance", chance(results.output[part], task))]


def _score(part: PartLogits, task: str) -> Scores:
    return score(part.logits[task], part.labels[task])


def rule_line(results: RunResults, rule: str) -> str:
    """What a rule is called beside the branches: by its name, unless a branch has taken it."""
    return f"{rule} (rule)" if rule in results.branches else rule


def chance(part: PartLogits, task: str) -> Scores:
    """What always naming the most frequent class of the labelled clips would score."""
    labels = part.labels[task][part.labels[task] != UNLABELLED]
    counts = labels.bincount()
    return {"accuracy": float(counts.max() / counts.sum()), "uar": 1 / int(counts.count_nonzero())}


def oracle(whole: PartLogits, branches: list[PartLogits], task: str) -> Scores:
    """What taking each clip's right answer from any branch that has it would score.

    Args:
        whole: A part with all clips.
        branches: Of the same part; one that could not take a clip has it wrong.
        task: The task.
    """
    right: set[str] = set()
    for branch in branches:
        hits = branch.logits[task].argmax(dim=-1) == branch.labels[task]
        right |= {clip for clip, hit in zip(branch.clip_ids, hits.tolist(), strict=True) if hit}
    labelled = (whole.labels[task] != UNLABELLED).tolist()
    counted = [clip in right for clip, known in zip(whole.clip_ids, labelled, strict=True) if known]
    return {"accuracy": sum(counted) / len(counted)}


def judged_part(results: RunResults) -> str:
    """`TEST`, or `VALIDATION` and why there was no test."""
    if results.judged_on == "test":
        return "TEST"
    absent = results.absent_test_actors
    why = f"test actors absent: {actor_list(absent)}" if absent else "not tested"
    return f"VALIDATION ({why}{', before the refit' if results.refitted else ''})"


def judged_size(results: RunResults) -> str:
    """How many clips of how many actors the scores rest on."""
    part, task = results.judged_on, first_task(results)
    clips = int((results.output[part].labels[task] != UNLABELLED).sum())
    actors = len(results.actors[part])
    return f"{clips} clips of {actors} actor{'' if actors == 1 else 's'}"


def percent(value: float | None) -> str:
    """A share in percent with one decimal; a dash for none."""
    return "–" if value is None else f"{100 * value:.1f}"


def p_value(p: float) -> str:
    """A p-value with as many digits as tell something."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def actor_list(actors: Iterable[str]) -> str:
    """Name actors in natural order and runs of three or more numbers by their ends, as in `2-8, 10`."""
    names = {canonical(actor) for actor in actors}
    runs: list[list[int]] = []
    for number in sorted(int(name) for name in names if name.isdecimal()):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    numbers = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return ", ".join([*numbers, *sorted(name for name in names if not name.isdecimal())])


def warnings(results: RunResults) -> list[str]:
    """What a reader of the figures must know: sentences without their full stop."""
    return [*results.warnings, *one_class_warnings(results)]


def one_class_warnings(results: RunResults) -> list[str]:
    """A sentence for each branch, and for the model, that says the same of every clip of the judged part.

    Where all labels are the same too, as `sex` with one actor, that is no fault.
    """
    return [sentence for name, part in _models(results) for sentence in _one_class(results, name, part)]


def _models(results: RunResults) -> Iterator[tuple[str, PartLogits]]:
    for name, parts in results.branches.items():
        yield name, parts[results.judged_on]
    yield results.model, results.output[results.judged_on]


def _one_class(results: RunResults, name: str, part: PartLogits) -> Iterator[str]:
    for task, logits in part.logits.items():
        labels = part.labels[task][part.labels[task] != UNLABELLED]
        if len(set(labels.tolist())) > 1 and predicts_one_class(logits):
            said = results.tasks[task][int(logits[0].argmax())]
            yield (
                f"{name} predicts one class only: {task} is {said!r} for all {len(logits)} clips. "
                "It has learned nothing that tells them apart: look at its features, or train it otherwise"
            )
