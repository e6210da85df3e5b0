from __future__ import annotations

import subprocess
import sys

HEAVY = {"torch", "pooch", "librosa", "scipy", "sklearn", "lightning", "av"}


def test_audio_is_imported_without_what_a_light_install_lacks() -> None:
    code = "import lightning_emorec.audio, sys; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(result.stdout.split())
