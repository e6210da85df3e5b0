from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from lightning_emorec.audio import FrontEnd
from lightning_emorec.confidence import Confidence
from lightning_emorec.evaluation.predictions import Predictions
from lightning_emorec.export.card import Source, write_card
from lightning_emorec.export.quantise import compared
from lightning_emorec.export.selection import Selection
from lightning_emorec.runs.pretraining import PretrainedPart

SELECTION = Selection(
    {"emotion": ["sad", "happy"]},
    FrontEnd(16000, None, False, 15.0),
    {},
    None,
    {"text": "it reads a transcript"},
    {},
    {"emotion": {"accuracy": 0.75, "uar": 0.7, "ece": 0.05, "clips": 240}},
    {"emotion": {"accuracy": 0.7, "uar": 0.65, "ece": 0.06, "clips": 240}},
    {"emotion": Confidence(1.5, np.linspace(0, 1, 99), 4)},
)

METRICS = {
    "test": {"emotion": {"accuracy": 0.8, "uar": 0.79, "macro_f1": 0.78, "ece": 0.07, "clips": 60}},
    "intervals": {
        **{"part": "test", "task": "emotion", "actors": 4, "level": 0.95},
        **{"accuracy": [0.7, 0.9], "uar": [0.6, 0.85], "macro_f1": [0.6, 0.9]},
    },
}


def card_of(source: Source, folder: Path) -> tuple[dict[str, object], list[str]]:
    write_card(folder, source, SELECTION, {}, None, "float32")
    _, matter, text = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(matter), text.splitlines()


def test_a_model_of_generated_voices_says_so_on_the_first_line(tmp_path: Path) -> None:
    matter, lines = card_of(Source("demo", "Synthetic", {}, "0"), tmp_path)
    assert lines[0].startswith("**SYNTHETIC: trained on generated voices only.")
    assert matter["license"] == "other"
    assert "model-index" not in matter
    assert not (tmp_path / ".eval_results").exists()


def group(actors: int) -> dict[str, object]:
    return {"clips": 30, "actors": actors, "uar": 0.5, "intervals": {"uar": [0.4, 0.6]}}


def test_groups_have_their_scores_and_no_interval_over_few_actors(tmp_path: Path) -> None:
    metrics = {
        **METRICS,
        "groups": {"sex": {"male": group(3), "female": group(4)}},
        "actors": {"9": {"accuracy": 0.4, "uar": 0.3}, "17": {"accuracy": 0.9, "uar": 0.8}},
    }
    suite = {
        **{"tests": 40, "passed": 30, "random_share": 0.4, "speech_s": {"1 s": group(4)}},
        "groups": {"pitch": {"low (≤ 145 Hz)": group(1)}},
    }
    _, lines = card_of(Source("fused", "Ravdess", metrics, "0", suite=suite), tmp_path)
    assert "| male (sex) | 50.0 | – (3 actors) | 30 |" in lines
    assert "| female (sex) | 50.0 | 40.0 to 60.0 | 30 |" in lines
    assert "| low (≤ 145 Hz) (pitch) | 50.0 | – (1 actor) | 30 |" in lines
    assert "| 1 s (speech) | 50.0 | 40.0 to 60.0 | 30 |" in lines
    assert "| worst speaker: 9 | 30.0 | – (1 actor) | |" in lines
    assert "(`stress --suite`) 30 are passed" in " ".join(lines)


def test_pretrained_parts_name_their_training_data(tmp_path: Path) -> None:
    parts = {
        "us/a": PretrainedPart("a", "books"),
        "us/b": PretrainedPart("b", "actors", corpora=("Ravdess",)),
        "us/c": PretrainedPart("c", "the web", undisclosed=True),
    }
    _, lines = card_of(Source("fused", "Ravdess", {}, "0", parts), tmp_path)
    assert "- us/a: trained on books." in lines
    assert "- us/b: trained on actors. **This contains Ravdess, test actors included**." in lines
    assert (
        "- us/c: trained on the web; whether the recordings used here are among it cannot be known." in lines
    )


def test_a_model_of_ravdess_carries_its_licence_figures_and_costs(tmp_path: Path) -> None:
    matter, lines = card_of(Source("fused", "Ravdess", METRICS, "0"), tmp_path)
    assert matter["license"] == "cc-by-nc-sa-4.0"
    assert "| accuracy | 80.0 | 70.0 to 90.0 |" in lines
    assert "| whole model | 75.0 | 70.0 | 5.0 |" in lines
    assert "| this file | 70.0 | 65.0 | 6.0 |" in lines
    assert "- `text` is left out: it reads a transcript." in lines
    text = " ".join(lines)
    assert "0.806 for 80 %, 0.908 for 90 % (nominal; 4 actors)." in text
    (entry, _) = yaml.safe_load((tmp_path / ".eval_results" / "fused.yaml").read_text())
    assert entry["dataset"] == {"id": "ravdess", "task_id": "emotion_accuracy"}
    assert entry["value"] == 0.8
    assert "95% interval 0.700 to 0.900" in entry["notes"]


def test_the_cost_of_8_bits_is_paired_over_actors() -> None:
    labels = np.array([0, 1, 0, 1])

    def predictions(*predicted: int) -> Predictions:
        shares = np.eye(2)[list(predicted)]
        return Predictions(
            ["a", "b", "c", "d"], labels, np.array(predicted), shares, ["1", "1", "2", "2"], ["x", "y"]
        )

    found = compared(predictions(0, 1, 0, 1), predictions(0, 1, 1, 1))
    assert (found.clips, found.actors, found.equal, found.uar, found.change) == (4, 2, 0.75, 1.0, -0.25)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (-0.5, 0.0)
