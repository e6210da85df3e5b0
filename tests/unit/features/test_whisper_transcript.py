from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from lightning_emorec.audio import AudioStore
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import WhisperTranscript
from lightning_emorec.types import Clip

Script = Callable[[Mapping[str, float]], Path]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Write a tiny checkpoint of a model whose logits are these, whatever the sound is.

    Keys are pieces of text of one token each, or `end` and `silence` for Whisper's own tokens.
    """
    from whisper.model import ModelDimensions, Whisper
    from whisper.tokenizer import get_tokenizer

    def write(logits: Mapping[str, float]) -> Path:
        tokenizer = get_tokenizer(multilingual=False)
        special = {"end": tokenizer.eot, "silence": tokenizer.no_speech}
        dims = ModelDimensions(80, 1500, 8, 2, 1, 51864, 448, 8, 2, 1)
        model = Whisper(dims)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
            model.decoder.ln.bias[0] = 1.0  # so the decoder's last state is (1, 0, ...) at every step
            for piece, logit in logits.items():
                token = special[piece] if piece in special else tokenizer.encode(piece)[0]
                model.decoder.token_embedding.weight[token, 0] = logit
        path = tmp_path / f"{abs(hash(tuple(logits.items())))}.pt"
        torch.save({"dims": asdict(dims), "model_state_dict": model.state_dict()}, path)
        return path

    return write


SURE: Mapping[str, float] = {" door": 30, "end": 40}
"""One word and then the end: the end cannot come first."""


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.1, 0.1, round(seconds * 16000)).astype(np.float32)


def transcribe(feature: WhisperTranscript, folder: Path, *recordings: np.ndarray) -> list[dict[str, Any]]:
    clips = []
    for number, recording in enumerate(recordings):
        path = folder / f"{number}.wav"
        soundfile.write(path, recording, 16000)
        clips.append(Clip(id=str(number), actor="1", path=path))
    return [dict(value) for value in feature.compute(clips, AudioStore(folder / "cache", 16000))]  # type: ignore[arg-type]


def test_a_value_holds_the_text_and_what_whisper_thinks_of_it(script: Script, tmp_path: Path) -> None:
    (value,) = transcribe(WhisperTranscript(str(script(SURE))), tmp_path, noise(1))
    assert value["text"] == "door"
    assert value["avg_logprob"] == pytest.approx(0, abs=1e-3)
    assert value["no_speech_prob"] == pytest.approx(0, abs=1e-3)
    assert value["loops"] == 0
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize("recording", [noise(0.09), np.zeros(16000, np.float32), noise(1) * 1e-5])
def test_short_and_silent_clips_say_nothing(script: Script, tmp_path: Path, recording: np.ndarray) -> None:
    values = transcribe(WhisperTranscript(str(script(SURE))), tmp_path, noise(1), recording, noise(1))
    assert [value["text"] for value in values] == ["door", "", "door"]
    assert values[1]["no_speech_prob"] == 1


def test_a_repeat_loop_is_cut_and_counted(
    script: Script, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        (value,) = transcribe(WhisperTranscript(str(script({" door": 30}))), tmp_path, noise(1))
    assert (value["text"], value["loops"]) == ("door", 1)
    assert value["compression_ratio"] > 2.4  # Whisper's own sign of a loop: the text as it came was one
    assert "1 repeat loops" in caplog.text


def test_text_is_dropped_where_whisper_takes_the_clip_for_silence_and_is_unsure(
    script: Script, tmp_path: Path
) -> None:
    (value,) = transcribe(
        WhisperTranscript(str(script({" door": 1, "end": 2, "silence": 20}))), tmp_path, noise(1)
    )
    assert value["no_speech_prob"] > 0.6
    assert value["avg_logprob"] < -1
    assert value["text"] == ""


def test_text_that_whisper_is_sure_of_is_kept(script: Script, tmp_path: Path) -> None:
    (value,) = transcribe(WhisperTranscript(str(script({**SURE, "silence": 50}))), tmp_path, noise(1))
    assert value["no_speech_prob"] > 0.6
    assert value["text"] == "door"


def test_a_long_clip_is_transcribed_in_windows_of_thirty_seconds(script: Script, tmp_path: Path) -> None:
    feature = WhisperTranscript(str(script(SURE)), batch_clips=2)
    values = transcribe(feature, tmp_path, noise(1), noise(65), noise(60.05))
    assert [value["text"] for value in values] == ["door", "door door door", "door door"]


def test_short_clips_are_padded_to_the_context_and_long_ones_to_thirty_seconds(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import whisper

    padded: list[int] = []
    pad = whisper.pad_or_trim

    def recorded(audio: np.ndarray, length: int) -> np.ndarray:
        padded.append(length)
        return pad(audio, length)

    monkeypatch.setattr(whisper, "pad_or_trim", recorded)
    values = transcribe(
        WhisperTranscript(str(script(SURE)), context_s=6.0), tmp_path, noise(5.5), noise(5), noise(1)
    )
    assert sorted(padded) == [6 * 16000, 6 * 16000, 30 * 16000]
    assert [value["text"] for value in values] == ["door"] * 3


def test_a_clip_without_audio_is_told(script: Script, tmp_path: Path) -> None:
    feature = WhisperTranscript(str(script(SURE)))
    with pytest.raises(EmorecError, match="audio for every clip"):
        next(feature.compute([Clip(id="x", actor="1", path=None)], AudioStore(tmp_path, 16000)))


def test_a_checkpoint_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "broken.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(EmorecError, match=r"a Whisper checkpoint; found .*broken.pt"):
        transcribe(WhisperTranscript(str(path)), tmp_path, noise(1))


def test_the_key_follows_what_changes_the_text(script: Script, tmp_path: Path) -> None:
    path = script(SURE)
    copy = Path(shutil.copy(path, tmp_path / "copy.pt"))
    key = WhisperTranscript(str(path)).key
    assert WhisperTranscript(str(copy)).key == key
    assert WhisperTranscript(str(path), batch_clips=1).key == key
    assert WhisperTranscript(str(path), context_s=10).key != key
    assert WhisperTranscript(str(path), language="de").key != key
    assert WhisperTranscript(str(script({" kids": 30, "end": 40}))).key != key


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"batch_clips": 0}, "batch_clips of at least 1"),
        ({"context_s": 1.0}, "context_s in"),
        ({"context_s": 31.0}, "31"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(EmorecError, match=complaint):
        WhisperTranscript(**arguments)


def test_an_unknown_language_is_told(script: Script) -> None:
    with pytest.raises(EmorecError, match=r"a language that Whisper knows.*set model\.init_args\.language"):
        WhisperTranscript(str(script(SURE)), language="xx").check_available()


def test_another_language_needs_a_model_that_knows_it(script: Script) -> None:
    with pytest.raises(
        EmorecError, match=r"a multilingual Whisper.*language: pl; found .*knows only English"
    ):
        WhisperTranscript(str(script(SURE)), language="pl").check_available()
    with pytest.raises(EmorecError, match=r"found tiny\.en, which knows only English"):
        WhisperTranscript("tiny.en", language="pl").check_available()


def test_a_multilingual_model_is_asked_for_the_language(tmp_path: Path) -> None:
    from whisper.model import ModelDimensions, Whisper
    from whisper.tokenizer import get_tokenizer

    dims = ModelDimensions(80, 1500, 8, 2, 1, 51865, 448, 8, 2, 1)
    model = Whisper(dims)
    path = tmp_path / "many.pt"
    torch.save({"dims": asdict(dims), "model_state_dict": model.state_dict()}, path)
    feature = WhisperTranscript(str(path), language="pl")
    feature.check_available()
    prompts: list[list[int]] = []
    load = feature.weights.load

    def observed() -> Whisper:
        loaded = load()
        tokens = loaded.decoder.token_embedding
        tokens.register_forward_pre_hook(lambda _, inputs: prompts.append(inputs[0][0].tolist()))
        return loaded

    feature.weights.load = observed  # type: ignore[method-assign]
    transcribe(feature, tmp_path, noise(1))
    assert get_tokenizer(multilingual=True).to_language_token("pl") in prompts[0]
