"""File names of published corpora, listed as the configs describe them."""

import os
from pathlib import Path

import jsonargparse
import pytest

from lightning_emorec.corpora import Corpus, NamedFiles
from lightning_emorec.errors import EmorecError
from tests.conftest import CONFIGS

TASKS = {"mood": ["up", "down"]}
PATTERN = r"(?P<actor>\d)_(?P<mood>\w+)\.wav"


def touched(root: Path, *names: str) -> str:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return str(root)


def published(name: str, root: Path) -> Corpus:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--corpus", type=Corpus, sub_configs=True)
    args = [f"--corpus={CONFIGS / 'corpus' / name}.yaml", f"--corpus.root={root}"]
    return parser.instantiate(parser.parse_args(args)).corpus


CASES = {
    "crema_d": {
        "1001_DFA_ANG_XX.wav": ("1001", {"emotion": "angry"}, "Don't forget a jacket"),
        "1091_IEO_NEU_HI.wav": ("1091", {"emotion": "neutral", "intensity": "high"}, "It's eleven o'clock"),
        "1040_ITH_SAD_X.wav": ("1040", {"emotion": "sad"}, "I think I have a doctor's appointment"),
    },
    "tess": {
        "OAF_Fear/OAF_back_fear.wav": ("OA", {"emotion": "fearful"}, None),
        "YAF_pleasant_surprised/YAF_bar_ps.wav": ("YA", {"emotion": "surprised"}, None),
        "OAF_neutral/OA_bite_neutral.wav": ("OA", {"emotion": "neutral"}, None),
    },
    "savee": {
        "AudioData/DC/sa03.wav": ("DC", {"emotion": "sad"}, None),
        "AudioData/JK/a01.wav": ("JK", {"emotion": "angry"}, None),
        "KL_su15.wav": ("KL", {"emotion": "surprised"}, None),
    },
    "emo_db": {
        "wav/03a01Fa.wav": (
            "03",
            {"emotion": "happy", "sex": "male"},
            "Der Lappen liegt auf dem Eisschrank.",
        ),
        "wav/16b10Lb.wav": (
            "16",
            {"emotion": "bored", "sex": "female"},
            "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
        ),
    },
    "esd": {
        "0001/Angry/0001_000351.wav": ("0001", {"emotion": "angry"}, None),
        "0011/Surprise/train/0011_001425.wav": ("0011", {"emotion": "surprised"}, None),
    },
    "nemo": {
        "samples/EB0_anger_1.wav": ("EB0", {"emotion": "angry", "sex": "female"}, None),
        "samples/WR0_surprised_2.wav": ("WR0", {"emotion": "surprised", "sex": "male"}, None),
    },
}


@pytest.mark.parametrize("name", CASES)
def test_a_published_corpus_is_listed_by_its_config(name, tmp_path):
    expected = CASES[name]
    clips = published(name, Path(touched(tmp_path, *expected))).clips()
    found = {clip.path.relative_to(tmp_path).as_posix(): clip for clip in clips}
    assert {path: (of.actor, of.labels, of.text or None) for path, of in found.items()} == expected


def test_real_clips_of_nemo_are_listed():
    root = Path(os.environ.get("EMOREC_NEMO_ROOT", "data/nemo"))
    if not root.is_dir():
        pytest.skip(f"no nEMO in {root}: set EMOREC_NEMO_ROOT")
    clips = published("nemo", root).clips()
    assert {clip.actor for clip in clips} == {"EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0"}
    assert {clip.labels["emotion"] for clip in clips} == {*published("nemo", root).tasks["emotion"]}
    assert all(set(clip.labels) == {"emotion", "sex"} for clip in clips)


def test_a_nested_copy_and_other_names_are_passed_over_with_a_warning(tmp_path, caplog):
    root = touched(tmp_path, "1_up.wav", "copy/1_up.wav", "noise.wav", "notes.txt", ".hidden/2_up.wav")
    (clip,) = NamedFiles(root, PATTERN, TASKS).clips()
    assert (clip.id, clip.path) == ("1_up.wav", tmp_path / "1_up.wav")
    told = caplog.text
    assert all(said in told for said in ("1 of 3 sound files", "noise.wav", "copy/1_up.wav"))


def test_null_leaves_a_clip_out(tmp_path):
    root = touched(tmp_path, "1_up.wav", "1_odd.wav")
    assert [clip.id for clip in NamedFiles(root, PATTERN, TASKS, {"odd": None}).clips()] == ["1_up.wav"]


def test_an_unknown_label_is_refused(tmp_path):
    with pytest.raises(EmorecError, match=r"mood to be one of up, down.*'odd' in row 1"):
        NamedFiles(touched(tmp_path, "1_odd.wav"), PATTERN, TASKS).clips()


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(EmorecError, match=r"found none; set --data.corpus.root"):
        NamedFiles(str(tmp_path), PATTERN, TASKS).clips()


@pytest.mark.parametrize("pattern", ["(", r"(?P<actor>\d)\.wav"])
def test_a_pattern_that_cannot_be_is_refused(pattern):
    with pytest.raises(EmorecError, match=r"--data.corpus.pattern"):
        NamedFiles("nowhere", pattern, TASKS)
