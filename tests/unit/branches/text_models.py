"""Small encoders of text, written as their authors publish them."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoModel, DistilBertConfig, PreTrainedTokenizerFast, RobertaConfig

WORDS = "[PAD] [UNK] [CLS] [SEP] kids are talking by the door dogs sitting leave me alone ! .".split()  # noqa: SIM905


def save_tokeniser(folder: Path) -> None:
    tokeniser = Tokenizer(models.WordPiece({word: row for row, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokeniser.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokeniser.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokeniser.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokeniser, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)


def save_distilbert(folder: Path, weights: bool = True) -> Path:
    """Two layers, 16 wide."""
    torch.manual_seed(7)
    config = DistilBertConfig(
        vocab_size=len(WORDS), dim=16, hidden_dim=32, n_heads=2, n_layers=2, max_position_embeddings=32
    )
    return _save(config, folder, weights)


def save_roberta(folder: Path) -> Path:
    """Three layers, 16 wide, and the pooler that RoBERTa has."""
    torch.manual_seed(7)
    config = RobertaConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        intermediate_size=32,
        num_attention_heads=2,
        num_hidden_layers=3,
        max_position_embeddings=34,
        pad_token_id=0,
    )
    return _save(config, folder, True)


def _save(config: DistilBertConfig | RobertaConfig, folder: Path, weights: bool) -> Path:
    if weights:
        AutoModel.from_config(config).save_pretrained(folder)
    else:
        config.save_pretrained(folder)
    save_tokeniser(folder)
    return folder
