"""Runs the suite on one run, or on the models of all folds of a cross-validation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lightning_emorec.commands.crossval.study import PLAN
from lightning_emorec.commands.stress.degradations import check_conditions
from lightning_emorec.commands.stress.finished_run import FinishedRun, load_finished_run
from lightning_emorec.commands.stress.stress_test import StressTest
from lightning_emorec.commands.stress.suite.checks import Judged, correctness, proportions, robustness
from lightning_emorec.commands.stress.suite.conditions import (
    CLEAN,
    CONDITIONS,
    LENGTH,
    NOT_RUN,
    SuiteCondition,
)
from lightning_emorec.commands.stress.suite.fairness import REFERENCE_SEED, fairness, random_answers
from lightning_emorec.commands.stress.suite.page import print_suite, write_suite_page
from lightning_emorec.commands.stress.suite.pitch import pitch_bands
from lightning_emorec.commands.stress.suite.results import SuiteResults, outcomes, write_suite
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.intervals import measure, measure_groups
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.progress import progress_bar
from lightning_emorec.types import Clip, Part

GROUPINGS = ("sex", "intensity")
"""Labels that clips are grouped by, beside the pitch of the speaker."""

FAIR = ("sex", "pitch")
"""The groupings that a model is held to."""


@dataclass
class Pooled:
    """What the models of all folds gave.

    Attributes:
        parts: Condition -> logits of the models, one part a fold.
        clips: The clips of all folds.
        pitch: Band of the speaker of each clip.
        notes: Caveats.
    """

    parts: dict[str, list[PartLogits]] = field(default_factory=dict)
    clips: list[Clip] = field(default_factory=list)
    pitch: list[str | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run_suite(
    run: str,
    conditions: Sequence[str] | None,
    part: Part | None,
    runs: str,
    skip: Sequence[str],
    most_clips: int | None,
) -> SuiteResults:
    """Hold a run, or the models of a cross-validation, to the suite; write suite.json and suite.html.

    Args as of `stress`.
    """
    if conditions is not None:
        check_conditions(conditions, CONDITIONS)
    wanted = [of for name, of in CONDITIONS.items() if conditions is None or name in conditions]
    needed = {of.against for of in wanted}
    wanted = [of for of in CONDITIONS.values() if of in wanted or of.name in needed]
    folder, finished, notes = _models(run, runs)
    parts = {one.judged_part(part) for one in finished}
    pooled = Pooled(notes=notes)
    kept = folder / "stress" / "kept"
    with progress_bar() as progress:
        steps = progress.add_task("suite", total=len(wanted) * len(finished))
        for number, one in enumerate(finished, 1):
            test = StressTest(one, one.judged_part(part), skip, most_clips, kept)
            pooled.parts.setdefault(CLEAN, []).append(test.scorer.output(test.clean))
            for of in wanted:
                where = f", fold {number} of {len(finished)}" if len(finished) > 1 else ""
                progress.update(steps, description=f"{of.title}{where}")
                logits = test.degraded(of.degradation, of.severity, progress)
                pooled.parts.setdefault(of.name, []).append(test.scorer.output(logits))
                progress.advance(steps)
            progress.stop()
            pooled.clips += test.clips
            pooled.pitch += pitch_bands(test.clips, test.data.audio, kept)
            pooled.notes += [note for note in test.notes() if note not in pooled.notes]
            progress.start()
    if most_clips is not None:
        pooled.notes.append(
            f"No more than {most_clips} clips of each model were evaluated, drawn by its seed."
        )
    results = _results(folder.name, finished, min(parts), pooled, wanted)
    write_suite(results, folder / "stress")
    print_suite(results, write_suite_page(results, folder / "stress"))
    return results


def _models(run: str, runs: str) -> tuple[Path, list[FinishedRun], list[str]]:
    """The folder, its models, and caveats on them."""
    folder = Path(run) if (Path(run) / PLAN).is_file() else Path(runs) / run
    if not (folder / PLAN).is_file():
        one = load_finished_run(run, runs)
        return one.folder, [one], []
    plan = json.loads((folder / PLAN).read_text(encoding="utf8"))
    seeds = [cell["seed"] for cell in plan["cells"]]
    cells = [cell for cell in plan["cells"] if cell["seed"] == seeds[0]]
    finished = [load_finished_run(str(_judged_folder(folder / cell["run"])), runs) for cell in cells]
    notes = [f"Of several seeds only {seeds[0]} is evaluated."] if len({*seeds}) > 1 else []
    if plan["fused"] and plan["inner"]:
        notes.append("Rules are those that each fold solved on its validation clips, not out of fold.")
    return folder, finished, notes


def _judged_folder(run: Path) -> Path:
    """The folder of the model that a fold was tested with: that of the refit of a run without fusion."""
    file = run / "metrics.json"
    if not file.is_file():
        raise EmorecError("every fold to be done", f"no {file}", "run crossval again")
    refits = json.loads(file.read_text(encoding="utf8")).get("refit", {})
    return run.with_name(refits[run.name]["folder"]) if run.name in refits else run


def _results(
    name: str,
    finished: Sequence[FinishedRun],
    part: Part,
    pooled: Pooled,
    wanted: Sequence[SuiteCondition],
) -> SuiteResults:
    task = finished[0].task
    classes = finished[0].trained.tasks[task]
    clips = {clip.id: clip for clip in pooled.clips}
    made = {
        of: Predictions.of(PartLogits.join(parts), task, classes, clips) for of, parts in pooled.parts.items()
    }
    clean = made[CLEAN]
    groups = _groups(clean.clip_ids, clips, dict(zip(clips, pooled.pitch, strict=True)))
    fair = {grouping: of for grouping, of in groups.items() if grouping in FAIR}
    judged = Judged(clean.labels, classes, clean.actors, fair)
    answers = {of: predictions.predicted[None] for of, predictions in made.items()}
    checks = [*correctness(judged), *proportions(judged), *fairness(judged), *robustness(judged, wanted)]
    reference = random_answers(judged, [of.name for of in wanted], REFERENCE_SEED)
    measured = {of: measure(predictions) for of, predictions in made.items()}
    lengths = {"whole clip": measured[CLEAN]}
    lengths |= {f"{of.severity:g} s": measured[of.name] for of in wanted if of.group == LENGTH}
    return SuiteResults(
        run=name,
        folds=len(finished),
        part=part,
        clips=len(clean.clip_ids),
        actors=len({*clean.actors}),
        task=task,
        classes=classes,
        synthetic=finished[0].data.corpus.synthetic,
        notes=pooled.notes,
        tests=list(outcomes(checks, answers, reference)),
        unchanged={
            of.name: (
                of.title,
                measured[of.name].scores["uar"].value,
                float(np.mean(made[of.name].predicted == clean.predicted)),
            )
            for of in wanted
        },
        groups={grouping: measure_groups(clean, of) for grouping, of in groups.items()},
        lengths=lengths if len(lengths) > 1 else {},
        speakers=_speakers(clean),
        not_run=_not_run([check.group for check in checks]),
    )


def _groups(
    ids: Sequence[str], clips: Mapping[str, Clip], pitch: Mapping[str, str | None]
) -> dict[str, list[str | None]]:
    """Grouping -> group of each clip, of those that have any."""
    made: dict[str, list[str | None]] = {
        name: [clips[clip].labels.get(name) for clip in ids] for name in GROUPINGS
    }
    made["pitch"] = [pitch[clip] for clip in ids]
    return {name: of for name, of in made.items() if any(of)}


def _speakers(clean: Predictions) -> dict[str, tuple[int, float]]:
    right: dict[str, list[bool]] = {}
    for actor, is_right in zip(clean.actors, clean.right.tolist(), strict=True):
        right.setdefault(actor, []).append(is_right)
    scored = {actor: (len(of), sum(of) / len(of)) for actor, of in right.items()}
    return dict(sorted(scored.items(), key=lambda item: item[1][1]))


def _not_run(groups: Sequence[str]) -> dict[str, str]:
    """What is out of reach for every corpus here, and what these clips do not allow."""
    lacking = {
        "speaker average": "eight clips of a class of each of two speakers",
        "speaker ranking": "speakers who differ in their shares of the classes",
        "fairness by sex": "clips of two sexes, with their labels",
        "fairness by pitch": "speakers of two bands of pitch",
    }
    return {name: of for name, of in lacking.items() if name not in groups} | NOT_RUN
