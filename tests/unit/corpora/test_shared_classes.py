from pathlib import Path

import pytest
import torch

from lightning_emorec.corpora import ManifestCorpus
from lightning_emorec.corpora.shared_classes import SharedClasses
from lightning_emorec.errors import EmorecError
from lightning_emorec.part_logits import PartLogits
from lightning_emorec.splits import AllTested
from lightning_emorec.types import UNLABELLED

MODEL = {
    "emotion": ["calm", "angry", "happy", "sad"],
    "intensity": ["low", "high"],
    "sex": ["male", "female"],
}
OTHER = {"sex": ["female", "male", "unknown"], "emotion": ["bored", "sad", "happy"]}


@pytest.fixture
def corpus(tmp_path: Path) -> SharedClasses:
    rows = ["path,actor,emotion,sex", "a,1,sad,female", "b,1,bored,female", "c,2,happy,unknown", "d,2,,male"]
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    return SharedClasses(ManifestCorpus(str(tmp_path / "clips.csv"), OTHER), MODEL)


def test_tasks_are_the_models_and_those_that_both_have_are_judged(corpus):
    assert corpus.tasks == MODEL
    assert corpus.judged == {"emotion": ["happy", "sad"], "sex": ["male", "female"]}


def test_clips_of_a_class_that_the_model_lacks_are_left_out_and_counted(corpus):
    assert [(clip.id, clip.labels) for clip in corpus.clips()] == [
        ("a", {"emotion": "sad", "sex": "female"}),
        ("c", {"emotion": "happy"}),
        ("d", {"sex": "male"}),
    ]
    assert corpus.judged_by == {
        "classes": {"emotion": ["happy", "sad"], "sex": ["male", "female"]},
        "classes_not_in_corpus": {"emotion": ["calm", "angry"], "sex": []},
        "tasks_not_judged": ["intensity"],
        "clips_left_out": {"bored": 1},
    }
    (said,) = corpus.remarks
    assert all(one in said for one in ("happy, sad", "calm, angry", "intensity", "1 bored"))


@pytest.mark.parametrize("tasks", [{"emotion": ["sad", "calm"]}, {"mood": ["up", "down"]}])
def test_fewer_than_two_shared_classes_are_refused(corpus, tasks):
    with pytest.raises(EmorecError, match=r"at least two of the model's classes of .*--data.corpus.labels"):
        SharedClasses(corpus._corpus, tasks)


def test_logits_are_restricted_to_the_shared_classes():
    logits = {"emotion": torch.tensor([[3.0, 0.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0]]), "sex": torch.zeros(2, 2)}
    labels = {"emotion": torch.tensor([3, 0]), "sex": torch.tensor([1, UNLABELLED])}
    part = PartLogits(["a", "b"], logits, labels)
    tasks = {"emotion": MODEL["emotion"], "sex": MODEL["sex"]}
    kept = part.restricted(tasks, {"emotion": ["sad", "happy"], "sex": ["male", "female"]})
    assert kept.logits["emotion"].tolist() == [[2.0, 1.0], [0.0, 0.0]]
    assert kept.labels["emotion"].tolist() == [0, UNLABELLED]
    assert kept.labels["sex"].tolist() == [1, UNLABELLED]
    assert part.restricted(tasks, tasks) is part
    assert kept.logits["emotion"].softmax(-1).sum(-1).tolist() == pytest.approx([1.0, 1.0])


def test_everyone_is_tested(corpus):
    parts = AllTested().parts(corpus.clips())
    assert (len(parts.train), len(parts.val), len(parts.test)) == (0, 0, 3)
