"""Any recording as mono float32 at one rate: read in blocks, or decoded once and kept."""

from lightning_emorec.audio.counts import Counts, counted
from lightning_emorec.audio.decode import MonoReader, Note, decode, decode_and_note, mono_blocks
from lightning_emorec.audio.digests import DigestIndex
from lightning_emorec.audio.entry import as_stored
from lightning_emorec.audio.front_end import FrontEnd
from lightning_emorec.audio.paths import sound_of, sounds_of, tell_skipped, with_audio
from lightning_emorec.audio.reader import Recording, open_recording
from lightning_emorec.audio.shape import center_crop, loud_span, random_crop, trim_silence
from lightning_emorec.audio.store import AudioStore, default_cache_folder
from lightning_emorec.audio.stretch import FileOrStretch, Stretch, file_of

__all__ = [
    "AudioStore",
    "Counts",
    "DigestIndex",
    "FileOrStretch",
    "FrontEnd",
    "MonoReader",
    "Note",
    "Recording",
    "Stretch",
    "as_stored",
    "center_crop",
    "counted",
    "decode",
    "decode_and_note",
    "default_cache_folder",
    "file_of",
    "loud_span",
    "mono_blocks",
    "open_recording",
    "random_crop",
    "sound_of",
    "sounds_of",
    "tell_skipped",
    "trim_silence",
    "with_audio",
]
