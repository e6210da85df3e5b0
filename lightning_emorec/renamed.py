"""Class paths of earlier versions, which configs and checkpoints may still contain."""

from __future__ import annotations

RENAMED = {
    # since 0.2.0
    "lightning_emorec.branches.descriptors_cnn.DescriptorsCnn": "lightning_emorec.branches.DescriptorsCnn",
    "lightning_emorec.branches.descriptors_lstm.DescriptorsLstm": "lightning_emorec.branches.DescriptorsLstm",
    "lightning_emorec.branches.functionals_mlp.FunctionalsMlp": "lightning_emorec.branches.FunctionalsMlp",
    "lightning_emorec.branches.functionals_svc.FunctionalsSvc": "lightning_emorec.branches.FunctionalsSvc",
    "lightning_emorec.branches.speech_encoder.SpeechEncoder": "lightning_emorec.branches.SpeechEncoder",
    "lightning_emorec.branches.tfidf_svc.TfidfSvc": "lightning_emorec.branches.TfidfSvc",
    "lightning_emorec.branches.whisper_encoder.WhisperEncoder": "lightning_emorec.branches.WhisperEncoder",
    "lightning_emorec.branches.whisper_statistics.WhisperStatistics": "lightning_emorec.branches.WhisperStatistics",
    "lightning_emorec.branches.whisper_tuned.WhisperTuned": "lightning_emorec.branches.WhisperTuned",
    "lightning_emorec.fusion.average.Average": "lightning_emorec.fusion.Average",
    "lightning_emorec.fusion.max_confidence.MaxConfidence": "lightning_emorec.fusion.MaxConfidence",
    "lightning_emorec.fusion.weighted.Weighted": "lightning_emorec.fusion.Weighted",
    "lightning_emorec.splits.published.Published": "lightning_emorec.splits.Published",
    "lightning_emorec.splits.without_validation.WithoutValidation": "lightning_emorec.splits.WithoutValidation",
    "lightning_emorec.training.AveragedWeights": "lightning_emorec.callbacks.AveragedWeights",
    "lightning_emorec.training.MetricsCsv": "lightning_emorec.loggers.metrics_csv.MetricsCsv",
    "lightning_emorec.training.WandbRun": "lightning_emorec.loggers.WandbRun",
    "lightning_emorec.training.averaging.AveragedWeights": "lightning_emorec.callbacks.AveragedWeights",
    "lightning_emorec.training.csv_logger.MetricsCsv": "lightning_emorec.loggers.metrics_csv.MetricsCsv",
    "lightning_emorec.training.wandb_run.WandbRun": "lightning_emorec.loggers.WandbRun",
}
"""Old class path -> current class path. A class with a new name needs a row for its short name too."""


def current_class_path(text: str) -> str:
    """The current class path if `text` is one of an earlier version; else the unchanged text."""
    return RENAMED.get(text, text)


def with_current_class_paths(args: list[str]) -> list[str]:
    """A command line with `current_class_path` applied to each VALUE and each --flag=VALUE."""
    return ["".join(map(current_class_path, arg.rpartition("="))) for arg in args]
