from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import whisper
from numpy.typing import NDArray

from lightning_emorec.audio import AudioStore
from lightning_emorec.errors import EmorecError
from lightning_emorec.features import WhisperStateFrames, WhisperStateStatistics
from lightning_emorec.features.test_time_views import view_of
from lightning_emorec.features.whisper_states import WhisperStates, statistics_of
from lightning_emorec.hashing import short_hash
from lightning_emorec.types import Clip
from tests.tiny_whisper import save_whisper

LAYERS, WIDTH = 3, 8


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_whisper(tmp_path_factory.mktemp("whisper") / "tiny.pt", LAYERS, WIDTH))


def noise(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-0.1, 0.1, round(seconds * 16000)).astype(np.float32)


def values(feature: WhisperStates, folder: Path, *sounds: NDArray[np.float32]) -> list[NDArray[np.float16]]:
    clips = []
    for number, sound in enumerate(sounds):
        path = folder / f"{number}.wav"
        soundfile.write(path, sound, 16000, subtype="FLOAT")
        clips.append(Clip(id=str(number), actor="1", path=path))
    return [np.asarray(value) for value in feature.compute(clips, AudioStore(folder / "cache", 16000))]


def whole_window(model: str, sound: NDArray[np.float32]) -> list[torch.Tensor]:
    """(frames, width) after each layer of the library's own encoder, which takes 30 s."""
    loaded = whisper.load_model(model)
    made: list[torch.Tensor] = []
    for block in loaded.encoder.blocks:
        block.register_forward_hook(lambda _block, _given, states: made.append(states[0]))
    with torch.no_grad():
        loaded.embed_audio(whisper.log_mel_spectrogram(whisper.pad_or_trim(torch.tensor(sound)))[None])
    return [states[: -(-len(sound) // 320)] for states in made]


def test_frames_in_full_context_are_those_of_the_library(model: str, tmp_path: Path) -> None:
    sound = noise(0.51)
    (value,) = values(WhisperStateFrames(model, margin_s=None, step=1), tmp_path, sound)
    assert value.shape == (26, LAYERS, WIDTH)  # a frame is 20 ms, and the last one is begun
    assert value.dtype == np.float16
    for layer, states in enumerate(whole_window(model, sound)):
        np.testing.assert_allclose(value[:, layer], states, atol=5e-3)


def test_statistics_are_mean_deviation_and_quantiles_of_the_frames(model: str, tmp_path: Path) -> None:
    sound = noise(0.5)
    (frames,) = values(WhisperStateFrames(model, step=1), tmp_path, sound)
    (statistics,) = values(WhisperStateStatistics(model), tmp_path, sound)
    assert statistics.shape == (1, 1 + LAYERS, 5, WIDTH)
    own = frames.astype(float)  # (frames, layers, width)
    by_hand = np.stack(
        [own.mean(axis=0), own.std(axis=0), *np.quantile(own, [0.1, 0.5, 0.9], axis=0)], axis=1
    )
    np.testing.assert_allclose(statistics[0, 1:], by_hand, atol=5e-3)


def test_the_convolutions_output_comes_first_without_the_code_of_positions(
    model: str, tmp_path: Path
) -> None:
    sound, heard = noise(0.5), list[torch.Tensor]()
    loaded = whisper.load_model(model)
    loaded.encoder.conv2.register_forward_hook(lambda _layer, _given, made: heard.append(made[0]))
    with torch.no_grad():
        loaded.embed_audio(whisper.log_mel_spectrogram(whisper.pad_or_trim(torch.tensor(sound)))[None])
    own = torch.nn.functional.gelu(heard[0])[:, :25]  # (width, frames)
    (statistics,) = values(WhisperStateStatistics(model, margin_s=None), tmp_path, sound)
    np.testing.assert_allclose(statistics[0, 0, 0], own.mean(dim=1), atol=5e-3)
    np.testing.assert_allclose(statistics[0, 0, 1], own.std(dim=1, correction=0), atol=5e-3)


def test_quantiles_of_one_frame_are_that_frame() -> None:
    states = torch.arange(6.0).reshape(2, 1, 3)
    np.testing.assert_array_equal(statistics_of(states)[:, 2:], states.repeat(1, 3, 1))


def test_the_states_of_silence_around_the_speech_are_left_out(model: str, tmp_path: Path) -> None:
    silence = np.zeros(8000, np.float32)
    sound = np.concatenate([silence, noise(0.5), silence[:1600]])
    (frames,) = values(WhisperStateFrames(model, step=1, trim_db=None), tmp_path, sound)
    (speech,) = values(WhisperStateStatistics(model), tmp_path, sound)
    (everything,) = values(WhisperStateStatistics(model, trim_db=None), tmp_path, sound)
    own = frames.astype(float)
    np.testing.assert_allclose(
        speech[0, 1:, 0], own[24:51].mean(axis=0), atol=5e-3
    )  # a frame of 10 ms on each side
    np.testing.assert_allclose(everything[0, 1:, 0], own.mean(axis=0), atol=5e-3)


def test_frames_are_averaged_over_a_step_and_layers_chosen(model: str, tmp_path: Path) -> None:
    sound = noise(0.5)
    (all_frames,) = values(WhisperStateFrames(model, step=1), tmp_path, sound)
    (chosen,) = values(WhisperStateFrames(model, layers=[3, 1], step=2), tmp_path, sound)
    assert chosen.shape == (13, 2, WIDTH)
    np.testing.assert_allclose(chosen[4, 0], all_frames[8:10, 2].mean(axis=0), atol=5e-3)
    np.testing.assert_allclose(chosen[12, 1], all_frames[24, 0], atol=5e-3)  # the last step has one frame


@pytest.mark.parametrize("margin_s", [0.0, 0.5, 1.5])
def test_a_clip_has_the_same_states_alone_and_among_longer_ones(
    model: str, tmp_path: Path, margin_s: float
) -> None:
    feature = WhisperStateStatistics(model, margin_s=margin_s)
    sounds = [noise(0.3), noise(2.0, 1), noise(0.7, 2)]
    together = values(feature, tmp_path, *sounds)
    for sound, among in zip(sounds, together, strict=True):
        np.testing.assert_array_equal(values(feature, tmp_path, sound)[0], among)


def test_a_clip_s_value_is_the_same_whatever_clips_are_computed_with_it(model: str, tmp_path: Path) -> None:
    feature = WhisperStateStatistics(model, views=3)
    together = values(feature, tmp_path, noise(0.3), noise(0.5, 1), noise(0.3, 2))
    # The same files: libsndfile puts the time into those of floats, and views depend on the digest.
    clips, store = [Clip(str(n), "1", tmp_path / f"{n}.wav") for n in range(3)], AudioStore(tmp_path, 16000)
    alone = [np.asarray(value) for clip in clips for value in feature.compute([clip], store)]
    np.testing.assert_array_equal(together, alone)


def test_statistics_rest_on_the_clip_s_own_frames(model: str, tmp_path: Path) -> None:
    """Of a model that never looks at other frames, the margin is nothing to the states."""
    checkpoint = torch.load(model, weights_only=True)
    for name, weight in checkpoint["model_state_dict"].items():
        if name.startswith("encoder.blocks") and (".out." in name or ".mlp.2." in name):
            weight.zero_()
    torch.save(checkpoint, blind := tmp_path / "blind.pt")
    (near,) = values(WhisperStateStatistics(str(blind), margin_s=0.5), tmp_path, noise(0.5))
    (far,) = values(WhisperStateStatistics(str(blind), margin_s=20.0), tmp_path, noise(0.5))
    np.testing.assert_allclose(near, far, atol=1e-3)


def test_the_views_are_those_of_the_recipe(model: str, tmp_path: Path) -> None:
    sound = noise(0.4)
    (value,) = values(WhisperStateStatistics(model, views=4), tmp_path, sound)
    assert value.shape == (4, 1 + LAYERS, 5, WIDTH)
    digest = AudioStore(tmp_path / "cache", 16000).digests([tmp_path / "0.wav"])[0]
    views = [view_of(sound, number, digest, 16000) for number in range(4)]
    by_hand = values(WhisperStateStatistics(model), tmp_path, *views)
    np.testing.assert_allclose(value, np.concatenate(by_hand), rtol=2e-3, atol=1e-4)  # a step of float16


@pytest.mark.parametrize("sound", [np.zeros(16000, np.float32), noise(0.05), noise(1 / 16000)])
def test_silent_and_very_short_clips_have_finite_states(
    model: str, tmp_path: Path, sound: NDArray[np.float32]
) -> None:
    (statistics,) = values(WhisperStateStatistics(model, margin_s=0.0, views=4), tmp_path, sound)
    (frames,) = values(WhisperStateFrames(model), tmp_path, sound)
    assert np.isfinite(statistics).all()
    assert np.isfinite(frames).all()
    assert len(frames) == max(3, len(sound) // 640)


def test_a_long_clip_is_encoded_in_windows_of_thirty_seconds(model: str, tmp_path: Path) -> None:
    sound = noise(30.5)
    first, second, whole = values(
        WhisperStateFrames(model, step=1), tmp_path, sound[:480000], sound[480000:], sound
    )
    np.testing.assert_allclose(whole, np.concatenate([first, second]), atol=1e-3)


def test_frames_in_a_batch_tell_padding_from_the_clip(model: str, tmp_path: Path) -> None:
    feature = WhisperStateFrames(model, step=1)
    made = values(feature, tmp_path, noise(0.2), noise(0.4))
    batch = feature.collate(made)
    assert batch.shape == (2, 20, LAYERS, WIDTH + 1)
    assert batch[..., -1].sum(dim=1).tolist() == [[10.0] * LAYERS, [20.0] * LAYERS]
    assert not batch[0, 10:].any()
    np.testing.assert_array_equal(batch[1, :, :, :-1].numpy(), made[1])


def test_the_key_follows_what_changes_the_states(model: str, tmp_path: Path) -> None:
    copy = shutil.copy(model, tmp_path / "copy.pt")
    key = WhisperStateStatistics(model, views=2).key
    assert WhisperStateStatistics(str(copy), views=2).key == key
    others = [
        {"views": 3},
        {"views": 2, "margin_s": 1.0},
        {"views": 2, "margin_s": None},
        {"views": 2, "trim_db": None},
    ]
    keys = {key, *(WhisperStateStatistics(model, **other).key for other in others)}  # type: ignore[arg-type]
    frames = [{}, {"layers": [1]}, {"layers": [2]}, {"step": 3}]
    keys |= {WhisperStateFrames(model, **other).key for other in frames}  # type: ignore[arg-type]
    assert len(keys) == 9


def test_values_are_kept_apart_from_those_of_versions_with_fewer_statistics(model: str) -> None:
    feature = WhisperStateStatistics(model, views=2)
    assert (
        feature.key == f"whisper-statistics-{short_hash(feature.options(), digits=12)}"
    )  # in old checkpoints
    assert feature.stored_as != feature.key
    assert feature.stored_as != WhisperStateStatistics(model, views=3).stored_as


@pytest.mark.parametrize(
    ("kind", "arguments", "complaint"),
    [
        (WhisperStateStatistics, {"margin_s": -1.0}, "margin_s in"),
        (WhisperStateStatistics, {"views": 0}, "views of at least 1"),
        (WhisperStateStatistics, {"trim_db": 0.0}, "a positive trim_db"),
        (WhisperStateFrames, {"step": 0}, "step of at least 1"),
    ],
)
def test_arguments_out_of_range_are_refused(
    kind: type[WhisperStates], arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(EmorecError, match=complaint):
        kind(**arguments)


def test_a_layer_that_the_model_lacks_is_told(model: str, tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match="layers of 1 to 3"):
        values(WhisperStateFrames(model, layers=[4]), tmp_path, noise(0.2))
