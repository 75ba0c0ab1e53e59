"""Calibration as pictures: ranks against the diagonal, coverage, what probabilities are worth and how soon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from forecast.calibration.learning import SURE
from forecast.calibration.quantities import KINDS
from forecast.calibration.running import Calibration
from forecast.calibration.store import KIND, write_world
from forecast.calibration.tables import ALL, ERROR, LEVELS
from forecast.calibration.uniformity import band
from forecast.folders import FIGURES, save_result
from forecast.plots import look
from forecast.plots.look import ACCENT, FAINT, INK, POSTERIOR, PRIOR, SCENARIO_COLOURS
from forecast.quantities import percent

TITLES = {
    "scenario": "Scenario, tempo",
    "density": "Log densities",
    "parameter": "Parameters",
    "effect": "Effects",
    "target": "Targets",
}
BANDS = {"one": "#d3dfeb", "all": "#eef2f6"}
"""Colours of the band of one quantity, and of that of all of its kind."""
LOUDEST = 2
"""Departures that are named in a panel."""
GREY, PALE = "#777777", "#9fb3c8"
EVENTS_SHOWN = 0.9
"""Share of the worlds all of whose events are shown."""


def save_calibration(calibration: Calibration, folder: Path | str) -> None:
    """Write every table as CSV, ``worlds/`` (one file each, from which a later run goes on) and the figures.

    Raises ``InputError`` for a folder of anything else and one that cannot be written.
    """
    drawn = {"ranks": ranks(calibration), "coverage": coverage(calibration), "learning": learning(calibration)}

    def rest(scratch: Path) -> None:
        for one in calibration.examined:
            write_world(one, scratch)
        (scratch / FIGURES).mkdir()
        for name, picture in drawn.items():
            look.save_both(picture, scratch / FIGURES / name)

    verdict = {"calibrated": calibration.calibrated, "converged": calibration.converged}
    save_result(folder, KIND, calibration.tables, {**calibration.manifest, **verdict}, rest)


@look.styled
def ranks(calibration: Calibration) -> Figure:
    """Draw the ECDF of the ranks of every quantity less the diagonal, with the bands in which it should stay."""
    table, ranked = calibration.tables["uniformity"], calibration.tables["ranks"]
    picture = look.new(6.6)
    panels = picture.subplots(2, 3, sharex=True, sharey=True).ravel()
    for axes, (kind, title) in zip(panels, TITLES.items(), strict=False):
        own = table.loc[table["kind"] == kind]
        _ecdfs(axes, own, ranked.loc[ranked["kind"] == kind])
        axes.set_title(f"{title} ({len(own)})")
    for axes in panels[::3]:
        axes.set_ylabel("ECDF less the diagonal")
    for axes in panels[2:5]:
        axes.set_xlabel("Rank of the truth, relative")
        axes.tick_params(labelbottom=True)
    _key(panels[5])
    used = sum(not one.failed for one in calibration.examined)
    note = (
        f"Each line: one quantity over {used} worlds; rank of the truth among the draws, ties broken at random; in "
        "brackets how many lines. Above zero throughout: the draws lie too high; below: too low; an S: they spread too "
        "little or too much. Dark band: a single quantity of uniform ranks stays inside with 95 %. A line that leaves "
        f"the light band makes the model fail: all quantities are tested together, at an error of {percent(ERROR)}."
    )
    gone = len(calibration.departures)
    title = "The truth ranks uniformly among the draws"
    if gone:
        title = f"The truth does not rank uniformly: {gone} of {len(table)} quantities depart"
    return look.finish(picture, title, note, _about(calibration))


def _ecdfs(axes: Axes, table: pd.DataFrame, ranked: pd.DataFrame) -> None:
    """Draw the lines of one kind, those that depart in front and named."""
    n = int(table["worlds"].max()) if len(table) else 0
    axes.set_xlim(0, 1)
    if n < 2:
        axes.text(0.5, 0.5, "too few worlds", ha="center", va="center", transform=axes.transAxes, color=GREY)
        return
    for which, probability in (("all", 1 - ERROR / len(KINDS) / len(table)), ("one", 0.95)):
        x, low, high = band(n, probability)
        axes.fill_between(x, low, high, color=BANDS[which], lw=0, step="mid", zorder=1, gid=f"band:{which}")
    axes.axhline(0, color=INK, lw=0.7, zorder=2)
    passed = table.set_index("quantity")["passed"].astype(bool)
    for name, pits in ranked.groupby("quantity", sort=False)["pit"]:
        x = np.concatenate([[0.0], np.sort(pits.to_numpy()), [1.0]])
        y = np.concatenate([[0.0], np.arange(1, n + 1) / n, [1.0]]) - x
        style: Any = {"color": POSTERIOR, "lw": 0.6, "alpha": 0.35, "zorder": 3}
        if not passed[name]:
            style = {"color": ACCENT, "lw": 1.3, "zorder": 4}
        axes.plot(x, y, gid=f"rank:{name}", **style)
    loudest = table.loc[~table["passed"].astype(bool)].sort_values("p_value", kind="stable").head(LOUDEST)
    for i, name in enumerate(loudest["quantity"]):
        axes.text(0.03, 0.03 + 0.06 * i, name, color=ACCENT, fontsize=6, transform=axes.transAxes, zorder=5)


def _key(axes: Axes) -> None:
    axes.set_axis_off()
    handles = [
        Line2D([], [], color=POSTERIOR, lw=0.9, label="one quantity"),
        Line2D([], [], color=ACCENT, lw=1.3, label="departs: the model fails"),
        Patch(color=BANDS["one"], label="band of one quantity, 95 %"),
        Patch(color=BANDS["all"], label="band of all of the kind together"),
    ]
    axes.legend(handles=handles, loc="center left")


@look.styled
def coverage(calibration: Calibration) -> Figure:
    """Draw how often central intervals hold the truth: each quantity as a dot, each kind with its expected range."""
    table = calibration.tables["coverage"]
    picture = look.new(3.6)
    panels = picture.subplots(1, len(LEVELS), sharey=True)
    for axes, level in zip(panels, LEVELS, strict=True):
        _covered(axes, table.loc[table["level"] == level])
        axes.axvline(level, color=INK, lw=0.8, zorder=1)
        axes.set_title(f"{percent(level)} intervals")
        axes.set_xlabel("Share that holds the truth")
        axes.xaxis.set_major_formatter(lambda value, _: percent(value) if value <= 1 else "")
        axes.set_xlim(right=min(axes.get_xlim()[1], 1.0))
        axes.grid(visible=False, axis="y")
    panels[0].set_yticks(range(len(TITLES)), list(TITLES.values()))
    panels[0].set_ylim(len(TITLES) - 0.5, -0.5)
    note = (
        "Large dots: mean over all quantities of a kind and all worlds. Bars: where that mean lies with 95 % if the "
        "level holds, from the spread between worlds. Small dots: single quantities, spread in height alone. Central "
        "intervals with equal tails; ties broken at random, so that those of yes/no targets are nominal too."
    )
    return look.finish(picture, "Do intervals hold the truth as often as they say?", note, _about(calibration))


def _covered(axes: Axes, table: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    for row, kind in enumerate(TITLES):
        own = table.loc[table["kind"] == kind]
        each = own.loc[own["quantity"] != ALL, "covered"]
        height = row + rng.uniform(-0.27, 0.27, len(each))
        if len(each):  # nothing that is not clipped has no extent, and the layout would collapse
            axes.plot(each, height, ".", ms=2, color=PALE, zorder=2, clip_on=False, gid=f"each:{kind}")
        for both in own.loc[own["quantity"] == ALL].to_dict("records"):
            axes.hlines(row, both["low"], both["high"], color=PRIOR, lw=5, alpha=0.55, zorder=3)
            axes.plot(both["covered"], row, "o", ms=5, color=POSTERIOR, zorder=4, gid=f"all:{kind}")


@look.styled
def learning(calibration: Calibration) -> Figure:
    """Draw what a stated probability of a scenario is worth, and how soon the true scenario is recognised."""
    picture = look.new(3.9)
    said, by_month, by_event = picture.subplots(1, 3)
    _reliability(said, calibration.tables["scenario"])
    curve, soon = calibration.tables["learning_curve"], calibration.tables["learning"]
    end = float(soon["events_in_all"].quantile(EVENTS_SHOWN)) if len(soon) else 1.0
    names = {ALL: "all worlds", **look.labels(calibration.manifest)}
    handles = []
    for name, colour in {ALL: INK, **SCENARIO_COLOURS}.items():
        style: Any = {"color": colour, "lw": 2.2 if name == ALL else 1.4}
        worlds = soon if name == ALL else soon.loc[soon["scenario"] == name]
        own = curve.loc[curve["scenario"] == name]
        handles.append(Line2D([], [], label=f"{names[name]} ({len(worlds)})", **style))
        if len(worlds):
            by_month.plot(own["months"], own["probability"], gid=f"probability:{name}", **style)
            by_event.step(*_reached(worlds["events"], end), where="post", gid=f"events:{name}", **style)
    by_month.axhline(SURE, color=GREY, lw=0.8, ls=(0, (4, 2)))
    by_month.set_title("Probability of the true\nscenario, mean over worlds", fontsize=8)
    last = calibration.manifest["horizons"][-1]
    by_month.set(xlabel="Months since the brief", ylim=(0, 1.02), xlim=(0, last), xticks=look.month_ticks(last))
    by_event.set_title("Share of worlds in which\nit has had 80 % by then", fontsize=8)
    by_event.set(xlabel="Events since the brief", ylim=(0, 1.02), xlim=(0, max(end, 1.0)))
    by_event.legend(handles=handles, loc="lower right", title="true scenario", title_fontsize=7, fontsize=7)
    note = (
        "Left: each mark is a bin of stated probabilities, with 95 % of its error, from the spread between worlds; on "
        "the diagonal a probability means what it says. Middle and right: the focal matter's news revealed event by "
        "event, silence included, with hazards as the record leaves them on the day of the brief. "
        "In brackets: worlds."
    )
    title = "What a scenario's probability is worth, and how soon the true one shows"
    return look.finish(picture, title, note, _about(calibration))


def _reached(events: pd.Series, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of worlds that have reached 80 % by each number of events, as the corners of steps."""
    found = np.sort(events[np.isfinite(events.astype(float))].to_numpy(float))
    share = np.arange(1, len(found) + 1) / len(events)
    last = share[-1] if len(share) else 0.0
    return np.concatenate([[0.0], found, [max(end, *found, 0.0)]]), np.concatenate([[0.0], share, [last]])


def _reliability(axes: Axes, table: pd.DataFrame) -> None:
    axes.plot([0, 1], [0, 1], color=INK, lw=0.7)
    looks = {"scenario": (POSTERIOR, "o", "scenarios"), "events": (PRIOR, "s", "stated events")}
    for view, own in table.groupby("view", sort=False):
        colour, marker, label = looks[str(view)]
        style: Any = {"fmt": marker, "ms": 4, "color": colour, "elinewidth": 0.9, "label": label}
        axes.errorbar(own["expected"], own["observed"], 1.96 * own["error"], gid=f"reliability:{view}", **style)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="Probability in the forecast")
    axes.set_title("How often what is\nforecast comes true", fontsize=8)
    if len(table):
        axes.legend(loc="upper left", fontsize=7, handletextpad=0.2)
    axes.grid(color=FAINT, lw=0.4)


def _about(calibration: Calibration) -> dict[str, Any]:
    m = calibration.manifest
    low, high = m["span_months"]
    return {**m, "origin": f"{low} to {high} months after {m['as_of']}", "view": "inside"}
