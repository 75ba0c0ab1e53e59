"""What the CSV tables of a saved forecast hold: columns, ranges, and the rows that belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from forecast.files import InputError, Problem, read_regular
from forecast.folder_rows import together
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
SCENARIO = _one_of(SCENARIOS)
NUMBER = _number("a finite number", np.isfinite)
NOT_NEGATIVE = _number("a finite number, 0 or more", lambda x: x.between(0, np.inf, inclusive="left"))
POSITIVE = _number("a finite number above 0", lambda x: x.between(0, np.inf, inclusive="neither"))
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
        problems = [Problem(str(folder / f"{name}.csv"), what) for name, what in together(tables, manifest)]
    if problems:
        raise InputError(problems)
    return {name: _plain(table) for name, table in tables.items()}


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with rows from 0, and whole numbers as such."""
    whole = {c: "int64" for c in WHOLE if c in table and (table[c] % 1 == 0).all()}
    return table.reset_index(drop=True).astype(whole)


def _layouts(manifest: Mapping[str, Any]) -> dict[str, _Table]:
    """Return the layout of every table, in the order of ``TABLES``."""
    found = _of_answers(manifest) | _of_news() | _of_checks()
    return {name: found[name] for name in TABLES}


def _of_answers(manifest: Mapping[str, Any]) -> dict[str, _Table]:
    """Return the layouts of the tables of what may come."""
    origin, horizon = {"origin_date": _one_of((manifest["origin"],))}, _whole(tuple(manifest["horizons"]))
    share, error, levels = _filled(SHARE), _filled(NOT_NEGATIVE), dict.fromkeys(LEVELS, NUMBER)
    return {
        "summary": _Table(
            {**origin, "horizon_months": horizon, "target": NAME, "scenario": _one_of(("all", *SCENARIOS))}
            | {"unit": NAME, "mean": NUMBER, "sd": NOT_NEGATIVE, **levels, "mcse_mean": NOT_NEGATIVE},
            ("horizon_months", "target", "scenario"),
            (_all_or_none(LEVELS), _quantiles(), *_ascending()),
        ),
        "scenarios": _Table(
            {**origin, "view": NAME, "scenario": SCENARIO, "probability": share, "mcse": error}, ("view", "scenario")
        ),
        "event_probabilities": _Table(
            {
                **origin,
                "case_id": NAME,
                "matter_id": NAME,
                "view": _one_of(("inside", "outside")),
                "family": _one_of(FAMILIES),
            }
            | {"window_months": _whole(WINDOWS), "probability": share, "mcse": error}
            | {"outside_probability": share, "outside_mcse": error},
            ("case_id", "family", "window_months"),
        ),
        "next_fines": _Table(
            {**origin, "case_id": NAME, **dict.fromkeys(LEVELS, POSITIVE), "reason": Column()},
            ("case_id",),
            (_all_or_none(LEVELS), *_ascending(), _reason()),
        ),
    }


def _of_news() -> dict[str, _Table]:
    """Return the layouts of the tables of what the log told, and what it did not."""
    return {
        "weight_of_evidence": _Table(
            {"step": _filled(POSITIVE), "start": NAME, "end": NAME, "kind": _one_of(STEPS), "case_id": Column()}
            | {"event_id": Column(), "what": NAME, "note": Column(), "rests_on": Column(), "scenario": SCENARIO}
            | {"log_factor": _filled(NUMBER), "probability": _filled(SHARE)},
            ("step", "scenario"),
            (_day("start"), _day("end")),
        ),
        "unused_rows": _Table(
            {
                "matter_id": NAME,
                "case_id": NAME,
                "event_id": NAME,
                "date": NAME,
                "type": _one_of(EVENT_TYPES),
                "reason": NAME,
            },
            ("event_id",),
            (_day("date"),),
        ),
    }


def _of_checks() -> dict[str, _Table]:
    """Return the layouts of the tables of parameters, statements and resolutions."""
    share, error = _filled(SHARE), _filled(NOT_NEGATIVE)
    cross = _Table({"latent": SCENARIO, **dict.fromkeys(SCENARIOS, SHARE)}, ("latent",), (_all_or_none(SCENARIOS),))
    return {
        "posterior_summary": _Table(
            {"parameter": NAME, "mean": _filled(NUMBER), "sd": error, "q05": _filled(NUMBER), "q95": _filled(NUMBER)}
            | dict.fromkeys(("r_hat", "ess_bulk", "ess_tail", "mcse_mean"), NOT_NEGATIVE)
            | {"contraction": NUMBER, "interval": _one_of((INTERVAL,))},
            ("parameter",),
        ),
        "statements": _Table(
            {"family": _one_of(FAMILIES), "scenario": SCENARIO, "within_months": _filled(POSITIVE)}
            | {"stated": share, "simulated": share, "mcse": error},
            ("family", "scenario", "within_months"),
        ),
        "resolution": cross,
        "prior_resolution": cross,
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


def _day(column: str) -> Rule:
    def holds(frame: pd.DataFrame) -> pd.Series:
        return frame[column].str.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}") | (frame[column] == "")

    return Rule(column, f"{{{column}!r}} is no day, YYYY-MM-DD", holds)


def _reason() -> Rule:
    return Rule("reason", "must say why there are no quantiles", lambda x: x["q50"].notna() | (x["reason"] != ""))
