from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lightning_emorec.errors import EmorecError
from lightning_emorec.export.check import Difference, require_equal
from lightning_emorec.export.folder import SUMS, add_checksums, whole_folder


def write_export(folder: Path, content: str) -> None:
    with whole_folder(folder) as written:
        (written / "model.onnx").write_text(content)
        add_checksums(written)


def test_an_earlier_export_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "exported"
    write_export(folder, "old")
    (folder / "README.md").touch()
    write_export(folder, "new")
    assert {path.name for path in folder.iterdir()} == {"model.onnx", SUMS}
    digest = hashlib.sha256(b"new").hexdigest()
    assert (folder / SUMS).read_text() == f"{digest}  model.onnx\n"
    assert [path.name for path in folder.parent.iterdir()] == ["exported"]


def test_an_interrupted_export_leaves_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    write_export(folder, "old")
    with pytest.raises(FileNotFoundError), whole_folder(folder) as written:
        (written / "absent.onnx").replace(written / "model.onnx")
    assert (folder / "model.onnx").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with (
        pytest.raises(EmorecError, match="which holds something else; name another FOLDER"),
        whole_folder(tmp_path),
    ):
        pass
    assert (tmp_path / "thesis.tex").is_file()


@pytest.mark.parametrize("value", [2e-4, float("inf")])
def test_a_difference_to_pytorch_is_refused_with_its_place(value: float) -> None:
    found = {"emotion": Difference(1e-6, "noise, alone"), "cnn.sex": Difference(value, "silence, in a batch")}
    with pytest.raises(EmorecError, match=r"of cnn\.sex on the clip 'silence, in a batch'"):
        require_equal(found)
