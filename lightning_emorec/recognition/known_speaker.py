"""What a model has found in the clips of one speaker, and the answers that it gives when it is adapted by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch

from lightning_emorec.hashing import short_hash
from lightning_emorec.recognition.model import Answer, RecognitionModel, Waveform
from lightning_emorec.recognition.unadapted import Unadapted
from lightning_emorec.speaker_scores import KnownClips, SpeakerScores, adapted_logits, divergence
from lightning_emorec.types import UNLABELLED

FEW = 4
"""Fewer known clips than this bring too little to be sure of a gain (docs/adaptation.md)."""

ONE_SIDED = 0.1
"""Divergence in nats, beyond chance, of the labels found in the known clips from those of the validation clips."""


class KnownSpeaker:
    """The clips of one speaker that a model has judged once, without adaptation.

    A clip is judged by the others: never by itself, and by each other one once.

    Attributes:
        clips: Their number in effect: windows of a long recording overlap, and count as the speech that they are of.
        closed: Whether all clips have been judged, so that answers are adapted.
    """

    def __init__(self) -> None:
        self.clips = 0.0
        self.closed = False
        self._kept: dict[str, Unadapted] = {}
        self._scores: dict[tuple[str, str], tuple[SpeakerScores, dict[str, int]]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def close(self) -> None:
        """No clips come any more: from now on answers are adapted."""
        self.closed = True

    @property
    def others(self) -> int:
        """How many other clips are known when one of them is judged; speech that windows share counts once."""
        return int(self._others + 1e-6)

    @property
    def _others(self) -> float:
        return max(0.0, self.clips - 1)

    @cached_property
    def _moves(self) -> bool:
        """Whether the known clips change anything: for some branch, speakers differed by more than chance."""
        task = next(iter(next(iter(self._kept.values())).fused))
        scores = [of[task] for kept in self._kept.values() for of in kept.scores.values() if task in of]
        return any(bool(of.ratio.isfinite().any()) for of in scores)

    def answer(
        self,
        model: RecognitionModel,
        waveforms: Sequence[Waveform],
        texts: Sequence[str] | None,
        embeddings: bool,
        contents: Sequence[str],
    ) -> Answer:
        """Judge waveforms, as `RecognitionModel.judge` does; adapted after `close`."""
        said = [None] * len(waveforms) if texts is None else texts
        keys = [f"{short_hash(of.tobytes())} {text}" for of, text in zip(waveforms, said, strict=True)]
        answer = None
        if embeddings or not self.closed or any(key not in self._kept for key in keys):
            answer = model.judge(waveforms, texts, embeddings, contents)
            assert answer.unadapted is not None
            for row, key in enumerate(keys):
                if key not in self._kept:
                    self._kept[key] = answer.unadapted.row(row)
                    self.clips += self.closed  # before, the first pass counts them
                    self._scores.clear()
        if answer is not None and (not self.closed or not self.others):
            return answer
        if not self.others:
            return model.judge(waveforms, texts, embeddings, contents)
        adapted = replace(self._adapted(keys), texts=list(said))
        return adapted if answer is None else replace(adapted, embeddings=answer.embeddings)

    @cached_property
    def sentence(self) -> str:
        """How many clips were known."""
        if not self.others:
            return "not adapted: no other clip of the speaker is known"
        if not self._moves:
            return "not adapted: the model found no difference between the speakers of its own clips"
        plural = "s" * (self.others != 1)
        if self.clips < len(self):
            return f"adapted by other speech of the speaker, as long as {self.others} window{plural}"
        return f"adapted by {self.others} other clip{plural} of the speaker"

    @cached_property
    def warnings(self) -> list[str]:
        """Why the adaptation may not help."""
        if not self.others or not self._moves:
            return []
        found = [f"fewer than {FEW} known clips of the speaker bring little"] if self.others < FEW else []
        return found + self._one_sided()

    def _one_sided(self) -> list[str]:
        unadapted = next(iter(self._kept.values()))
        task = next(iter(unadapted.fused))
        validated = next(iter(unadapted.adaptation.parts.values()), None)
        if validated is None:
            return []
        labels = validated.labels[task]
        classes = unadapted.fused[task].shape[1]
        prior = torch.bincount(labels[labels != UNLABELLED], minlength=classes).double()
        logits = torch.cat([of.fused[task] for of in self._kept.values()]).double()
        shares = logits.softmax(dim=1).mean(dim=0)
        far = float(divergence(shares[None], prior[None] / prior.sum()))
        if far - (classes - 1) / (2 * max(1.0, self.clips)) <= ONE_SIDED:
            return []
        place = int(shares.argmax())
        share = f"{unadapted.classes[place]} is {100 * float(shares[place]):.0f}% of what is found in them"
        return [f"the known clips of the speaker look one-sided ({share}): the gain may be less, or none"]

    def _adapted(self, keys: Sequence[str]) -> Answer:
        unadapted, known = Unadapted.join([self._kept[key] for key in keys]), self.others
        made = {
            branch: {
                task: adapted_logits(unadapted.scores[branch][task], self._known(branch, task, keys))
                if task in unadapted.scores[branch]
                else values
                for task, values in logits.items()
            }
            for branch, logits in unadapted.logits.items()
        }
        fused, mode = unadapted.adaptation.fuse(made, known), unadapted.adaptation.mode(known)
        founded = {} if mode is None else {task: mode.confidence(task) for task in fused}
        told = made if unadapted.adaptation.fitted is not None else {}
        return Answer(
            logits={task: values.numpy() for task, values in fused.items()},
            branches={name: {task: rows.numpy() for task, rows in of.items()} for name, of in told.items()},
            confidence={task: of for task, of in founded.items() if of is not None},
        )

    def _known(self, branch: str, task: str, keys: Sequence[str]) -> KnownClips:
        """For each of the clips with these keys, means over the others that the branch has judged."""
        if (branch, task) not in self._scores:
            own = {key: of.scores[branch][task] for key, of in self._kept.items() if branch in of.scores}
            place = {key: row for row, key in enumerate(own)}
            self._scores[branch, task] = (SpeakerScores.join(list(own.values())), place)
        scores, place = self._scores[branch, task]
        counts = torch.ones(len(keys), len(scores))
        counts[range(len(keys)), [place[key] for key in keys]] = 0
        known = KnownClips.among(scores, counts)
        return replace(known, count=known.count * self._others / max(1, len(self) - 1))
