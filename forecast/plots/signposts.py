"""Signposts: what may come next, where it would carry the scenarios, and how much it would tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from forecast.hypotheses.signposts import SILENCE, Watch
from forecast.plots import look
from forecast.plots.answers import FAMILY_NAMES, MARKS
from forecast.plots.look import ACCENT, INK, SCENARIO_COLOURS
from forecast.vocabulary import SCENARIOS

APART = {"limited": -0.24, "significant": 0.0, "crackdown": 0.24}
"""Where each scenario's dot stands within a row, in rows."""
GREY, NARROW = "#666666", 13


@look.styled
def signposts(result: Watch) -> Figure:
    """Draw one row per signpost, most informative first: probability, scenarios now and if it comes, information."""
    present, table = result.table.iloc[0], result.table.iloc[1:].reset_index(drop=True)
    rows = np.arange(len(table))
    labels = look.labels(result.manifest, NARROW, narrow=True)
    picture = look.new(1.65 + 0.1 * max(map(_lines, labels.values())) + 0.36 * len(table))
    chance, moves, bits = picture.subplots(1, 3, sharey=True, width_ratios=(1, 4, 1))
    _bars(chance, table["probability"], table["probability_mcse"], "{:.3f}", "Probability\nthat it comes")
    _bars(bits, 1000 * table["bits"], 1000 * table["bits_mcse"], "{:.1f}", "Information\n(1/1000 bit)")
    _scenarios(moves, present, table, labels)
    for axes in (chance, moves, bits):
        axes.set_ylim(len(table) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0, labelleft=False)
        for row in rows[1::2]:
            axes.axhspan(row - 0.5, row + 0.5, color="#f5f5f5", zorder=0, lw=0)
    _labels(chance, table)
    note = "Hypothetical: none of it has happened. From the dashed line (now) to the mark: a scenario's probability if "
    note += f"the row comes by {result.until}, whatever else does; black: eti 0.90 of the Monte Carlo error. Dotted: "
    note += "after silence until then. "
    note += "Information: mutual information of row and scenario, by which rows are ranked. Silence: no event of any "
    note += "family in any open proceeding of the matter."
    title = f"Signposts until {result.until}: what would tell most"
    return look.finish(picture, title, note, result.manifest)


def _scenarios(axes: Axes, present: pd.Series, table: pd.DataFrame, labels: dict[str, str]) -> None:
    """Draw each scenario's probability now and after silence as lines, and from now to a dot: if the row comes."""
    rows = np.arange(len(table))
    for name, colour in SCENARIO_COLOURS.items():
        at = rows + APART[name]
        axes.axvline(present[name], color=colour, linewidth=1.0, linestyle=(0, (4, 2)), zorder=1, gid=f"now:{name}")
        axes.axvline(present[f"{name}_silent"], color=colour, linewidth=0.8, ls=":", zorder=1, gid=f"silent:{name}")
        axes.hlines(at, present[name], table[name], color=colour, linewidth=1.6, zorder=2)
        error = 1.645 * table[f"{name}_mcse"]
        axes.hlines(at, table[name] - error, table[name] + error, color=INK, linewidth=0.7, zorder=4)
        style: Any = {**MARKS[name], "color": colour, "ms": 5.5}
        axes.plot(table[name], at, ls="none", zorder=3, gid=f"given:{name}", **style)
    seen = np.concatenate([table[list(SCENARIOS)].to_numpy().ravel(), present[list(SCENARIOS)].to_numpy(float)])
    axes.set(xlim=(max(seen.min() - 0.05, 0), min(seen.max() + 0.05, 1)))
    axes.set_xlabel("Probability of each scenario if the row comes")
    keys = [Line2D([], [], color=c, lw=1.6, **MARKS[n], label=labels[n]) for n, c in SCENARIO_COLOURS.items()]
    keys.append(Line2D([], [], color=GREY, lw=1, linestyle=(0, (4, 2)), label="now"))
    tight: Any = {"ncols": 4, "handlelength": 1.6, "columnspacing": 1.0, "fontsize": 7}
    axes.legend(handles=keys, loc="lower center", bbox_to_anchor=(0.5, 0.993), **tight)
    axes.spines["left"].set_visible(False)


def _lines(text: str) -> int:
    return 1 + text.count("\n")


def _bars(axes: Axes, values: pd.Series, errors: pd.Series, form: str, label: str) -> None:
    """Draw values as bars with their Monte Carlo errors, printed beside them."""
    rows = range(len(values))
    axes.barh(rows, values, 0.5, color="#9fb3c8", xerr=errors, error_kw={"elinewidth": 0.8, "ecolor": INK})
    for row, value, error in zip(rows, values, errors, strict=True):
        axes.text(value + error + 0.12 * max(values), row, form.format(value), va="center", fontsize=7)
    axes.set(xlim=(0, 1.75 * max(values)), xticks=[])
    axes.set_title(label, fontsize=7.5, fontweight="normal")
    axes.spines[:].set_visible(False)


def _labels(axes: Axes, table: pd.DataFrame) -> None:
    """Name each row in words, with the authority and the proceeding below."""
    beside: Any = {"transform": axes.get_yaxis_transform(), "ha": "right"}
    for row, (kind, case, family, who) in enumerate(table[["kind", "case_id", "family", "authority"]].to_numpy()):
        silent = kind == SILENCE
        name = "Silence" if silent else FAMILY_NAMES[family]
        below = "in every open proceeding" if silent else f"{who.split(' (')[0]}, {case}"
        colour = ACCENT if silent else INK
        axes.text(-0.06, row - 0.03, name, va="bottom", fontweight="bold", color=colour, **beside)
        axes.text(-0.06, row + 0.05, below, va="top", fontsize=6.5, color=GREY, **beside)
