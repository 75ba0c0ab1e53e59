"""What the CSV tables of a saved forecast hold: columns, ranges, and the rows that belong together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from forecast.files import InputError, Problem, read_regular
from forecast.record_checks import check_table
from forecast.record_tables import Column, Rule
from forecast.sheets import MOST_BYTES
from forecast.vocabulary import EVENT_TYPES, FAMILIES, INTERVAL, SCENARIOS, WINDOWS

TABLES = (
    "summary",
    "scenarios",
    "weight_of_evidence",
    "event_probabilities",
    "next_fines",
    "posterior_summary",
    "statements",
    "resolution",
    "prior_resolution",
    "unused_rows",
)
FROM_BRIEF = ("statements", "prior_resolution")
"""Tables that have neither rows nor a header where the origin lies before the brief."""
LEVELS = ("q05", "q25", "q50", "q75", "q95")
YES_NO = "probability"
"""The unit of targets that happen or not: they have a probability and no quantiles."""
WHOLE = ("horizon_months", "window_months", "within_months", "step")
STEPS = ("silence", "event", "figures")
"""Kinds of steps of the weight of evidence."""
RESOLVED = re.compile("resolved_[0-9]+m")
"""The view of the scenarios that the resolution rule has at the last horizon."""
ENOUGH = 1e-6
"""How far from 1 the sum of probabilities may lie that were written with ten digits."""


class _Table(NamedTuple):
    """``key``: what tells the rows apart."""

    columns: dict[str, Column]
    key: tuple[str, ...]
    rules: tuple[Rule, ...] = ()


def _number(expected: str, holds: Callable[[pd.Series], pd.Series]) -> Column:
    return Column("float64", expected, holds)


def _one_of(options: tuple[str, ...]) -> Column:
    return Column(expected=f"one of {', '.join(options)}", options=options, filled=True)


def _whole(options: tuple[int, ...]) -> Column:
    return _filled(_number(f"one of {', '.join(map(str, options))}", lambda x: x.isin(options)))


def _filled(column: Column) -> Column:
    return Column(column.dtype, column.expected, column.holds, column.options, filled=True)


NAME = Column(filled=True)
NUMBER = _number("a finite number", np.isfinite)
NOT_NEGATIVE = _number("a finite number, 0 or more", lambda x: x.between(0, np.inf, inclusive="left"))
POSITIVE = _number("a finite number above 0", lambda x: x.between(0, np.inf, inclusive="neither"))
DAY = _filled(Column(expected="a day, YYYY-MM-DD", holds=lambda x: x.str.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}")))
SHARE = _number("a number from 0 to 1", lambda x: x.between(0, 1))


def read_tables(folder: Path, manifest: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Return the checked tables of a saved forecast; one that has no columns is an empty frame.

    Raises ``InputError`` with every problem of every table, each with its row and column.
    """
    tables: dict[str, pd.DataFrame] = {}
    problems: list[Problem] = []
    for name, plain in _layouts(manifest).items():
        layout = _labelled(plain, manifest["labels"])
        path = folder / f"{name}.csv"
        try:
            content = read_regular(path, MOST_BYTES)
        except InputError as error:
            problems += error.problems
            continue
        if name in FROM_BRIEF and manifest["view"] == "outside" and not content.strip():
            tables[name] = pd.DataFrame()
            continue
        rules = [_unique(layout.key), *layout.rules]
        tables[name], wrong = check_table(layout.columns, rules, str(path), content)
        problems += wrong
    if not problems:
        problems = [Problem(str(folder / f"{name}.csv"), what) for name, what in _together(tables, manifest)]
    if problems:
        raise InputError(problems)
    return {name: _plain(table) for name, table in tables.items()}


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with rows from 0, and whole numbers as such."""
    whole = {c: "int64" for c in WHOLE if c in table and (table[c] % 1 == 0).all()}
    return table.reset_index(drop=True).astype(whole)


def _layouts(manifest: Mapping[str, Any]) -> dict[str, _Table]:
    origin, horizon = {"origin_date": _one_of((manifest["origin"],))}, _whole(tuple(manifest["horizons"]))
    case = {"case_id": NAME}
    scenario, share, error = _one_of(SCENARIOS), _filled(SHARE), _filled(NOT_NEGATIVE)
    levels = dict.fromkeys(LEVELS, NUMBER)
    cross = _Table({"latent": scenario, **dict.fromkeys(SCENARIOS, SHARE)}, ("latent",), (_all_or_none(SCENARIOS),))
    return {
        "summary": _Table(
            {**origin, "horizon_months": horizon, "target": NAME, "scenario": _one_of(("all", *SCENARIOS))}
            | {"unit": NAME, "mean": NUMBER, "sd": NOT_NEGATIVE, **levels, "mcse_mean": NOT_NEGATIVE},
            ("horizon_months", "target", "scenario"),
            (_all_or_none(LEVELS), _quantiles(), *_ascending()),
        ),
        "scenarios": _Table(
            {**origin, "view": NAME, "scenario": scenario, "probability": share, "mcse": error}, ("view", "scenario")
        ),
        "weight_of_evidence": _Table(
            {"step": _filled(POSITIVE), "start": DAY, "end": DAY, "kind": _one_of(STEPS), "case_id": Column()}
            | {"event_id": Column(), "what": NAME, "note": Column(), "rests_on": Column(), "scenario": scenario}
            | {"log_factor": _filled(NUMBER), "probability": share},
            ("step", "scenario"),
        ),
        "event_probabilities": _Table(
            {**origin, **case, "matter_id": NAME, "view": _one_of(("inside", "outside")), "family": _one_of(FAMILIES)}
            | {"window_months": _whole(WINDOWS), "probability": share, "mcse": error}
            | {"outside_probability": share, "outside_mcse": error},
            ("case_id", "family", "window_months"),
        ),
        "next_fines": _Table(
            {**origin, **case, **dict.fromkeys(LEVELS, POSITIVE), "reason": Column()},
            ("case_id",),
            (_all_or_none(LEVELS), *_ascending(), _reason()),
        ),
        "posterior_summary": _Table(
            {"parameter": NAME, "mean": _filled(NUMBER), "sd": error, "q05": _filled(NUMBER), "q95": _filled(NUMBER)}
            | dict.fromkeys(("r_hat", "ess_bulk", "ess_tail", "mcse_mean"), NOT_NEGATIVE)
            | {"contraction": NUMBER, "interval": _one_of((INTERVAL,))},
            ("parameter",),
        ),
        "statements": _Table(
            {"family": _one_of(FAMILIES), "scenario": scenario, "within_months": _filled(POSITIVE)}
            | {"stated": share, "simulated": share, "mcse": error},
            ("family", "scenario", "within_months"),
        ),
        "resolution": cross,
        "prior_resolution": cross,
        "unused_rows": _Table(
            {"matter_id": NAME, **case, "event_id": NAME, "date": DAY, "type": _one_of(EVENT_TYPES), "reason": NAME},
            ("event_id",),
        ),
    }


def _labelled(layout: _Table, labels: Mapping[str, str]) -> _Table:
    """Return the layout with the analyst's label beside each scenario."""
    column = next((name for name in ("scenario", "latent") if name in layout.columns), None)
    if column is None:
        return layout

    def holds(frame: pd.DataFrame) -> pd.Series:
        return (frame["label"] == frame[column].map(labels)) | ~frame[column].isin(labels)

    rule = Rule("label", f"{{label!r}} is not the manifest's label of {{{column}}}", holds)
    columns: dict[str, Column] = {}
    for name, kind in layout.columns.items():
        columns |= {name: kind, "label": NAME} if name == column else {name: kind}
    return layout._replace(columns=columns, rules=(*layout.rules, rule))


def _unique(key: tuple[str, ...]) -> Rule:
    named = ", ".join(f"{name} {{{name}!r}}" for name in key)
    return Rule(key[0], f"stands twice: {named}", lambda frame: ~frame.duplicated(list(key)))


def _all_or_none(columns: tuple[str, ...]) -> Rule:
    def holds(frame: pd.DataFrame) -> pd.Series:
        given = frame[list(columns)].notna()
        return given.all(axis=1) | ~given.any(axis=1)

    return Rule(columns[0], f"is empty where others of {', '.join(columns)} are not, or the other way round", holds)


def _quantiles() -> Rule:
    def holds(frame: pd.DataFrame) -> pd.Series:
        expected = frame["mean"].notna() & (frame["unit"] != YES_NO)
        return frame["q50"].notna() == expected

    return Rule("q50", "a target that is not yes or no has quantiles where it has a mean, and no other has", holds)


def _ascending() -> list[Rule]:
    def not_less(low: str, high: str) -> Rule:
        return Rule(high, f"{{{high}}} is less than {low}, {{{low}}}", lambda frame: ~(frame[high] < frame[low]))

    return [not_less(low, high) for low, high in pairwise(LEVELS)]


def _reason() -> Rule:
    return Rule("reason", "must say why there are no quantiles", lambda x: x["q50"].notna() | (x["reason"] != ""))


def _together(tables: dict[str, pd.DataFrame], manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong between rows and between tables: the name of a table, and what."""
    summary, events = tables["summary"], tables["event_probabilities"]
    if summary.empty:
        yield "summary", "has no rows"
    grid = (manifest["horizons"], summary["target"].unique(), ("all", *SCENARIOS))
    yield from _missing("summary", summary, ("horizon_months", "target", "scenario"), grid)
    yield from _missing(
        "event_probabilities",
        events,
        ("case_id", "family", "window_months"),
        (events["case_id"].unique(), FAMILIES, WINDOWS),
    )
    if (summary.groupby("target")["unit"].nunique() > 1).any():
        yield "summary", "has a target in several units"
    if (events.groupby("case_id")["matter_id"].nunique() > 1).any():
        yield "event_probabilities", "has a proceeding in several matters"
    foreign = set(tables["next_fines"]["case_id"]) - set(events["case_id"])
    if foreign:
        yield "next_fines", f"has proceedings that event_probabilities.csv lacks, such as {min(foreign)}"
    yield from _views(tables["scenarios"], manifest["view"] == "inside")
    yield from _base_rate(tables["scenarios"], manifest["resolved_matters"])
    yield from _weights(tables["weight_of_evidence"], tables["scenarios"])
    for name in ("resolution", "prior_resolution"):
        if len(tables[name].columns):
            yield from _missing(name, tables[name], ("latent",), (SCENARIOS,))


def _views(scenarios: pd.DataFrame, inside: bool) -> Iterator[tuple[str, str]]:
    views = set(scenarios["view"])
    resolved = {view for view in views if RESOLVED.fullmatch(view)}
    expected = {"outside", *(("brief", "inside") if inside else ())}
    if views - resolved - {"base_rate"} != expected or len(resolved) != 1:
        yield "scenarios", f"has the views {', '.join(sorted(views))[:200]}; {', '.join(sorted(expected))} and one " \
                           "resolved_<months>m were expected"  # fmt: skip
    yield from _missing("scenarios", scenarios, ("view", "scenario"), (scenarios["view"].unique(), SCENARIOS))
    if (np.abs(scenarios.groupby("view")["probability"].sum() - 1) > ENOUGH).any():
        yield "scenarios", "has probabilities of a view that do not sum to 1"


def _base_rate(scenarios: pd.DataFrame, counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield where the base rates are not those of the manifest's counts of resolved matters."""
    total, rows = sum(counts.values()), scenarios.loc[scenarios["view"] == "base_rate"]
    expected = rows["scenario"].map(counts) / max(total, 1)
    if bool(total) != bool(len(rows)) or (np.abs(rows["probability"] - expected) > ENOUGH).any():
        yield "scenarios", "has other base rates than the manifest's resolved_matters give"


def _weights(weights: pd.DataFrame, scenarios: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield where steps are missing, or do not lead to the forecast's inside view."""
    if weights.empty:
        return
    name, steps = "weight_of_evidence", np.unique(weights["step"])
    if not np.array_equal(steps, np.arange(1, len(steps) + 1)):
        yield name, "has steps that are not counted from 1"
    yield from _missing(name, weights, ("step", "scenario"), (steps, SCENARIOS))
    chance, change = (
        weights.pivot(index="step", columns="scenario", values=column) for column in ("probability", "log_factor")
    )
    if (np.abs(chance.sum(axis=1) - 1) > ENOUGH).any():
        yield name, "has probabilities of a step that do not sum to 1"
    inside = scenarios.loc[scenarios["view"] == "inside"].set_index("scenario")["probability"]
    if not (np.abs(chance.iloc[-1] - inside) <= ENOUGH).all():
        yield name, "does not end at the inside view of scenarios.csv"
    if (np.abs(chance.shift() * np.exp(change) - chance) > ENOUGH).any(axis=None):
        yield name, "has factors that are not the ratios of its probabilities"


def _missing(name: str, table: pd.DataFrame, key: tuple[str, ...], grid: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    there = set(zip(*(table[column] for column in key), strict=True))
    for row in product(*grid):
        if row not in there:
            yield name, f"has no row of {', '.join(f'{c} {v}' for c, v in zip(key, row, strict=True))}"
            return
