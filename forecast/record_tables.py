"""What a valid record holds: its tables, their columns, and the rules between columns and between tables.

Declarations only: `forecast.record_checks` reads files by them and runs the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecast.vocabulary import AUTHORITY_CLASSES, EVENT_TYPES, FAMILY_TYPES, ORDER_TYPES, SCOPES

EARLIEST, LATEST = pd.Timestamp("1990-01-01"), pd.Timestamp("2099-12-31")
BEFORE_OPENING = ("information_request", "retention_order")
"""Event types that may come before the proceeding that they led to."""
AFTER_CLOSING = (
    "appeal_filed",
    "appeal_decided",
    "lifted",
    "commitments_accepted",
    "commitments_offered",
    "action_plan_accepted",
)
"""Event types that may follow the end of the authority's own procedure."""
RULINGS = ("upheld", "reduced", "annulled")
"""Outcomes of a fine that a court has ruled on."""
ORDERS, FINES = ORDER_TYPES, FAMILY_TYPES["fine"]


@dataclass(frozen=True)
class Column:
    """One column: its dtype, the values it takes, and whether every row must fill it."""

    dtype: str = "str"
    expected: str = "text"
    holds: Callable[[pd.Series], pd.Series] | None = None
    options: tuple[str, ...] = ()
    filled: bool = False


@dataclass(frozen=True)
class Rule:
    """A rule between columns; ``message``, completed with the row's values, names what breaks it."""

    column: str
    message: str
    holds: Callable[[pd.DataFrame], pd.Series]
    options: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Table:
    """One table: its columns, what tells its rows apart, how they are sorted, and its own rules."""

    columns: dict[str, Column]
    key: tuple[str, ...]
    order: tuple[str, ...]
    rules: tuple[Rule, ...]


def _one_of(*options: str) -> Column:
    return Column(expected=f"one of {', '.join(options)}", options=options)


def _number(expected: str, holds: Callable[[pd.Series], pd.Series]) -> Column:
    return Column("float64", expected, holds)


KINDS = {
    "text": Column(),
    "day": Column(
        "datetime64[us]",
        f"a day from {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}, written YYYY-MM-DD",
        lambda days: days.between(EARLIEST, LATEST),
    ),
    "amount": _number("a finite number, 0 or more", lambda x: x.between(0, np.inf, inclusive="left")),
    "change": _number("a finite fraction, -1 or more", lambda x: x.between(-1, np.inf, inclusive="left")),
    "ceiling": _number("a fraction above 0 and at most 1", lambda x: (x > 0) & (x <= 1)),
    "year": _number("a whole year from 1990 to 2099", lambda x: x.between(1990, 2099) & (x % 1 == 0)),
    "class": _one_of(*AUTHORITY_CLASSES),
    "type": _one_of(*EVENT_TYPES),
    "scope": _one_of(*SCOPES),
    "outcome": _one_of(*RULINGS, "final", "under_appeal", "unknown"),
    "confidence": _one_of("high", "medium", "low"),
    "valuation": _one_of("transaction", "fund_mark", "market_cap", "event_study"),
}
"""Kinds of columns; an exclamation mark after the kind says that no row may leave the column empty."""


def _column(kind: str) -> Column:
    return replace(KINDS[kind.removesuffix("!")], filled=kind.endswith("!"))


def _table(columns: str, *rules: Rule, key: str = "", order: str = "") -> Table:
    pairs = (word.split(":") for word in columns.split())
    named = {name: _column(kind) for name, kind in pairs}
    unique = (_unique(tuple(key.split())),) if key else ()
    return Table(named, tuple(key.split()), tuple((order or key).split()), (*unique, *rules))


def _unique(key: tuple[str, ...]) -> Rule:
    named = ", ".join(f"{name} {{{name}!r}}" for name in key)

    def holds(frame: pd.DataFrame) -> pd.Series:
        given = (frame[list(key)].notna() & (frame[list(key)] != "")).all(axis=1)
        return ~(frame.duplicated(list(key)) & given)

    return Rule(key[0], f"stands twice: {named}", holds)


def _in_order(earlier: str, later: str) -> Rule:
    message = f"{later} {{{later}}} lies before {earlier} {{{earlier}}}"
    return Rule(later, message, lambda frame: ~(frame[later] < frame[earlier]))


def _only_on(column: str, types: tuple[str, ...]) -> Rule:
    def holds(frame: pd.DataFrame) -> pd.Series:
        empty = frame[column].isna() | frame[column].eq("")
        return empty | frame["type"].isin((*types, ""))

    message = f"{{{column}!r}} stands on an event of type {{type!r}}; only {' and '.join(types)} have one"
    return Rule(column, message, holds)


ORDER_NEEDS_SCOPE = Rule(
    "scope",
    f"must not be empty on an event of type {{type!r}}; one of {', '.join(SCOPES)} was expected",
    lambda frame: (frame["scope"] != "") | ~frame["type"].isin(ORDERS),
)
NOT_ITSELF = Rule(
    "supersedes",
    "{supersedes!r} is the event itself; another event_id was expected",
    lambda frame: (frame["supersedes"] == "") | (frame["supersedes"] != frame["event_id"]),
)
WITHIN_RANGE = Rule(
    "turnover_eur",
    "{turnover_eur} lies outside its range, {turnover_low_eur} to {turnover_high_eur}",
    lambda frame: (
        ~(frame["turnover_eur"] < frame["turnover_low_eur"]) & ~(frame["turnover_eur"] > frame["turnover_high_eur"])
    ),
)
CASE_RULES = (
    Rule(
        "date",
        "{type} on {date} lies before opened_on {opened_on} of its proceeding; only "
        f"{' and '.join(BEFORE_OPENING)} may",
        lambda frame: ~(frame["date"] < frame["opened_on"]) | frame["type"].isin((*BEFORE_OPENING, "")),
    ),
    Rule(
        "date",
        f"{{type}} on {{date}} lies after closed_on {{closed_on}} of its proceeding; only "
        f"{', '.join(AFTER_CLOSING)} may",
        lambda frame: ~(frame["date"] > frame["closed_on"]) | frame["type"].isin((*AFTER_CLOSING, "")),
    ),
)
"""Rules between an event and its proceeding, whose ``opened_on`` and ``closed_on`` are joined to it."""

OBSERVED_RULES = (
    Rule(
        "observed_until",
        "observed_until {observed_until} lies before an event of the proceeding, on {last_event}; the day on which the "
        "proceeding was last looked at was expected",
        lambda frame: ~(frame["observed_until"] < frame["last_event"]),
    ),
    Rule(
        "observed_until",
        "observed_until {observed_until} lies after complete_until {complete_until} of the record; about.yaml says "
        "to which day the record is complete (by default the day of its last published event)",
        lambda frame: ~(frame["observed_until"] > frame["complete_until"]),
    ),
)
"""Rules between a proceeding, the day of its last event and the last day of the record, which are joined to it."""

TABLES = {
    "proceedings": _table(
        """case_id:text! matter_id:text! provider:text! provider_group:text! service:text authority:text!
        authority_class:class! jurisdiction:text! instrument:text! subject:text opened_on:day! closed_on:day
        observed_until:day source_url:text""",
        _in_order("opened_on", "closed_on"),
        key="case_id",
        order="opened_on case_id",
    ),
    "events": _table(
        """event_id:text! case_id:text! date:day! published_on:day! type:type! scope:scope amount_eur:amount
        detail:text source_url:text source2_url:text confidence:confidence supersedes:text""",
        _in_order("date", "published_on"),
        _only_on("amount_eur", FINES),
        _only_on("scope", ORDERS),
        ORDER_NEEDS_SCOPE,
        NOT_ITSELF,
        key="event_id",
        order="date event_id",
    ),
    "fines": _table(
        """decision_id:text! event_id:text decided_on:day! published_on:day! company_group:text! service:text
        authority:text! jurisdiction:text! instrument:text! amount_eur:amount! amount_original:amount
        currency:text legal_cap_fraction:ceiling turnover_eur:amount turnover_year:year opened_on:day
        outcome:outcome! outcome_on:day amount_after_eur:amount source_url:text turnover_source_url:text
        confidence:confidence""",
        _in_order("opened_on", "decided_on"),
        _in_order("decided_on", "published_on"),
        _in_order("decided_on", "outcome_on"),
        key="decision_id",
        order="decided_on decision_id",
    ),
    "users": _table(
        """provider_group:text! service:text! scope:text! series_id:text! period_start:day! period_end:day!
        monthly_active_millions:amount! published_on:day! definition:text source_url:text
        confidence:confidence""",
        _in_order("period_start", "period_end"),
        _in_order("period_start", "published_on"),
        key="service scope series_id period_start period_end",
    ),
    "valuations": _table(
        """kind:valuation! company_group:text! date:day! published_on:day! value_usd_bn:amount
        change_fraction:change window:text n:amount what:text source_url:text confidence:confidence""",
        _in_order("date", "published_on"),
        order="date company_group",
    ),
    "moderation": _table(
        """company_group:text! year:year! spend_eur:amount staff:amount what:text published_on:day!
        source_url:text confidence:confidence""",
        order="company_group year",
    ),
    "turnover": _table(
        """company_group:text! year:year! turnover_eur:amount! turnover_low_eur:amount
        turnover_high_eur:amount published_on:day! source_url:text confidence:confidence""",
        WITHIN_RANGE,
        key="company_group year",
    ),
    "caps": _table(
        "instrument:text! jurisdiction:text! legal_cap_fraction:ceiling note:text",
        key="instrument jurisdiction",
    ),
    "designated_services": _table(
        """service:text! provider_group:text! designated_on:day! ended_on:day confidence:confidence""",
        _in_order("designated_on", "ended_on"),
        key="service designated_on",
        order="designated_on service",
    ),
}
REQUIRED_TABLES = ("proceedings", "events")
OPTIONAL_COLUMNS = ("supersedes", "observed_until")
"""Columns that a file may leave out; they are empty then."""
REFERENCES = {
    "events": {"case_id": ("proceedings", "case_id"), "supersedes": ("events", "event_id")},
    "fines": {"event_id": ("events", "event_id")},
}
"""Table and column -> the table and column where a name that stands there has to occur."""
