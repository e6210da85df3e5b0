"""Tiny arguments for each branch, so that one body of tests serves them all."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, dict[str, Any]] = {
    "AudioCnn": {"width": 4, "stages": 2},
    "DescriptorsCnn": {"width": 8, "blocks": 2},
    "DescriptorsLstm": {"hidden": 4, "layers": 2},
    "FunctionalsMlp": {"functionals": "librosa", "hidden": 8},
    "FunctionalsSvc": {"functionals": "eGeMAPSv02", "folds": 2},
    "Joint": {
        "encoders": {
            "audio": {"class_path": "AudioCnn", "init_args": {"width": 4, "stages": 2}},
            "text": {
                "class_path": "TranscriptGru",
                "init_args": {"transcript": "reference", "embedding_size": 8, "hidden": 8},
            },
        },
        "size": 8,
        "hidden": 8,
    },
    "PublishedCnn": {"rate_hz": 16000, "duration_s": 0.4, "mels": 16, "window": 512, "hop": 256},
    "SpeechEncoder": {
        "weights": "wav2vec2",
        "weights_from": "config",
        "config_overrides": {
            "conv_dim": [8] * 7,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_attention_heads": 2,
            "num_hidden_layers": 2,
            "num_conv_pos_embeddings": 16,
            "num_conv_pos_embedding_groups": 2,
        },
        "tune": "all",
        "width": 8,
    },
    "TextTransformer": {
        "weights": "distilbert",
        "weights_from": "config",
        "config_overrides": {"dim": 16, "hidden_dim": 32, "n_heads": 2, "n_layers": 2},
        "transcript": "reference",
        "train": "all",
        "hidden": 8,
    },
    "TfidfSvc": {"transcript": "reference", "folds": 3},
    "TranscriptGru": {"transcript": "reference", "embedding_size": 8, "hidden": 8},
    "Vader": {"transcript": "reference"},
    "WhisperEncoder": {"width": 8},  # of the Whisper that the environment names
    "WhisperStatistics": {"views": 2},
    "WhisperTuned": {"tune": "all", "width": 8},  # of the Whisper that the environment names
}
"""Class name -> init_args without `tasks`."""
