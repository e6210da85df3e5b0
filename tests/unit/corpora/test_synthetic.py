import hashlib
import wave
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lightning_emorec.corpora import Synthetic, synthetic
from lightning_emorec.corpora.phones import STATEMENTS
from lightning_emorec.errors import EmorecError


def made(root: Path, **options: int) -> Synthetic:
    corpus = Synthetic(str(root), **{"actors": 2, "repetitions": 1, **options})
    corpus.prepare()
    return corpus


def digests(corpus: Synthetic) -> dict[str, str]:
    return {clip.id: hashlib.sha256(clip.path.read_bytes()).hexdigest() for clip in corpus.clips()}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Synthetic:
    return made(tmp_path_factory.mktemp("synthetic"))


def test_the_same_arguments_give_the_same_bytes(tiny, tmp_path):
    assert digests(made(tmp_path)) == digests(tiny)


def test_another_seed_gives_other_audio(tiny, tmp_path):
    assert not set(digests(made(tmp_path, seed=1)).values()) & set(digests(tiny).values())


def test_more_actors_and_repetitions_leave_the_clips_as_they_are(tiny, tmp_path):
    assert digests(tiny).items() <= digests(made(tmp_path, actors=3, repetitions=2)).items()


def test_each_actor_says_each_emotion_equally_often(tiny):
    counts = Counter((clip.actor, clip.labels["emotion"]) for clip in tiny.clips())
    assert counts == {(actor, emotion): 2 for actor in "12" for emotion in tiny.tasks["emotion"]}


def test_no_two_clips_have_one_name():
    for seed in range(10):
        names = list(Synthetic(actors=12, repetitions=2, seed=seed)._names())
        assert len(set(names)) == len(names) == 384


def test_neutral_is_never_strong_and_others_are_half_the_time(tiny):
    counts = Counter((clip.labels["emotion"] == "neutral", clip.labels["intensity"]) for clip in tiny.clips())
    assert counts == {(True, "normal"): 4, (False, "normal"): 14, (False, "strong"): 14}


def test_the_text_is_the_statement_of_the_name(tiny):
    for clip in tiny.clips():
        assert clip.text == STATEMENTS[int(clip.id.split("-")[4]) - 1].text


def test_files_are_16_khz_mono_16_bit_of_one_to_four_seconds_and_not_clipped(tiny):
    for clip in tiny.clips():
        with wave.open(str(clip.path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
            assert 1.0 < file.getnframes() / 16_000 < 4.0
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        assert 300 < np.abs(samples).max() < 32_767


def test_an_emotion_prefers_its_sentence_but_says_every_other():
    texts = Counter(
        (name.emotion, name.statement)
        for seed in range(10)
        for name in Synthetic(actors=12, repetitions=2, seed=seed)._names()
    )
    angry = [texts["angry", number + 1] / 480 for number in range(len(STATEMENTS))]
    favourite = [statement.favoured_by for statement in STATEMENTS].index("angry")
    assert min(angry) > 0.04
    assert angry[favourite] == pytest.approx(max(angry))
    assert 0.2 < angry[favourite] < 0.36


def test_every_emotion_has_one_favourite_sentence():
    favoured = [statement.favoured_by for statement in STATEMENTS if statement.favoured_by]
    assert sorted(favoured) == sorted(Synthetic().tasks["emotion"])


def test_prepare_generates_once(tiny):
    before = {path: path.stat().st_mtime_ns for path in tiny.folder.rglob("*")}
    tiny.prepare()
    assert before == {path: path.stat().st_mtime_ns for path in tiny.folder.rglob("*")}


def test_an_interrupted_generation_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "speak", interrupt)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path)
    assert not list(tmp_path.iterdir())


def test_two_at_once_leave_one_whole_corpus(tiny, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: made(tmp_path), range(2))
    assert digests(first) == digests(second) == digests(tiny)
    assert [path.name for path in tmp_path.iterdir()] == [first.folder.name]


def test_other_arguments_have_another_folder(tiny):
    root = str(tiny.folder.parent)
    folders = {Synthetic(root, a, r, s).folder for a, r, s in [(2, 1, 0), (3, 1, 0), (2, 2, 0), (2, 1, 1)]}
    assert len(folders) == 4


def test_clips_that_were_not_generated_are_an_error(tmp_path):
    with pytest.raises(EmorecError, match=r"the generated clips; found no folder .*prepare"):
        Synthetic(str(tmp_path)).clips()


def test_a_removed_clip_is_named(tmp_path):
    corpus = made(tmp_path)
    corpus.clips()[3].path.unlink()
    with pytest.raises(
        EmorecError, match=r"the generated clip .*\.wav; found no such file; delete the folder"
    ):
        corpus.clips()


def test_a_file_in_the_way_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EmorecError, match=r"a folder .*file that can be written"):
        made(tmp_path / "file")


@pytest.mark.parametrize("options", [{"actors": 1}, {"actors": 100}, {"repetitions": 0}, {"seed": -1}])
def test_numbers_out_of_range_are_refused(options):
    (name,) = options
    with pytest.raises(EmorecError, match=f"expected {name} from .*set --data.corpus.{name}"):
        Synthetic(**options)
