from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoFeatureExtractor, AutoModel

from lightning_emorec.branches.hub_speech import HubSpeech
from lightning_emorec.branches.hub_weights import HubWeights
from lightning_emorec.branches.pretrained_speech import Tune, Tuning
from lightning_emorec.errors import EmorecError, UnavailableError
from tests.unit.branches.speech_models import LAYERS, WIDTH, save_speech
from tests.unit.branches.text_models import save_distilbert

KINDS = [("wav2vec2", True), ("wav2vec2", False), ("hubert", True), ("wavlm", True), ("wavlm", False)]


def speech_of(folder: Path, tune: Tune = "frozen", spec_augment: bool = False) -> HubSpeech:
    torch.manual_seed(0)
    weights = HubWeights(str(folder), "pretrained", None)
    made = HubSpeech(weights, spec_augment, Tuning(tune, 2, 2, 4.0))
    made.learn()
    return made.eval()


def noise(seconds: float, seed: int = 0) -> Tensor:
    draw = np.random.default_rng(seed)
    return torch.from_numpy(draw.uniform(-0.1, 0.2, round(seconds * 16000)).astype(np.float32))


def batch(*sounds: Tensor) -> tuple[Tensor, Tensor]:
    return pad_sequence(list(sounds), batch_first=True), torch.tensor([len(sound) for sound in sounds])


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize(("kind", "large"), KINDS)
def test_the_states_are_those_of_the_library(tmp_path: Path, kind: str, large: bool, normalise: bool) -> None:
    folder = save_speech(tmp_path / "model", kind, large, normalise)
    sound = noise(0.4)
    states, frames = speech_of(folder)(*batch(sound))
    extractor, model = AutoFeatureExtractor.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    given = extractor(sound.numpy(), sampling_rate=16000, return_tensors="pt")
    made = model(given.input_values, output_hidden_states=True)
    assert states.shape == (1, 19, LAYERS + 1, WIDTH)
    assert frames.tolist() == [19]
    for layer in range(LAYERS):
        torch.testing.assert_close(states[:, :, layer], made.hidden_states[layer], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(states[:, :, LAYERS], made.last_hidden_state, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("kind", "large"), KINDS)
def test_longer_clips_in_the_batch_change_nothing(tmp_path: Path, kind: str, large: bool) -> None:
    speech = speech_of(save_speech(tmp_path / "model", kind, large), "lora")
    sounds = [noise(0.3), noise(0.8, 1), noise(0.01, 2)]
    together, frames = speech(*batch(*sounds))
    assert frames.tolist() == [14, 39, 1]
    for row, own, sound in zip(together, frames.tolist(), sounds, strict=True):
        torch.testing.assert_close(row[:own], speech(*batch(sound))[0][0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("kind", "large"), KINDS)
@pytest.mark.parametrize("tune", ["top", "lora", "all"])
def test_every_weight_that_is_tuned_gets_a_gradient(
    tmp_path: Path, kind: str, large: bool, tune: Tune
) -> None:
    speech = speech_of(save_speech(tmp_path / "model", kind, large), tune).train()
    speech(*batch(noise(0.3)))[0].square().sum().backward()
    tuned = {name for name, weight in speech.named_parameters() if weight.requires_grad}
    assert tuned == {name for name, weight in speech.named_parameters() if weight.grad is not None}
    assert tuned
    assert not any("feature_extractor" in name for name in tuned)


@pytest.mark.parametrize("tune", ["top", "lora"])
def test_a_checkpoint_needs_no_folder(tmp_path: Path, tune: Tune) -> None:
    speech = speech_of(save_speech(tmp_path / "model", normalise=False), tune)
    torch.save(speech.state_dict(), tmp_path / "state.pt")
    again = HubSpeech(HubWeights("/no/such/model", "pretrained", None), False, speech.tuning).eval()
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True), strict=True)
    torch.testing.assert_close(again(*batch(noise(0.3)))[0], speech(*batch(noise(0.3)))[0])


@pytest.mark.parametrize("spec_augment", [True, False])
@pytest.mark.parametrize("tune", ["frozen", "lora"])
def test_frames_are_masked_in_training_where_that_is_asked_for(
    tmp_path: Path, spec_augment: bool, tune: Tune
) -> None:
    speech = speech_of(save_speech(tmp_path / "model"), tune, spec_augment)
    plain = speech(*batch(noise(0.4)))[0]
    torch.testing.assert_close(speech(*batch(noise(0.4)))[0], plain)
    assert torch.equal(speech.train()(*batch(noise(0.4)))[0], plain) is not spec_augment


def test_a_clip_shorter_than_a_mask_is_left_alone(tmp_path: Path) -> None:
    speech = speech_of(save_speech(tmp_path / "model"), spec_augment=True)
    plain = speech(*batch(noise(0.1)))[0]
    torch.testing.assert_close(speech.train()(*batch(noise(0.1)))[0], plain)


def test_layers_are_never_left_out(tmp_path: Path) -> None:
    speech = speech_of(save_speech(tmp_path / "model"), "all").train()
    assert speech.encoder is not None
    assert speech.encoder.config.layerdrop == 0


def test_an_encoder_of_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match=r"an encoder of raw speech.*a distilbert, which takes input_ids"):
        speech_of(save_distilbert(tmp_path / "model"))


def test_a_folder_that_does_not_say_how_clips_are_scaled_is_refused(tmp_path: Path) -> None:
    folder = save_speech(tmp_path / "model")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(UnavailableError, match=r"a preprocessor_config\.json in .*; found none"):
        speech_of(folder)
