"""What every branch does: a batch becomes logits for each task, and the logits of a whole part are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn.modules.module import _IncompatibleKeys

from lightning_emorec.branches.collector import Collector
from lightning_emorec.dataset import content_of
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import Feature, Value
from lightning_emorec.metrics import score_part
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.types import Batch, Logits, Part, Tasks

if TYPE_CHECKING:
    from lightning_emorec.datamodule import EmotionDataModule

MOST_NAMED = 3
"""Keys of a state that an error names."""


class Branch(LightningModule, ABC):
    """One view of a clip, from a `Batch` to `Logits`.

    Args:
        tasks: Task name -> class names; comes from the corpus through a link.

    Attributes:
        hears: What training needs of the audio; the datamodule spares itself the rest.
        results: The logits of each part that was looped over, whole; of the training part by `predict`.
        embed_size: Width of what `embed` gives, for a branch that has it.
    """

    hears: Literal["augmented", "plain", "nothing"] = "nothing"
    embed_size: int

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
    def check_available(cls, init_args: Mapping[str, Any]) -> None:
        """Raise if a branch with these arguments cannot be had here, without loading weights.

        Raises:
            UnavailableError: Weights, a file or an optional package is missing.
        """
        for feature in cls.features_of(init_args):
            feature.check_available()

    @classmethod
    def origins(cls, init_args: Mapping[str, Any]) -> list[str]:
        """What training starts from that these arguments do not settle: digests of weights, keys of features."""
        return [feature.key for feature in cls.features_of(init_args)]

    @property
    def features(self) -> list[Feature]:
        """Features this branch needs in `Batch.features`."""
        return self.features_of(self.hparams)

    @property
    def needs_audio(self) -> bool:
        """Whether a clip without audio is nothing to this branch: it is skipped, in training and in judging."""
        return self.hears != "nothing" or any(feature.from_audio for feature in self.features)

    @property
    def built_for_hz(self) -> int | None:
        """The one sampling rate that this branch can hear; None where any will do."""
        return self.hparams.get("rate_hz")

    @property
    def data(self) -> EmotionDataModule:
        """The datamodule of the run this branch is in."""
        return cast("EmotionDataModule", self.trainer.datamodule)  # type: ignore[attr-defined]

    def learn_from_training(self, features: Mapping[str, Sequence[Value]]) -> None:
        """Size what the training clips decide, such as a vocabulary, before the optimiser is made.

        Args:
            features: Feature key -> the values of all training clips, in order.
        """

    @abstractmethod
    def forward(self, batch: Batch) -> Logits:
        """Logits of each task, (batch, classes), independent of the other clips in the batch."""

    def embed(self, batch: Batch) -> Tensor:
        """(batch, embed_size), what a branch makes its logits from, for a model over several of them.

        Raises:
            EmorecError: This kind of branch has nothing of the sort.
        """
        raise EmorecError("a branch that can embed", type(self).__name__, "choose another encoder")

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Take a checkpoint's state.

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
        """Learn from the training clips; Lightning calls this after the datamodule's own set-up.

        Raises:
            EmorecError: The audio comes at another rate than the model was built for.
        """
        if self.built_for_hz not in (None, rate_hz := self.data.front_end.rate_hz):
            expected = f"data.rate_hz {self.built_for_hz}, which the model was built for"
            raise EmorecError(expected, f"{rate_hz}", "make data.rate_hz and the model's agree")
        if stage == "fit":
            self.learn_from_training(self.data.training_features())

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
        self._collector.add(batch, self(batch))

    def finish(self, part: Part) -> PartLogits:
        """The logits of a part, whole, after `evaluate` has seen its every batch."""
        return self.with_content(self._collector.take(self, self.clip_ids(part)), part)

    def with_content(self, logits: PartLogits, part: Part) -> PartLogits:
        """The logits with the content of the part's clips that they are of."""
        clips = {clip.id: clip for clip in self.data.clips(part)}
        judged = [clips[clip_id] for clip_id in logits.clip_ids]
        return replace(logits, content=content_of(judged, self.data.audio, self.tasks))

    def clip_ids(self, part: Part) -> list[str]:
        """Ids of a part's clips, in the order that `Batch.index` counts."""
        return [clip.id for clip in self.data.clips(part)]

    def _log_scores(self, part: Part) -> None:
        self.results[part] = self.finish(part)
        for task, scores in score_part(self.results[part]).items():
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
    first, *others = str(error).splitlines()  # others tell of single values, such as a size
    return " and ".join(said) or " ".join((others or [first])[0].split())


def _some(keys: list[str]) -> str:
    return ", ".join(sorted(keys)[:MOST_NAMED]) + (", …" if len(keys) > MOST_NAMED else "")
