"""`fit`s in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from lightning_emorec.types import Stopped


def run_fit(config: Path, environment: Mapping[str, str]) -> int:
    """Run `fit --config` to its end.

    Returns:
        Its exit status.
    """
    command = [sys.executable, "-m", "lightning_emorec", "fit", "--config", str(config)]
    child = subprocess.Popen(command, env=dict(environment))
    try:
        return child.wait()
    except Stopped:
        child.terminate()  # a scheduler may have told this process alone
        child.wait()
        raise
    except KeyboardInterrupt:
        child.wait()  # Ctrl-C reached the child too: let it leave a checkpoint that can be read
        raise
