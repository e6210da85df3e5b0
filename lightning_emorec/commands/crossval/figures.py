"""Figures of a cross-validation, as SVG to be put into a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from lightning_emorec.evaluation.plots import BLUE, ORANGE, WIDTH_INCHES, svg

LOOKS = ((BLUE, "o"), (ORANGE, "s"))  # as many as there are ways to solve a rule
APART = 0.3
"""Height between the two ways in the row of a branch."""


def weights_figure(shares: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Draw the share of each branch: a dot for each fold, and an upright line at their mean.

    Args:
        shares: Way in which the rule was solved -> branch name -> share of each fold.
    """
    branches = list(next(iter(shares.values())))

    def paint(axes: Axes) -> None:
        for (way, of), (colour, marker), number in zip(
            shares.items(), LOOKS, range(len(shares)), strict=False
        ):
            offset = APART * (number - (len(shares) - 1) / 2)
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
        axes.figure.legend(loc="outside upper center", ncols=2)

    return svg((WIDTH_INCHES, 1.0 + 0.42 * len(branches)), paint)
