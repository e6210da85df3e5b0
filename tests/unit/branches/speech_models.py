"""Small encoders of raw speech, written as their authors publish them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModel, Wav2Vec2FeatureExtractor

LAYERS, WIDTH = 3, 16


def save_speech(folder: Path, kind: str = "wav2vec2", large: bool = True, normalise: bool = True) -> Path:
    """Three layers, 16 wide.

    Args:
        folder: Where to.
        kind: wav2vec2, hubert or wavlm.
        large: Normalise frame by frame, as the large models, and not over time, as the base models.
        normalise: Whether clips are to be scaled.
    """
    torch.manual_seed(7)
    sizes: dict[str, Any] = {
        "conv_dim": (8,) * 7,
        "hidden_size": WIDTH,
        "intermediate_size": 32,
        "num_attention_heads": 2,
        "num_hidden_layers": LAYERS,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
        "mask_time_prob": 0.5,
    }
    config = CONFIG_MAPPING[kind](
        feat_extract_norm="layer" if large else "group", do_stable_layer_norm=large, **sizes
    )
    AutoModel.from_config(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=normalise, return_attention_mask=large).save_pretrained(folder)
    return folder
