from __future__ import annotations

import csv
from pathlib import Path

import pytest

from lightning_emorec.corpora import Meld
from lightning_emorec.errors import EmorecError
from lightning_emorec.types import Clip

COLUMNS = ["Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"]
DIALOGUE = [
    ("Where is it?", "Ross", "neutral", "neutral", 0, 0),
    ("Here.", "Joey", "neutral", "neutral", 0, 1),
    ("Oh my God!", "Ross", "surprise", "positive", 0, 2),
    ("Hello.", "Monica", "joy", "positive", 7, 0),
]
Utterance = tuple[str, str, str, str, int, int]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for part in ("train", "dev", "test"):
        write(tmp_path, part, DIALOGUE)
    return tmp_path


def write(root: Path, part: str, rows: list[Utterance], encoding: str = "utf8") -> None:
    with (root / f"{part}_sent_emo.csv").open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows((number, *row) for number, row in enumerate(rows))


def texts(corpus: Meld, part: str = "train") -> dict[str, str | None]:
    return {clip.id.removeprefix("train_"): clip.text for clip in corpus.clips() if clip.part == part}


def said(root: Path, text: str, encoding: str = "utf8") -> str | None:
    write(root, "train", [(text, "Ross", "joy", "positive", 0, 0)], encoding)
    return texts(Meld(str(root)))["dia0_utt0"]


def test_an_utterance_is_a_clip_without_audio(root: Path) -> None:
    clips = {clip.id: clip for clip in Meld(str(root)).clips()}
    assert clips["dev_dia0_utt2"] == Clip(
        "dev_dia0_utt2", "Ross", None, {"emotion": "surprise", "sentiment": "positive"}, "Oh my God!", "val"
    )
    assert {clip.part for clip in clips.values()} == {"train", "val", "test"}
    assert len(clips) == 12


def test_context_is_what_went_before_in_the_same_dialogue(root: Path) -> None:
    assert texts(Meld(str(root), context_turns=1)) == {
        "dia0_utt0": "Where is it?",
        "dia0_utt1": "Where is it? [SEP] Here.",
        "dia0_utt2": "Here. [SEP] Oh my God!",
        "dia7_utt0": "Hello.",
    }
    assert texts(Meld(str(root), context_turns=9))["dia0_utt2"] == "Where is it? [SEP] Here. [SEP] Oh my God!"


def test_context_follows_the_numbers_of_the_utterances_and_not_the_rows(root: Path) -> None:
    write(root, "train", DIALOGUE[::-1])
    assert texts(Meld(str(root), context_turns=1))["dia0_utt1"] == "Where is it? [SEP] Here."


def test_control_characters_that_were_windows_quotes_are_quotes_again(root: Path) -> None:
    assert said(root, "I didn\x92t\x85 \x93no\x94\xa0\x81way ") == "I didn’t… “no” way"


def test_a_file_in_windows_own_encoding_is_read(root: Path) -> None:
    assert said(root, "I didn’t — café", encoding="cp1252") == "I didn’t — café"


def test_a_byte_order_mark_does_no_harm(root: Path) -> None:
    assert said(root, "Hello, “you”", encoding="utf-8-sig") == "Hello, “you”"


def test_an_utterance_may_hold_commas_quotes_and_line_breaks(root: Path) -> None:
    assert said(root, 'He said, "no,\nnever"') == 'He said, "no, never"'


def test_with_audio_each_clip_has_its_file_and_the_others_have_none(root: Path) -> None:
    for name in ("train/dia0_utt0.wav", "train/sub/dia0_utt2.FLAC", "dev/dia0_utt1.mp4", "dev/dia7_utt0.wav"):
        (root / "audio" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "audio" / name).touch()
    corpus = Meld(str(root), audio=str(root / "audio"), context_turns=1)
    clips = corpus.clips()
    assert {clip.id: clip.path for clip in clips if clip.path} == {
        "train_dia0_utt0": root / "audio/train/dia0_utt0.wav",
        "train_dia0_utt2": root / "audio/train/sub/dia0_utt2.FLAC",
        "dev_dia7_utt0": root / "audio/dev/dia7_utt0.wav",
    }
    assert texts(corpus)["dia0_utt2"] == "Here. [SEP] Oh my God!"
    assert len([clip for clip in clips if clip.path is None]) == 9


def test_a_folder_without_any_of_the_audio_is_refused(root: Path) -> None:
    with pytest.raises(EmorecError, match=r"files such as train/dia0_utt0\.wav in .*nowhere; found none"):
        Meld(str(root), audio=str(root / "nowhere")).clips()


def test_the_root_can_come_from_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOREC_MELD_ROOT", str(root))
    assert len(Meld().clips()) == 12


def test_an_absent_file_is_named_with_where_to_get_it(root: Path) -> None:
    (root / "dev_sent_emo.csv").unlink()
    with pytest.raises(EmorecError, match=r"declare-lab/MELD.*dev_sent_emo\.csv: No such file"):
        Meld(str(root)).clips()


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (("Hi.", "Ross", "bliss", "positive", 9, 0), r"emotion to be one of neutral, .*'bliss' in row 2 of"),
        (("Hi.", "Ross", "joy", "good", 9, 0), "sentiment to be one of .*'good' in row 2"),
        (("Hi.", "Ross", "joy", "positive", "x", 0), "numbers as Dialogue_ID and Utterance_ID.* in row 2"),
    ],
)
def test_a_bad_row_is_refused_by_its_number(root: Path, row: Utterance, complaint: str) -> None:
    write(root, "train", [row])
    with pytest.raises(EmorecError, match=complaint) as caught:
        Meld(str(root)).clips()
    assert "\n" not in str(caught.value)


def test_an_utterance_that_is_there_twice_is_refused(root: Path) -> None:
    write(root, "train", [DIALOGUE[0], DIALOGUE[0]])
    with pytest.raises(EmorecError, match="each utterance once; found dia0_utt0 again in row 3"):
        Meld(str(root)).clips()


def test_a_row_that_breaks_off_is_refused(root: Path) -> None:
    with (root / "train_sent_emo.csv").open("a") as file:
        file.write("5,broken")
    with pytest.raises(EmorecError, match="a value in each column; found fewer in row 6"):
        Meld(str(root)).clips()


def test_a_file_without_the_columns_is_refused(root: Path) -> None:
    (root / "train_sent_emo.csv").write_text("text,who\nHi,Ross\n")
    with pytest.raises(EmorecError, match=r"the column Utterance, Speaker, .* found text, who"):
        Meld(str(root)).clips()


def test_a_negative_context_is_refused() -> None:
    with pytest.raises(EmorecError, match="context_turns of 0 or more; found -1"):
        Meld(context_turns=-1)


def test_emotions_can_have_other_names_and_sentiments_stay(root: Path) -> None:
    corpus = Meld(str(root), labels={"joy": "happy", "neutral": None})
    assert corpus.tasks["emotion"] == ["happy", "sadness", "anger", "surprise", "fear", "disgust"]
    assert corpus.tasks["sentiment"] == ["negative", "neutral", "positive"]
    assert {clip.labels["emotion"] for clip in corpus.clips()} == {"happy", "surprise"}
