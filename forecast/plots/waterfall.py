"""Why a forecast changed: one waterfall per scenario, and one for the fines, step by step from before to after."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast.attribution import Explanation
from forecast.plots.look import ACCENT, FAINT, INK, POSTERIOR, SCENARIO_COLOURS, finish, new, styled
from forecast.plots.look import labels as labels_of
from forecast.silence import assumption
from forecast.vocabulary import SCENARIOS

MOST_STEPS = 20
CHARACTERS, ROW, LINE = 48, 0.27, 0.155
"""Of a step's name in one line; inches of a step, and of a line of its name."""
LEVEL = "#555555"
FINES = "Fines left,\nmedian"
"""Title of the panel of the fines that are left."""


@styled
def waterfall(explanation: Explanation) -> Figure:
    """Draw how each step moved each scenario's probability and the median of fines left at the last horizon.

    Whiskers are standard errors; steps beyond those that moved the scenarios most are drawn as one.
    """
    wanted = [("view", scenario, 0, "probability") for scenario in SCENARIOS]
    last, names = explanation.after["horizons"][-1], labels_of(explanation.after, 14)
    wanted.append(("fine_left", "all", last, "q50"))
    panels = [explanation.merged(explanation.of(*one), MOST_STEPS) for one in wanted]
    told = np.any([_tells(rows) for rows in panels], axis=0)
    panels = [rows.loc[told] for rows in panels]
    bars = panels[0]["bar"].tolist()
    names_of_bars = [_short(bar) for bar in bars]
    tallest = max(name.count("\n") + 1 for name in names_of_bars) if names_of_bars else 1
    picture = new(1.7 + max(ROW, LINE * tallest) * (len(bars) + 2))
    axes = picture.subplots(1, len(panels), sharey=True)
    for axis, rows, name in zip(axes, panels, [*SCENARIOS, ""], strict=True):
        scale = 100.0 if name else 1e-6
        _panel(axis, rows, scale)
        if (rows["kind"] == "brief").any():
            axis.axhline(1 + list(rows["kind"]).index("brief"), color=ACCENT, lw=0.8, ls=(0, (4, 2)), zorder=0)
        colour = "#5b93b8" if name == SCENARIOS[0] else SCENARIO_COLOURS.get(name, INK)
        axis.set_title(names.get(name, FINES), fontsize=8, color=colour)
        axis.set_xlabel("m EUR" if scale < 1 else "probability, %", fontsize=7.5)
    _share_scale(axes[:-1])
    one, two = explanation.before, explanation.after
    labels = [f"forecast of {one['origin']}", *names_of_bars, f"forecast of {two['origin']}"]
    axes[0].set_yticks(range(len(labels)), labels)
    axes[0].set_ylim(len(labels) - 0.4, -0.6)
    note = (
        "Each bar starts where the one above ends; orange raises, blue lowers. Whiskers: ± one standard error. Steps "
        "stand in the order in which things became known. Silence: no event in the matter; months then count from a "
        f"later day. Figures: users, turnover, sizes of fines, openings. Fines left: median at {last} months."
    )
    if one["view"] != two["view"]:
        note += " Up to the brief: the outside view; from it on: the inside view."
    if not told.all():
        note += f" Steps that moved none of the four are left out ({(~told).sum()})."
    if one.get("assumed_silence"):
        note += f" Of the earlier forecast: {assumption(one)}"
    note += "".join(f" Not to be trusted: {failure}." for failure in explanation.checks.get("failures", ()))
    return finish(picture, "What moved the forecast", note, two)


def _share_scale(axes: Sequence[Axes]) -> None:
    """Give all the same width of scale, so that bars of equal length are equal changes."""
    width = max(np.ptp(axis.get_xlim()) for axis in axes)
    for axis in axes:
        low, high = axis.get_xlim()
        axis.set_xlim(low - (width - high + low) / 2, high + (width - high + low) / 2)


def _tells(rows: pd.DataFrame) -> np.ndarray:
    """Return whether each bar moves its quantity by a thousandth of the largest; the brief and the error always."""
    size = rows["change"].abs()
    return ((size > 1e-3 * size.max()) | rows["kind"].isin(["brief", "error"])).to_numpy()


def _panel(axis: Axes, rows: pd.DataFrame, scale: float) -> None:
    start, end = rows["before"].iloc[0] * scale, rows["after"].iloc[0] * scale
    axis.grid(axis="y", visible=False)
    low, at = min(start, end), start
    reach = [start, end]
    for place, (move, se) in enumerate(zip(rows["change"] * scale, rows["change_se"] * scale, strict=True), start=1):
        colour = ACCENT if move > 0 else POSTERIOR
        axis.barh(place, move, left=at, height=0.62, color=colour)
        axis.plot([at, at], [place - 1, place], color=FAINT, lw=0.8, zorder=0)
        at += move
        axis.errorbar(at, place, xerr=se, color=INK, lw=0.8, capsize=1.5)
        reach += [at - se, at + se]
    last = len(rows) + 1
    axis.plot([at, at], [last - 1, last], color=FAINT, lw=0.8, zorder=0)
    for place, value in ((0, start), (last, end)):
        axis.plot([value, value], [place - 0.38, place + 0.38], color=LEVEL, lw=2.5)
        axis.annotate(f"{value:,.0f}" if scale < 1 else f"{value:.1f}", (value, place), xytext=(4, 0),
                      textcoords="offset points", va="center", fontsize=7.5)  # fmt: skip
    low, high = min(reach), max(reach)
    room = max(0.12 * (high - low), 1e-9)
    axis.set_xlim(low - room, high + 3 * room)


def _short(label: str) -> str:
    """An event's label with its type in plain words; several events of one day in several lines."""
    return fill(label.replace("_", " "), CHARACTERS, subsequent_indent="  ", break_on_hyphens=False)
