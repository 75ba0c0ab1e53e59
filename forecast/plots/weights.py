"""The weight of evidence as a figure: the scenarios' probabilities from brief to origin, and what moved them."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast.forecasting import Forecast
from forecast.plots.answers import on_colour
from forecast.plots.look import INK, SCENARIO_COLOURS, finish, new, styled
from forecast.plots.look import labels as labels_of
from forecast.quantities import percent
from forecast.terminal.news import brief_of, odds_of, short_note, stepwise
from forecast.unused import SEPARATOR
from forecast.vocabulary import SCENARIOS

MOST_TOLD, LINE, CHARACTERS = 24, 0.135, 124
"""Days with events that are told below the chart, inches of a line there, and its characters."""
CHART, NARROW, LABEL = 2.9, 0.06, 0.17
"""Inches of the chart; probability from which on a label stands inside its area; half of its length, of the chart's."""


@styled
def weight_of_evidence(forecast: Forecast) -> Figure:
    """Draw how news moved the scenarios' probabilities, day by day, with each event and its factors below."""
    manifest = forecast.manifest
    table = forecast.tables.get("weight_of_evidence", pd.DataFrame())
    if not len(table):
        return _without_news(manifest)
    steps = stepwise(table, list(SCENARIOS))
    days = [step for step in steps if step["kind"] != "silence"]
    told = _told(days, manifest["labels"])
    lines = sum(text.count("\n") + 1 for text in told)
    picture = new(CHART + LINE * lines + 1.25)
    grid = picture.add_gridspec(2, 1, height_ratios=(CHART, LINE * lines + 0.1))
    _areas(picture.add_subplot(grid[0]), steps, days, manifest)
    below = picture.add_subplot(grid[1], frameon=False, xticks=[], yticks=[])
    below.text(0, 1, "\n".join(told), va="top", fontsize=7, linespacing=1.25, transform=below.transAxes)
    note = (
        "Areas: probabilities of the scenarios after each day, given what was public by the origin; they slope where "
        "nothing comes, for each scenario expects events, and step where a first event comes that the brief speaks of. "
        "Factors: by how much the event's day changed each probability."
    )
    return finish(picture, "Weight of evidence: what moved the scenarios", note, manifest)


def _without_news(manifest: dict[str, Any]) -> Figure:
    picture = new(1.6)
    axes = picture.subplots()
    axes.set_axis_off()
    what = f"Nothing is known after the brief of {manifest['as_of']}: no event and no silence has moved a scenario."
    axes.text(0, 0.5, what, va="center", transform=axes.transAxes)
    return finish(picture, "Weight of evidence", "There is no news at this origin.", manifest)


def _areas(axes: Axes, steps: list[dict[str, Any]], days: list[dict[str, Any]], manifest: dict[str, Any]) -> None:
    """Draw stacked areas by date, the label of each scenario inside, and a numbered mark at each day with events."""
    first = dict(zip(SCENARIOS, brief_of(steps, list(SCENARIOS)), strict=True))
    at = np.array([_day(manifest["as_of"]), *(_day(step["end"]) for step in steps)])
    shares = np.array([[p[s] for s in SCENARIOS] for p in (first, *(step["probability"] for step in steps))]).T
    ends = shares.cumsum(axis=0)
    labels = labels_of(manifest)
    for name, low, high, own in zip(SCENARIOS, ends - shares, ends, shares, strict=True):
        axes.fill_between(at, low, high, color=SCENARIO_COLOURS[name], linewidth=0)
        ink: dict[str, Any] = {"color": on_colour(SCENARIO_COLOURS[name]), "fontsize": 8}
        place = _roomiest(at, own)
        bottom, top = (float(np.interp(place, at, edge)) for edge in (low, high))
        if top - bottom >= NARROW:
            paper = {"fc": SCENARIO_COLOURS[name], "ec": "none", "pad": 1}
            style: dict[str, Any] = {"ha": "center", "va": "center", "fontweight": "bold", "bbox": paper, "zorder": 3}
            axes.text(place, (bottom + top) / 2, labels[name].replace("\n", " "), **style, **ink)
        for x, which, side in ((at[0], 0, "left"), (at[-1], -1, "right")):
            if own[which] >= NARROW:
                shift = 0.008 * np.ptp(at) * (1 if side == "left" else -1)
                axes.text(x + shift, (low + high)[which] / 2, percent(own[which]), ha=side, va="center", **ink)
    for number, step in enumerate(days, 1):
        axes.axvline(_day(step["end"]), color="white", linewidth=0.8, alpha=0.7)
        axes.text(_day(step["end"]), 1.02, str(number), ha="center", va="bottom", fontsize=7, color=INK)
    axes.set(xlim=(at[0], at[-1]), ylim=(0, 1), ylabel="Probability")
    axes.grid(visible=False)
    axes.yaxis.set_major_formatter(lambda share, _: percent(share))
    locator = dates.AutoDateLocator(minticks=3, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))


def _roomiest(at: np.ndarray, own: np.ndarray) -> float:
    """Return the date about which an area is widest over the length of a label."""
    span = np.ptp(at)
    places = np.linspace(at[0] + LABEL * span, at[-1] - LABEL * span, 61)
    room = [np.interp(np.linspace(x - 0.8 * LABEL * span, x + 0.8 * LABEL * span, 15), at, own).min() for x in places]
    return float(places[int(np.argmax(room))])


def _day(text: str) -> float:
    return float(dates.date2num(pd.Timestamp(text)))


def _told(days: list[dict[str, Any]], labels: dict[str, str]) -> list[str]:
    """Return each day with events in words, with its factors; where there are many, those that moved most."""
    kept = sorted(sorted(range(len(days)), key=lambda i: -odds_of(days[i]))[:MOST_TOLD])
    lines = []
    for i in kept:
        step = days[i]
        factors = ", ".join(f"{labels[s]} x{np.exp(step['log_factor'][s]):.2f}" for s in SCENARIOS)
        weight = f"no weight: {short_note(step['note'])}" if step["note"] else factors
        if step["rests_on"]:
            weight += f"; stated {step['rests_on'].replace('_', ' ')}"
        what = "; ".join(step["what"].split(SEPARATOR))
        lines.append(fill(f"{i + 1:>2}  {step['end']}  {what} ({weight})", CHARACTERS, subsequent_indent=" " * 7))
    if len(kept) < len(days):
        lines.append(f"and {len(days) - len(kept)} more days with events in weight_of_evidence.csv")
    return lines
