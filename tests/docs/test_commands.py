"""Every command in README.md and the documents: its verb takes the flags, and what it names is there."""

from __future__ import annotations

import re
import shutil
import tomllib
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from lightning_emorec import __main__ as program
from lightning_emorec.__main__ import LIGHTNING_CLI, VERBS, main
from tests.docs.commands import ROOT, Command, commands, commands_of, verb_of

COMMANDS = commands()
RUN = list({tuple(verb): command for command in COMMANDS if (verb := verb_of(command))}.values())
"""Commands of this package, each once."""

NEWCOMER = ROOT / "tests" / "contract" / "newcomer"
ELSEWHERE = {
    *(
        "cat",
        "cp",
        "export",
        "git",
        "head",
        "python3",
        "sbatch",
        "sha256sum",
        "source",
        "srun",
        "tar",
        "wandb",
    ),
    ".venv/bin/pre-commit",
}
"""Programs whose arguments are not looked at."""

USERS = {"my_corpus.yaml": "manifest", "shared.yaml": "joined", "nemo.yaml": "manifest"}
"""A user's file -> the config in `configs/corpus` that stands for it."""


@pytest.fixture(autouse=True)
def _in_the_folder_of_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, corpus in USERS.items():
        shutil.copy(ROOT / "configs" / "corpus" / f"{corpus}.yaml", tmp_path / name)
    for file in NEWCOMER.iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


def parse_fit(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Parse as `fit` does, up to the printing of the config."""
    with pytest.raises(SystemExit) as stop:
        main(["fit", *args, "--print_config"])
    assert stop.value.code == 0, capsys.readouterr().err


def without(flag: str, args: list[str]) -> list[str]:
    """Arguments without a flag and its value."""
    return args if flag not in args else [*args[: args.index(flag)], *args[args.index(flag) + 2 :]]


@pytest.mark.parametrize("command", RUN, ids=str)
def test_the_verb_takes_the_flags(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, *args = verb_of(command) or []
    if name == "--version" or "--help" in args or args[:1] == ["..."]:
        return
    if VERBS[name].function == LIGHTNING_CLI:
        # `validate` and `test` take the config in the checkpoint: that of the default stands for it.
        config = [] if "--config" in args else ["--config", "configs/fused.yaml"]
        parse_fit([*config, *without("--ckpt_path", args)], capsys)
        return
    calls: list[dict[str, Any]] = []
    function = program._imported(VERBS[name].function)
    with monkeypatch.context() as patch:
        patch.setattr(program, "_imported", lambda _: wraps(function)(lambda **given: calls.append(given)))
        main([name, *args])
    (given,) = calls
    if given.get("fit_args"):
        parse_fit(["--config", given.get("config", "configs/fused.yaml"), *given["fit_args"]], capsys)


@pytest.mark.parametrize("command", [one for one in COMMANDS if verb_of(one) is None], ids=str)
def test_what_another_command_names_exists(command: Command) -> None:
    first, *words = command.words
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    if first == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf8")
        assert re.search(rf"^{words[0]}:", makefile, flags=re.MULTILINE)
    elif first == "pip":
        extras = {name for found in re.findall(r"\[([\w,]+)\]", " ".join(words)) for name in found.split(",")}
        assert extras <= {*project["optional-dependencies"], "signatures"}
        assert "-c" not in words or (ROOT / words[words.index("-c") + 1]).is_file()
    elif first.endswith("python"):
        script = next(word for word in words if not word.startswith("-"))
        assert script == "pytest" or (ROOT / script).is_file()
    else:
        assert first in ELSEWHERE or first == "hf"


@pytest.mark.parametrize(
    "page", ["README.md", "docs/index.md", "docs/tutorials/crossval.md", "docs/sweeps.md"]
)
def test_commands_are_found_on_a_page(page: str) -> None:
    assert any(command.page == page for command in RUN)


def test_a_block_is_read_as_a_shell_reads_it() -> None:
    block = 'x="python -m y"; z=a.yaml\n$x fit --config $z \\\n    --n 1   # why\nA=1 make demo > log\n'
    assert commands_of(block) == [
        ("python", "-m", "y", "fit", "--config", "a.yaml", "--n", "1"),
        ("make", "demo"),
    ]
    assert commands_of("$ a b\nprinted\n", prompted=True) == [("a", "b")]


def test_a_flag_that_does_not_exist_is_found_out(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AssertionError, match="trainer"):
        parse_fit(["--config", "configs/demo.yaml", "--trainer.epochs", "3"], capsys)
