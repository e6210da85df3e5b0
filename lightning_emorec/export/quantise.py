"""An export in 8 bits, and what that costs on validation clips."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from lightning_emorec.audio import AudioStore, default_cache_folder, sounds_of, with_audio
from lightning_emorec.errors import EmorecError
from lightning_emorec.evaluation.intervals import DEFAULT, Interval
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.export.graph import ModelGraph
from lightning_emorec.export.kept import selecting_checkpoints
from lightning_emorec.export.onnx_file import write_onnx
from lightning_emorec.export.selection import Selection, one_view
from lightning_emorec.inference import TrainedModel, datamodule_of, load_model
from lightning_emorec.metrics import scores_of
from lightning_emorec.recognition.onnx_model import MODEL, OnnxModel
from lightning_emorec.types import Clip


@dataclass(frozen=True)
class Quantised:
    """What 8 bits change on validation clips that the model had not learned from.

    Attributes:
        clips: Number of clips.
        actors: Number of actors.
        equal: Share of the clips that are given the same class.
        uar: UAR in 32 bits, of one view of each clip.
        change: UAR in 8 bits less that in 32.
        interval: Of the change, over actors; None where there is one actor.
    """

    clips: int
    actors: int
    equal: float
    uar: float
    change: float
    interval: Interval | None


def to_int8(file: Path) -> None:
    """Put the weights of matrix products into 8 bits, a scale a channel; convolutions stay as they are.

    Args:
        file: An ONNX file, which is replaced; its metadata stay.
    """
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    given = onnx.load(str(file), load_external_data=False).metadata_props
    metadata = {one.key: one.value for one in given}
    folded = file.with_suffix(".folded.onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(
        folded
    )  # transposed weights become constants, which can be quantised
    onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)  # it advises what was just done
    try:
        quantize_dynamic(
            folded,
            file,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
    finally:
        root.setLevel(level)
    folded.unlink()
    model = onnx.load(str(file))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata | {"precision": "int8"})
    onnx.save_model(model, str(file))


def cost_of_int8(trained: TrainedModel, selection: Selection, metadata: Mapping[str, object]) -> Quantised:
    """Measure an export in 8 bits against the same in 32, with branches that had not learned from the clips.

    Raises:
        EmorecError: The clips, their audio or those branches cannot be had.
    """
    fix = "give --max_loss 1 to write the export all the same"
    checkpoints = selecting_checkpoints(trained)
    if not trained.actors or not selection.branches.keys() <= checkpoints.keys():
        found = f"{trained.checkpoint} without the run folders of its branches"
        raise EmorecError("branches that have not learned from the validation clips", found, fix)
    clips, audio = _clips(trained, fix)
    loaded = {name: load_model(checkpoints[name]).model for name in selection.branches}
    branches = {name: one_view(branch) for name, branch in loaded.items()}
    rate_hz = selection.front_end.rate_hz
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / MODEL
        write_onnx(ModelGraph(branches, selection.rules, selection.front_end), rate_hz, file, metadata)
        plain = _predictions(OnnxModel(folder), selection, clips, audio)
        to_int8(file)
        return compared(plain, _predictions(OnnxModel(folder), selection, clips, audio))


def _clips(trained: TrainedModel, fix: str) -> tuple[list[Clip], AudioStore]:
    corpus = datamodule_of(yaml.safe_load(trained.config)["data"]).corpus
    audio = AudioStore(default_cache_folder(), trained.front_end.rate_hz, trained.front_end.channel)
    try:
        clips = [clip for clip in with_audio(corpus.clips()) if clip.id in trained.actors]
        audio.prepare(sounds_of(clips))
    except EmorecError as error:
        raise EmorecError(
            "the audio of the validation clips, to measure 8 bits on", error.found, fix
        ) from error
    if not clips:
        raise EmorecError("the audio of the validation clips, to measure 8 bits on", "none of them", fix)
    return clips, audio


def _predictions(model: OnnxModel, selection: Selection, clips: list[Clip], audio: AudioStore) -> Predictions:
    task, classes = next(iter(selection.tasks.items()))
    known = [clip for clip in clips if task in clip.labels]
    rows = model.log_probabilities([audio.load(sound) for sound in sounds_of(known)])[task]
    labels = np.array([classes.index(clip.labels[task]) for clip in known], dtype=np.int64)
    probabilities = np.exp(rows.astype(np.float64))
    ids, actors = [clip.id for clip in known], [clip.actor for clip in known]
    return Predictions(ids, labels, rows.argmax(axis=1), probabilities, actors, classes)


def compared(plain: Predictions, small: Predictions) -> Quantised:
    """Two models on the same clips, in the same order; the interval is a paired bootstrap over actors."""
    confusions = [of.confusions() for of in (plain, small)]  # each (actors, classes, classes)
    actors, classes = confusions[0].shape[:2]
    draws = DEFAULT.draws(actors)
    before, after = (float(scores_of(of.sum(axis=0))["uar"]) for of in confusions)
    drawn = [
        scores_of((draws @ of.reshape(actors, -1)).reshape(-1, classes, classes))["uar"] for of in confusions
    ]
    return Quantised(
        clips=len(plain.clip_ids),
        actors=actors,
        equal=float(np.equal(plain.predicted, small.predicted).mean()),
        uar=before,
        change=after - before,
        interval=DEFAULT.interval(drawn[1] - drawn[0], actors) if actors > 1 else None,
    )
