"""Figures that compare systems: accuracy by actor, weights by branch, and adaptation to a speaker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lightning_emorec.evaluation.adaptation import AdaptedRow
from lightning_emorec.evaluation.error_analysis import ActorRow
from lightning_emorec.evaluation.plots import BLUE, GREY, ORANGE, WIDTH_INCHES, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ACTORS = 40
MOST_NAMED = 8
"""Up to this number, each actor has its own colour, marker and line."""

# Okabe and Ito's colours without yellow, which is faint on white, and grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#6b7280")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
APART = 0.07
"""Vertical distance between the dots of two actors, as a share of a strip, so that equal values do not overlap."""


def actors_figure(rows: Sequence[ActorRow], mean: float, chance: float) -> str:
    """Plot each actor's accuracy as a dot, with lines at the accuracy over all clips (`mean`) and at chance.

    Of more than 40 actors, those with the most clips are shown.
    """
    most = sorted(rows, key=lambda row: row.clips, reverse=True)[:MOST_ACTORS]
    shown = [row for row in rows if row in most]

    def paint(axes: Axes) -> None:
        heights = list(range(len(shown)))
        values = [100 * row.accuracy for row in shown]
        axes.axvline(100 * chance, color=GREY, linestyle=":", label=f"chance {100 * chance:.1f}")
        axes.axvline(100 * mean, color=ORANGE, linestyle="--", label=f"all clips {100 * mean:.1f}")
        axes.scatter(values, heights, color=BLUE, s=36, zorder=3)
        for value, height in zip(values, heights, strict=True):
            place, box = (value + 2, height), {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
            axes.text(*place, f"{value:.0f}", va="center", fontsize=7, bbox=box, zorder=2.5)
        axes.set_yticks(heights, [f"{row.actor} ({row.clips})" for row in shown])
        axes.set(xlim=(0, 108), ylim=(len(shown) - 0.4, -0.8), xlabel="accuracy, %", ylabel="actor (clips)")
        axes.grid(axis="y")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0), ncols=2, borderaxespad=-1.8)

    return svg((WIDTH_INCHES, 1.2 + 0.26 * len(shown)), paint)


def strip_figure(
    accuracies: Mapping[str, Mapping[str, float]], means: Mapping[str, float], chance: float | None = None
) -> str:
    """Plot a strip for each system with a dot for each actor.

    Up to eight actors have their own colours and lines; of more actors, only dots are shown.

    Args:
        accuracies: System -> actor -> accuracy.
        means: System -> accuracy over all clips.
        chance: Accuracy of the most frequent class.
    """
    systems = list(accuracies)
    actors = list(dict.fromkeys(actor for of in accuracies.values() for actor in of))
    named = len(actors) <= MOST_NAMED

    def paint(axes: Axes) -> None:
        if chance is not None:
            axes.axvline(100 * chance, color=GREY, linestyle=":", label=f"chance {100 * chance:.1f}")
        for place, system in enumerate(systems):
            mean = 100 * means[system]
            label = "all clips" if place == 0 else "_"  # which hides it
            axes.vlines(mean, place - 0.3, place + 0.3, color="#111827", linewidth=2, label=label, zorder=4)
            axes.text(mean, place - 0.34, f"{mean:.1f}", ha="center", va="bottom", fontsize=7)
        for number, actor in enumerate(actors):
            taken = [place for place, system in enumerate(systems) if actor in accuracies[system]]
            values = [100 * accuracies[systems[place]][actor] for place in taken]
            heights = [place + (APART * (number - len(actors) / 2 + 0.5) if named else 0) for place in taken]
            if named:
                colour = COLOURS[number]
                axes.plot(values, heights, color=colour, linewidth=0.8, alpha=0.6)
                axes.scatter(
                    values,
                    heights,
                    color=colour,
                    marker=MARKERS[number],
                    s=30,
                    label=f"actor {actor}",
                    zorder=3,
                )
            else:
                axes.scatter(values, heights, color=BLUE, s=20, alpha=0.4, linewidths=0)
        axes.set_yticks(range(len(systems)), systems)
        axes.set(xlim=(0, 103), ylim=(len(systems) - 0.4, -0.9), xlabel="accuracy, %")
        axes.grid(axis="y")
        axes.tick_params(axis="y", length=0)
        axes.figure.legend(loc="outside upper center", ncols=3)

    return svg((WIDTH_INCHES, 1.3 + 0.4 * len(systems)), paint)


def learning_curve_figure(rows: Sequence[AdaptedRow]) -> str:
    """Plot UAR against the number of known clips of a speaker, with intervals, and one-sided samples beside it."""
    base, *others = rows
    curve = [base, *(row for row in others if row.sample.kind == "others")]
    sided = [row for row in others if row.sample.classes]

    def paint(axes: Axes) -> None:
        for shown, first, colour, marker in ((curve, 0, BLUE, "o"), (sided, len(curve), ORANGE, "s")):
            places = [first + place for place in range(len(shown))]
            values = [100 * row.uar.value for row in shown]
            for place, row in zip(places, shown, strict=True):
                if row.uar.interval is not None:
                    ends = (100 * row.uar.interval.low, 100 * row.uar.interval.high)
                    axes.vlines(place, *ends, color=colour, linewidth=1)
                axes.text(
                    place + 0.1, 100 * row.uar.value, f"{100 * row.uar.value:.1f}", va="bottom", fontsize=7
                )
            line = "-" if shown is curve else "none"
            axes.plot(places, values, color=colour, marker=marker, markersize=4, linestyle=line)
        axes.axhline(100 * base.uar.value, color=GREY, linestyle=":")
        names = ["all" if row.sample.clips is None else str(row.sample.clips) for row in curve]
        names += ["\n".join(row.sample.classes) for row in sided]
        axes.set_xticks(range(len(names)), names)
        axes.set(xlabel="other clips of the speaker that are known", ylabel="UAR, %")
        axes.grid(axis="y")

    return svg((WIDTH_INCHES, 3.2), paint)


LOOKS = ((BLUE, "o"), (ORANGE, "s"))  # one for each way to solve a rule
WAYS_APART = 0.3
"""Vertical distance between the two ways in the row of a branch."""


def weights_figure(shares: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Plot the share of each branch in a fusion: a dot for each fold, and a vertical line at their mean.

    `shares` are way in which the rule was solved -> branch name -> share in each fold.
    """
    branches = list(next(iter(shares.values())))

    def paint(axes: Axes) -> None:
        for (way, of), (colour, marker), number in zip(
            shares.items(), LOOKS, range(len(shares)), strict=False
        ):
            offset = WAYS_APART * (number - (len(shares) - 1) / 2)
            for row, name in enumerate(branches):
                values, height = [100 * share for share in of[name]], row + offset
                axes.scatter(
                    values,
                    [height] * len(values),
                    s=18,
                    alpha=0.5,
                    linewidths=0,
                    color=colour,
                    marker=marker,
                    label=way if row == 0 else "_",
                )
                mean = sum(values) / len(values)
                axes.vlines(mean, height - 0.13, height + 0.13, color=colour, linewidth=2)
                axes.text(104, height, f"{mean:.1f}", color=colour, fontsize=7, va="center")
        axes.set_yticks(range(len(branches)), branches)
        axes.set(xlim=(-2, 115), ylim=(len(branches) - 0.4, -0.6), xlabel="share, %")
        axes.set_xticks(range(0, 101, 25))
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        if len(shares) > 1:
            axes.figure.legend(loc="outside upper center", ncols=2)

    return svg((WIDTH_INCHES, 1.0 + 0.42 * len(branches)), paint)
