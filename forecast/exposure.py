"""From a record to what its likelihood needs: months at risk and events, by proceeding, family, phase and stage.

Hazards are step functions of phase (months since ``opened_on``) and stage (before findings, after findings, after
a first decision, as they stood at the start of the day), so months at risk and counts per *cell* are sufficient::

    cell = phase * len(STAGES) + stage                                   9 cells

A proceeding is observed from its first sourced event on or after ``opened_on``. That event, and all others of that
day, carry no likelihood: they are why the case is in the record. One whose first known step is its decision says
nothing about hazards. What is known of the focal matter at the brief's date ``as_of`` is its *history*, a reference
matter like the others; what became public afterwards is *news*, which the brief's statements speak about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecast.files import InputError, Problem
from forecast.record import Record
from forecast.specification import Specification
from forecast.vocabulary import (
    AUTHORITY_CLASSES,
    CLOSING_FAMILIES,
    DAYS_PER_MONTH,
    DECISION_FAMILIES,
    FAMILIES,
    PHASE_STARTS,
    STAGES,
    family_of,
)

CELLS = len(PHASE_STARTS) * len(STAGES)
_FAMILY = {family: index for index, family in enumerate(FAMILIES)}


class Group(NamedTuple):
    """One stated conditional probability: a family's first event within ``(start, end]`` months of ``as_of``."""

    family: str
    interval: int
    start: float
    end: float


@dataclass(frozen=True)
class Exposure:
    """Months at risk and events of every known proceeding. Row order: the focal matter's proceedings first.

    ========================  =======================  ==================================================
    field                     shape                    meaning
    ========================  =======================  ==================================================
    cases, row_*              row                      proceeding, and index of its matter, class, provider
    months                    row, cell                history at risk, months
    event_*                   event                    row, family, cell of each event in the history
    news_months               focal row, family, cell  at risk after ``as_of``, once e has come or if unstated
    first_months              focal row, group, cell   at risk after ``as_of``, before the matter's first e
    stated_months             focal row, group, cell   the same as the analyst saw it: nothing closes or moves on
    news_*                    news event               row, family, cell, and group (-1: not a first stated one)
    state                     row                      open?, stage, months since opening at the origin
    ========================  =======================  ==================================================
    """

    origin: date
    as_of: date
    inside: bool
    matters: tuple[str, ...]
    cases: tuple[str, ...]
    providers: tuple[str, ...]
    groups: tuple[Group, ...]
    n_focal: int
    row_matter: np.ndarray
    row_class: np.ndarray
    row_provider: np.ndarray
    months: np.ndarray
    event_row: np.ndarray
    event_family: np.ndarray
    event_cell: np.ndarray
    group_family: np.ndarray
    news_months: np.ndarray
    first_months: np.ndarray
    stated_months: np.ndarray
    news_row: np.ndarray
    news_family: np.ndarray
    news_cell: np.ndarray
    news_group: np.ndarray
    is_open: np.ndarray
    stage: np.ndarray
    age: np.ndarray
    happened: np.ndarray
    """Families (bool) of which the focal matter has seen an event since ``as_of``."""

    @property
    def has_news(self) -> bool:
        """Whether any time or event after ``as_of`` is known: silence is news too."""
        return bool(len(self.news_row) or self.news_months.any() or self.first_months.any())

    @property
    def elapsed(self) -> float:
        """Months from ``as_of`` to the origin (negative before the brief)."""
        return (self.origin - self.as_of).days / DAYS_PER_MONTH


class Segment(NamedTuple):
    """A stretch of time in one phase and stage; ``start`` and ``end`` in months since the proceeding opened."""

    start: float
    end: float
    cell: int


@dataclass(frozen=True)
class Course:
    """What a record knows of one proceeding: when it was at risk, in which cell, and what happened in it."""

    opened_on: pd.Timestamp
    segments: tuple[Segment, ...]
    events: tuple[tuple[str, float, int, int], ...]
    """(event_id, months since opening, family index, cell) of each event that carries likelihood."""
    is_open: bool
    stage: int


def phase_of(age: np.ndarray | float) -> np.ndarray:
    """Return the phase index at ``age`` months since opening; a boundary belongs to the phase that it ends."""
    return np.maximum(np.searchsorted(PHASE_STARTS, age, side="left") - 1, 0)


def build_exposure(
    record: Record, specification: Specification, origin: date, providers: tuple[str, ...] = ()
) -> Exposure:
    """Return the exposure of everything public by the end of ``origin``.

    ``providers`` may name more providers than are known by then, so that one compiled model serves many origins.
    Raises ``InputError`` if the record knows nothing of the focal matter by ``origin``, or if the brief states
    probabilities about a matter with no open proceeding at ``as_of``.
    """
    as_of = specification.as_of
    known = record.as_of(origin)
    inside = origin >= as_of
    before = known.as_of(as_of) if inside else known
    table = _ordered(known.proceedings, specification.matter, origin)
    courses = {case: course(known, case, origin) for case in table["case_id"]}
    history = {case: course(before, case, as_of) for case in before.proceedings["case_id"]} if inside else courses
    focal = tuple(table.loc[table["matter_id"] == specification.matter, "case_id"])
    groups = _groups(specification)
    matters = tuple(dict.fromkeys(table["matter_id"]))
    providers = tuple(sorted({*table["provider_group"], *providers}))
    past = {case: history.get(case) if case in focal else courses[case] for case in table["case_id"]}
    events = [
        (row, family, cell)
        for row, case in enumerate(past)
        for _, _, family, cell in (past[case].events if past[case] else ())
    ]
    months = np.array([_months(past[case].segments if past[case] else ()) for case in past])
    news = _News(focal, courses, history, groups, as_of, origin) if inside else None
    return Exposure(
        origin=origin,
        as_of=as_of,
        inside=inside,
        matters=matters,
        cases=tuple(table["case_id"]),
        providers=providers,
        groups=groups,
        n_focal=len(focal),
        row_matter=np.array([matters.index(m) for m in table["matter_id"]]),
        row_class=np.array([AUTHORITY_CLASSES.index(c) for c in table["authority_class"]]),
        row_provider=np.array([providers.index(p) for p in table["provider_group"]]),
        months=months,
        **_columns(events, ("event_row", "event_family", "event_cell")),
        group_family=np.array([_FAMILY[g.family] for g in groups], dtype=np.int64),
        **(news.arrays() if news else _no_news(len(focal), len(groups))),
        is_open=np.array([courses[case].is_open for case in courses]),
        stage=np.array([courses[case].stage for case in courses]),
        age=np.array([_age(courses[case].opened_on, origin) for case in courses]),
    )


def course(record: Record, case: str, until: date) -> Course:
    """Return the course of one proceeding, from its first sourced event to its closing or to the end of ``until``."""
    row = record.proceedings.loc[record.proceedings["case_id"] == case].iloc[0]
    log = record.events.loc[record.events["case_id"] == case].sort_values(["date", "event_id"])
    log = log.loc[(log["date"] >= row["opened_on"]) & (log["date"] <= pd.Timestamp(until))]
    entered = log["date"].min()
    closed = row["closed_on"]
    end = pd.Timestamp(until) if pd.isna(closed) else min(closed, pd.Timestamp(until))
    age_end = _age(row["opened_on"], end)
    stage, start, segments, events = 0, _age(row["opened_on"], entered), [], []
    decided_at_entry = False
    for day, same_day in log.groupby("date", sort=True):
        age = _age(row["opened_on"], day)
        families = [family_of(t, s) for t, s in zip(same_day["type"], same_day["scope"], strict=True)]
        if day == entered:
            decided_at_entry = any(f in CLOSING_FAMILIES for f in families)
        elif age <= age_end:
            segments += _cut(start, age, stage)
            cell = int(phase_of(age)) * len(STAGES) + stage
            named = zip(same_day["event_id"], families, strict=True)
            events += [(event_id, age, _FAMILY[f], cell) for event_id, f in named if f]
            start = age
        stage = max([stage, *(_stage_after(f) for f in families if f)])
    segments += _cut(start, age_end, stage)
    if decided_at_entry:
        segments, events = [], []
    return Course(row["opened_on"], tuple(segments), tuple(events), bool(pd.isna(closed)), stage)


def _stage_after(family: str) -> int:
    return 2 if family in DECISION_FAMILIES else int(family == "findings")


def _cut(start: float, end: float, stage: int) -> list[Segment]:
    """Split a stretch in one stage at the phase boundaries."""
    edges = [start, *(p for p in PHASE_STARTS[1:] if start < p < end), end]
    return [
        Segment(a, b, int(phase_of(b)) * len(STAGES) + stage)
        for a, b in zip(edges, edges[1:], strict=False)
        if b > a
    ]


def _months(segments: tuple[Segment, ...], after: float = -np.inf, until: float = np.inf) -> np.ndarray:
    """Months per cell of the parts of ``segments`` that lie in ``(after, until]`` (months since opening)."""
    months = np.zeros(CELLS)
    for segment in segments:
        months[segment.cell] += max(0.0, min(segment.end, until) - max(segment.start, after))
    return months


def _age(opened_on: pd.Timestamp, day: date | pd.Timestamp) -> float:
    return (pd.Timestamp(day) - opened_on).days / DAYS_PER_MONTH


def _ordered(proceedings: pd.DataFrame, matter: str, origin: date) -> pd.DataFrame:
    if matter not in set(proceedings["matter_id"]):
        raise InputError(
            Problem("record", f"nothing is public about the matter {matter!r} by {origin}; choose a later origin")
        )
    order = proceedings.assign(_other=proceedings["matter_id"] != matter)
    return order.sort_values(["_other", "matter_id", "case_id"]).drop(columns="_other")


def _groups(specification: Specification) -> tuple[Group, ...]:
    groups = []
    for family in FAMILIES:
        stated = specification.statements.families.get(family)
        ends = [s.within for s in stated.limited] if stated else []
        groups += [Group(family, k, start, end) for k, (start, end) in enumerate(zip([0.0, *ends], ends))]  # noqa: B905
    return tuple(groups)


def _columns(rows: list[tuple], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    table = np.array(rows, dtype=np.int64).reshape(-1, len(names))
    return {name: np.ascontiguousarray(table[:, j]) for j, name in enumerate(names)}


def _no_news(n_focal: int, n_groups: int) -> dict[str, np.ndarray]:
    return {
        "news_months": np.zeros((n_focal, len(FAMILIES), CELLS)),
        "first_months": np.zeros((n_focal, n_groups, CELLS)),
        "stated_months": np.zeros((n_focal, n_groups, CELLS)),
        **_columns([], ("news_row", "news_family", "news_cell", "news_group")),
        "happened": np.zeros(len(FAMILIES), dtype=bool),
    }


@dataclass(frozen=True)
class _News:
    """The focal matter after ``as_of``: what the analyst foresaw, and what came."""

    focal: tuple[str, ...]
    courses: dict[str, Course]
    history: dict[str, Course]
    groups: tuple[Group, ...]
    as_of: date
    origin: date

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the news fields of ``Exposure``; times below are months since ``as_of``."""
        events = self._events()
        first = np.full(len(FAMILIES), np.inf)
        for family, when, *_ in events:
            if when > 0:
                first[family] = min(first[family], when)
        out = _no_news(len(self.focal), len(self.groups))
        stated = {g.family for g in self.groups}
        for row, case in enumerate(self.focal):
            shift = _age(self.courses[case].opened_on, self.as_of)
            segments = self.courses[case].segments
            for family, index in _FAMILY.items():
                begin = first[index] if family in stated else 0.0
                out["news_months"][row, index] = _months(segments, shift + max(begin, 0.0))
            for g, group in enumerate(self.groups):
                last = group.end if g + 1 < len(self.groups) and self.groups[g + 1].interval else np.inf
                until = min(last, first[_FAMILY[group.family]])
                out["first_months"][row, g] = _months(segments, shift + group.start, shift + until)
                out["stated_months"][row, g] = self._as_stated(case, shift, group)
        if self.groups and not out["stated_months"].sum(axis=(0, 2)).all():
            raise InputError(Problem("record", f"no proceeding of the matter is open on {self.as_of} (as_of)"))
        rows, taken = [], set()
        for family, when, row, cell in events:
            group = -1
            if when > 0 and when == first[family] and family not in taken:
                group = self._group(FAMILIES[family], when)
                taken.add(family)
            rows.append((row, family, cell, group))
        return {
            **out,
            **_columns(rows, ("news_row", "news_family", "news_cell", "news_group")),
            "happened": np.isfinite(first),
        }

    def _events(self) -> list[tuple[int, float, int, int]]:
        """Every event that was not public at ``as_of``: (family, months since ``as_of``, row, cell), in order."""
        events = []
        for row, case in enumerate(self.focal):
            seen = {event_id for event_id, *_ in self.history[case].events} if case in self.history else set()
            shift = _age(self.courses[case].opened_on, self.as_of)
            events += [
                (family, age - shift, row, cell)
                for event_id, age, family, cell in self.courses[case].events
                if event_id not in seen
            ]
        return sorted(events)

    def _as_stated(self, case: str, shift: float, group: Group) -> np.ndarray:
        past = self.history.get(case)
        if past is None or not past.is_open:
            return np.zeros(CELLS)
        frozen = tuple(_cut(shift + group.start, shift + group.end, past.stage))
        return _months(frozen)

    def _group(self, family: str, when: float) -> int:
        own = [g for g, group in enumerate(self.groups) if group.family == family]
        return max((g for g in own if self.groups[g].start < when), default=-1)
