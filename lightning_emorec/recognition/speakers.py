"""Which recordings are of one speaker, and what is known of the speaker from them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from lightning_emorec.errors import EmorecError
from lightning_emorec.recognition.segment import NO_SPEECH
from lightning_emorec.recognition.sources import Source, duration_of
from lightning_emorec.speaker_names import canonical, is_nobody

if TYPE_CHECKING:
    from lightning_emorec.recognition.known_speaker import KnownSpeaker
    from lightning_emorec.recognition.recognizer import Recognizer

log = logging.getLogger(__name__)

By = Literal["speaker", "recording"]
"""What says which clips are of one speaker: a table's column, or that a recording has one speaker."""


def first_pass(recognizer: Recognizer, sources: Iterable[Source]) -> KnownSpeaker:
    """Judge all recordings of one speaker once, so that each can then be judged with the others known.

    A recording that cannot be read is left out. Of a long recording as many clips count as windows fit into its speech.

    Raises:
        EmorecError: The model cannot be adapted.
    """
    require_adaptable(recognizer)
    from lightning_emorec.recognition.known_speaker import KnownSpeaker

    known = KnownSpeaker()
    for source in sources:
        before = len(known)
        try:
            segments = list(recognizer.judge(source, speaker=known))
        except EmorecError:  # it is named when it is labelled
            segments = []
        speech_s = sum(segment.duration for segment in segments if segment.label != NO_SPEECH)
        known.clips += min(len(known) - before, max(1.0, speech_s / recognizer.options.window_s))
    known.close()
    return known


def require_adaptable(recognizer: Recognizer) -> None:
    """Check that a model can be adapted to a speaker.

    Raises:
        EmorecError: It cannot, or each channel is to be a speaker.
    """
    if not recognizer.model.adapts:
        fix = "leave out --adapt, or train with --model.init_args.adapt speaker; an export is never adapted"
        raise EmorecError("a model that was trained to be adapted", recognizer.model.name, fix)
    if recognizer.options.channel == "each":
        expected = "one channel, or a mix of all, with --adapt"
        raise EmorecError(expected, "--channel each", "leave out one of them, or name a channel")


class Speakers:
    """The speakers of many recordings; each is known once its first recording is to be labelled.

    Args:
        recognizer: What labels.
        sources: All recordings.
        by: What says which are of one speaker.

    Raises:
        EmorecError: The model cannot be adapted, or no recording names a speaker.
    """

    def __init__(self, recognizer: Recognizer, sources: Sequence[Source], by: By) -> None:
        require_adaptable(recognizer)
        self._recognizer, self._by, self._all = recognizer, by, len(sources)
        self._sources: dict[str, list[Source]] = {}
        for source in sources:
            if (name := self.name(source)) is not None:
                self._sources.setdefault(name, []).append(source)
        if not self._sources:
            fix = (
                "name speakers in a column of --list, or take --adapt recording where each recording has one"
            )
            raise EmorecError("speakers of the recordings for --adapt speaker", "none", fix)
        self._left = Counter({name: len(of) for name, of in self._sources.items()})
        self._known: dict[str, KnownSpeaker] = {}

    def name(self, source: Source) -> str | None:
        """Who speaks in a recording; None where nobody knows."""
        if self._by == "recording":
            return source.name
        return None if is_nobody(source.speaker.strip()) else canonical(source.speaker)

    @property
    def plan(self) -> str:
        """What would be adapted, known before anything is judged: a whole recording needs another beside it."""
        alone = [of[0] for of in self._sources.values() if len(of) == 1 and self._is_whole(of[0])]
        adapted, named = len(self._sources) - len(alone), sum(map(len, self._sources.values()))
        return (
            f"--adapt {self._by}: {named - len(alone)} recordings of {adapted} speakers are adapted, in two passes; "
            f"{len(alone)} are the only clip of their speaker, {self._all - named} name no speaker"
        )

    def _is_whole(self, source: Source) -> bool:
        length_s = duration_of(source)
        return length_s is not None and length_s <= self._recognizer.options.whole_s

    def recordings(self, source: Source) -> list[Source]:
        """All recordings of the speaker of one; none where nobody knows who speaks."""
        name = self.name(source)
        return [] if name is None else self._sources[name]

    def of(self, source: Source) -> KnownSpeaker | None:
        """What is known of the speaker of a recording; None where nobody knows who speaks."""
        name = self.name(source)
        if name is None:
            return None
        if name not in self._known:
            self._known[name] = known = first_pass(self._recognizer, self._sources[name])
            log.info("%s: %s", name, known.sentence)
            for warning in known.warnings:
                log.warning("%s: %s", name, warning)
        self._left[name] -= 1
        return self._known[name] if self._left[name] else self._known.pop(name)
