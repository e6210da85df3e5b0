import pytest

from lightning_emorec.corpora import Iemocap
from lightning_emorec.errors import EmorecError

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"
TURNS = [
    "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]",
    "C-E2:\tNeutral;\t()",
    "",
    "[10.0100 - 11.3925]\tSes01F_impro01_M001\tfru\t[2.5000, 2.5000, 2.5000]",
    "[14.8872 - 18.0175]\tSes01F_impro01_F001\txxx\t[2.5000, 2.5000, 2.5000]",
    "[19.2900 - 20.7875]\tSes01F_impro01_MXX0\texc\t[2.5000, 3.0000, 3.0000]",
]


@pytest.fixture
def root(tmp_path):
    dialog = tmp_path / "Session1" / "dialog"
    for name in ("EmoEvaluation", "transcriptions"):
        (dialog / name).mkdir(parents=True)
    (dialog / "EmoEvaluation" / "Ses01F_impro01.txt").write_text("\n".join([HEADER, "", *TURNS, ""]))
    said = "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\nSes01F_impro01_M001 [010.0100-011.3925]: Yeah.\n"
    (dialog / "transcriptions" / "Ses01F_impro01.txt").write_text(said)
    return tmp_path


def test_turns_are_listed_with_speaker_emotion_and_text(root):
    wav = root / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    clips = Iemocap(str(root)).clips()
    assert [(clip.id, clip.actor, clip.labels, clip.text) for clip in clips] == [
        ("Ses01F_impro01_F000", "Ses01F", {"emotion": "neutral", "sex": "female"}, "Excuse me."),
        ("Ses01F_impro01_M001", "Ses01M", {"emotion": "frustrated", "sex": "male"}, "Yeah."),
        ("Ses01F_impro01_MXX0", "Ses01M", {"emotion": "excited", "sex": "male"}, None),
    ]
    assert clips[0].path == wav / "Ses01F_impro01_F000.wav"


def test_emotions_can_be_mapped(root):
    corpus = Iemocap(str(root), {"excited": "happy", "frustrated": None})
    assert [clip.labels["emotion"] for clip in corpus.clips()] == ["neutral", "happy"]


def test_an_unknown_emotion_and_an_absent_corpus_are_refused(root, tmp_path):
    file = root / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    file.write_text(file.read_text().replace("\tneu\t", "\tbor\t"))
    with pytest.raises(EmorecError, match="bor of Ses01F_impro01_F000"):
        Iemocap(str(root)).clips()
    with pytest.raises(EmorecError, match=r"no folder .*EMOREC_IEMOCAP_ROOT"):
        Iemocap(str(tmp_path / "none")).clips()
