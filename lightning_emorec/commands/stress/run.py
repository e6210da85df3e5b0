"""`stress`: evaluates a finished run on degraded audio, and with a modality missing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from lightning_emorec.audio import with_audio
from lightning_emorec.commands.stress.degradations import (
    CONDITIONS,
    DEGRADATIONS,
    MISSING,
    Degradation,
    check_conditions,
)
from lightning_emorec.commands.stress.degraded_audio import DegradedAudio
from lightning_emorec.commands.stress.finished_run import FinishedRun, load_finished_run
from lightning_emorec.commands.stress.logits_cache import LogitsCache
from lightning_emorec.commands.stress.page import print_stress, write_stress_page
from lightning_emorec.commands.stress.recording import Voices
from lightning_emorec.commands.stress.results import ConditionResult, StressResults, write_results
from lightning_emorec.commands.stress.scoring import MODALITIES, Figures, Scorer, is_text, modalities
from lightning_emorec.dataset import content_of
from lightning_emorec.errors import EmorecError
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.progress import progress_bar
from lightning_emorec.run_paths import solved_on_file
from lightning_emorec.types import UNLABELLED, Part


def stress(
    run: str,
    conditions: list[str] | str | None = None,
    part: Literal["test", "val"] | None = None,
    runs: str = "runs",
    skip: list[str] | str | None = None,
) -> StressResults:
    """Evaluate a finished run on degraded audio, and with a modality missing.

    The scores are for reporting only, not for choosing a model. Computed logits are kept in the run's folder and
    reused.

    Args:
        run: Folder of a fused run or of a branch's run, or its name within `runs`.
        conditions: Names, as [white,babble] or white,babble; all by default.
        part: Part to evaluate; by default test if the run was tested, else val.
        runs: Folder of all runs.
        skip: Branches to leave out, for example because their features take too long, as [a,b] or a,b.

    Returns:
        The content of the files.
    """
    names = _names(conditions) if conditions is not None else list(CONDITIONS)
    check_conditions(names)
    finished = load_finished_run(run, runs)
    results = StressTest(finished, finished.judged_part(part), _names(skip or [])).results(names)
    folder = finished.folder / "stress"
    write_results(results, folder)
    print_stress(results, write_stress_page(results, folder))
    return results


class StressTest:
    """Evaluates the branches of a run that are not skipped, on one part."""

    def __init__(self, run: FinishedRun, part: Part, skip: Sequence[str]) -> None:
        if unknown := set(skip) - set(run.branches):
            known = f"branches among {', '.join(run.branches)}"
            raise EmorecError(known, ", ".join(sorted(unknown)), "correct --skip")
        self.branches = {name: branch for name, branch in run.branches.items() if name not in skip}
        if not self.branches:
            raise EmorecError("at least one branch", "all of them skipped", "correct --skip")
        self.run = run
        self.skipped = list(skip)
        self.part = part
        self.data = run.data
        self.clips = with_audio(self.data.clips(part))
        self.cache = self._cache(part)
        self.clean = self._clean(part)
        self.scorer = Scorer(run.fusion, run.task, self._validation())

    def results(self, names: Sequence[str]) -> StressResults:
        """Evaluate under the named conditions."""
        found = list(self._degraded([made for name, made in DEGRADATIONS.items() if name in names]))
        if MISSING in names and (missing := self._missing()).severities:
            found.append(missing)
        fusion, task = self.run.fusion, self.run.task
        labels = next(iter(self.clean.values())).labels[task]
        return StressResults(
            run=self.run.folder.name,
            part=self.part,
            clips=int((labels != UNLABELLED).sum()),
            actors=len({clip.actor for clip in self.clips}),
            task=task,
            classes=len(set(labels[labels != UNLABELLED].tolist())),
            seed=self.run.trained.seed,
            rule=fusion.rule_name if fusion else None,
            synthetic=self.data.corpus.synthetic,
            notes=self._notes(),
            clean=self.scorer.figures(self.clean),
            conditions=found,
        )

    def _degraded(self, wanted: Sequence[Degradation]) -> Iterator[ConditionResult]:
        changed = [name for name, branch in self.branches.items() if branch.needs_audio]
        voices = Voices(self.data.clips("train"), self.data.audio)
        with progress_bar() as progress:
            steps = progress.add_task("stress", total=sum(len(one.severities) for one in wanted))
            for degradation in wanted:
                figures: dict[str, Figures] = {}
                for severity in degradation.severities:
                    text = f"{severity:g}"
                    progress.update(steps, description=f"{degradation.name} {text} {degradation.unit}")
                    where = f"{degradation.name}/{text}"
                    if not self.cache.has(where, changed):
                        progress.stop()  # feature extraction shows its own bars
                    audio = DegradedAudio(
                        self.data.audio, self.clips, degradation, severity, self.run.trained.seed, voices
                    )
                    compute = partial(self.run.branch_logits, self.clips, audio)
                    degraded = self.clean | self.cache.get(where, changed, compute)
                    progress.start()
                    figures[text] = self.scorer.figures({name: degraded[name] for name in self.branches})
                    progress.advance(steps)
                yield ConditionResult(degradation.name, degradation.title, degradation.unit, figures)

    def _missing(self) -> ConditionResult:
        """Leave out each modality in turn if that removes some branches and leaves others."""
        figures: dict[str, Figures] = {}
        for modality in MODALITIES:
            left = [name for name, branch in self.branches.items() if modality not in modalities(branch)]
            if 0 < len(left) < len(self.branches):
                figures[modality] = self.scorer.figures({name: self.clean[name] for name in left})
        return ConditionResult(MISSING, "A modality missing", "", figures)

    def _clean(self, part: Part) -> dict[str, PartLogits]:
        cache = self.cache if part == self.part else self._cache(part)
        clips = with_audio(self.data.clips(part))

        def compute(names: Collection[str], _: Path) -> dict[str, PartLogits]:
            return self.run.branch_logits(clips, self.data.audio, names, features=self.data.cache)

        return cache.get("clean", self.branches, compute)

    def _validation(self) -> dict[str, PartLogits]:
        """Logits to solve rules on again; of refitted branches, which have seen these clips, those before the refit."""
        if self.run.fusion is None:
            return {}
        files = {name: solved_on_file(self.run.folder, name) for name in self.branches}
        if not all(file.is_file() for file in files.values()):
            return self._clean("val")
        ids = [clip.id for clip in with_audio(self.data.clips("val"))]
        return {name: PartLogits.load(file).select(ids) for name, file in files.items()}

    def _cache(self, part: Part) -> LogitsCache:
        folder = self.run.folder / "stress" / "kept" / f"{self.run.identity}-{part}"
        clips = with_audio(self.data.clips(part))
        content = content_of(clips, self.data.audio, self.data.tasks)
        return LogitsCache(folder, [clip.id for clip in clips], content)

    def _notes(self) -> list[str]:
        notes = [f"{name} was skipped: every rule is solved again without it." for name in self.skipped]
        if without_audio := len(self.data.clips(self.part)) - len(self.clips):
            notes.append(f"{without_audio} clips have no audio and are left out.")
        for name, branch in self.branches.items():
            if any(is_text(feature) and not feature.from_audio for feature in branch.features):
                notes.append(f"{name} reads given transcripts, which worse audio leaves as they are.")
            elif any(is_text(feature) for feature in branch.features):
                notes.append(f"{name} reads what is recognised anew in the worse audio.")
        for name, branch in self.branches.items():
            if len(modalities(branch)) > 1 and len(self.branches) > 1:
                notes.append(f"{name} needs sound and words: it is missing where either is.")
        return notes


def _names(given: list[str] | str) -> list[str]:
    return [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else given
