"""Speech emotion recognition for speakers never heard, in PyTorch Lightning."""

__version__ = "0.2.0"
