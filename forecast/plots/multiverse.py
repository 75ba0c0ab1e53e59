"""How a brief is read, and what that moves; what drives each answer; and the folder of both, with their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast.files import InputError, Problem
from forecast.folders import save_result
from forecast.plots import look
from forecast.plots.answers import HEAT, UNITS, name_of
from forecast.plots.look import ACCENT, FAINT, INK, POSTERIOR
from forecast.quantities import percent
from forecast.sensitivity import Sensitivity
from forecast.sensitivity.parts import ALL_PRIORS, STRUCTURE
from forecast.sensitivity.questions import ALONE, STATED
from forecast.vocabulary import horizon_by

SENSITIVITY = "sensitivity"
"""Kind of folder, as ``about.json`` names it."""

type Answer = tuple[str, str, int, str]


def panels(horizons: Sequence[int]) -> tuple[Answer, ...]:
    """Return the answers that are drawn under the readings: medians, and means of fines left and of cost."""
    soon, last = horizon_by(horizons, 24), horizons[-1]
    amounts = [("fine_largest", "q50"), ("fine_left", "mean"), ("user_attrition", "q50"), ("valuation_impact", "q50")]
    return (
        ("view", "crackdown", 0, "probability"),
        ("resolved_scenario:crackdown", "all", last, "mean"),
        ("event:fine", "all", soon, "mean"),
        *((name, "all", last, statistic) for name, statistic in (*amounts, ("total_cost", "mean"))),
    )


def driven(horizons: Sequence[int]) -> tuple[tuple[str, str, int], ...]:
    """Return the answers of which the drivers are drawn, a row each."""
    soon, last = horizon_by(horizons, 24), horizons[-1]
    events = {"findings": soon, "order": soon, "executive": last, "suspension": last, "fine": soon}
    amounts = ("fine_left", "valuation_impact", "user_attrition", "moderation_spending", "total_cost")
    return (
        ("outside", "crackdown", 0),
        ("resolved_scenario:crackdown", "all", last),
        *((f"event:{name}", "all", months) for name, months in events.items()),
        *((name, "all", last) for name in amounts),
    )


GREY = "#8a8a8a"
PERCENT = (100.0, "%")
MARKERS = (("o", "●"), ("^", "▲"), ("s", "■"), ("D", "◆"), ("v", "▼"), ("P", "✚"))
"""Marks of a question's readings, in the order of the prior file, as drawn and as written."""
CLEAR = 3.0
"""Monte Carlo errors from which on a move is drawn."""


@look.styled
def multiverse(result: Sensitivity) -> Figure:
    """Draw how far each answer moves for reading alone: all readings, then each question's.

    A panel per answer. Top row: the answer under every reading of the whole matter, and below it under those of one
    proceeding alone. Then a row per question: its readings, each changed alone (filled), and the mean over all readings
    that answer the question so (open), beside the mean of those that answer it as stated (tick). Raises ``InputError``
    for a forecast before its brief, which has no readings.
    """
    if not len(result.ranges):
        raise InputError(Problem("multiverse", "before the brief's date no reading counts"))
    shown = [one for one in panels(result.manifest["horizons"]) if len(_of(result.ranges, one))]
    rows = -(-len(shown) // 2)
    picture = look.new(2.2 + (0.62 + 0.16 * (2 + len(result.questions))) * rows)
    axes = picture.subplots(rows, 2, sharey=True, squeeze=False).ravel()
    for axis, answer in zip(axes, shown, strict=False):
        _panel(axis, result, answer)
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    return look.finish(picture, "How far each answer moves for reading alone", _caption(result), result.manifest)


def _caption(result: Sensitivity) -> str:
    c = result.checks
    note = f"{c['readings']} readings of the brief. Dashed: as the prior file states it. Titles: the range over all "
    note += (
        "readings of the whole matter (grey), against the 90 % interval (eti 0.90) of what may come under the stated "
    )
    note += "one. Filled: one question answered otherwise, alone"
    note += "." if c["quick"] else "; open: mean over all readings that do so, and tick, over those that do not."
    if any(ALONE in question.answers for question in result.questions):
        note += " Orange: one proceeding alone, another question asked: its events, fines and costs are its own."
    for question in result.questions:
        others = [answer for answer in question.answers if answer != STATED]
        marked = ", ".join(f"{glyph} {answer}" for (_, glyph), answer in zip(MARKERS, others, strict=False))
        note += f" {question.name.capitalize()}: {marked}."
    return note


def _panel(axis: Axes, result: Sensitivity, answer: Answer) -> None:
    row, effects = _of(result.ranges, answer).iloc[0], _of(result.effects, answer)
    scale, unit = _unit(row["unit"])
    values = _of(result.answers, answer).merge(result.readings, on="reading")
    whole = (values["matter"] == result.manifest["matter"]).to_numpy()
    axis.axvline(row["base"] * scale, color=INK, lw=0.8, ls=(0, (4, 2)), zorder=1, gid="stated")
    strips = [(whole, GREY, "all readings"), (~whole, ACCENT, "one proceeding alone")][: 1 + int((~whole).any())]
    for place, (own, colour, name) in enumerate(strips):
        at = values["value"].to_numpy()[own] * scale
        axis.vlines(at, place - 0.32, place + 0.32, color=colour, lw=0.6, alpha=0.6, gid=name)
    for place, question in enumerate(result.questions, len(strips)):
        mine = effects.loc[effects["question"] == question.name].set_index("reading")
        kept = values if ALONE in question.answers else values.loc[whole]
        means = kept.groupby(question.name)["value"].mean() * scale if not result.checks["quick"] else None
        _question(axis, place, (row["base"] + mine["alone"]) * scale, means)
    count = len(strips) + len(result.questions)
    axis.set_yticks(range(count), [*(name for *_, name in strips), *(q.name for q in result.questions)])
    axis.set_ylim(count - 0.4, -0.5)
    axis.axhline(len(strips) - 0.5, color=FAINT, lw=0.8)
    axis.grid(axis="y", visible=False)
    axis.set_title(_title(row, answer, scale, unit, result.manifest["labels"]), fontsize=7.5)
    axis.tick_params(labelsize=7)


def _question(axis: Axes, place: int, alone: pd.Series, means: pd.Series | None) -> None:
    """Draw the readings of a question: alone, and means over all others' answers, those of the stated one as a tick."""
    for (marker, _), reading in zip(MARKERS, alone.index, strict=False):
        colour = ACCENT if reading == ALONE else POSTERIOR
        axis.plot(alone[reading], place - 0.15, marker, color=colour, ms=3.8, mew=0, zorder=4)
        if means is not None:
            axis.plot(means[reading], place + 0.2, marker, mfc="white", mec=colour, mew=0.8, ms=3.4, zorder=3)
    if means is not None:
        axis.plot([means.min(), means.max()], [place + 0.2] * 2, color=FAINT, lw=1.0, zorder=1)
        axis.plot(means[STATED], place + 0.2, "|", color=INK, ms=5, mew=1.0, zorder=2)


def _title(row: pd.Series, answer: Answer, scale: float, unit: str, labels: Mapping[str, str]) -> str:
    """Name the answer, and its range over the readings against its interval."""
    target, scenario, horizon, statistic = answer
    name = f"{labels[scenario]}, inside view" if target == "view" else name_of(target, labels)
    kind = {"q50": "median, ", "mean": "" if row["unit"] == "probability" else "mean, "}.get(statistic, "")
    when = f", {horizon} months" if horizon else ""
    digits = 0 if "EUR" in row["unit"] else 1
    low, high = (f"{row[end] * scale:,.{digits}f}" for end in ("lowest", "highest"))
    first = f"{name}{when}\n{kind}{unit}: {low} to {high}"
    if np.isnan(row["base_low"]):
        return first
    ends = [f"{row[end] * scale:,.{digits}f}" for end in ("base_low", "base_high")]
    return f"{first}, {percent(row['share_of_interval'])} of [{', '.join(ends)}]"


def _unit(unit: str) -> tuple[float, str]:
    """Return the factor and name under which a unit is drawn."""
    scale, name = PERCENT if unit == "probability" else UNITS[unit.partition(",")[0]]
    return scale, name.replace("million", "m")


@look.styled
def drivers(result: Sensitivity) -> Figure:
    """Draw what each part of the prior moves: each answer's move when the part's centre moves by one prior sd.

    Colour: relative to the largest in the row; a move within three Monte Carlo errors of zero is left blank.
    """
    table = result.scaling.loc[(result.scaling["kind"] == "prior") & result.scaling["shift"].notna()]
    parts = [part for part in dict.fromkeys(table["part"]) if part != ALL_PRIORS]
    parts.sort(key=lambda part: (part == STRUCTURE, not part.startswith("statements")))
    named = table.set_index(["target", "scenario", "horizon_months"]).sort_index()
    shown = [one for one in driven(result.manifest["horizons"]) if one in named.index]
    cells = np.full((len(shown), len(parts)), np.nan)
    for i, one in enumerate(shown):
        own = named.loc[[one]].set_index("part").reindex(parts)
        cells[i] = np.where(own["shift"] > CLEAR * own["shift_se"], own["shift"], np.nan)
    picture = look.new(1.9 + 0.27 * len(shown))
    axes = picture.subplots()
    relative = cells / np.nanmax(np.where(np.isnan(cells), 0.0, cells), axis=1, keepdims=True).clip(1e-300)
    axes.pcolormesh(relative, cmap=HEAT, vmin=0, vmax=1.25, edgecolor="white", linewidth=0.8)
    for i, one in enumerate(shown):
        unit = str(named.loc[[one]]["unit"].iloc[0])
        for j in np.flatnonzero(~np.isnan(cells[i])):
            ink = "white" if relative[i, j] > 0.55 else INK
            axes.text(j + 0.5, i + 0.52, _cell(cells[i, j], unit), size=6, ha="center", va="center", color=ink)
    axes.set(xlim=(0, len(parts)), ylim=(len(shown), 0), frame_on=False)
    axes.set_xticks(np.arange(len(parts)) + 0.35, parts, rotation=35, ha="left", rotation_mode="anchor", fontsize=7)
    names = [_row_name(one, result.manifest["labels"]) for one in shown]
    axes.set_yticks(np.arange(len(shown)) + 0.5, names, fontsize=7)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False, pad=2)
    axes.grid(visible=False)
    note = (
        "How far the mean moves when the centre of a prior moves by one of its own sds, in the direction that moves "
        "it most: probabilities, users and valuation in percentage points, amounts in million EUR. Blank: within "
        "three Monte Carlo errors of zero. Colour: against the largest of the row. Statements: the analyst's, by "
        "family. Pooling of effects: what tells services, and instruments of fines, apart. What the ranges of fines do "
        "is told by the readings."
    )
    return look.finish(picture, "What drives each answer", note, result.manifest)


def _cell(value: float, unit: str) -> str:
    scaled = value * _unit(unit)[0]
    return f"{scaled:,.0f}" if scaled >= 9.95 else f"{scaled:.1f}"


def _row_name(one: tuple[str, str, int], labels: Mapping[str, str]) -> str:
    target, scenario, horizon = one
    if target == "outside":
        return f"{labels[scenario]}, outside view"
    which = "" if ":" in target else ", mean"
    return f"{name_of(target, labels)}{which}, {horizon} months"


def _of(table: pd.DataFrame, answer: Answer) -> pd.DataFrame:
    target, scenario, horizon, statistic = answer
    same = (table["target"] == target) & (table["scenario"] == scenario) & (table["horizon_months"] == horizon)
    return table.loc[same & (table["statistic"] == statistic)]


def save_sensitivity(result: Sensitivity, folder: Path | str, *, overwrite: bool = False) -> None:
    """Write every table as CSV, ``about.json`` and the figures; an older folder of the kind is replaced whole.

    Raises ``InputError`` for a folder of anything else and one that cannot be written.
    """
    pictures = {"drivers": drivers(result)}
    if len(result.ranges):
        pictures["multiverse"] = multiverse(result)

    def draw(scratch: Path) -> None:
        for name, picture in pictures.items():
            look.save_both(picture, scratch / name)

    questions = {q.name: {"what": q.what, "answers": dict(q.answers)} for q in result.questions}
    about = {**result.manifest, "checks": result.checks, "questions": questions}
    save_result(folder, SENSITIVITY, result.tables, about, draw, overwrite=overwrite)
