from __future__ import annotations

from pathlib import Path

import pytest
import torch
import whisper
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lightning_emorec.branches.pretrained_speech import Tune, Tuning
from lightning_emorec.branches.whisper_speech import WhisperSpeech
from lightning_emorec.errors import EmorecError
from lightning_emorec.features.whisper_weights import WhisperWeights
from tests.tiny_whisper import save_whisper

LAYERS, WIDTH = 3, 8


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_whisper(tmp_path_factory.mktemp("whisper") / "tiny.pt", LAYERS, WIDTH))


def speech_of(
    checkpoint: str, margin_s: float | None = 0.5, tune: Tune = "frozen", top_layers: int = 2
) -> WhisperSpeech:
    torch.manual_seed(0)
    made = WhisperSpeech(WhisperWeights(checkpoint), margin_s, Tuning(tune, top_layers, 2, 4.0))
    made.learn()
    return made.eval()


def noise(seconds: float, seed: int = 0) -> Tensor:
    return torch.empty(round(seconds * 16000)).uniform_(
        -0.1, 0.1, generator=torch.Generator().manual_seed(seed)
    )


def states_of(speech: WhisperSpeech, *sounds: Tensor) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(sound) for sound in sounds])
    made: tuple[Tensor, Tensor] = speech(
        **speech.inputs(pad_sequence(list(sounds), batch_first=True), lengths)
    )
    return made


def test_in_full_context_the_states_are_those_of_the_library(checkpoint: str) -> None:
    sounds = noise(0.51), noise(0.3, 1)
    states, frames = states_of(speech_of(checkpoint, margin_s=None), *sounds)
    assert states.shape == (2, 26, LAYERS, WIDTH)  # a frame is 20 ms, and the last one is begun
    assert frames.tolist() == [26, 15]
    library = whisper.load_model(checkpoint)
    for row, sound in zip(states, sounds, strict=True):
        made: list[Tensor] = []
        hooks = [
            block.register_forward_hook(lambda _block, _given, out, made=made: made.append(out[0]))
            for block in library.encoder.blocks
        ]
        with torch.no_grad():
            library.embed_audio(whisper.log_mel_spectrogram(whisper.pad_or_trim(sound))[None])
        own = -(-len(sound) // 320)
        torch.testing.assert_close(row[:own], torch.stack(made, dim=1)[:own], atol=1e-5, rtol=1e-4)
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("margin_s", [0.0, 0.5])
@pytest.mark.parametrize("tune", ["frozen", "lora"])
def test_longer_clips_in_the_batch_change_nothing(checkpoint: str, margin_s: float, tune: Tune) -> None:
    speech = speech_of(checkpoint, margin_s, tune)
    sounds = [noise(0.3), noise(1.1, 1), noise(0.05, 2), noise(0.7001, 3)]
    together, frames = states_of(speech, *sounds)
    assert frames.tolist() == [15, 55, 5, 36]
    for row, own, sound in zip(together, frames.tolist(), sounds, strict=True):
        torch.testing.assert_close(row[:own], states_of(speech, sound)[0][0], atol=1e-5, rtol=1e-4)


def test_only_the_first_half_minute_is_heard(checkpoint: str) -> None:
    speech = speech_of(checkpoint)
    states, frames = states_of(speech, sound := noise(30.5))
    assert frames.tolist() == [1500]
    torch.testing.assert_close(states, states_of(speech, sound[:480000])[0])


@pytest.mark.parametrize("sound", [torch.zeros(16000), noise(1 / 16000)])
def test_silent_and_very_short_clips_have_finite_states(checkpoint: str, sound: Tensor) -> None:
    states, frames = states_of(speech_of(checkpoint, margin_s=0.0), sound)
    assert states.isfinite().all()
    assert frames >= 1


def test_the_frozen_bottom_records_no_graph(checkpoint: str) -> None:
    speech = speech_of(checkpoint, tune="top", top_layers=1).train()
    recorded: list[bool] = []
    for block in speech.layers():
        block.get_submodule("attn.out").register_forward_hook(
            lambda _part, _given, out: recorded.append(out.requires_grad)
        )
    states_of(speech, noise(0.3))[0].sum().backward()
    assert recorded == [False, False, True]


@pytest.mark.parametrize("tune", ["top", "lora", "all"])
def test_every_weight_that_is_tuned_gets_a_gradient(checkpoint: str, tune: Tune) -> None:
    speech = speech_of(checkpoint, tune=tune).train()
    states_of(speech, noise(0.3))[0].square().sum().backward()
    tuned = {name for name, weight in speech.named_parameters() if weight.requires_grad}
    assert tuned == {name for name, weight in speech.named_parameters() if weight.grad is not None}
    assert tuned


@pytest.mark.parametrize("tune", ["top", "lora"])
def test_a_checkpoint_needs_no_whisper(checkpoint: str, tmp_path: Path, tune: Tune) -> None:
    speech = speech_of(checkpoint, tune=tune)
    with torch.no_grad():
        for weight in speech.parameters():
            weight.add_(0.01 * torch.randn_like(weight))
    torch.save(speech.state_dict(), tmp_path / "state.pt")
    again = WhisperSpeech(WhisperWeights("/no/such/whisper.pt"), 0.5, speech.tuning).eval()
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True), strict=True)
    torch.testing.assert_close(states_of(again, noise(0.3))[0], states_of(speech, noise(0.3))[0])


def test_more_layers_than_there_are_cannot_be_tuned(checkpoint: str) -> None:
    with pytest.raises(EmorecError, match="top_layers of at most 3"):
        speech_of(checkpoint, tune="top", top_layers=4)
