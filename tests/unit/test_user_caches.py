"""A user whom the system does not know: no HOME, no entry in the password file."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_emorec.errors import EmorecError, line_and_status
from lightning_emorec.user_caches import settle_user_caches

VARIABLES = ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME", "XDG_CACHE_HOME", "EMOREC_CACHE", "MPLCONFIGDIR")

AS_NOBODY = """
import pwd, sys
def no_entry(number): raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = no_entry
from lightning_emorec.__main__ import main
main(sys.argv[1:])
"""


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def no_entry(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that what is set here is undone
        monkeypatch.delenv(name)
    return monkeypatch


def unwritable(folder: Path) -> str:
    """A path below a file, where not even root can make a folder."""
    (folder / "file").touch()
    return str(folder / "file" / "below")


def test_with_a_home_nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("EMOREC_CACHE", str(tmp_path / "emorec"))
    before = dict(os.environ)
    settle_user_caches()
    assert dict(os.environ) == before
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("home", [None, "unwritable"])
def test_without_one_libraries_keep_theirs_in_the_folder_that_is_named(
    nobody: pytest.MonkeyPatch, tmp_path: Path, home: str | None
) -> None:
    if home:
        nobody.setenv("HOME", unwritable(tmp_path))
    nobody.setenv("EMOREC_CACHE", str(tmp_path / "emorec"))
    settle_user_caches()
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "emorec")
    assert os.environ["MPLCONFIGDIR"] == str(tmp_path / "emorec" / "matplotlib")
    assert os.environ["USER"] == f"user{os.getuid()}"


def test_what_is_set_for_libraries_stays(nobody: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {"XDG_CACHE_HOME": "xdg", "MPLCONFIGDIR": "plots", "EMOREC_CACHE": "emorec", "LOGNAME": "me"}
    for name, value in given.items():
        nobody.setenv(name, str(tmp_path / value))
    settle_user_caches()
    assert all(os.environ[name] == str(tmp_path / value) for name, value in given.items())
    assert "USER" not in os.environ


def test_a_folder_that_cannot_be_written_gives_way_to_another(
    nobody: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nobody.setenv("XDG_CACHE_HOME", unwritable(tmp_path))
    nobody.setenv("EMOREC_CACHE", str(tmp_path / "emorec"))
    settle_user_caches()
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "emorec")


def test_with_none_one_line_names_the_variable_to_set(nobody: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(EmorecError, match="found no home folder that can be written; set EMOREC_CACHE"):
        settle_user_caches()
    nobody.setenv("EMOREC_CACHE", unwritable(tmp_path))
    with pytest.raises(EmorecError, match=r"no home folder and EMOREC_CACHE=.*below that can be written"):
        settle_user_caches()


def test_a_path_with_a_tilde_and_no_home_is_told_in_one_line(nobody: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError) as caught:
        Path("~/recordings").expanduser()
    ending = line_and_status(caught.value)
    assert ending is not None
    assert "set HOME, or write the paths in full" in ending[0]


@pytest.mark.parametrize("named", [True, False])
def test_a_verb_runs_for_such_a_user_or_tells_what_to_set(tmp_path: Path, named: bool) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environment = {**kept, **({"EMOREC_CACHE": str(tmp_path / "cache")} if named else {})}
    command = [sys.executable, "-c", AS_NOBODY, "fit", "--config", "configs/demo.yaml", "--print_config"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == (0 if named else 2), done.stderr
    assert ("FusionModule" in done.stdout) is named
    assert ("set EMOREC_CACHE" in done.stderr) is not named
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "~").exists()
