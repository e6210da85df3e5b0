"""Figures of the report, as inline SVG; drawn without pyplot, which has global state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_emorec.evaluation.calibration import ConfidenceBin, RiskCoverage
from lightning_emorec.evaluation.curves import Curve
from lightning_emorec.metrics import Integers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which are distinguishable for colour-blind readers; the confusion matrix has one hue.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6b7280"

STYLE = {
    "svg.fonttype": "none",  # keep text as text
    "svg.hashsalt": "lightning_emorec",  # reproducible ids
    "text.parse_math": False,  # a class name may contain "$"
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid.axis": "both",
    "grid.color": "#e5e7eb",
    "legend.frameon": False,
    "legend.fontsize": 8,
}
WIDTH_INCHES = 4.4  # one column of a page; readable on a phone


def confusion_figure(counts: Integers, classes: Sequence[str]) -> str:
    """Plot a (classes, classes) confusion matrix: percent of each true class, with the number of clips below."""
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)  # (classes, classes)
    side = max(3.0, 1.1 + 0.42 * len(classes))

    def paint(axes: Axes) -> None:
        axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
        for row, column in np.argwhere(counts).tolist():
            ink = "white" if shares[row, column] > 0.5 else "#111827"
            text: dict[str, Any] = {"ha": "center", "color": ink}
            share = f"{100 * shares[row, column]:.0f}"
            axes.text(column + 0.5, row + 0.52, share, va="bottom", **text)
            axes.text(column + 0.5, row + 0.6, f"{int(counts[row, column])}", va="top", fontsize=6, **text)
        ticks = [index + 0.5 for index in range(len(classes))]
        axes.set_xticks(ticks, classes, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, classes)
        axes.set(xlabel="predicted class", ylabel="actual class", aspect="equal")
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)

    return svg((side, side), paint)


def reliability_figure(bins: Sequence[ConfidenceBin]) -> str:
    """Plot the accuracy of a model against its confidence for non-empty bins; the area of a dot shows its clips."""
    most = max(group.clips for group in bins)

    def paint(axes: Axes) -> None:
        dots = _paint_reliability(axes, bins, (12, 120))
        dots.set_label(f"model (largest dot: {most} clips)")
        axes.lines[0].set_label("perfectly calibrated")
        axes.text(97, 5, "overconfident", ha="right", color=GREY, style="italic")
        axes.text(3, 90, "underconfident", color=GREY, style="italic")
        axes.set(xlim=(0, 103), ylim=(0, 103), xlabel="confidence, %", ylabel="accuracy, %")
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, 1.0), ncols=1, borderaxespad=-3.4, markerscale=0.6
        )

    return svg((3.9, 4.3), paint)


def class_reliability_figure(bins: Sequence[ConfidenceBin]) -> str:
    """Plot the frequency of a class against its probability for non-empty bins, as a small multiple."""

    def paint(axes: Axes) -> None:
        _paint_reliability(axes, bins, (5, 40))
        axes.set(xlim=(0, 104), ylim=(0, 104), xticks=(0, 50, 100), yticks=(0, 50, 100))

    return svg((2.1, 2.1), paint)


def _paint_reliability(axes: Axes, bins: Sequence[ConfidenceBin], sizes: tuple[int, int]) -> Any:
    """Paint the diagonal, a line through the bins and their dots; return the dots.

    `sizes` are the minimal area of a dot, and the additional area of the bin with the most clips.
    """
    confidence, accuracy = ([100 * getattr(of, name) for of in bins] for name in ("confidence", "accuracy"))
    most, (least, further) = max(group.clips for group in bins), sizes
    axes.plot([0, 100], [0, 100], color=GREY, linestyle=":")
    axes.plot(confidence, accuracy, color=BLUE, linewidth=1)
    axes.set_aspect("equal")
    axes.grid()
    areas = [least + further * group.clips / most for group in bins]
    return axes.scatter(confidence, accuracy, s=areas, color=BLUE, alpha=0.8)


def risk_figure(risk: RiskCoverage) -> str:
    """Plot a risk-coverage curve."""
    covered, wrong = ([100 * value for value in values] for values in (risk.coverage, risk.risk))

    def paint(axes: Axes) -> None:
        axes.axhline(wrong[-1], color=GREY, linestyle=":", label=f"all clips answered: {wrong[-1]:.1f} wrong")
        axes.plot(covered, wrong, color=BLUE, label=f"highest confidence only (mean {100 * risk.aurc:.1f})")
        axes.set(xlim=(0, 103), ylim=(0, max(10.0, 1.1 * max(wrong))))
        axes.set(xlabel="clips that are answered, %", ylabel="of these, wrong, %")
        axes.grid()
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0), ncols=1, borderaxespad=-3.4)

    return svg((3.9, 4.3), paint)


def curves_figure(losses: Mapping[str, Curve], scores: Mapping[str, Curve]) -> str:
    """Plot learning curves: losses in the upper panel, scores in [0, 1] in the lower."""

    def paint(upper: Axes, lower: Axes) -> None:
        colours = (GREY, ORANGE, BLUE, GREEN)
        styles = ("-", "--", "-", "--")
        curves = [*losses.items(), *scores.items()]
        for (name, curve), colour, style in zip(curves, colours, styles, strict=False):
            axes, scale = (upper, 1) if name in losses else (lower, 100)
            axes.plot(
                list(curve), [scale * v for v in curve.values()], color=colour, linestyle=style, label=name
            )
        upper.set(ylabel="loss")
        lower.set(xlabel="epoch", ylabel="%", ylim=(0, 100))
        for axes in (upper, lower):
            axes.grid()
            if axes.lines:
                axes.legend()

    return svg((WIDTH_INCHES, 4.2), paint, panels=2)


def svg(inches: tuple[float, float], paint: Callable[..., None], panels: int = 1) -> str:
    """Render a figure of so many panels, one above the other, as an SVG element; `paint` gets their axes."""
    import matplotlib  # takes half a second, and no verb draws for its help
    from matplotlib.figure import Figure

    text = StringIO()
    no_metadata: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=inches, layout="constrained")
        paint(*figure.subplots(panels, sharex=True, squeeze=False).flat)
        figure.savefig(text, format="svg", metadata=no_metadata)
    drawn = text.getvalue()
    return drawn[drawn.index("<svg") :]
