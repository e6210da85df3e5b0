from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from lightning_emorec.locks import lock, try_lock


def test_a_lock_is_held_until_it_is_closed(tmp_path: Path) -> None:
    with lock(tmp_path / "new folder" / "lock"):
        assert try_lock(tmp_path / "new folder" / "lock") is None
    held = try_lock(tmp_path / "new folder" / "lock")
    assert held is not None
    held.close()


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    first = lock(tmp_path / "lock")
    threading.Timer(0.1, first.close).start()
    with lock(tmp_path / "lock"):
        assert first.closed


def test_a_child_that_inherits_the_descriptor_holds_the_lock_too(tmp_path: Path) -> None:
    held = lock(tmp_path / "lock")
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held.fileno()]
    )
    held.close()
    assert try_lock(tmp_path / "lock") is None
    child.communicate(b"\n")
    assert try_lock(tmp_path / "lock") is not None
