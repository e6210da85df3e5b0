"""Graphs of branches against the branches themselves, in PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_emorec.audio import FrontEnd
from lightning_emorec.branches import AudioCnn, Branch, PublishedCnn, TranscriptGru, WhisperStatistics
from lightning_emorec.export.check import check_clips, torch_answers
from lightning_emorec.export.graph import ModelGraph, why_not
from lightning_emorec.export.selection import Selection, one_view
from lightning_emorec.export.whisper_graph import WhisperLogMel
from lightning_emorec.features.whisper_context import RATE_HZ, log_mel
from tests.tiny_whisper import save_whisper
from tests.unit.export.test_spans import padded

TASKS = {"pitch": ["low", "middle", "high"], "voice": ["deep", "bright"]}
FRONT_END = FrontEnd(16000, 30.0, False, 15.0)


def whisper_branch(weights: Path, **options: bool) -> Branch:
    """Random regression over statistics of the states of a model, of two views."""
    import whisper

    dims = whisper.load_model(str(weights)).dims
    branch = WhisperStatistics(TASKS, str(weights), views=2, **options)
    nothing = torch.zeros(1, 1, 1 + dims.n_audio_layer, 5, dims.n_audio_state)
    branch.readout._build(branch.rows_of([nothing]).shape[2], torch.device("cpu"))
    for head in branch.readout.heads.values():
        torch.nn.init.normal_(head.weight, std=0.02)
    return one_view(branch)


def selection_of(**branches: Branch) -> Selection:
    return Selection(TASKS, FRONT_END, branches, None, {}, {}, {}, {}, {})


def largest_difference(branch: Branch) -> float:
    """Of a graph to its branch: clips alone and in one batch."""
    sounds = check_clips(FRONT_END.rate_hz)
    expected = torch_answers(selection_of(own=branch), sounds)
    graph = ModelGraph({"own": branch}, None, FRONT_END)
    batch, lengths = padded(list(sounds.values()))
    batch = torch.where(
        torch.arange(batch.shape[1]) < lengths[:, None], batch, 7.0
    )  # padding may be anything
    with torch.inference_mode():
        together = dict(zip(graph.outputs, graph(batch, lengths), strict=True))
        alone = [
            graph(torch.from_numpy(sound)[None], torch.tensor([len(sound)])) for sound in sounds.values()
        ]
    lone = {name: torch.cat([one[place] for one in alone]) for place, name in enumerate(graph.outputs)}
    assert expected.keys() == together.keys()
    return max(
        float(np.abs(of[name].numpy() - expected[name]).max()) for of in (together, lone) for name in expected
    )


@pytest.mark.parametrize("options", [{}, {"judge_warped": False}])
def test_the_graph_of_an_audio_cnn_is_the_branch(options: dict[str, bool]) -> None:
    torch.manual_seed(0)
    branch = AudioCnn(TASKS, width=4, stages=2, **options).eval()
    branch.log_mel.mean.fill_(-8.0)
    branch.log_mel.variance.fill_(16.0)
    assert largest_difference(branch) < 5e-5


def test_the_graph_of_a_published_cnn_is_the_branch() -> None:
    torch.manual_seed(0)
    assert largest_difference(PublishedCnn(TASKS, rate_hz=16000, duration_s=1.5).eval()) < 5e-5


@pytest.mark.parametrize("more", [True, False])
def test_the_graph_of_whisper_is_the_branch_with_one_view(tmp_path: Path, more: bool) -> None:
    torch.manual_seed(0)
    branch = whisper_branch(save_whisper(tmp_path / "whisper.pt"), convolutions=more, quantiles=more)
    assert largest_difference(branch) < 5e-5


@pytest.mark.slow
def test_the_graph_of_the_real_whisper_is_the_branch_with_one_view(shared: Path) -> None:
    weights = shared / "models" / "whisper" / "tiny.en.pt"
    if not weights.is_file():
        pytest.skip(f"no file {weights}")
    torch.manual_seed(0)
    assert largest_difference(whisper_branch(weights, convolutions=True, quantiles=True)) < 1e-4


@pytest.mark.parametrize("margin_s", [0.0, 0.5])
def test_spectra_of_a_batch_are_those_that_whisper_computes_of_each_clip(margin_s: float) -> None:
    draw = np.random.default_rng(0)
    sounds = [draw.standard_normal(size).astype(np.float32) for size in (1600, 16000, 33333)]
    spectra, context = WhisperLogMel(80, margin_s)(*padded(sounds))
    for row, frames, sound in zip(spectra, context.tolist(), sounds, strict=True):
        expected = log_mel(torch.from_numpy(sound), margin_s, 80)
        torch.testing.assert_close(row[:, : 2 * frames], expected, rtol=0, atol=1e-4)
        assert not row[:, 2 * frames :].any()


def test_branches_that_a_graph_cannot_hold_say_why(tmp_path: Path) -> None:
    assert why_not(AudioCnn(TASKS, width=4, stages=2), RATE_HZ) is None
    reason = why_not(TranscriptGru(TASKS, transcript="reference"), RATE_HZ)
    assert reason == "TranscriptGru reads transcript, which the graph does not compute"
    weights = save_whisper(tmp_path / "whisper.pt")
    assert "has 22050 Hz" in str(why_not(whisper_branch(weights), 22050))
    several = WhisperStatistics(TASKS, [str(weights), "base"])
    assert "reads 2 Whisper models" in str(why_not(several, RATE_HZ))
