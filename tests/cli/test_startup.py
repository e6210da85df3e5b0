"""What a verb imports: a process that was started anew is asked, since that of the tests has imported everything."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_emorec.__main__ import LIGHTNING_CLI, VERBS, _imported

HEAVY = ("torch", "lightning", "transformers", "scipy", "matplotlib", "sklearn", "pandas", "audiomentations")
"""Packages whose import takes half a second or more."""

OWN_VERBS = [name for name, verb in VERBS.items() if verb.function != LIGHTNING_CLI]

CODE = f"""
import sys
from lightning_emorec.__main__ import main
try:
    main(sys.argv[1:])
finally:
    print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


def imported(folder: Path, *args: str) -> list[str]:
    """The heavy packages that a command has imported by its end."""
    command = [sys.executable, "-c", CODE, *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1].split()


@pytest.mark.parametrize("verb", OWN_VERBS)
def test_the_help_of_a_verb_imports_no_heavy_package(verb: str, tmp_path: Path) -> None:
    assert imported(tmp_path, verb, "--help") == []


def test_runs_are_compared_without_torch(tmp_path: Path) -> None:
    for run, p_sad in (("even", 0.6), ("odd", 0.4)):
        predicted = "sad" if p_sad > 0.5 else "calm"
        rows = [
            f"{actor}-{label},{actor},test,emotion,{label},{predicted},{1 - p_sad},{p_sad}"
            for actor in "1234"
            for label in ("calm", "sad")
        ]
        text = "\n".join(["clip,actor,split,task,label,predicted,p_calm,p_sad", *rows])
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "predictions.csv").write_text(f"{text}\n", encoding="utf8")
    assert imported(tmp_path, "compare", "even", "odd") == ["scipy", "matplotlib"]
    assert (tmp_path / "compare.html").is_file()


def test_an_import_that_fails_leaves_garbage_collection_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_verb.py").write_text("import gc\nraise ImportError(str(gc.isenabled()))\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="False"):
        _imported("broken_verb:verb")
    assert gc.isenabled()
