from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi, constants
from transformers import AutoModel

from lightning_emorec.branches import hub_weights
from lightning_emorec.branches.pretrained_text import TextWeights
from lightning_emorec.errors import EmorecError, UnavailableError
from tests.unit.branches.text_models import WORDS, save_distilbert

TEXTS = ["kids are talking", "dogs are sitting", "leave me alone"]


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def model_info(self: HfApi, name: str, **options: object) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(HfApi, "model_info", model_info)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub_weights._unreachable.cache_clear()


def test_weights_in_a_folder_are_loaded_as_the_library_loads_them(tmp_path: Path) -> None:
    weights = TextWeights(str(save_distilbert(tmp_path / "model")), "pretrained", None)
    weights.check_available()
    model, tokeniser = weights.load(TEXTS)
    expected = AutoModel.from_pretrained(tmp_path / "model").state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
    assert tokeniser.encode("Kids!").tokens == ["[CLS]", "kids", "!", "[SEP]"]


def test_a_config_gives_the_architecture_with_random_weights(tmp_path: Path) -> None:
    weights = TextWeights(str(save_distilbert(tmp_path / "model", weights=False)), "config", {"n_layers": 1})
    weights.check_available()
    model, tokeniser = weights.load(TEXTS)
    assert (model.config.model_type, model.config.n_layers, model.config.dim) == ("distilbert", 1, 16)
    assert tokeniser.get_vocab_size() == len(WORDS)


def test_an_encoder_is_in_float32_whatever_its_authors_used(tmp_path: Path) -> None:
    folder = save_distilbert(tmp_path / "model")
    AutoModel.from_pretrained(folder, dtype=torch.float16).save_pretrained(folder)
    for weights_from in ("pretrained", "config"):
        model, _ = TextWeights(str(folder), weights_from, None).load(TEXTS)
        assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_a_bare_architecture_needs_no_file_and_learns_its_word_pieces() -> None:
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1}
    weights = TextWeights("roberta", "config", sizes)
    weights.check_available()
    model, tokeniser = weights.load(TEXTS * 3)
    pieces = tokeniser.encode("dogs are talking").tokens
    assert pieces == ["[CLS]", "dogs", "are", "talking", "[SEP]"]
    assert model.get_input_embeddings().num_embeddings == tokeniser.get_vocab_size()
    assert model.config.pad_token_id == tokeniser.token_to_id("[PAD]")


def test_a_folder_without_weights_is_unavailable_and_says_what_it_has(tmp_path: Path) -> None:
    folder = save_distilbert(tmp_path / "model", weights=False)
    with pytest.raises(UnavailableError, match=r"model\.safetensors or .* found config\.json, tokenizer"):
        TextWeights(str(folder), "pretrained", None).check_available()


def test_a_folder_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match="no folder /no/such/model"):
        TextWeights("/no/such/model", "pretrained", None).check_available()


@pytest.mark.parametrize("weights_from", ["pretrained", "config"])
def test_a_hub_that_cannot_be_reached_is_one_line_soon(weights_from: hub_weights.WeightsFrom) -> None:
    start = time.monotonic()
    with pytest.raises(UnavailableError, match=r"roberta-base .* found neither \(Name or service") as caught:
        TextWeights("roberta-base", weights_from, None).check_available()
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < 10


def test_offline_the_hub_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UnavailableError, match="HF_HUB_OFFLINE is set"):
        TextWeights("roberta-base", "pretrained", None).check_available()


def test_weights_in_the_hub_s_cache_are_available(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--some--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    (repository / "snapshots" / "abc" / "model.safetensors").touch()
    TextWeights("some/model", "pretrained", None).check_available()


@pytest.mark.parametrize(("files", "available"), [(["model.safetensors"], True), (["tf_model.h5"], False)])
def test_the_hub_is_asked_which_files_it_has(
    files: list[str], available: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Info:
        siblings = [type("File", (), {"rfilename": name}) for name in files]

    monkeypatch.setattr(HfApi, "model_info", lambda self, name, **options: Info)
    weights = TextWeights("some/model", "pretrained", None)
    if available:
        weights.check_available()
    else:
        with pytest.raises(UnavailableError, match=r"found none of model\.safetensors"):
            weights.check_available()


def test_checking_loads_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_distilbert(tmp_path / "model")
    monkeypatch.setattr(AutoModel, "from_pretrained", lambda *_, **__: pytest.fail("loaded"))
    TextWeights(str(folder), "pretrained", None).check_available()


def test_a_folder_without_a_tokeniser_is_one_clear_line(tmp_path: Path) -> None:
    folder = save_distilbert(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(EmorecError, match=r"a tokenizer\.json for 17 pieces") as caught:
        TextWeights(str(folder), "pretrained", None).load(TEXTS)
    assert "\n" not in str(caught.value)


def test_a_damaged_weight_file_is_one_clear_line(tmp_path: Path) -> None:
    folder = save_distilbert(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(EmorecError, match=r"an encoder of text in .*model; found") as caught:
        TextWeights(str(folder), "pretrained", None).load(TEXTS)
    assert "\n" not in str(caught.value)


def test_weights_that_the_files_lack_do_not_silently_become_random(tmp_path: Path) -> None:
    folder = save_distilbert(tmp_path / "model")
    state = AutoModel.from_pretrained(folder).state_dict()
    lacking = {name: value for name, value in state.items() if "layer.1" not in name}
    (folder / "model.safetensors").unlink()
    torch.save(lacking, folder / "pytorch_model.bin")
    with pytest.raises(EmorecError, match=r"a whole distilbert in .*; found no transformer\.layer\.1"):
        TextWeights(str(folder), "pretrained", None).load(TEXTS)


def test_an_unknown_size_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(EmorecError, match=r"config_overrides among .*n_layers.*; found layers"):
        TextWeights("distilbert", "config", {"layers": 2}).load(TEXTS)


def test_sizes_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(EmorecError, match="an encoder of text in distilbert; found") as caught:
        TextWeights("distilbert", "config", {"dim": 15, "n_heads": 2}).load(TEXTS)
    assert "\n" not in str(caught.value)


def test_overrides_of_pretrained_weights_are_refused() -> None:
    with pytest.raises(EmorecError, match="no config_overrides with weights_from: pretrained"):
        TextWeights("roberta-base", "pretrained", {"n_layers": 2})
