"""One body over every corpus: a new one needs a line in `BUILD` and a file in configs/corpus."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path

import jsonargparse
import pytest
import yaml

from lightning_emorec import corpora
from lightning_emorec.corpora import (
    AudformatDatabase,
    Corpus,
    Iemocap,
    JoinedCorpora,
    KaldiFolder,
    ManifestCorpus,
    Meld,
    NamedFiles,
    ParquetFiles,
    Ravdess,
    Synthetic,
)
from lightning_emorec.corpora.naming import RavdessName

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "corpus"


def build_ravdess(root: Path) -> Corpus:
    for actor in (1, 2):
        for emotion in ("calm", "angry"):
            name = RavdessName(emotion, "strong", statement=1, repetition=1, actor=actor)
            path = root / f"Actor_{actor:02d}" / f"{name.stem}.wav"
            path.parent.mkdir(exist_ok=True)
            path.touch()
    return Ravdess(str(root))


def build_manifest(root: Path) -> Corpus:
    rows = ["path,actor,mood"]
    for number in range(4):
        (root / f"{number}.flac").touch()
        rows.append(f"{number}.flac,actor {number % 2},{'up' if number < 2 else ''}")
    (root / "clips.csv").write_text("\n".join(rows))
    return ManifestCorpus(str(root / "clips.csv"), {"mood": ["up", "down"]})


def build_meld(root: Path) -> Corpus:
    header = "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID"
    for part in ("train", "dev", "test"):
        rows = [header, f"What?,{part},surprise,negative,0,0", "Oh.,Monica,neutral,neutral,0,1"]
        (root / f"{part}_sent_emo.csv").write_text("\n".join(rows))
        (root / part).mkdir()
        for turn in range(2):
            (root / part / f"dia0_utt{turn}.wav").touch()
    return Meld(str(root), audio=str(root))


def build_named_files(root: Path) -> Corpus:
    for name in ("1/up.wav", "1/down.wav", "2/up.wav"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    return NamedFiles(str(root), r"(?P<actor>\d)/(?P<mood>up|down)\.wav", {"mood": ["up", "down"]})


def build_iemocap(root: Path) -> Corpus:
    session = root / "Session1"
    turns = {"Ses01F_impro01_F000": "neu", "Ses01F_impro01_M000": "hap"}
    wav, dialog = session / "sentences/wav/Ses01F_impro01", session / "dialog/EmoEvaluation"
    for folder in (wav, dialog):
        folder.mkdir(parents=True)
    rows = [f"[6.2901 - 8.2357]\t{turn}\t{code}\t[2.5, 2.5, 2.5]\n" for turn, code in turns.items()]
    (dialog / "Ses01F_impro01.txt").write_text("\n".join(rows))
    for turn in turns:
        (wav / f"{turn}.wav").touch()
    return Iemocap(str(root))


def build_kaldi(root: Path) -> Corpus:
    for key in ("a1", "b1"):
        (root / f"{key}.wav").touch()
    (root / "wav.scp").write_text(f"a1 {root}/a1.wav\nb1 {root}/b1.wav\n")
    (root / "utt2spk").write_text("a1 a\nb1 b\n")
    (root / "utt2mood").write_text("a1 up\nb1 down\n")
    return KaldiFolder([str(root)], {"mood": ["up", "down"]})


def build_parquet(root: Path) -> Corpus:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install pyarrow")
    sounds = [{"bytes": b"RIFF" + bytes([number]), "path": None} for number in range(2)]
    rows = importlib.import_module("pyarrow").table(
        {"audio": sounds, "speaker_id": ["a", "b"], "mood": ["up", "down"]}
    )
    parquet.write_table(rows, root / "train-00000-of-00001.parquet")
    return ParquetFiles(str(root), {"mood": ["up", "down"]})


def build_audformat(root: Path) -> Corpus:
    audformat = pytest.importorskip("audformat")
    database = audformat.Database("made-up")
    database["files"] = audformat.Table(audformat.filewise_index(["a.wav", "b.wav"]))
    for column, values in {"speaker": ["a", "b"], "mood": ["up", "down"]}.items():
        database["files"][column] = audformat.Column()
        database["files"][column].set(values)
    database.save(str(root))
    for name in ("a.wav", "b.wav"):
        (root / name).touch()
    return AudformatDatabase(str(root), ["files"], {"mood": ["up", "down"]})


def build_joined(root: Path) -> Corpus:
    corpora = {}
    for name, build in {"one": build_named_files, "two": build_manifest}.items():
        (root / name).mkdir()
        corpora[name] = build(root / name)
    return JoinedCorpora(corpora)


def build_synthetic(root: Path) -> Corpus:
    return Synthetic(str(root), actors=2, repetitions=1)


BUILD: dict[str, Callable[[Path], Corpus]] = {
    "AudformatDatabase": build_audformat,
    "Iemocap": build_iemocap,
    "JoinedCorpora": build_joined,
    "KaldiFolder": build_kaldi,
    "ManifestCorpus": build_manifest,
    "Meld": build_meld,
    "NamedFiles": build_named_files,
    "ParquetFiles": build_parquet,
    "Ravdess": build_ravdess,
    "Synthetic": build_synthetic,
}
NAMES = sorted(set(corpora.__all__) - {"Corpus"})


@pytest.fixture(scope="module", params=NAMES)
def corpus(request, tmp_path_factory) -> Corpus:
    built = BUILD[request.param](tmp_path_factory.mktemp(request.param))
    built.prepare()
    return built


def test_ids_are_unique_and_sorted(corpus):
    ids = [clip.id for clip in corpus.clips()]
    assert ids == sorted(set(ids))


def test_every_audio_file_exists(corpus):
    assert all(clip.path is not None and clip.path.is_file() for clip in corpus.clips())


def test_there_are_several_actors_as_non_empty_strings(corpus):
    actors = {clip.actor for clip in corpus.clips()}
    assert len(actors) >= 2
    assert all(isinstance(actor, str) and actor for actor in actors)


def test_labels_are_classes_of_the_tasks(corpus):
    for clip in corpus.clips():
        for task, label in clip.labels.items():
            assert label in corpus.tasks[task]


def test_tasks_are_fresh_lists_of_different_names(corpus):
    for classes in corpus.tasks.values():
        assert len(set(classes)) == len(classes) >= 2
        classes.clear()
    assert all(corpus.tasks.values())


def test_listing_twice_gives_the_same_clips(corpus):
    assert corpus.clips() == corpus.clips()


def test_prepare_changes_nothing_that_is_there(corpus):
    before = corpus.clips()
    corpus.prepare()
    assert corpus.clips() == before


def test_clips_cannot_be_changed(corpus):
    with pytest.raises(dataclasses.FrozenInstanceError):
        corpus.clips()[0].actor = "nobody"


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_config(name):
    assert name in [yaml.safe_load(path.read_text())["class_path"] for path in CONFIGS.glob("*.yaml")]


@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_config_constructs_its_corpus_without_touching_the_disk(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--corpus", type=Corpus, sub_configs=True)
    built = parser.instantiate(parser.parse_args([f"--corpus={config}"])).corpus
    assert type(built) is getattr(corpora, yaml.safe_load(config.read_text())["class_path"])
    assert built.tasks
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_only_generated_audio_calls_itself_synthetic(name):
    corpus_class = getattr(corpora, name)
    assert corpus_class.synthetic is (name == "Synthetic")


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_named_and_typed(name):
    for parameter in inspect.signature(getattr(corpora, name)).parameters.values():
        assert parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        assert parameter.annotation is not inspect.Parameter.empty
