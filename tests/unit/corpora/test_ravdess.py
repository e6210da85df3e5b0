import logging
from pathlib import Path

import pytest

from lightning_emorec.corpora import Ravdess
from lightning_emorec.errors import EmorecError

STEM = "03-01-05-02-01-01-03"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    add(tmp_path, f"Actor_03/{STEM}.wav")
    return tmp_path


def add(root: Path, name: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_clip_carries_what_its_name_says(root):
    (clip,) = Ravdess(str(root)).clips()
    assert clip.id == STEM
    assert clip.actor == "3"
    assert clip.path == root / f"Actor_03/{STEM}.wav"
    assert clip.labels == {"emotion": "angry", "intensity": "strong", "sex": "male"}
    assert clip.text == "Kids are talking by the door"


def test_the_second_statement_has_its_text(tmp_path):
    add(tmp_path, "03-01-05-02-02-01-03.wav")
    assert Ravdess(str(tmp_path)).clips()[0].text == "Dogs are sitting by the door"


def test_clips_are_found_at_any_depth_in_either_format(root):
    add(root, "a/b/Actor_04/03-01-01-01-01-01-04.FLAC")
    add(root, "03-01-01-01-01-01-01.wav")
    assert [clip.actor for clip in Ravdess(str(root)).clips()] == ["1", "4", "3"]


def test_song_video_other_files_and_hidden_ones_are_passed_over(root):
    for name in ("03-02-05-02-01-01-03.wav", "01-01-05-02-01-01-03.wav", "notes.txt", "__MACOSX/._x.wav"):
        add(root, name)
    add(root, ".unpacking/Actor_04/03-01-01-01-01-01-04.wav")
    assert [clip.id for clip in Ravdess(str(root)).clips()] == [STEM]


def test_a_malformed_sound_file_is_named(root):
    add(root, "Actor_03/take one.wav")
    with pytest.raises(EmorecError, match=r"take one\.wav; rename the file"):
        Ravdess(str(root)).clips()


def test_of_a_nested_second_copy_the_outer_one_counts_with_one_warning(root, caplog):
    add(root, f"Actor_03/audio_speech_actors_01-24/Actor_03/{STEM}.wav")
    corpus = Ravdess(str(root))
    with caplog.at_level(logging.WARNING):
        corpus.clips()
        (clip,) = corpus.clips()
    assert clip.path == root / f"Actor_03/{STEM}.wav"
    assert [record.getMessage()[:23] for record in caplog.records] == ["1 clips are there twice"]


def test_the_environment_names_the_root_unless_the_config_does(root, tmp_path, monkeypatch):
    monkeypatch.setenv("EMOREC_RAVDESS_ROOT", str(root))
    assert Ravdess().root == root
    assert Ravdess("elsewhere").root == Path("elsewhere")
    monkeypatch.delenv("EMOREC_RAVDESS_ROOT")
    assert Ravdess().root == Path("data/ravdess")


def test_an_absent_root_is_told(tmp_path):
    with pytest.raises(EmorecError, match=r"found no such folder; .*EMOREC_RAVDESS_ROOT"):
        Ravdess(str(tmp_path / "nowhere")).clips()


def test_without_permission_to_download_an_empty_root_is_an_error(tmp_path):
    with pytest.raises(EmorecError, match=r"found none; set --data\.corpus\.download true"):
        Ravdess(str(tmp_path), download=False).prepare()
    assert not list(tmp_path.iterdir())


def test_prepare_leaves_a_root_with_clips_alone(root):
    Ravdess(str(root), download=True).prepare()
    assert [path.name for path in root.iterdir()] == ["Actor_03"]


def test_folders_of_actors_may_be_links(tmp_path):
    clip = add(tmp_path / "elsewhere", "Actor_01/03-01-05-01-01-01-01.wav")
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "Actor_01").symlink_to(clip.parent, target_is_directory=True)
    assert [clip.id for clip in Ravdess(str(linked)).clips()] == ["03-01-05-01-01-01-01"]


def test_emotions_can_have_other_names_or_be_left_out(root):
    add(root, "Actor_03/03-01-02-01-01-01-03.wav")  # calm
    add(root, "Actor_03/03-01-08-01-01-01-03.wav")  # surprised
    corpus = Ravdess(str(root), labels={"calm": "neutral", "surprised": None, "angry": "anger"})
    assert corpus.tasks["emotion"] == ["neutral", "happy", "sad", "anger", "fearful", "disgust"]
    assert [clip.labels["emotion"] for clip in corpus.clips()] == ["neutral", "anger"]
    assert Ravdess(str(root)).tasks["emotion"][1] == "calm"


def test_labels_of_an_emotion_that_there_is_not_are_refused(root):
    with pytest.raises(EmorecError, match=r"labels of the emotions .*; found 'Calm' \(did you mean calm\?\)"):
        Ravdess(str(root), labels={"Calm": "neutral"})
