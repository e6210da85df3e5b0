from __future__ import annotations

from pathlib import Path

import pytest

from lightning_emorec.errors import EmorecError
from lightning_emorec.runs.leakage import known_training_overlap
from lightning_emorec.runs.pretraining import TABLE_VARIABLE, pretrained_parts, table


def branch(name: str, **init_args: str) -> dict[str, object]:
    return {"class_path": f"lightning_emorec.branches.{name}", "init_args": init_args}


def test_parts_are_found_by_hub_id_and_by_class_each_once() -> None:
    model = {
        "a": branch("WhisperStatistics"),
        "b": branch("TranscriptGru", transcript="whisper"),
        "c": branch("HubSpeech", weights="Microsoft/WavLM-large"),
        "d": branch("AudioCnn"),
    }
    found = pretrained_parts(model)
    assert list(found) == ["Whisper", "Microsoft/WavLM-large"]
    assert found["Whisper"].undisclosed
    assert "GigaSpeech" in found["Microsoft/WavLM-large"].data


def test_a_given_transcript_needs_no_whisper() -> None:
    assert not pretrained_parts(branch("TranscriptGru", transcript="reference"))


def test_no_two_rows_have_one_name_and_each_has_a_way_to_be_found() -> None:
    names = [part.name for part in table()]
    assert len(names) == len({*names})
    assert all(part.names or part.classes for part in table())


def test_a_users_file_adds_rows_and_corrects_those_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "- {name: ours, names: [us/*], data: our calls, corpora: [ManifestCorpus]}\n"
        "- {name: other, names: [microsoft/wavlm-large], data: something else}\n"
    )
    monkeypatch.setenv(TABLE_VARIABLE, str(file))
    assert pretrained_parts(branch("HubSpeech", weights="microsoft/wavlm-large")).popitem()[1].name == "other"
    model, corpus = branch("HubSpeech", weights="us/model"), {"class_path": "ManifestCorpus"}
    (warning,) = known_training_overlap(model, corpus)
    assert warning.startswith("us/model was trained on ManifestCorpus")


@pytest.mark.parametrize(
    "text", ["- {name: ours}", "ours", "- {name: a, data: b, corpus: [Ravdess]}", "a: ["]
)
def test_a_file_of_another_form_is_refused_by_name(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    monkeypatch.setenv(TABLE_VARIABLE, str(file))
    with pytest.raises(EmorecError, match=rf"own\.yaml.*correct the file that {TABLE_VARIABLE} names"):
        table()
