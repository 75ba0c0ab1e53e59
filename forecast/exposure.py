"""From a record to what its likelihood needs: months at risk and events, by proceeding, family, phase and stage.

``courses`` says when a proceeding is at risk. What is known of the focal matter at the brief's date ``as_of`` is its
*history*, a reference matter like the others; what became public afterwards is *news*, of which the brief's
statements speak.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecast.courses import CELLS, FAMILY_INDEX, Course, age_at, course, cut, months_in
from forecast.files import InputError, Problem
from forecast.news import public_ids, put_right
from forecast.record import Record
from forecast.specification import Specification
from forecast.vocabulary import AUTHORITY_CLASSES, DAYS_PER_MONTH, FAMILIES


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


def build_exposure(
    record: Record, specification: Specification, origin: date, providers: tuple[str, ...] = ()
) -> Exposure:
    """Return the exposure of everything public by the end of ``origin``.

    ``providers`` may name more providers than are known by then, so that one compiled model serves many origins.
    Raises ``InputError`` if the record knows nothing of the focal matter by ``origin``, or if the brief states
    probabilities about a matter with no open proceeding at ``as_of``.
    """
    as_of = specification.as_of
    known = record.as_of(origin).in_force()
    inside = origin >= as_of
    before = put_right(record.as_of(origin), as_of).as_of(as_of).in_force() if inside else known
    table = _ordered(known.proceedings, specification.matter, origin)
    courses = {case: course(known, case, origin) for case in table["case_id"]}
    history = {case: course(before, case, as_of) for case in before.proceedings["case_id"]} if inside else courses
    focal = tuple(table.loc[table["matter_id"] == specification.matter, "case_id"])
    groups = _groups(specification)
    matters = tuple(dict.fromkeys(table["matter_id"]))
    providers = tuple(sorted({*table["provider_group"], *providers}))
    past = [history.get(case) if case in focal else courses[case] for case in table["case_id"]]
    events = [(row, family, cell) for row, c in enumerate(past) if c for _, _, family, cell in c.events]
    months = np.array([months_in(c.segments if c else ()) for c in past])
    news = _News(focal, courses, history, public_ids(record, as_of), groups, as_of) if inside else None
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
        group_family=np.array([FAMILY_INDEX[g.family] for g in groups], dtype=np.int64),
        **(news.arrays() if news else _no_news(len(focal), len(groups))),
        is_open=np.array([courses[case].is_open and courses[case].is_observed for case in courses]),
        stage=np.array([courses[case].stage for case in courses]),
        age=np.array([age_at(courses[case].opened_on, origin) for case in courses]),
    )


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
    public: frozenset[str]
    groups: tuple[Group, ...]
    as_of: date

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
            shift = age_at(self.courses[case].opened_on, self.as_of)
            segments = self.courses[case].segments
            for name, index in FAMILY_INDEX.items():
                begin = first[index] if name in stated else 0.0
                out["news_months"][row, index] = months_in(segments, shift + max(begin, 0.0))
                if case not in self.history:  # older than the brief, but unknown to it
                    out["news_months"][row, index] += months_in(segments, until=shift)
            for g, group in enumerate(self.groups):
                last = group.end if g + 1 < len(self.groups) and self.groups[g + 1].interval else np.inf
                until = min(last, first[FAMILY_INDEX[group.family]])
                out["first_months"][row, g] = months_in(segments, shift + group.start, shift + until)
                out["stated_months"][row, g] = self._as_stated(case, shift, group)
        if self.groups and not out["stated_months"].sum(axis=(0, 2)).all():
            raise InputError(Problem("record", f"no proceeding of the matter is open on {self.as_of} (as_of)"))
        rows: list[tuple[int, ...]] = []
        taken: set[int] = set()
        for family, when, row, cell in events:
            is_first = when > 0 and when == first[family] and family not in taken
            rows.append((row, family, cell, self._group(FAMILIES[family], when) if is_first else -1))
            taken |= {family} if is_first else set()
        return {
            **out,
            **_columns(rows, ("news_row", "news_family", "news_cell", "news_group")),
            "happened": np.isfinite(first),
        }

    def _events(self) -> list[tuple[int, float, int, int]]:
        """Every event that was not public at ``as_of``: (family, months since ``as_of``, row, cell), in order."""
        events = []
        for row, case in enumerate(self.focal):
            shift = age_at(self.courses[case].opened_on, self.as_of)
            events += [
                (family, age - shift, row, cell)
                for event_id, age, family, cell in self.courses[case].events
                if event_id not in self.public
            ]
        return sorted(events)

    def _as_stated(self, case: str, shift: float, group: Group) -> np.ndarray:
        past = self.history.get(case)
        if past is None or not past.is_open or not past.is_observed:
            return np.zeros(CELLS)
        frozen = tuple(cut(shift + group.start, shift + group.end, past.stage))
        return months_in(frozen)

    def _group(self, family: str, when: float) -> int:
        own = [g for g, group in enumerate(self.groups) if group.family == family]
        return max((g for g in own if self.groups[g].start < when), default=-1)
