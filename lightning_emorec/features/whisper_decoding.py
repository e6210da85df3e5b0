"""Whisper's greedy decoding (Radford et al. 2022, arXiv:2212.04356), with the library's results in less time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils.rnn import pad_sequence

from lightning_emorec.features.whisper_encoder import layer_states

if TYPE_CHECKING:
    from whisper import DecodingOptions, DecodingResult, Whisper
    from whisper.decoding import DecodingTask
    from whisper.model import MultiHeadAttention, TextDecoder

_AT_ONCE = 2000  # frames that are encoded at once; of more, each takes longer on a CPU
_LOOP = 12  # tokens that repeat before they are expected to go on repeating
_REPEATS = 3
_LONGEST = 32  # tokens of the longest phrase that is looked for
_GUESSED = 15  # tokens of a loop at first, 16 a pass with the one before; twice as many after each success

Pair = tuple[Tensor, Tensor]
"""Keys and values, (batch, heads, positions, width / heads) each."""


def decode_greedily(model: Whisper, spectra: Tensor, options: DecodingOptions) -> list[DecodingResult]:
    """The library's greedy decoding of windows, with the same text, from spectra of any length up to 30 s.

    The library decodes a batch until its last window has ended, and a repeat loop ends after 224 tokens. Here windows
    that have ended leave the batch, as do those in a loop: how a loop goes on is guessed, and the guess of many tokens
    is checked in one pass (prompt lookup decoding, Saxena 2023). Every token is still the one that the decoder finds
    most likely, so that only float rounding differs.

    Args:
        model: Whisper.
        spectra: (batch, mels, 2 * frames).
        options: Of the library, with a temperature of 0, without beams and timestamps.
    """
    from whisper.decoding import DecodingTask

    task = DecodingTask(model, options)
    steps = _Steps(model, task)
    task._get_audio_features, task._main_loop = steps.encode, steps.write
    decoded: list[DecodingResult] = task.run(spectra)
    return decoded


class _Steps:
    """The two steps of the library's task that take the time; rules, prompt and results are the library's."""

    def __init__(self, model: Whisper, task: DecodingTask) -> None:
        self.model = model
        self.task = task
        self.end: int = task.tokenizer.eot
        self.most: int = task.sample_begin + task.sample_len  # tokens, the prompt included

    def encode(self, spectra: Tensor) -> Tensor:
        """(batch, frames, width) from (batch, mels, 2 * frames)."""
        encoder = self.model.encoder
        batches = torch.split(spectra, max(1, _AT_ONCE // (spectra.shape[2] // 2)))
        made = [layer_states(encoder, batch)[-1] for batch in batches]
        encoded: Tensor = encoder.ln_post(torch.cat(made))
        return encoded

    def write(self, features: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, list[float]]:
        """Tokens of each window, (batch, length), summed log-probabilities, and probabilities of silence."""
        state = DecoderState.of(self.model.decoder, features)
        logits = state.read(tokens)
        task = self.task
        silent = logits[:, task.sot_index].softmax(dim=-1)[:, task.tokenizer.no_speech].tolist()
        sums = torch.zeros(len(tokens), device=tokens.device)
        done: dict[int, tuple[Tensor, Tensor]] = {}
        batch = list(range(len(tokens)))  # the window of each row
        while True:
            logits = self._filtered(logits[:, -1], tokens)
            tokens, _ = task.decoder.update(tokens, logits, sums)
            texts = tokens[:, task.sample_begin :].tolist()
            for row, (window, text) in enumerate(zip(batch, texts, strict=True)):
                if window not in done:
                    if text[-1] == self.end or tokens.shape[1] == self.most:
                        done[window] = tokens[row], sums[row].clone()
                    elif period(text):
                        done[window] = self._alone(state.rows([row]), tokens[row], sums[row].clone())
            going = [row for row, window in enumerate(batch) if window not in done]
            if not going:
                break
            if len(going) <= len(batch) // 2:  # not at each end, since what is kept of the others is copied
                state, batch = state.rows(going), [batch[row] for row in going]
                tokens, sums = tokens[going], sums[going]
            logits = state.read(tokens[:, -1:])
        windows = [done[window] for window in range(len(done))]
        padded = pad_sequence([text for text, _ in windows], batch_first=True, padding_value=self.end)
        return padded, torch.stack([total for _, total in windows]), silent

    def _alone(self, state: DecoderState, tokens: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        """Decode a window that repeats itself to its end.

        Args:
            state: Has read all but the last of the tokens.
            tokens: (length,) up to now, the prompt included.
            total: Summed log-probabilities of the text up to now.
        """
        guessed = _GUESSED
        while len(tokens) < self.most and tokens[-1] != self.end:
            text = tokens[self.task.sample_begin :].tolist()
            room = min(guessed, self.most - len(tokens) - 1)
            guess = tokens.new_tensor((text[-period(text) :] * room)[:room] if period(text) else [])
            logits = self._filtered(state.read(torch.cat([tokens[-1:], guess])[None])[0], tokens[None])
            best = logits.argmax(dim=-1)  # after each of what was read
            right = int((best[:-1] == guess).long().cumprod(dim=0).sum())
            guessed = 2 * guessed if right == len(guess) else _GUESSED
            total = total + logits.log_softmax(dim=-1).gather(1, best[:, None])[: right + 1].sum()
            tokens = torch.cat([tokens, best[: right + 1]])
            state.forget(len(tokens) - 1)
        return tokens, total

    def _filtered(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """Logits without tokens that are never written, or not at the start of a text."""
        for rule in self.task.logit_filters:
            rule.apply(logits, tokens)
        return logits


class DecoderState:
    """Keys and values that Whisper's decoder has computed for a batch; it can read several tokens at a time.

    Args:
        decoder: Whisper's.
        sound: Those of the encoder's output, for each block.
        text: Those of the tokens up to now, for each block.
    """

    def __init__(self, decoder: TextDecoder, sound: Sequence[Pair], text: Sequence[Pair]) -> None:
        self.decoder = decoder
        self._sound = list(sound)
        self._text = list(text)

    @classmethod
    def of(cls, decoder: TextDecoder, features: Tensor) -> DecoderState:
        """Of what the encoder gives, (batch, frames, width), before the first token."""
        sound = [_keys_and_values(block.cross_attn, features) for block in decoder.blocks]
        return cls(decoder, sound, [(keys[:, :, :0], values[:, :, :0]) for keys, values in sound])

    def rows(self, rows: Sequence[int]) -> DecoderState:
        """A copy with only these windows of the batch."""
        kept = list(rows)
        sound, text = (
            [(keys[kept], values[kept]) for keys, values in pairs] for pairs in (self._sound, self._text)
        )
        return DecoderState(self.decoder, sound, text)

    def forget(self, tokens: int) -> None:
        """Keep only so many of the tokens read, the first ones."""
        self._text = [(keys[:, :, :tokens], values[:, :, :tokens]) for keys, values in self._text]

    def read(self, tokens: Tensor) -> Tensor:
        """Logits after each of the next tokens, (batch, tokens, vocabulary), from (batch, tokens)."""
        known, new = self._text[0][0].shape[2], tokens.shape[1]
        table = self.decoder.token_embedding.weight  # (vocabulary, width)
        states = self.decoder.token_embedding(tokens) + self.decoder.positional_embedding[known : known + new]
        earlier = torch.ones(new, known + new, dtype=torch.bool, device=tokens.device).tril(known)
        for number, block in enumerate(self.decoder.blocks):
            normed = block.attn_ln(states)
            keys, values = zip(self._text[number], _keys_and_values(block.attn, normed), strict=True)
            self._text[number] = torch.cat(keys, dim=2), torch.cat(values, dim=2)
            states = states + _attended(block.attn, normed, self._text[number], earlier if new > 1 else None)
            normed = block.cross_attn_ln(states)
            states = states + _attended(block.cross_attn, normed, self._sound[number])
            states = states + block.mlp(block.mlp_ln(states))
        logits: Tensor = self.decoder.ln(states) @ table.T
        return logits


def period(tokens: Sequence[int]) -> int:
    """Length of the shortest phrase that the last tokens repeat, three times and twelve tokens at least; 0 for none."""
    for length in range(1, min(_LONGEST, len(tokens) // _REPEATS) + 1):
        same = (
            max(_LOOP, _REPEATS * length) - length
        )  # tokens that are the same as those a phrase before them
        if len(tokens) >= same + length and tokens[-same:] == tokens[-same - length : -length]:
            return length
    return 0


def _keys_and_values(attention: MultiHeadAttention, states: Tensor) -> Pair:
    return _in_heads(attention, attention.key(states)), _in_heads(attention, attention.value(states))


def _attended(
    attention: MultiHeadAttention, states: Tensor, kept: Pair, mask: Tensor | None = None
) -> Tensor:
    """(batch, tokens, width) to the same; `mask` is (tokens, keys), what each may look at."""
    query = _in_heads(attention, attention.query(states))
    mixed = scaled_dot_product_attention(query, kept[0], kept[1], attn_mask=mask)
    made: Tensor = attention.out(mixed.transpose(1, 2).flatten(2))
    return made


def _in_heads(attention: MultiHeadAttention, states: Tensor) -> Tensor:
    """(batch, heads, positions, width / heads) from (batch, positions, width)."""
    batch, positions, width = states.shape
    return states.view(batch, positions, attention.n_head, width // attention.n_head).transpose(1, 2)
