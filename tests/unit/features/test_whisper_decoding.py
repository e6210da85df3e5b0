from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
import whisper
from whisper.decoding import DecodingOptions, DecodingResult
from whisper.model import ModelDimensions, Whisper
from whisper.tokenizer import get_tokenizer

from lightning_emorec.features.whisper_decoding import DecoderState, decode_greedily, period

FRAMES = 50
OPTIONS = DecodingOptions(language="en", without_timestamps=True, fp16=False)
TOKENIZER = get_tokenizer(multilingual=False)
DOOR, DOG = (TOKENIZER.encode(word)[0] for word in (" door", " dog"))
PROMPT = 2  # tokens


def tiny(seed: int = 0, frames: int = FRAMES) -> Whisper:
    """A model of a dozen words whose texts depend on the sound."""
    torch.manual_seed(seed)
    model = Whisper(ModelDimensions(80, frames, 16, 2, 2, 51864, 448, 16, 2, 2)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
        words = torch.randint(300, 40000, (12,)).tolist()
        unused = torch.ones(51864, dtype=torch.bool).index_fill(
            0, torch.tensor([*words, TOKENIZER.eot, TOKENIZER.no_speech]), False
        )
        model.decoder.token_embedding.weight[unused] = 0.0
    return model


def written(*text: tuple[int, int]) -> Whisper:
    """A model that writes these tokens, each so many times, and then ends, whatever it is given."""
    model, script = tiny(), [token for token, times in text for _ in range(times)]
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.zero_()
        model.decoder.ln.weight.fill_(1.0)
        for place, token in enumerate((DOOR, DOG, TOKENIZER.eot)):
            model.decoder.token_embedding.weight[token, place] = 10.0
        choices = [(DOOR, DOG, TOKENIZER.eot).index(token) for token in script]
        for position in range(448):  # outweighs the token before
            step = position - PROMPT + 1
            choice = choices[step] if 0 <= step < len(choices) else 2
            model.decoder.positional_embedding[position, choice] = 1000.0
    return model


def sounds(count: int) -> torch.Tensor:
    return torch.randn(count, 80, 2 * FRAMES, generator=torch.Generator().manual_seed(1))


def passes(model: Whisper, mels: torch.Tensor) -> tuple[list[DecodingResult], int]:
    """The results, and how often the decoder was run."""
    runs: list[int] = []
    hook = model.decoder.ln.register_forward_hook(lambda *_: runs.append(1))
    results = decode_greedily(model, mels, OPTIONS)
    hook.remove()
    return results, len(runs)


def assert_same(ours: Sequence[DecodingResult], theirs: Sequence[DecodingResult]) -> None:
    for own, other in zip(ours, theirs, strict=True):
        assert own.tokens == other.tokens
        assert own.text == other.text
        assert own.avg_logprob == pytest.approx(other.avg_logprob, rel=1e-4, abs=1e-6)
        assert own.no_speech_prob == pytest.approx(other.no_speech_prob, rel=1e-4)
        assert own.compression_ratio == other.compression_ratio


@pytest.mark.parametrize("seed", [11, 12])
def test_windows_that_end_and_windows_that_loop_are_decoded_as_by_the_library(seed: int) -> None:
    model, mels = tiny(seed), sounds(12)
    theirs = whisper.decode(model, mels, OPTIONS)
    assert min(len(result.tokens) for result in theirs) < 90  # windows leave the batch one after the other
    assert any(period(result.tokens) for result in theirs)
    assert_same(passes(model, mels)[0], theirs)


@pytest.mark.parametrize(
    "text",
    [
        [(DOOR, 5), (DOG, 1)],
        [(DOOR, 20), (DOG, 3), (DOOR, 1)],  # the guess that doors go on is wrong
        [(DOOR, 12)],  # it is wrong at once
        [(DOOR, 30), (DOG, 40), (DOOR, 100)],
        [(DOOR, 224)],
        [(DOOR, 400)],  # cut off at 224
        [],
    ],
)
def test_a_text_is_the_library_s_whether_a_loop_ends_or_not(text: list[tuple[int, int]]) -> None:
    model, mels = written(*text), sounds(2)
    ours, _ = passes(model, mels)
    assert_same(ours, whisper.decode(model, mels, OPTIONS))


def test_a_loop_takes_few_passes() -> None:
    results, runs = passes(written((DOOR, 224)), sounds(1))
    assert len(results[0].tokens) == 224
    assert runs == 12 + 4  # then guesses of 15, 30, 60, and what is left


def test_a_context_shorter_than_the_encoder_s_is_decoded() -> None:
    longer, shorter = tiny(frames=1500), tiny()
    positions = longer.encoder.positional_embedding
    longer.load_state_dict({**shorter.state_dict(), "encoder.positional_embedding": positions})
    shorter.encoder.positional_embedding = positions[:FRAMES]
    assert_same(decode_greedily(longer, sounds(3), OPTIONS), whisper.decode(shorter, sounds(3), OPTIONS))


@torch.no_grad()
def test_reading_in_pieces_gives_the_logits_of_the_decoder_that_reads_all() -> None:
    model = tiny()
    features, tokens = model.embed_audio(sounds(3)), torch.randint(0, 50000, (3, 9))
    whole = model.decoder(tokens, features)
    state = DecoderState.of(model.decoder, features)
    state.read(tokens[:, :4])
    state.read(tokens[:, :3])  # wrong ones
    state.forget(4)
    state = state.rows([2, 0])
    pieces = torch.cat([state.read(tokens[[2, 0], 4:8]), state.read(tokens[[2, 0], 8:])], dim=1)
    torch.testing.assert_close(pieces, whole[[2, 0], 4:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([], 0),
        ([7] * 11, 0),  # a drawn-out word may be repeated as often
        ([7] * 12, 1),
        ([1, 2, 3] * 4, 3),
        ([9, *[1, 2, 3] * 4], 3),
        ([3, *[1, 2, 3] * 3, 1, 2], 3),  # a phrase may be broken off
        ([*[1, 2, 3] * 4, 4], 0),
        (list(range(32)) * 3, 32),
        (list(range(33)) * 3, 0),
        (list(range(20)) * 2, 0),
    ],
)
def test_the_period_of_a_loop(tokens: list[int], expected: int) -> None:
    assert period(tokens) == expected
