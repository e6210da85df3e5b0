"""Corpora that a manifest and a map describe, listed as their configs have it."""

from pathlib import Path

import jsonargparse

from lightning_emorec.corpora import Corpus
from tests.conftest import CONFIGS


def published(name: str, **paths: Path) -> Corpus:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--corpus", type=Corpus, sub_configs=True)
    given = [f"--corpus.{flag}={path}" for flag, path in paths.items()]
    return parser.instantiate(
        parser.parse_args([f"--corpus={CONFIGS / 'corpus' / name}.yaml", *given])
    ).corpus


def test_msp_podcast_is_listed_by_its_consensus_labels(tmp_path):
    labels = tmp_path / "labels_consensus.csv"
    rows = [
        "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set",
        "MSP-PODCAST_0002_0033.wav,N,4.4,4.2,4.6,127,Male,Test1",
        "MSP-PODCAST_0002_0039.wav,H,4.2,4.4,3.8,128,Female,Train",
        "MSP-PODCAST_0002_0051.wav,X,4.2,4.4,3.8,128,Female,Train",
        "MSP-PODCAST_0002_0059.wav,A,4.2,4.4,3.8,Unknown,Male,Train",
        "MSP-PODCAST_0003_0001.wav,A,4.2,4.4,3.8,129,Male,Development",
        "MSP-PODCAST_0003_0002.wav,A,4.2,4.4,3.8,129,Male,Test2",
    ]
    labels.write_text("\n".join(rows))
    clips = published("msp_podcast", path=labels, root=tmp_path / "Audios").clips()
    assert [(clip.actor, clip.labels["emotion"], clip.part) for clip in clips] == [
        ("127", "neutral", "test"),
        ("128", "happy", "train"),
        ("129", "angry", "val"),
    ]
    assert clips[0].path == tmp_path / "Audios" / "MSP-PODCAST_0002_0033.wav"


def test_quoted_names_stay_texts(tmp_path):
    (tmp_path / "t.csv").write_text("path,actor,stressed\na.wav,1,no\nb.wav,2,1\nc.wav,3,null\n")
    config = tmp_path / "corpus.yaml"
    config.write_text(
        "class_path: ManifestCorpus\ninit_args:\n"
        f"  path: {tmp_path / 't.csv'}\n"
        '  tasks: {stressed: ["no", "yes", "on"]}\n'
        '  labels: {"1": "on", "null": null}\n'
    )
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--corpus", type=Corpus, sub_configs=True)
    corpus = parser.instantiate(parser.parse_args([f"--corpus={config}"])).corpus
    assert corpus.tasks == {"stressed": ["no", "yes", "on"]}
    assert [clip.labels["stressed"] for clip in corpus.clips()] == ["no", "on"]
