"""What the record knows besides events in proceedings: sizes of fines, appeals, users, turnover, openings.

Everything is reduced to sufficient statistics or to short vectors, as public by the end of the origin date.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit, ndtri

from forecast.effects import felt, set_off
from forecast.news import public_ids
from forecast.opening_counts import openings_of
from forecast.record import Record
from forecast.resolution import Happened, happened
from forecast.specification import Specification
from forecast.vocabulary import DAYS_PER_MONTH, FAMILY_TYPES, INSTRUMENT_OF_DECISION, family_of

APPEALED = ("upheld", "reduced", "annulled", "under_appeal")
RULINGS = ("upheld", "reduced", "annulled")


@dataclass(frozen=True)
class Observations:
    """Sufficient statistics and short vectors; units: months, EUR, natural logarithms.

    ``size_*``: logit of a fine as a share of its ceiling, and its instrument's index. ``bare_size``: log share of
    the turnover where no ceiling is known. ``appealed``, ``closed``: (times it happened, times it could have);
    ``appealed_large`` of large fines, ``appealed`` of all others. ``rulings``, ``ruling_months``: per phase since the
    decision. ``kept``: logit of the share kept of reduced fines. ``users``: per change within a series: log change,
    months between mid-periods, index of the service, accrual of the focal impact at both ends, and 1 for news of the
    focal series. ``opening_count``, ``opening_months``: provider by (usual, raised). ``opening_raised_left``: months
    that each provider's rate stays raised after the origin (-1: it is no longer designated). ``opening_classes``: share
    of each class of authorities among openings. ``new_fine_sum``, ``new_fine_ceiling``: sum of focal fines after
    ``as_of``, EUR, and the largest of their ceilings (share of turnover). ``resolved``: what the resolution rule has
    seen so far, dated after ``as_of`` and within its months. ``unappealed_fines``: (months since it, EUR) of each focal
    fine, old or new, that is not known to be appealed. ``set_off``: impact -> (months before the origin, share) of each
    first event since ``as_of`` that sets off a part of it.
    """

    instruments: tuple[str, ...]
    services: tuple[str, ...]
    opening_providers: tuple[str, ...]
    size: np.ndarray
    size_instrument: np.ndarray
    bare_size: np.ndarray
    appealed: tuple[int, int]
    appealed_large: tuple[int, int]
    closed: tuple[int, int]
    outcomes: np.ndarray
    rulings: np.ndarray
    ruling_months: np.ndarray
    kept: np.ndarray
    users: np.ndarray
    turnover: np.ndarray
    turnover_sd: np.ndarray
    opening_count: np.ndarray
    opening_months: np.ndarray
    opening_raised_left: np.ndarray
    opening_classes: Mapping[str, float]
    new_fine_sum: float
    new_fine_ceiling: float
    resolved: Happened
    unappealed_fines: tuple[tuple[float, float], ...]
    set_off: Mapping[str, tuple[tuple[float, float], ...]]


def observe(record: Record, specification: Specification, origin: date, wider: Record | None = None) -> Observations:
    """Return what is public by the end of ``origin``.

    ``wider`` is a record whose instruments and services fix the coordinates, so that one compiled model serves many
    origins; nothing else of it is used.
    """
    known = record.as_of(origin).in_force()
    focal_cases = set(known.proceedings.loc[known.proceedings["matter_id"] == specification.matter, "case_id"])
    coordinates = wider or known
    instruments = tuple(sorted({instrument(i) for i in coordinates.fines["instrument"]}))
    services = tuple(sorted(set(_series(coordinates, specification)["service"])))
    before = public_ids(record, specification.as_of)
    return Observations(
        instruments=instruments,
        services=services,
        **_sizes(known, focal_cases, instruments),
        **_appeals(known, specification, origin),
        closed=_closings(known),
        **_users(known, specification, services, focal_cases),
        **_turnover(known, specification),
        **openings_of(known, specification, origin),
        **_new_fines(known, specification, focal_cases, before),
        resolved=_resolved(known, specification, focal_cases),
        unappealed_fines=_unappealed(known, focal_cases, origin),
        set_off=set_off(known, specification, focal_cases, pd.Timestamp(origin)),
    )


def instrument(name: str) -> str:
    """Return the name under which the sizes of fines of an instrument are pooled."""
    return INSTRUMENT_OF_DECISION.get(name, name)


def ceiling(record: Record, instrument_name: str, jurisdiction: str) -> float | None:
    """Return the statutory ceiling as a share of worldwide turnover, or ``None`` where the record states none."""
    columns = (record.caps[name].to_list() for name in ("instrument", "jurisdiction", "legal_cap_fraction"))
    shares = {where: share for name, where, share in zip(*columns, strict=True) if name == instrument_name}
    share = shares.get(jurisdiction, shares.get("any", np.nan))
    return None if np.isnan(share) else share


@dataclass(frozen=True)
class Statute:
    """Ceiling (share of turnover, NaN where the law sets none) and instrument index (-1 unknown) per proceeding."""

    ceilings: np.ndarray
    instruments: np.ndarray


def statute(record: Record, cases: Sequence[str], instruments: tuple[str, ...], classes: Sequence[str] = ()) -> Statute:
    """Return ceiling and instrument of each proceeding from the record's table of statutory ceilings.

    After the ``cases`` come new proceedings of some ``classes`` of authorities: with the instrument and ceiling that
    proceedings of the class have most often.
    """
    table = record.proceedings.set_index("case_id")
    rows = [(table.at[c, "instrument"], table.at[c, "jurisdiction"]) for c in cases]
    for name in classes:
        own = record.proceedings.loc[record.proceedings["authority_class"] == name, ["instrument", "jurisdiction"]]
        rows.append(tuple(own.value_counts().sort_index(kind="stable").sort_values(kind="stable").index[-1]))
    caps = [ceiling(record, *row) for row in rows]
    names = [instrument(name) for name, _ in rows]
    return Statute(
        ceilings=np.array([np.nan if cap is None else cap for cap in caps]),
        instruments=np.array([instruments.index(n) if n in instruments else -1 for n in names], dtype=np.int64),
    )


def latest_turnover(record: Record, group: str) -> pd.Series | None:
    """Return the row of the latest published year of a group's turnover, or ``None``."""
    rows = record.turnover.loc[record.turnover["company_group"] == group].sort_values("year")
    return None if rows.empty else rows.iloc[-1]


def log_sd(row: pd.Series) -> float:
    """Return the sd of log turnover that a low and a high figure state, read as a 90 % interval; 0 without them."""
    low, high = row["turnover_low_eur"], row["turnover_high_eur"]
    return float(np.log(high / low) / (2 * ndtri(0.95))) if low > 0 and high > 0 else 0.0


def _sizes(known: Record, focal_cases: set[str], instruments: tuple[str, ...]) -> dict[str, Any]:
    cases = known.events.set_index("event_id")["case_id"]
    fines = known.fines.loc[(known.fines["amount_eur"] > 0) & (known.fines["turnover_eur"] > 0)]
    fines = fines.loc[~fines["event_id"].map(cases).isin(focal_cases)]
    capped = fines.loc[fines["legal_cap_fraction"].notna()]
    bare = fines.loc[fines["legal_cap_fraction"].isna()]
    share = capped["amount_eur"] / (capped["legal_cap_fraction"] * capped["turnover_eur"])
    return {
        "size": logit(share.clip(upper=1 - 1e-6).to_numpy(float)),
        "size_instrument": np.array([instruments.index(instrument(i)) for i in capped["instrument"]], dtype=np.int64),
        "bare_size": np.log((bare["amount_eur"] / bare["turnover_eur"]).to_numpy(float)),
    }


def _appeals(known: Record, specification: Specification, origin: date) -> dict[str, Any]:
    fines = known.fines.loc[known.fines["amount_eur"] > 0]
    outcome = fines["outcome"]
    is_large = fines["amount_eur"] >= specification.appeals.large.value
    ruled = fines.loc[outcome.isin(RULINGS) & fines["outcome_on"].notna()]
    pending = fines.loc[outcome == "under_appeal"]
    until = [*(ruled["outcome_on"]), *[pd.Timestamp(origin)] * len(pending)]
    since = [*(ruled["decided_on"]), *(pending["decided_on"])]
    waits = np.array([(b - a).days / DAYS_PER_MONTH for a, b in zip(since, until, strict=True)])
    edges = [*(phase.from_months for phase in specification.appeals.ruling_rate), np.inf]
    spans = [(low, high) for low, high in itertools.pairwise(edges)]
    ended = waits[: len(ruled)]
    reduced = fines.loc[outcome == "reduced"]
    kept = (reduced["amount_after_eur"] / reduced["amount_eur"]).to_numpy(float)
    return {
        "appealed": _appealed(outcome[~is_large]),
        "appealed_large": _appealed(outcome[is_large]),
        "outcomes": np.array([int((outcome == ruling).sum()) for ruling in RULINGS]),
        "rulings": np.array([int(((ended > low) & (ended <= high)).sum()) for low, high in spans]),
        "ruling_months": np.array([np.clip(waits - low, 0, high - low).sum() for low, high in spans]),
        "kept": logit(kept[(kept > 0) & (kept < 1)]),
    }


def _appealed(outcome: pd.Series) -> tuple[int, int]:
    appealed = int(outcome.isin(APPEALED).sum())
    return appealed, appealed + int((outcome == "final").sum())


def _closings(known: Record) -> tuple[int, int]:
    events = known.events.assign(
        family=[family_of(t, s) for t, s in zip(known.events["type"], known.events["scope"], strict=True)]
    )
    days = events.loc[events["family"].isin(["fine", "commitments"]), ["case_id", "date"]].drop_duplicates()
    days = days.merge(known.proceedings[["case_id", "closed_on"]], on="case_id")
    while_open = days.loc[days["closed_on"].isna() | (days["date"] <= days["closed_on"])]
    return int((while_open["date"] == while_open["closed_on"]).sum()), len(while_open)


def _series(known: Record, specification: Specification) -> pd.DataFrame:
    """Published user counts: every series of the reference services, the base series alone of the focal one.

    Parts and totals of one service's users move together; the focal drift must not be counted twice.
    """
    users = known.users.assign(
        middle=known.users["period_start"] + (known.users["period_end"] - known.users["period_start"]) / 2
    )
    if specification.users is not None:
        base = specification.users.series
        focal = set(users.loc[users["series_id"] == base, "service"])
        users = users.loc[~users["service"].isin(focal) | (users["series_id"] == base)]
    return users.sort_values(["series_id", "middle", "published_on"])


def _users(
    known: Record, specification: Specification, services: tuple[str, ...], focal_cases: set[str]
) -> dict[str, Any]:
    users = _series(known, specification)
    as_of = pd.Timestamp(specification.as_of)
    half_life = specification.impacts.half_life.value if specification.impacts else 1.0
    base = specification.users.series if specification.users else ""
    table = []
    for series, rows in users.groupby("series_id", sort=True):
        counts, middles = rows["monthly_active_millions"].to_numpy(float), rows["middle"].to_list()
        published = rows["published_on"].to_list()
        service = services.index(rows["service"].iloc[0])
        for i in range(1, len(rows)):
            months = (middles[i] - middles[i - 1]).days / DAYS_PER_MONTH
            is_news = series == base and published[i] > as_of
            parts = [set_off(known, specification, focal_cases, t)["attrition"] for t in middles[i - 1 : i + 1]]
            taken = [felt(part, half_life) if is_news else 0.0 for part in parts]
            if months > 0:
                change = float(np.log(counts[i] / counts[i - 1]))
                table.append((change, months, service, *taken, float(is_news)))
    return {"users": np.array(table, dtype=float).reshape(-1, 6)}


def _turnover(known: Record, specification: Specification) -> dict[str, Any]:
    """The latest published figure of the provider, with its own spread and a random walk up to the last full year."""
    row = latest_turnover(known, specification.provider_group)
    if row is None or specification.fines.turnover_of == "parent":
        return {"turnover": np.zeros(0), "turnover_sd": np.zeros(0)}
    years = max(specification.as_of.year - 1 - int(row["year"]), 0)
    walk = specification.fines.turnover_walk.value * np.sqrt(years)
    spread = float(np.hypot(log_sd(row), walk))
    return {
        "turnover": np.array([np.log(row["turnover_eur"])]),
        "turnover_sd": np.array([max(spread, 0.01)]),
    }


def _new_fines(
    known: Record, specification: Specification, focal_cases: set[str], before: frozenset[str]
) -> dict[str, Any]:
    events = known.events.loc[known.events["case_id"].isin(focal_cases) & ~known.events["event_id"].isin(before)]
    events = events.loc[events["type"].isin(FAMILY_TYPES["fine"]) & (events["amount_eur"] > 0)]
    cases, stated = known.proceedings.set_index("case_id"), specification.fines.ceiling.value
    caps = [ceiling(known, cases.at[c, "instrument"], cases.at[c, "jurisdiction"]) or stated for c in events["case_id"]]
    return {"new_fine_sum": float(events["amount_eur"].sum()), "new_fine_ceiling": float(max(caps, default=stated))}


def _unappealed(known: Record, focal_cases: set[str], origin: date) -> tuple[tuple[float, float], ...]:
    events = known.events.loc[known.events["case_id"].isin(focal_cases)]
    fines = events.loc[events["type"].isin(FAMILY_TYPES["fine"])]
    appealed = events.loc[events["type"] == "appeal_filed"].groupby("case_id")["date"].max()
    return tuple(
        ((pd.Timestamp(origin) - day).days / DAYS_PER_MONTH, amount)
        for case, day, amount in zip(fines["case_id"], fines["date"], fines["amount_eur"].fillna(0.0), strict=True)
        if case not in appealed.index or appealed[case] < day
    )


def _resolved(known: Record, specification: Specification, focal_cases: set[str]) -> Happened:
    """What the log holds for the resolution rule, by the dates of events: likelihood or not, first or not."""
    as_of = pd.Timestamp(specification.as_of)
    last = as_of + pd.Timedelta(days=specification.resolution.months.value * DAYS_PER_MONTH)
    events = known.events.loc[known.events["case_id"].isin(focal_cases)]
    return happened(events.loc[(events["date"] > as_of) & (events["date"] <= last)])
