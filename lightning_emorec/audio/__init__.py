"""Any audio file as mono float32 at one rate, decoded once and kept."""

from lightning_emorec.audio.decode import decode
from lightning_emorec.audio.digests import DigestIndex
from lightning_emorec.audio.entry import as_stored
from lightning_emorec.audio.front_end import FrontEnd
from lightning_emorec.audio.paths import paths_of, tell_skipped, with_audio
from lightning_emorec.audio.shape import center_crop, loud_span, random_crop, trim_silence
from lightning_emorec.audio.store import AudioStore, default_cache_folder

__all__ = [
    "AudioStore",
    "DigestIndex",
    "FrontEnd",
    "as_stored",
    "center_crop",
    "decode",
    "default_cache_folder",
    "loud_span",
    "paths_of",
    "random_crop",
    "tell_skipped",
    "trim_silence",
    "with_audio",
]
