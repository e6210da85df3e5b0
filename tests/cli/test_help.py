"""What the command line says of itself."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from lightning_emorec import __main__ as program
from lightning_emorec import __version__
from lightning_emorec.__main__ import LIGHTNING_CLI, VERBS, main

HEAVY = {"torch", "lightning", "numpy", "jsonargparse", "yaml", "rich"}


def test_help_lists_every_verb_in_one_line_and_imports_nothing_heavy() -> None:
    imports = "import sys; from lightning_emorec.__main__ import main"
    code = f"{imports}; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    verbs = re.findall(r"^  (\w+)  +\S", done.stdout, flags=re.MULTILINE)
    assert (
        verbs
        == [
            "check",
            "fit",
            "validate",
            "test",
            "crossval",
            "compare",
            "stress",
            "sweep",
            "export",
            "push",
            "predict",
            "app",
        ]
        == list(VERBS)
    )
    assert "usage: python -m lightning_emorec" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert HEAVY.isdisjoint(done.stderr.split())


@pytest.mark.parametrize("args", [[], ["-h"], ["--help"]])
def test_no_argument_is_help(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(args)
    assert "verbs:" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"lightning-emorec {__version__}\n"


@pytest.mark.parametrize(
    ("verb", "fix"),
    [("croszval", "did you mean crossval?"), ("xyz", "see python -m lightning_emorec --help")],
)
def test_an_unknown_verb_lists_the_verbs(verb: str, fix: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--config", "configs/demo.yaml"])
    assert stop.value.code == 2
    expected = f"error: expected a verb among {', '.join(VERBS)}; found {verb}; {fix}\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_begins_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    first, _, usage, *rest = capsys.readouterr().out.splitlines()
    assert first == f"example: python -m lightning_emorec {verb} {VERBS[verb].example}"
    assert re.match(rf"usage: python -m lightning_emorec (\[options\] )?{verb} ", usage)
    assert "__main__.py" not in "".join(rest)


@pytest.mark.parametrize("verb", [name for name, verb in VERBS.items() if verb.function != LIGHTNING_CLI])
def test_the_example_of_a_verb_parses(verb: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    calls: list[dict[str, Any]] = []
    function = program._imported(VERBS[verb].function)

    @wraps(function)
    def recorded(**kwargs: Any) -> None:
        calls.append(kwargs)

    monkeypatch.setattr(program, "_imported", lambda _: recorded)
    main([verb, *VERBS[verb].example.split()])
    assert len(calls) == 1


def test_options_before_the_verb_are_lightning_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--print_config", "fit", "--config", "configs/none.yaml"])
    assert stop.value.code == 2
    assert "configs/none.yaml" in capsys.readouterr().err
