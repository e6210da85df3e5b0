from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser
from lightning.pytorch import Callback

from lightning_emorec import config_loader  # noqa: F401 - sets the loader
from lightning_emorec.renamed import RENAMED, current_class_path, with_current_class_paths
from lightning_emorec.runs.overrides import take_flags

OLD = "lightning_emorec.training.AveragedWeights"
NEW = "lightning_emorec.callbacks.AveragedWeights"


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_the_class_of_every_row_is_there_and_has_the_name_of_its_new_path(old: str, new: str) -> None:
    module, _, name = new.rpartition(".")
    found = getattr(import_module(module), name)
    assert (isinstance(found, type), found.__name__) == (True, name)
    assert found.__module__.startswith(module)
    assert new not in RENAMED  # one step from any version to today


@pytest.mark.parametrize("old", [old for old in RENAMED if "." in old])
def test_no_old_path_is_still_there(old: str) -> None:
    module, _, name = old.rpartition(".")
    with pytest.raises((ModuleNotFoundError, AttributeError)):
        getattr(import_module(module), name)


def test_a_class_path_that_is_not_in_the_table_is_left_as_it_is() -> None:
    assert current_class_path("my.training.AveragedWeights") == "my.training.AveragedWeights"


def test_values_on_the_command_line_are_replaced_alone_and_after_an_equals_sign() -> None:
    args = ["fit", "--trainer.callbacks+", OLD, f"--trainer.callbacks+={OLD}", f"--name=about {OLD}"]
    assert with_current_class_paths(args) == [
        *("fit", "--trainer.callbacks+", NEW, f"--trainer.callbacks+={NEW}", f"--name=about {OLD}")
    ]


@pytest.mark.parametrize("form", [f"[{{class_path: {OLD}, init_args: {{decay: 0.5}}}}]", "callbacks.yaml"])
def test_class_paths_in_values_and_in_files_are_replaced(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("callbacks.yaml").write_text(f"- class_path: {OLD}\n  init_args: {{decay: 0.5}}\n")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--callbacks", type=list[Callback], sub_configs=True)
    (found,) = parser.parse_args([f"--callbacks={form}"]).callbacks
    assert (found.class_path, found.init_args.decay) == (NEW, 0.5)


def test_class_paths_in_overrides_of_branches_are_replaced() -> None:
    flag = f"--model.init_args.overrides.audio.trainer.callbacks=[{{class_path: {OLD}}}]"
    assert take_flags([flag])[1].branches == {"audio.trainer.callbacks": [{"class_path": NEW}]}
