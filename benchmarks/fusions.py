"""Compares ways to fuse the branches of a finished `crossval`, from the logits it kept.

    python benchmarks/fusions.py runs/fused-5fold --branches whisper_statistics audio_cnn egemaps_cnn

"choice" is what a choice between rows may rest on: each of the actors that a rule is solved on is left out in turn,
and judged by the rule of the others. "bound" is the rule solved on the clips that it judges, all at once: more than
the rule can reach. "test" is the rule of all of them on the fold's test actors, for the record.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any, Literal

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import nll_loss

from lightning_emorec.commands.crossval.collect import branch_file
from lightning_emorec.fusion import Average, FusionRule, LogLinear, MaxConfidence, Weighted
from lightning_emorec.part_logits import PartLogits

Known = dict[str, PartLogits]
Judged = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Log-probabilities and labels of the clips held out, and of the test clips."""


class ByConfidence(LogLinear):
    """A log-linear pool in which each branch has a second weight, times one minus its entropy over the largest."""

    def learn(self, log_p: Tensor, labels: Tensor) -> None:
        """Solve for both weights of each branch."""
        super().learn(self._both(log_p), labels)

    def fuse(self, log_p: Tensor) -> Tensor:
        """(branches, batch, classes) -> (batch, classes)."""
        return super().fuse(self._both(log_p))

    @staticmethod
    def _both(log_p: Tensor) -> Tensor:
        entropy = -(log_p.exp() * log_p).sum(dim=2, keepdim=True) / math.log(log_p.shape[2])
        return torch.cat([log_p, (1 - entropy) * log_p])


class Stacking(FusionRule):
    """A logistic regression on the log-probabilities of all branches, with a weight for each pair of classes.

    Args:
        c: The smaller, the stronger the ridge.
        diagonal: Weigh a class by that class's log-probabilities alone: weights for each class.
    """

    def __init__(self, c: float, diagonal: bool = False) -> None:
        super().__init__()
        self.c = c
        self.diagonal = diagonal

    def learn(self, log_p: Tensor, labels: Tensor) -> None:
        """Fit one regression, or one for each class against the rest."""
        classes = log_p.shape[2]
        self.models = [
            LogisticRegression(C=self.c, max_iter=2000).fit(
                self._rows(log_p, kind), (labels == kind) if self.diagonal else labels
            )
            for kind in (range(classes) if self.diagonal else [-1])
        ]

    def fuse(self, log_p: Tensor) -> Tensor:
        """(branches, batch, classes) -> (batch, classes)."""
        if self.diagonal:
            columns = [m.decision_function(self._rows(log_p, kind)) for kind, m in enumerate(self.models)]
            return (
                torch.stack([torch.from_numpy(column) for column in columns], dim=1)
                .log_softmax(dim=1)
                .float()
            )
        return torch.from_numpy(self.models[0].predict_log_proba(self._rows(log_p, -1))).float()

    @property
    def shares(self) -> None:
        """There is no one weight a branch."""

    def _rows(self, log_p: Tensor, kind: int) -> Any:
        rows = log_p - log_p.mean(dim=2, keepdim=True)
        return (rows[:, :, kind].T if kind >= 0 else rows.transpose(0, 1).flatten(1)).numpy()


def rules() -> dict[str, FusionRule]:
    """What is compared, by the name in the table."""
    return {
        "average": Average(),
        "average, temperatures first": Average(calibrate=True),
        "weighted by accuracy": Weighted(),
        "maximum confidence": MaxConfidence(),
        "log-linear": LogLinear(),
        "log-linear, bias": LogLinear(bias=True),
        "log-linear, ridge 0.1": LogLinear(ridge=0.1),
        "log-linear, ridge 0.1, temperatures first": LogLinear(ridge=0.1, calibrate=True),
        "log-linear, ridge 0.03 towards the best branch": LogLinear(ridge=0.03, prior="best"),
        "log-linear, ridge 0.1 towards the best branch": LogLinear(ridge=0.1, prior="best"),
        "the same, and weights by confidence": ByConfidence(ridge=0.1, prior="best"),
        "log-linear, ridge 0.3 towards the best branch": LogLinear(ridge=0.3, prior="best"),
        "log-linear, ridge 1 towards the best branch": LogLinear(ridge=1.0, prior="best"),
        "weights for each class, C 0.01": Stacking(0.01, diagonal=True),
        "stacking, C 0.01": Stacking(0.01),
        "stacking, C 0.001": Stacking(0.001),
    }


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of a finished crossval")
    parser.add_argument("--branches", nargs="+", help="some of its branches; all if left out")
    asked = parser.parse_args()
    plan = json.loads((asked.folder / "plan.json").read_text(encoding="utf8"))
    names = asked.branches or plan["branches"]
    cells = [asked.folder / cell["folder"] for cell in plan["cells"]]
    task = next(iter(plan["tasks"]))
    ways: list[Literal["val", "inner"]] = ["val"]
    if all(branch_file(cell, name, "inner").is_file() for cell in cells for name in names):
        ways.append("inner")
    print("| solved on | way | choice: accuracy | NLL | bound: accuracy | NLL | test: accuracy | NLL |")
    print("|---|---|---|---|---|---|---|---|")
    for way in ways:
        found = [_both(cell, names, way) for cell in cells]
        stacks = [_stack(known, task) for known, _ in found]
        solved, labels = torch.cat([of for of, _ in stacks], dim=1), torch.cat([of for _, of in stacks])
        for name, logits in zip(names, solved, strict=True):
            alone = [(_alone(known[name], task), _alone(test[name], task)) for known, test in found]
            print(_row(way, f"`{name}`", alone, (logits.log_softmax(dim=1), labels)))
        for label in rules():
            bound = rules()[label]
            bound.fit(solved, labels)
            judged = [_judge(label, known, test, task) for known, test in found]
            print(_row(way, label, judged, (bound(solved), labels)))
        _print_overlap(names, solved.argmax(dim=2), labels)


def _print_overlap(names: list[str], predicted: Tensor, labels: Tensor) -> None:
    """Where the first branch is wrong, what the others predict: (branches, clips) and (clips,) class indices."""
    first, said = names[0], predicted[0]
    wrong = said != labels
    for name, other in zip(names[1:], predicted[1:], strict=True):
        right, alike = ((other == of)[wrong].float().mean() for of in (labels, said))
        print(
            f"\nWhere {first} is wrong, {name} is right in {right:.1%} and has the same wrong class in {alike:.1%}."
        )


def _both(cell: Path, names: list[str], way: Literal["val", "inner"]) -> tuple[Known, Known]:
    """Logits that rules are solved on, of the same clips for all branches, and those of the test clips."""
    known = {name: PartLogits.load(branch_file(cell, name, way)) for name in names}
    ids = known[names[0]].clip_ids
    test = {name: PartLogits.load(branch_file(cell, name, "test")) for name in names}
    return {name: part.select(ids) for name, part in known.items()}, test


def _alone(part: PartLogits, task: str) -> tuple[Tensor, Tensor]:
    return part.logits[task].log_softmax(dim=1), part.labels[task]


def _judge(label: str, known: Known, test: Known, task: str) -> Judged:
    solved, labels = _stack(known, task)
    actors = [
        clip.rsplit("-", 1)[1] for clip in next(iter(known.values())).clip_ids
    ]  # as RAVDESS names its clips
    held_out = torch.zeros_like(solved[0])
    for actor in sorted(set(actors)):
        out = torch.tensor([other == actor for other in actors])
        rule = rules()[label]
        rule.fit(solved[:, ~out], labels[~out])
        held_out[out] = rule(solved[:, out])
    rule = rules()[label]
    rule.fit(solved, labels)
    judged, truth = _stack(test, task)
    return (held_out, labels), (rule(judged), truth)


def _stack(parts: Known, task: str) -> tuple[Tensor, Tensor]:
    return torch.stack([part.logits[task] for part in parts.values()]), next(iter(parts.values())).labels[
        task
    ]


def _row(way: str, label: str, cells: list[Judged], bound: tuple[Tensor, Tensor]) -> str:
    choice, test = (
        tuple(torch.cat([cell[part][kind] for cell in cells]) for kind in (0, 1)) for part in (0, 1)
    )
    figures = [
        f"{100 * (log_p.argmax(dim=1) == labels).float().mean():.1f} | {nll_loss(log_p, labels):.3f}"
        for log_p, labels in (choice, bound, test)
    ]
    solved_on = {"val": "validation split", "inner": "out of fold"}[way]
    return f"| {solved_on} | {label} | {' | '.join(figures)} |"


if __name__ == "__main__":
    main()
