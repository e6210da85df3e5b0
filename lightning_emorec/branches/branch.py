"""The base of all branches: a batch becomes logits of each task, and the logits of a whole part are kept."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, cast

from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn.modules.module import _IncompatibleKeys

from lightning_emorec.branches.ddp import Collector
from lightning_emorec.datamodule import EmotionDataModule
from lightning_emorec.dataset import content_of
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature
from lightning_emorec.metrics import score_part
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.speaker_scores import SpeakerScores
from lightning_emorec.training_data import ModelNeeds, TrainingData
from lightning_emorec.types import AudioInput, Batch, Logits, Part, Tasks

MOST_NAMED = 3
"""Keys of a state that an error names."""


class Branch(LightningModule, ABC):
    """One view of a clip, from a `Batch` to `Logits`, in two halves.

    `inputs` looks up, on the host, what the model reads of a batch; `net` makes logits from these tensors alone.

    Args:
        tasks: Task name -> class names; comes from the corpus through a link.

    Attributes:
        audio_input: What training takes of the audio; the datamodule prepares nothing else.
        results: The logits of each part that was looped over, whole; of the training part by `predict`.
        embed_size: Width of what `encode` gives, for a branch that has it.
        seed_name: What the seed of a fit is drawn from, beside the run's seed. A class of this package keeps it
            wherever its module goes: another name would mean other first weights.
    """

    audio_input: AudioInput = "none"
    embed_size: int
    seed_name: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "seed_name" not in vars(cls):
            own = cls.__module__.startswith("lightning_emorec.")
            cls.seed_name = f"{'lightning_emorec.branches' if own else cls.__module__}.{cls.__qualname__}"

    def __init__(self, tasks: Tasks) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)  # only here: Lightning collects the leaf's arguments too
        self.tasks = tasks
        self.results: dict[Part, PartLogits] = {}
        self._collector = Collector()

    @classmethod
    def features_of(cls, init_args: Mapping[str, Any]) -> list[Feature]:  # noqa: ARG003
        """Features that a branch with these arguments needs, known without building it."""
        return []

    @classmethod
    def with_defaults(cls, init_args: Mapping[str, Any]) -> dict[str, Any]:
        """These arguments, and the default of each that they leave out."""
        defaults: dict[str, Any] = {}
        for kind in reversed(cls.__mro__):  # a subclass may have another default
            if issubclass(kind, Branch) and "__init__" in vars(kind):
                arguments = inspect.signature(kind.__init__).parameters.values()
                defaults |= {one.name: one.default for one in arguments if one.default is not one.empty}
        return {**defaults, **init_args}

    @classmethod
    def check_available(cls, init_args: Mapping[str, Any]) -> None:
        """Raise if a branch with these arguments cannot be built here, without loading weights.

        Raises:
            UnavailableError: Weights, a file or an optional package is missing.
        """
        for feature in cls.features_of(init_args):
            feature.check_available()

    @classmethod
    def origins(cls, init_args: Mapping[str, Any]) -> list[str]:
        """What training starts from beside these arguments: digests of weights, keys of features."""
        return [feature.key for feature in cls.features_of(init_args)]

    @property
    def features(self) -> list[Feature]:
        """Features this branch needs in `Batch.features`."""
        return self.features_of(self.hparams)

    @cached_property
    def feature_keys(self) -> list[str]:
        """Keys of `features` in `Batch.features`, in order; kept, since a key costs a look at the disk."""
        return [feature.key for feature in self.features]

    @property
    def needs_audio(self) -> bool:
        """Whether clips without audio are left out, in training and in evaluation."""
        return self.audio_input != "none" or any(feature.from_audio for feature in self.features)

    @property
    def needs(self) -> ModelNeeds:
        """What this branch takes of each clip."""
        return ModelNeeds(self.features, self.audio_input, self.needs_audio)

    @property
    def built_for_hz(self) -> int | None:
        """The one sampling rate that this branch can read; None where any will do."""
        return self.hparams.get("rate_hz")

    @property
    def data(self) -> EmotionDataModule:
        """The datamodule of the run this branch is in."""
        return cast("EmotionDataModule", self.trainer.datamodule)  # type: ignore[attr-defined]

    def check_rate(self, rate_hz: int) -> None:
        """Refuse audio at another rate than this branch is built for."""
        if self.built_for_hz not in (None, rate_hz):
            expected = f"data.rate_hz {self.built_for_hz}, which the model was built for"
            raise EmorecError(expected, f"{rate_hz}", "make data.rate_hz and the model's agree")

    def learn_from_training(self, training: TrainingData) -> None:
        """Size what the training clips decide, such as a vocabulary, before the optimiser is made."""

    @abstractmethod
    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """What `net` reads, by the names of its arguments: the part that strings and lists are needed for."""

    @abstractmethod
    def net(self, *args: Any, **inputs: Any) -> Logits:
        """Logits of each task from tensors alone; a subclass names its arguments, each a tensor."""

    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes), independent of the other clips in the batch."""
        return self.net(**self.inputs(batch))

    def encode(self, *args: Any, **inputs: Any) -> Tensor:
        """(batch, embed_size), what a branch makes its logits from, for a model over several of them.

        Raises:
            EmorecError: This kind of branch has nothing of the sort.
        """
        raise EmorecError("a branch that can embed", type(self).__name__, "choose another encoder")

    def speaker_scores(self, batch: Batch, logits: Logits) -> dict[str, SpeakerScores]:
        """What adaptation to a speaker takes of each clip, by task; nothing of a branch that has no part in it.

        Args:
            batch: The clips.
            logits: What the branch gives of them.
        """
        return {}

    def embed(self, batch: Batch) -> Tensor:
        """(batch, embed_size): `encode` of a batch."""
        return self.encode(**self.inputs(batch))

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Load a checkpoint's state.

        Raises:
            EmorecError: It does not fit, as that of another version of this package.
        """
        try:
            return cast("_IncompatibleKeys", super().load_state_dict(state_dict, strict, assign))
        except RuntimeError as error:
            fix = "train the run again, or use the version of lightning_emorec that made it"
            expected = f"a checkpoint whose state fits this version's {type(self).__name__}"
            raise EmorecError(expected, _misfit(self.state_dict(), state_dict, error), fix) from error

    def setup(self, stage: str) -> None:
        """Learn from the training clips; Lightning calls this after the datamodule's own set-up."""
        self.check_rate(self.data.front_end.rate_hz)
        if stage == "fit":
            self.learn_from_training(self.data.training_data())

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Keep the logits of a validation batch."""
        self.evaluate(batch, "val")

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """Keep the logits of a test batch."""
        self.evaluate(batch, "test")

    def predict_step(self, batch: Batch, batch_index: int) -> None:
        """Keep the logits of a batch of training clips, as they are."""
        self.evaluate(batch, "train")

    def on_validation_epoch_end(self) -> None:
        """Score the validation part."""
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Score the test part."""
        self._log_scores("test")

    def on_predict_epoch_end(self) -> None:
        """Keep the training part; Lightning logs nothing here."""
        self.results["train"] = self.finish("train")

    def evaluate(self, batch: Batch, part: Part) -> None:
        """Keep the logits of a batch of a part."""
        logits = self(batch)
        self._collector.add(batch, logits, self.speaker_scores(batch, logits))

    def finish(self, part: Part) -> PartLogits:
        """The logits of a part, whole, after `evaluate` has seen its every batch."""
        return self.with_content(self._collector.take(self, self.clip_ids(part)), part)

    def with_content(self, logits: PartLogits, part: Part) -> PartLogits:
        """The logits with the content of the part's clips that they are of."""
        clips = {clip.id: clip for clip in self.data.clips(part)}
        judged = [clips[clip_id] for clip_id in logits.clip_ids]
        return replace(logits, content=content_of(judged, self.data.audio, self.tasks))

    def judged(self, logits: PartLogits) -> PartLogits:
        """The tasks and classes that the corpus has too."""
        return logits.restricted(self.tasks, self.data.corpus.judged)

    def clip_ids(self, part: Part) -> list[str]:
        """Ids of a part's clips, in the order that `Batch.index` counts."""
        return [clip.id for clip in self.data.clips(part)]

    def _log_scores(self, part: Part) -> None:
        self.results[part] = self.finish(part)
        for task, scores in score_part(self.judged(self.results[part])).items():
            logged = {
                f"{part}/{task}/{metric}": float(value)
                for metric, value in scores.items()
                if metric != "clips"
            }
            self.log_dict(logged, batch_size=1, sync_dist=True)  # equal on all ranks; Lightning cannot know


def _misfit(own: Mapping[str, Any], given: Mapping[str, Any], error: RuntimeError) -> str:
    """What is wrong with a state, in a line: names that are on one side only, else what torch says."""
    kinds = {"missing": [*own.keys() - given.keys()], "unexpected": [*given.keys() - own.keys()]}
    said = [f"{len(keys)} {kind} ({_some(keys)})" for kind, keys in kinds.items() if keys]
    first, *others = str(error).splitlines()  # the others are about single values, such as a size
    return " and ".join(said) or " ".join((others or [first])[0].split())


def _some(keys: list[str]) -> str:
    return ", ".join(sorted(keys)[:MOST_NAMED]) + (", …" if len(keys) > MOST_NAMED else "")
