"""How a forecast would have moved: scenarios and a few targets over origins, and what became public on the way."""

from __future__ import annotations

from datetime import date
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from forecast.plots import look
from forecast.plots.answers import NAMES
from forecast.plots.look import ACCENT, FAINT, INK, POSTERIOR, PRIOR, SCENARIO_COLOURS
from forecast.replaying import Trajectory
from forecast.vocabulary import horizon_by

type Style = dict[str, Any]
type Label = tuple[float, str, bool]
type Placed = tuple[float, str, bool, int, str]
VIEWS: dict[str, Style] = {
    "outside": {"mfc": "white", "lw": 1.0, "mew": 1.1, "label": "Outside view"},
    "inside": {"lw": 2.2, "mew": 1.1, "label": "Inside view, from the brief on"},
}
"""Hollow markers and thin lines for the reference class, filled markers and thick lines for the brief."""
MARKS: dict[bool, Style] = {
    True: {"color": ACCENT, "lw": 1.1, "ls": (0, (4, 2)), "zorder": 1.5},
    False: {"color": FAINT, "lw": 0.8, "zorder": 1},
}
"""Lines at the brief's date (true), and at the days on which events became public."""
LIKELY = {"event:findings": POSTERIOR, "event:fine": PRIOR}
WITHIN = 24
"""Months of the probabilities, where there is such a horizon; the amount is at the last one."""
LABEL_SIZE, LEVEL = 6.6, 0.155
"""Size of the labels of events in points, and the height of one row of them in inches."""
SPAN = 5.6 * 72
"""Points across which origins are drawn, at least: labels that keep apart there keep apart on the page."""


@look.styled
def trajectory(trajectory: Trajectory) -> Figure:
    """Draw the scenarios in both views, a few targets in the view that counts, and when events became public."""
    table, m = trajectory.table.assign(x=lambda t: date2num(pd.to_datetime(t["origin_date"]))), trajectory.manifest
    low, high = table["x"].min(), table["x"].max()
    room = max(high - low, 30.0) * 0.025
    labels = _placed(_labels(trajectory), low - room, high + room)
    levels = 1 + max((level for *_, level, _ in labels), default=0)
    heights = (LEVEL * levels, 2.3, 1.6, 1.6)
    picture = look.new(sum(heights) + 2.0)
    strip, *panels = picture.subplots(4, 1, sharex=True, height_ratios=heights)
    _announce(strip, labels, levels, [view for view in VIEWS if view in set(table["view"])])
    within, by = horizon_by(m["horizons"], WITHIN), m["horizons"][-1]
    _weights(panels[0], table.loc[(table["target"] == "scenario") & table["view"].isin(VIEWS)], look.labels(m))
    _chances(panels[1], table.loc[table["horizon_months"] == within], within)
    _amounts(panels[2], table.loc[table["horizon_months"] == by], by)
    for axes in panels:
        for when, _, is_brief, *_ in labels:
            axes.axvline(when, **MARKS[is_brief])
        axes.grid(visible=False, axis="x")
    panels[-1].xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=8))
    panels[-1].xaxis.set_major_formatter(DateFormatter("%Y-%m" if high - low > 180 else "%Y-%m-%d"))
    panels[-1].set(xlim=(low - room, high + room), xlabel="Origin date: what was public by its end counts")
    shown = {**m, "origin": f"{m['start']} to {m['end']}"}
    return look.finish(picture, "How the forecast would have moved", _note(trajectory), shown)


def _labels(trajectory: Trajectory) -> list[Label]:
    """Return day, words, and whether it is the brief, of everything that is marked in time, in its order.

    What was published before anything told of its proceeding is marked on the day on which that became known.
    """
    cases = trajectory.record.proceedings.set_index("case_id")
    log = trajectory.record.events
    opening = log.loc[log["date"] >= log["case_id"].map(cases["opened_on"])].groupby("case_id")["published_on"].min()
    focal = trajectory.events.loc[trajectory.events["is_focal"].astype(bool)]
    focal = focal.assign(
        place=focal["case_id"].map(cases["jurisdiction"]),
        known_on=np.maximum(focal["published_on"], focal["case_id"].map(opening)),
    )
    found = []
    for (day, place), rows in focal.groupby(["known_on", "place"]):
        words = ", ".join(dict.fromkeys(kind.replace("_", " ") for kind in rows["type"]))
        found.append((float(date2num(day)), f"{words[0].upper()}{words[1:]} ({place})", False))
    m = trajectory.manifest
    if m["start"] <= m["as_of"] <= m["end"]:
        found.append((float(date2num(date.fromisoformat(m["as_of"]))), "The brief", True))
    return sorted(found)


def _placed(labels: list[Label], low: float, high: float) -> list[Placed]:
    """Give each label the lowest row in which it overlaps no other, and the side of its mark on which it stands."""
    taken: list[list[tuple[float, float]]] = []
    placed = []
    for when, words, is_brief in labels:
        font = FontProperties(family="DejaVu Sans", size=LABEL_SIZE, weight="bold" if is_brief else "normal")
        width = (TextPath((0, 0), words, prop=font).get_extents().width + 9) / SPAN * (high - low)
        side = "left" if when + width <= high else "right"
        begin, end = (when, when + width) if side == "left" else (when - width, when)
        edge = 4 / SPAN * (high - low)
        level = next(i for i in count() if i >= len(taken) or all(end < a or begin > b for a, b in taken[i]))
        taken += [[]] if level == len(taken) else []
        taken[level].append((begin - edge, end + edge))
        placed.append((when, words, is_brief, level, side))
    return placed


def _announce(axes: Axes, labels: list[Placed], levels: int, views: list[str]) -> None:
    """Write the labels over the time axis, each beside its mark, and what tells the views apart."""
    axes.set(ylim=(-0.6, levels - 0.4), yticks=[], frame_on=False)
    axes.set_title("What became public in the matter" if labels else "Nothing new became public in the matter")
    axes.tick_params(length=0, labelbottom=False)
    axes.grid(visible=False)
    for when, words, is_brief, level, side in labels:
        colour, weight = (ACCENT, "bold") if is_brief else (INK, "normal")
        axes.vlines(when, -0.6, level, **MARKS[is_brief])
        axes.plot(when, level, "o", ms=2.6, color=colour, zorder=3, clip_on=False)
        beside: Style = {
            "textcoords": "offset points",
            "ha": side,
            "va": "center_baseline",
            "zorder": 2,
            "gid": "event",
        }
        beside |= {"fontsize": LABEL_SIZE, "fontweight": weight, "color": colour}
        paper = {"fc": "white", "ec": "none", "pad": 0.4}
        axes.annotate(words, (when, level), (4 if side == "left" else -4, 0), bbox=paper, **beside)
    _legend(axes, [Line2D([], [], color=INK, marker="o", ms=4.4, **VIEWS[view]) for view in views])


def _legend(axes: Axes, keys: list[Line2D]) -> None:
    """Put keys beside the title."""
    place: Style = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderpad": 0.1, "borderaxespad": 0.2}
    axes.legend(handles=keys, ncols=len(keys), columnspacing=1.4, handlelength=1.6, **place)


def _weights(axes: Axes, table: pd.DataFrame, labels: dict[str, str]) -> None:
    """Draw the probability of each scenario in each view."""
    for (view, name), own in table.groupby(["view", "scenario"]):
        _line(axes, own, view, SCENARIO_COLOURS[name], f"{view}:{name}")
    _finish(axes, "Probability of each scenario", table["value"].max())
    _legend(axes, [Line2D([], [], color=c, lw=5, label=labels[name]) for name, c in SCENARIO_COLOURS.items()])


def _line(axes: Axes, own: pd.DataFrame, view: str, colour: str, gid: str) -> None:
    size = 4.2 if own["x"].nunique() <= 30 else 2.2
    style = {**VIEWS[view], "label": None, "color": colour, "marker": "o", "ms": size, "zorder": 3, "clip_on": False}
    axes.plot(own["x"], own["value"], gid=gid, **style)


def _chances(axes: Axes, table: pd.DataFrame, within: int) -> None:
    """Draw the probability of a few kinds of events, in the view that counts at each origin."""
    shown = table.loc[table["target"].isin(LIKELY)]
    for (view, name), own in shown.groupby(["view", "target"]):
        _line(axes, own, view, LIKELY[name], f"{view}:{name}")
    _finish(axes, f"Probability within {within} months of the origin", shown["value"].max())
    _legend(axes, [Line2D([], [], color=c, lw=5, label=NAMES[name]) for name, c in LIKELY.items()])


def _amounts(axes: Axes, table: pd.DataFrame, by: int) -> None:
    """Draw median and 90 % interval of the fines that are left, in the view that counts at each origin."""
    own = table.loc[table["target"] == "fine_left"].assign(value=lambda t: t["value"] * 1e-6)
    for view, rows in own.groupby("view"):
        wide = rows.pivot(index="x", columns="statistic", values="value")
        axes.vlines(wide.index, wide["q05"], wide["q95"], color=PRIOR, lw=3.5, alpha=0.4, zorder=2)
        _line(axes, rows.loc[rows["statistic"] == "q50"], view, PRIOR, f"{view}:fine_left")
    title = f"{NAMES['fine_left']}, within {by} months of the origin: median, 90 % interval"
    _finish(axes, title, own["value"].max() * 1.02)
    axes.set_ylabel("Million EUR")
    axes.yaxis.set_major_formatter("{x:,g}")


def _finish(axes: Axes, title: str, top: float) -> None:
    axes.set_title(title)
    axes.set_ylabel("Probability")
    axes.set_ylim(0, top if top > 1 else min(1.0, np.ceil(10 * top + 0.3) / 10) + 0.005)


def _note(trajectory: Trajectory) -> str:
    m, table = trajectory.manifest, trajectory.table
    error = table.loc[table["statistic"] == "probability", "mcse"].max()
    note = (
        f"Monte Carlo errors of probabilities (one standard error) at most ±{error:.3f}. Bars: eti 0.90, equal-tailed, "
    )
    note += "around the median. Events stand at the day on which they became public. "
    note += (
        f"The brief is of {m['as_of']}: before it there is only the outside view; the lower panels show the view that "
    )
    note += "counts, the inside view from then on. The prior file is the same at "
    note += "every origin: what it knows beyond the record is hindsight there."
    return note
