"""Emotion in recordings by a trained model. Nothing here imports torch but `torch_model`."""
