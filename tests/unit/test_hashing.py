from __future__ import annotations

import hashlib
import os
from pathlib import Path

from lightning_emorec.hashing import sha256, sha256_of, short_hash


def test_a_short_hash_is_that_of_the_json_text_with_sorted_keys() -> None:
    text = b'{"a": [1, null], "b": "\\u00fc"}'
    assert short_hash({"b": "ü", "a": (1, None)}) == hashlib.sha256(text).hexdigest()[:16]
    assert short_hash(text, digits=12) == hashlib.sha256(text).hexdigest()[:12]


def test_hashes_that_name_folders_and_caches_stay_as_they_were_in_version_0_1() -> None:
    assert short_hash({"source": "reference"}, digits=12) == "66d3e2561f1c"
    assert short_hash([[("pitch", ["low"])], [["a", "1", [], "", ""]]]) == "8ff6608a52bb2c7a"


def test_a_file_is_hashed_again_when_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    assert sha256(file) == sha256_of(file) == hashlib.sha256(b"one").hexdigest()
    file.write_bytes(b"other")
    os.utime(file, ns=(1, 1))
    assert sha256(file) == hashlib.sha256(b"other").hexdigest()
