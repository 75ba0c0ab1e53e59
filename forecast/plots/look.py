"""One look for every figure: colours that stay apart in grey and for the colour-blind, captions, pictures in notebooks.

Scenarios differ in lightness, from light (limited) to dark (crackdown), in one order; prior and posterior differ in
colour, lightness and marker. Nothing global is changed: the style holds only while a figure is made.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from forecast.files import InputError, Problem
from forecast.silence import assumption
from forecast.vocabulary import SCENARIOS

SCENARIO_COLOURS = dict(zip(SCENARIOS, ("#9ecae1", "#3f7fb8", "#12294b"), strict=True))
POSTERIOR, PRIOR, ACCENT, INK, FAINT = "#1f5c99", "#b0792a", "#c8500a", "#222222", "#d9d9d9"
PRIOR_MARKER, POSTERIOR_MARKER = "D", "o"
WIDTH = 7.2
"""Inches: the text width of a printed page, so that letters keep their size."""
DPI = 160
NARROW = 20
"""Characters of a line of a scenario's label."""
SLACK = 5
"""Characters by which one of two lines may be longer than half of the text: it breaks between words."""
STEPS, MOST_TICKS = (1, 2, 3, 6, 12, 24, 48), 6
"""Months between ticks, and how many steps an axis has at most."""
FORMATS = ("png", "svg")
LAID_OUT = {"figure.constrained_layout.use": False}
"""Setting under which a figure stays as it was laid out, and is drawn once, not twice, in every format."""
UNDATED: Any = {
    "png": {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 3}},  # no larger than 6, sooner done
    "svg": {"metadata": {"Date": None, "Creator": None}},
}

STYLE: Any = {
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # where titles stand by themselves: else the ticks are measured each time to be sure of it
    "axes.labelsize": 8.5,
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "axes.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "text.parse_math": False,  # a label may hold a dollar sign
    "svg.fonttype": "path",
    "svg.hashsalt": "forecast",
}


class Picture(Figure):
    """A figure that notebooks show without pyplot and without any setting."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        buffer = io.BytesIO()
        save_as(self, buffer, "png")
        return buffer.getvalue(), {"width": round(96 * self.get_figwidth())}


def save_as(picture: Figure, target: Any, form: str) -> None:
    """Write a figure as ``png`` or ``svg`` to a path or buffer; the same figure gives the same bytes."""
    with mpl.rc_context(STYLE | LAID_OUT):
        picture.savefig(target, format=form, **UNDATED[form])


def save_both(picture: Figure, stem: Path) -> None:
    """Write a figure as PNG and SVG beside each other; ``stem`` is their path without its suffix."""
    for form in FORMATS:
        save_as(picture, stem.with_name(f"{stem.name}.{form}"), form)


def labels(manifest: Mapping[str, Any], width: int = NARROW, *, narrow: bool = False) -> dict[str, str]:
    """Return the analyst's label of each scenario, in lines of so many characters.

    Unless ``narrow``, a long one is in two lines that are as wide as it takes.
    """
    told = manifest["labels"]
    widths = {name: width if narrow else max(width, len(label) // 2 + SLACK) for name, label in told.items()}
    return {name: fill(label, widths[name]) for name, label in told.items()}


def short(text: str, most: int) -> str:
    """Return a text in one line of at most so many characters, cut off with dots where it is longer."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def month_ticks(last: int) -> range:
    """Return months from 0 to the last horizon at which an axis is ticked: round steps, at most seven of them."""
    return range(0, last + 1, next((step for step in STEPS if last / step <= MOST_TICKS), STEPS[-1]))


def require_fit(forecast: Any, name: str) -> None:
    """Raise ``InputError`` for a figure that the prior alone does not have."""
    if "posterior" not in forecast.tree.children:
        raise InputError(Problem(name, "is a figure of a fitted forecast; here is the prior alone"))


def new(height: float) -> Picture:
    """Return an empty figure of a page's width and so many inches of height."""
    picture = Picture(figsize=(WIDTH, height))
    FigureCanvasAgg(picture)
    return picture


def styled[**P, R](draw: Callable[P, R]) -> Callable[P, R]:
    """Make a function draw in the house style, and leave Matplotlib's settings as they were."""

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return wrapper


def source_of(manifest: dict[str, Any]) -> str:
    """Return the line that says from which forecast a figure is, and before it which silence that assumes."""
    assumed = assumption(manifest) and f"{fill(assumption(manifest), 140)}\n"
    return (
        f"{assumed}{manifest['matter']}, origin {manifest['origin']}, {manifest['view']} view; priors "
        f"{manifest['priors_fingerprint'][:8]}, record {manifest['record_fingerprint'][:8]}, seed {manifest['seed']}"
    )


def finish(picture: Figure, title: str, note: str, manifest: dict[str, Any] | str) -> Figure:
    """Add title and caption, and lay out once: what is drawn, which interval, and from which forecast it is.

    What is of no one forecast gives a line of its own instead of a manifest.
    """
    source = manifest if isinstance(manifest, str) else source_of(manifest)
    picture.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    whole = note.replace(" %", "\N{NO-BREAK SPACE}%").replace("eti ", "eti\N{NO-BREAK SPACE}")  # no break before a unit
    picture.supxlabel(f"{fill(whole, 140)}\n{source}", x=0.01, ha="left", fontsize=7, color="#555555")
    for axis in (axis for axes in picture.axes for axis in (axes.xaxis, axes.yaxis) if not axis.get_label_text()):
        axis.set_label_coords(0, 0)  # else the ticks are measured to find a place for no label
    engine = picture.get_layout_engine()
    if engine is not None:  # once, and not again in every format in which it is saved
        engine.execute(picture)
        with mpl.rc_context(LAID_OUT):
            picture.set_layout_engine(None)
    return picture
