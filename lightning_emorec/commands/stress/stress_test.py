"""The evaluation of one run on degraded audio: what `stress` and its suite share."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from rich.progress import Progress

from lightning_emorec.audio import with_audio
from lightning_emorec.augment import draw_seed
from lightning_emorec.commands.stress.degradations import (
    DEGRADATIONS,
    MISSING,
    Degradation,
)
from lightning_emorec.commands.stress.degraded_audio import DegradedAudio
from lightning_emorec.commands.stress.finished_run import FinishedRun
from lightning_emorec.commands.stress.logits_cache import LogitsCache
from lightning_emorec.commands.stress.recording import Voices
from lightning_emorec.commands.stress.results import ConditionResult, StressResults
from lightning_emorec.commands.stress.scoring import MODALITIES, Figures, Scorer, is_text, modalities
from lightning_emorec.dataset import content_of
from lightning_emorec.errors import EmorecError
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.progress import progress_bar
from lightning_emorec.run_paths import solved_on_file
from lightning_emorec.types import UNLABELLED, Clip, Part


class StressTest:
    """Evaluates the branches of a run that are not skipped, on one part.

    Args:
        run: The run.
        part: Its part to evaluate.
        skip: Branches to leave out.
        most_clips: Evaluate no more clips than these, drawn by the run's seed; None means all.
        kept: Folder for logits; None means that of the run.
    """

    def __init__(
        self,
        run: FinishedRun,
        part: Part,
        skip: Sequence[str],
        most_clips: int | None = None,
        kept: Path | None = None,
    ) -> None:
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
        self.kept = kept or run.folder / "stress" / "kept"
        self.clips = _drawn(with_audio(self.data.clips(part)), most_clips, run.trained.seed)
        self.cache = self._cache(part, self.clips, "" if most_clips is None else f"-{len(self.clips)}")
        self.voices = Voices(self.data.clips("train"), self.data.audio)
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
            notes=self.notes(),
            clean=self.scorer.figures(self.clean),
            conditions=found,
        )

    def _degraded(self, wanted: Sequence[Degradation]) -> Iterator[ConditionResult]:
        with progress_bar() as progress:
            steps = progress.add_task("stress", total=sum(len(one.severities) for one in wanted))
            for degradation in wanted:
                figures: dict[str, Figures] = {}
                for severity in degradation.severities:
                    text = f"{severity:g}"
                    progress.update(steps, description=f"{degradation.name} {text} {degradation.unit}")
                    figures[text] = self.scorer.figures(self.degraded(degradation, severity, progress))
                    progress.advance(steps)
                yield ConditionResult(degradation.name, degradation.title, degradation.unit, figures)

    def degraded(
        self, degradation: Degradation, severity: float, progress: Progress
    ) -> dict[str, PartLogits]:
        """The branches' logits of the degraded clips, kept or computed."""
        changed = [name for name, branch in self.branches.items() if branch.needs_audio]
        where = f"{degradation.name}/{severity:g}"
        if not self.cache.has(where, changed):
            progress.stop()  # feature extraction shows its own bars
        seed = self.run.trained.seed
        audio = DegradedAudio(self.data.audio, self.clips, degradation, severity, seed, self.voices)
        found = self.clean | self.cache.get(
            where, changed, partial(self.run.branch_logits, self.clips, audio)
        )
        progress.start()
        return {name: found[name] for name in self.branches}

    def _missing(self) -> ConditionResult:
        """Leave out each modality in turn if that removes some branches and leaves others."""
        figures: dict[str, Figures] = {}
        for modality in MODALITIES:
            left = [name for name, branch in self.branches.items() if modality not in modalities(branch)]
            if 0 < len(left) < len(self.branches):
                figures[modality] = self.scorer.figures({name: self.clean[name] for name in left})
        return ConditionResult(MISSING, "A modality missing", "", figures)

    def _clean(self, part: Part) -> dict[str, PartLogits]:
        clips = self.clips if part == self.part else with_audio(self.data.clips(part))
        cache = self.cache if part == self.part else self._cache(part, clips)

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

    def _cache(self, part: Part, clips: Sequence[Clip], drawn: str = "") -> LogitsCache:
        folder = self.kept / f"{self.run.identity}-{part}{drawn}"
        content = content_of(clips, self.data.audio, self.data.tasks)
        return LogitsCache(folder, [clip.id for clip in clips], content)

    def notes(self) -> list[str]:
        """Caveats on the branches."""
        notes = [f"{name} was skipped: every rule is solved again without it." for name in self.skipped]
        given = self.data.clips(self.part)
        if without_audio := len(given) - len(with_audio(given)):
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


def _drawn(clips: list[Clip], most: int | None, seed: int) -> list[Clip]:
    """No more clips than `most`, in their order: drawn by their names, so that a larger draw holds a smaller one."""
    if most is None or most >= len(clips):
        return clips
    drawn = sorted(clips, key=lambda clip: draw_seed(seed, 0, f"stress/{clip.id}"))[:most]
    kept = {clip.id for clip in drawn}
    return [clip for clip in clips if clip.id in kept]
