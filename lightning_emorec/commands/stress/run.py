"""`stress`: a finished run under conditions worse than those it was trained in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from rich.progress import Progress

from lightning_emorec.audio import AudioStore, with_audio
from lightning_emorec.branches import Branch
from lightning_emorec.commands.stress.conditions import CONDITIONS, MISSING, check_conditions, degradations
from lightning_emorec.commands.stress.degradation import Degradation
from lightning_emorec.commands.stress.kept import KeptLogits
from lightning_emorec.commands.stress.listen import is_text, listen
from lightning_emorec.commands.stress.page import print_stress, write_stress_page
from lightning_emorec.commands.stress.panel import MODALITIES, Figures, Panel, modalities
from lightning_emorec.commands.stress.results import ConditionResult, StressResults, write_results
from lightning_emorec.commands.stress.store import DegradedStore
from lightning_emorec.commands.stress.subject import Subject, load_subject
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
    """Judge a finished run under degraded audio, and with a modality missing.

    Nothing is chosen by what comes out. What is finished is kept in the run's folder and not computed again.

    Args:
        run: Folder of a fused run or of a branch's, or its name within `runs`.
        conditions: Names, as [white,babble] or white,babble; all by default.
        part: Clips that are judged; by default the test part where the run was tested, else validation.
        runs: Folder of all runs.
        skip: Branches that are left out because their features take too long, as [a,b] or a,b.

    Returns:
        What is in the files.

    Raises:
        EmorecError: No such run, or an unknown condition or branch.
    """
    names = _names(conditions) if conditions is not None else list(CONDITIONS)
    check_conditions(names)
    subject = load_subject(run, runs)
    results = StressTest(subject, subject.judged_part(part), _names(skip or [])).results(names)
    folder = subject.folder / "stress"
    write_results(results, folder)
    print_stress(results, write_stress_page(results, folder))
    return results


class StressTest:
    """One run, one part, the branches that are not skipped.

    Args:
        subject: The run.
        part: Whose clips are heard.
        skip: Branches to leave out.

    Raises:
        EmorecError: A branch to skip that is not there, or none is left.
    """

    def __init__(self, subject: Subject, part: Part, skip: Sequence[str]) -> None:
        if unknown := set(skip) - set(subject.branches):
            known = f"branches among {', '.join(subject.branches)}"
            raise EmorecError(known, ", ".join(sorted(unknown)), "mend --skip")
        self.branches = {name: branch for name, branch in subject.branches.items() if name not in skip}
        if not self.branches:
            raise EmorecError("at least one branch", "all of them skipped", "mend --skip")
        self.subject = subject
        self.skipped = list(skip)
        self.part = part
        self.data = subject.data
        self.clips = with_audio(self.data.clips(part))
        self.kept = self._kept(part)
        self.clean = self._clean(part)
        self.panel = Panel(subject.fusion, subject.task, self._validation())

    def results(self, names: Sequence[str]) -> StressResults:
        """Judge under the named conditions."""
        wanted = degradations(names, with_audio(self.data.clips("train")), self.data.audio)
        found = list(self._degraded(wanted))
        if MISSING in names and (missing := self._missing()).severities:
            found.append(missing)
        fusion, task = self.subject.fusion, self.subject.task
        labels = next(iter(self.clean.values())).labels[task]
        return StressResults(
            run=self.subject.folder.name,
            part=self.part,
            clips=int((labels != UNLABELLED).sum()),
            actors=len({clip.actor for clip in self.clips}),
            task=task,
            classes=len(set(labels[labels != UNLABELLED].tolist())),
            seed=self.subject.seed,
            rule=fusion.rule_name if fusion else None,
            synthetic=self.data.corpus.synthetic,
            notes=self._notes(),
            clean=self.panel.figures(self.clean),
            conditions=found,
        )

    def _degraded(self, wanted: Sequence[Degradation]) -> Iterator[ConditionResult]:
        listeners = {name: branch for name, branch in self.branches.items() if branch.needs_audio}
        with progress_bar() as progress:
            steps = progress.add_task("stress", total=sum(len(one.severities) for one in wanted))
            for degradation in wanted:
                figures: dict[str, Figures] = {}
                for severity in degradation.severities:
                    text = f"{severity:g}"
                    progress.update(steps, description=f"{degradation.name} {text} {degradation.unit}")
                    figures[text] = self._at(degradation, severity, listeners, progress)
                    progress.advance(steps)
                yield ConditionResult(degradation.name, degradation.title, degradation.unit, figures)

    def _at(
        self, degradation: Degradation, severity: float, listeners: Mapping[str, Branch], progress: Progress
    ) -> Figures:
        where = f"{degradation.name}/{severity:g}"
        if not self.kept.has(where, listeners):
            progress.stop()  # features draw bars of their own
        audio = DegradedStore(self.data.audio, self.clips, degradation, severity, self.subject.seed)
        changed = self.kept.get(where, listeners, partial(self._listen, self.part, audio))
        progress.start()
        return self.panel.figures({name: changed.get(name, self.clean[name]) for name in self.branches})

    def _missing(self) -> ConditionResult:
        """Each modality left out in turn, where that takes away some branches and leaves some."""
        figures: dict[str, Figures] = {}
        for modality in MODALITIES:
            left = [name for name, branch in self.branches.items() if modality not in modalities(branch)]
            if 0 < len(left) < len(self.branches):
                figures[modality] = self.panel.figures({name: self.clean[name] for name in left})
        return ConditionResult(MISSING, "A modality missing", "", figures)

    def _clean(self, part: Part) -> dict[str, PartLogits]:
        kept = self.kept if part == self.part else self._kept(part)
        return kept.get("clean", self.branches, partial(self._listen_clean, part))

    def _validation(self) -> dict[str, PartLogits]:
        """What rules are solved on again: of refitted branches, which have heard these clips, what was kept."""
        if self.subject.fusion is None:
            return {}
        files = {name: solved_on_file(self.subject.folder, name) for name in self.branches}
        if not all(file.is_file() for file in files.values()):
            return self._clean("val")
        ids = [clip.id for clip in with_audio(self.data.clips("val"))]
        return {name: PartLogits.load(file).select(ids) for name, file in files.items()}

    def _kept(self, part: Part) -> KeptLogits:
        folder = self.subject.folder / "stress" / "kept" / f"{self.subject.identity}-{part}"
        clips = with_audio(self.data.clips(part))
        return KeptLogits(
            folder, [clip.id for clip in clips], content_of(clips, self.data.audio, self.data.tasks)
        )

    def _listen(
        self, part: Part, audio: AudioStore, branches: Mapping[str, Branch], cache: Path
    ) -> dict[str, PartLogits]:
        return listen(branches, self.data, with_audio(self.data.clips(part)), audio, cache)

    def _listen_clean(self, part: Part, branches: Mapping[str, Branch], cache: Path) -> dict[str, PartLogits]:
        return self._listen(
            part, self.data.audio, branches, self.data.cache
        )  # where the run has its features

    def _notes(self) -> list[str]:
        notes = [f"{name} was skipped: every rule is solved again without it." for name in self.skipped]
        if mute := len(self.data.clips(self.part)) - len(self.clips):
            notes.append(f"{mute} clips have no audio and are left out.")
        for name, branch in self.branches.items():
            if any(is_text(feature) and not feature.cached for feature in branch.features):
                notes.append(f"{name} reads given transcripts, which worse audio leaves as they are.")
            elif any(is_text(feature) for feature in branch.features):
                notes.append(f"{name} reads what is recognised anew in the worse audio.")
        for name, branch in self.branches.items():
            if len(modalities(branch)) > 1 and len(self.branches) > 1:
                notes.append(f"{name} needs sound and words: it is missing where either is.")
        return notes


def _names(given: list[str] | str) -> list[str]:
    return [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else given
