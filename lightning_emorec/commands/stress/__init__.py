"""Evaluation of a finished run on degraded audio, and with a modality missing."""
