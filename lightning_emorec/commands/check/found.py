"""What is in a corpus, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightning_emorec.audio import AudioStore, Counts, Note, sound_of, sounds_of, with_audio
from lightning_emorec.corpora import Corpus
from lightning_emorec.evaluation.formats import count
from lightning_emorec.splits import Supported, canonical, supported, telling_voices
from lightning_emorec.types import Clip

FEW_CLIPS, FEW_SPEAKERS, UNEVEN = 20, 3, 10
"""A class of fewer clips or speakers is named, and one that has so many times the clips of another."""


@dataclass(frozen=True)
class ClassCount:
    """What a corpus has of a class: clips, speakers and, where the audio can be used, hours."""

    clips: int
    speakers: int
    hours: float


@dataclass(frozen=True)
class Checked:
    """What was found.

    Attributes:
        name: Of the table or config.
        task: The first, by which splits are judged.
        clips: How many.
        speakers: Those that are known.
        hours: Of audio that can be used.
        classes: Class of the first task -> what there is of it.
        other_tasks: Task -> class -> clips, of the others.
        bad: Clip -> what is wrong with its audio.
        audio: What was found in the others; None where there are no recordings.
        same: Clips that have the same audio, in groups.
        splits: What the speakers allow; None where a clip has none.
        warnings: A sentence for each problem.
        synthetic: The audio is generated.
    """

    name: str
    task: str
    clips: int
    speakers: int
    hours: float
    classes: dict[str, ClassCount]
    other_tasks: dict[str, dict[str, int]]
    bad: dict[str, str]
    audio: Counts | None
    same: list[list[str]]
    splits: Supported | None
    warnings: list[str]
    synthetic: bool


def checked(corpus: Corpus, store: AudioStore, name: str, max_s: float) -> Checked:
    """Read a corpus and its audio.

    Args:
        corpus: Which is made to be there.
        store: Where its audio is decoded.
        name: Of its table or config.
        max_s: Clips beyond it are counted.

    Raises:
        EmorecError: The corpus cannot be listed.
    """
    corpus.prepare()
    clips, (task, *others) = corpus.clips(), corpus.tasks
    audible = with_audio(clips)
    errors = store.unusable(sounds_of(audible))
    bad = {clip.id: errors[sound].found for clip in audible if (sound := sound_of(clip)) in errors}
    usable = [clip for clip in audible if clip.id not in bad]
    known = dict(zip((clip.id for clip in usable), _notes(store, usable), strict=True))
    digests = store.digests(sounds_of(usable))
    by_digest: dict[str, list[Clip]] = {}
    for clip, digest in zip(usable, digests, strict=True):
        by_digest.setdefault(digest, []).append(clip)
    same = [group for group in by_digest.values() if len(group) > 1]
    classes = {one: _count(clips, task, one, known) for one in corpus.tasks[task]}
    named = all(clip.actor for clip in clips)
    splits = supported(clips, [one for one, of in classes.items() if of.clips]) if named else None
    warnings = [*_of_classes(classes, task), *_of_speakers(clips, task, splits), *_of_same(same)]
    if mute := len(clips) - len(audible):
        warnings.append(f"{mute:,} of {len(clips):,} clips have no audio: models that need it leave them out")
    return Checked(
        name=name,
        task=task,
        clips=len(clips),
        speakers=len({canonical(clip.actor) for clip in clips} - {""}),
        hours=sum(note.seconds for note in known.values()) / 3600,
        classes=classes,
        other_tasks={of: dict(Counter(clip.labels.get(of, "(none)") for clip in clips)) for of in others},
        bad=bad,
        audio=Counts.of(store, usable, max_s, quiet=True) if usable else None,
        same=[[clip.id for clip in group] for group in same],
        splits=splits,
        warnings=warnings,
        synthetic=corpus.synthetic,
    )


def _notes(store: AudioStore, clips: Sequence[Clip]) -> list[Note]:
    sounds = sounds_of(clips)
    known = store.notes(sounds)
    return [known[sound] for sound in sounds]


def _count(clips: Sequence[Clip], task: str, name: str, notes: Mapping[str, Note]) -> ClassCount:
    own = [clip for clip in clips if clip.labels.get(task) == name]
    seconds = sum(notes[clip.id].seconds for clip in own if clip.id in notes)
    return ClassCount(len(own), len({canonical(clip.actor) for clip in own}), seconds / 3600)


def _of_classes(classes: Mapping[str, ClassCount], task: str) -> list[str]:
    found = []
    if none := [one for one, of in classes.items() if not of.clips]:
        found.append(f"no clip is labelled {task}: {', '.join(none)}")
    few = [f"{one} ({of.clips})" for one, of in classes.items() if 0 < of.clips < FEW_CLIPS]
    if few:
        found.append(f"classes of fewer than {FEW_CLIPS} clips, whose figures are rough: {', '.join(few)}")
    there = sorted((of.clips, one) for one, of in classes.items() if of.clips)
    if there and there[-1][0] >= UNEVEN * there[0][0]:
        (least, rare), (most, common) = there[0], there[-1]
        found.append(f"{common} has {most:,} clips and {rare} {least:,}: see --data.balance classes")
    spelled: dict[str, list[str]] = {}
    for one in classes:
        spelled.setdefault(one.casefold(), []).append(one)
    alike = [" and ".join(of) for of in spelled.values() if len(of) > 1]
    return found + [f"classes that differ in case alone: {'; '.join(alike)}"] * bool(alike)


def _of_speakers(clips: Sequence[Clip], task: str, splits: Supported | None) -> list[str]:
    if splits is None:
        nobody = sum(not clip.actor for clip in clips)
        return [f"{nobody:,} of {len(clips):,} clips have no speaker: they cannot be split"]
    found = [telling] if (telling := telling_voices(clips, task).replace(" training", "")) else []
    spoken: dict[str, set[str]] = {}
    for clip in clips:
        if task in clip.labels:
            spoken.setdefault(clip.labels[task], set()).add(canonical(clip.actor))
    few = [f"{one} ({len(of)})" for one, of in sorted(spoken.items()) if len(of) < FEW_SPEAKERS]
    if few:
        found.append(f"too few speakers to train, validate and test on, of {', '.join(few)}")
    elif not splits.folds:
        found.append("no KFold has each class in each part")
    return found


def _of_same(same: Sequence[Sequence[Clip]]) -> list[str]:
    if not same:
        return []
    group = next((of for of in same if len({clip.actor for clip in of}) > 1), same[0])
    differ = [of for of in same if len({(canonical(clip.actor), *clip.labels.items()) for clip in of}) > 1]
    ids = " and ".join(clip.id for clip in (differ[0] if differ else group)[:2])
    told = f"the same audio is there twice or more: {count(len(same), 'recording')}, e.g. {ids}"
    return [told + (f"; {len(differ)} with other speakers or labels" if differ else "")]
