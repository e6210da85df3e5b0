"""What is found in a stretch of a recording."""

from __future__ import annotations

from dataclasses import dataclass, field

NO_SPEECH = "no speech"
"""Label of a stretch in which nobody speaks: not an emotion, and without probabilities."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a recording with its label.

    Attributes:
        file: The recording as its user named it.
        start: Begin in s.
        end: End in s.
        label: The most probable class, or `NO_SPEECH`.
        score: Its probability; None without speech.
        probabilities: Class -> probability, in the order of the model's classes; empty without speech.
        set: The prediction set: the classes that cannot be ruled out at the asked coverage, the most probable first;
            empty without speech or where the model has no validation clips to found it on.
        certain: Whether the set holds one class; None where there is no set.
        speaker: Who speaks, or the channel; empty where that is not known.
        text: What is said, as given or transcribed; None where no text was used.
        model: Name of the model.
        version: Of the package that made the model.
        branches: Branch -> class -> probability, where asked for.
        tasks: Further task -> class -> probability, where asked for.
        notes: What a reader must know: that the score is not calibrated, or that the model knows synthetic voices
            only.
    """

    file: str
    start: float
    end: float
    label: str
    score: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    set: list[str] = field(default_factory=list)
    certain: bool | None = None
    speaker: str = ""
    text: str | None = None
    model: str = ""
    version: str = ""
    branches: dict[str, dict[str, float]] = field(default_factory=dict)
    tasks: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def duration(self) -> float:
        """Length in s."""
        return self.end - self.start
