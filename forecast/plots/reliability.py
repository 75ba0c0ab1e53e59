"""How past forecasts came out: reliability, events against expectations, calibration of times and sizes, skill."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from forecast.backtesting import Backtest
from forecast.plots import look
from forecast.plots.answers import FAMILY_NAMES
from forecast.plots.look import ACCENT, INK, POSTERIOR, PRIOR
from forecast.terminal.scores import ALL, FEW, FEW_MARK, OTHERS

NAMES = {
    **FAMILY_NAMES,
    ALL: "All families",
    OTHERS: "All but procedural steps",
    "order": "Order",
    "formal_opening": "Formal opening",
    "judicial_investigation": "Judicial investigation",
}
"""What may be asked about -> its name."""
GREY = "#777777"
FORECASTERS = {
    "model": "Model, outside view",
    "pooled": "Pooled: one hazard per family",
    "by_class": "By class: a hazard per authority class",
    "incidence": "Incidence: a cumulative-incidence curve",
}
COLOURS = {"model": POSTERIOR, "pooled": PRIOR, "by_class": "#7a7a7a", "incidence": ACCENT}
MARKERS = {"model": "o", "pooled": "D", "by_class": "s", "incidence": "^"}
PARTS = {
    ("time", "findings"): "Months to findings",
    ("time", "decision"): "Months to a first decision",
    ("size", "fine"): "Log size of a fine",
}
"""Distributions that are scored, and their names."""
CLIP = (-1.0, 0.6)
"""Skill that is drawn; what lies beyond is an arrow."""


@look.styled
def reliability(result: Backtest) -> Figure:
    """Draw how often what was given some probability came, for model and baselines, all windows together."""
    table = result.reliability.loc[result.reliability["window_months"] == ALL]
    low, high = table["probability"].min() / 2, min(1.5 * table[["high", "share"]].to_numpy().max(), 1.0)
    picture = look.new(6.2)
    panels = picture.subplots(2, 2, sharex=True, sharey=True).flat
    for axes, (name, words) in zip(panels, FORECASTERS.items(), strict=True):
        axes.plot([low, high], [low, high], color=GREY, lw=0.8, zorder=1)
        _bins(axes, table.loc[table["forecaster"] == name], COLOURS[name], low)
        axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
        axes.set_title(words)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
    for axes in picture.axes[2:]:
        axes.set_xlabel("Probability, mean of the bin")
    for axes in picture.axes[::2]:
        axes.set_ylabel("Share that came")
    more = table.loc[table["forecaster"] == "model", "inflation"].iloc[0]
    note = (
        "Bins hold equal sums of the probability. Numbers: events that came in the bin. Grey bars: where a reliable "
        "forecaster's share would lie with probability 0.90. An event counts in every window and at every origin that "
        f"covers it: for the model's bars, {more:.1f} forecasts weigh as one."
    ) + (" Triangles: none came." if (table["observed"] == 0).any() else "")
    return _finish(picture, "Reliability: did events come as often as they were forecast?", note, result)


def _bins(axes: Axes, own: pd.DataFrame, colour: str, low: float) -> None:
    """Draw the share of each bin, how many events that was, and where it should have been."""
    floor = 1.15 * low
    axes.vlines(own["probability"], own["low"].clip(lower=low), own["high"], color="#d5d5d5", lw=5, zorder=2)
    came, none = (own.loc[chosen] for chosen in (own["observed"] > 0, own["observed"] == 0))
    axes.plot(came["probability"], came["share"], "o", ms=4.4, color=colour, zorder=3, gid="share")
    axes.plot(none["probability"], np.full(len(none), floor), "v", ms=4.4, color=colour, zorder=3, gid="none")
    for at, high, share, events in own[["probability", "high", "share", "observed"]].to_numpy():
        place = (at, max(high, share, floor))
        axes.annotate(f"{events:.0f}", place, (0, 4), textcoords="offset points", ha="center", fontsize=6.5)


@look.styled
def counts(result: Backtest) -> Figure:
    """Draw events observed, with their interval over matters, and how many each forecaster expected, by family."""
    table = result.counts.loc[result.counts["window_months"] == ALL]
    table = table.loc[~table["target"].isin([ALL, OTHERS])].sort_values("observed", ascending=False, kind="stable")
    rows = np.arange(len(table))
    picture = look.new(1.5 + 0.3 * len(table))
    axes = picture.subplots()
    axes.hlines(rows, table["observed_low"], table["observed_high"], color="#d5d5d5", lw=8, zorder=1)
    axes.vlines(table["observed"], rows - 0.3, rows + 0.3, color=INK, lw=2, zorder=3, gid="observed")
    for number, name in enumerate(FORECASTERS):
        at = rows + 0.13 * (number - 1.5)
        axes.plot(table[f"expected_{name}"], at, MARKERS[name], color=COLOURS[name], ms=4.2, ls="none", zorder=4)
    axes.set_yticks(rows, [NAMES[family] for family in table["target"]])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0, None), xlabel="Events, all origins and windows together")
    axes.grid(visible=False, axis="y")
    axes.legend(handles=[Line2D([], [], color=INK, lw=2, label="Observed"), *_keys()], loc="lower right")
    note = (
        "Black: how many forecasts came true; grey: eti 0.90 over resampled matters. An event counts in every window "
        "and at every origin that covers it. Where nothing was observed, resampling has no interval to offer."
    )
    return _finish(picture, "Events observed, and expected", note, result)


def _keys() -> list[Line2D]:
    return [
        Line2D([], [], ls="none", ms=4.4, marker=MARKERS[name], color=COLOURS[name], label=words.split(":")[0])
        for name, words in FORECASTERS.items()
    ]


@look.styled
def pit(result: Backtest) -> Figure:
    """Draw where waiting times and sizes fell in the model's distributions, less where they should have fallen."""
    table = result.pit.set_index(["kind", "target"])
    shown = [part for part in PARTS if part in table.index]
    picture = look.new(3.3)
    panels = np.atleast_1d(picture.subplots(1, len(shown)))
    for axes, part in zip(panels, shown, strict=True):
        own = table.loc[[part]]
        ends = {"u": 1.0, "band": 0.0, "difference": 0.0}
        u, band, line = (np.array([0.0, *own[name], end]) for name, end in ends.items())
        axes.fill_between(u, -band, band, color="#e3e3e3", lw=0, zorder=1)
        axes.axhline(0, color=GREY, lw=0.8, zorder=2)
        axes.plot(u, line, color=POSTERIOR, marker="o", ms=2.6, zorder=3, gid=":".join(part))
        forecasts, matters = own["n"].iloc[0], own["matters"].iloc[0]
        axes.set_title(f"{PARTS[part]}\n{forecasts} forecasts, {matters} matters", fontsize=8)
        limit = 1.15 * max(band.max(), np.abs(line).max())
        axes.set(xlim=(0, 1), ylim=(-limit, limit), xlabel="PIT")
    picture.axes[0].set_ylabel("Share of PIT values below,\nless what it should be")
    note = (
        "Probability integral transform (PIT): the probability that the model gave to less than what came; uniform if "
        "the model is calibrated. Line above zero: more came early, or small, than was said; below zero: late, or "
        "large. Grey: where the whole line of a calibrated model lies with probability 0.90, wider where forecasts of "
        "one matter depend on each other. Times that the record's end cuts off take a random place beyond it."
    )
    return _finish(picture, "Calibration of waiting times and sizes", note, result)


@look.styled
def skill(result: Backtest) -> Figure:
    """Draw the skill against each baseline, by family and for times and sizes, with intervals over matters."""
    table = _skill_rows(result.scores)
    rows = np.arange(table["row"].nunique())
    picture = look.new(1.7 + 0.34 * len(rows))
    axes = picture.subplots()
    for number, name in enumerate(list(FORECASTERS)[1:]):
        own = table.loc[table["baseline"] == name]
        _intervals(axes, own, own["row"] + 0.22 * (number - 1), name)
    axes.axvline(0, color=INK, lw=0.8, zorder=1)
    names = table.drop_duplicates("row")
    axes.set_yticks(rows, names["name"])
    axes.set(
        xlim=CLIP, ylim=(len(rows) - 0.5, -0.5), xlabel="Skill: share of the baseline's score that the model saves"
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:+.0f}%" if abs(value) > 1e-9 else "0")
    axes.grid(visible=False, axis="y")
    for row in rows[1::2]:
        axes.axhspan(row - 0.5, row + 0.5, color="#f5f5f5", zorder=0, lw=0)
    keys: Any = {"ncols": 3, "loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "columnspacing": 1.4}
    axes.legend(handles=_keys()[1:], title="Against", alignment="left", title_fontsize=8, **keys)
    note = (
        "Right of zero the model is better. Events: log score; months and sizes: CRPS. Bars: eti 0.90 over resampled "
        "matters, all origins and windows of a matter together; arrows: it goes on. In brackets: what came, and in how "
        f"many matters. {FEW_MARK} and hollow: events in fewer than {FEW} matters, the interval says next to nothing."
    )
    return _finish(picture, "Skill against plain baselines", note, result)


def _skill_rows(scores: pd.DataFrame) -> pd.DataFrame:
    """Return what the figure shows, numbered by ``row``: all families, each one by its events, then times and sizes."""
    pooled = scores.loc[(scores["window_months"] == ALL) & scores["score"].isin(["log", "crps"])].copy()
    words = [
        PARTS.get((kind, target)) or NAMES[target]
        for kind, target in zip(pooled["kind"], pooled["target"], strict=True)
    ]
    came = [
        f"{o} in {e}{FEW_MARK if e < FEW else ''}" for o, e in zip(pooled["observed"], pooled["eventful"], strict=True)
    ]
    pooled["name"] = [f"{word} ({how})" for word, how in zip(words, came, strict=True)]
    is_event = pooled["kind"] == "event"
    pooled["rank"] = np.where(
        is_event, np.where(pooled["target"].isin([ALL, OTHERS]), -np.inf, -pooled["observed"]), np.inf
    )
    pooled = pooled.sort_values("rank", kind="stable")
    return pooled.assign(row=pd.factorize(pooled["name"])[0])


def _intervals(axes: Axes, own: pd.DataFrame, at: pd.Series, name: str) -> None:
    """Draw skill as a mark with its interval; an arrow at the edge where it goes on beyond what is drawn."""
    low, high = own["skill_low"].clip(*CLIP), own["skill_high"].clip(*CLIP)
    axes.hlines(at, low, high, color=COLOURS[name], lw=1.3, zorder=2)
    inside = own["skill"].between(*CLIP)
    mark: Any = {"color": COLOURS[name], "ls": "none", "zorder": 3, "clip_on": False}
    for few, face, gid in ((own["eventful"] >= FEW, COLOURS[name], "skill"), (own["eventful"] < FEW, "white", "few")):
        shown = inside & few
        if shown.any():
            axes.plot(own.loc[shown, "skill"], at[shown], MARKERS[name], ms=4.2, mfc=face, gid=f"{gid}:{name}", **mark)
    for edge, sign, beyond in ((CLIP[0], "<", own["skill_low"] < CLIP[0]), (CLIP[1], ">", own["skill_high"] > CLIP[1])):
        if beyond.any():  # an unclipped line without points would have a place, in the layout's corner
            axes.plot(np.full(beyond.sum(), edge), at[beyond], sign, ms=3.6, **mark)


def _finish(picture: Figure, title: str, note: str, result: Backtest) -> Figure:
    m = result.manifest
    last = result.diagnostics["origin_date"].iloc[-1]
    about = {**m, "matter": "all matters of the record", "origin": f"{m['start']} to {last}"}
    return look.finish(picture, title, note, about)
