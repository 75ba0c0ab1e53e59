"""Person-time in cells: months at risk and counts of events, summed over all days with the same covariates.

A hazard depends on class, stage, age, year and the rules of the regime. Age, time in a stage and year enter by bands
(`regime.Time`), so a stretch of a proceeding is cut where a band ends and its pieces have constant covariates. Pieces
with equal covariates are one cell: months and counts per cell are sufficient.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import njit

from forecast.evidence.episodes import Episode, State
from forecast.regime import Regime, RuleTable
from forecast.vocabulary import DAYS_PER_MONTH


class Piece(NamedTuple):
    """Days ``(start, end]`` with constant covariates; ``row`` says whose they are."""

    row: int
    authority_class: int
    tags: int
    opened: int
    start: int
    end: int
    state: State


@dataclass(frozen=True)
class Covariates:
    """What a hazard depends on, one entry per cell; ``rules`` has shape cell, rule."""

    authority_class: np.ndarray
    stage: np.ndarray
    log_age: np.ndarray
    year: np.ndarray
    rules: np.ndarray

    def __len__(self) -> int:
        return len(self.stage)

    @property
    def table(self) -> np.ndarray:
        """All columns side by side, shape cell, 4 + rules: what a model takes as one array of data."""
        return np.column_stack([self.authority_class, self.stage, self.log_age, self.year, self.rules]).astype(float)


@dataclass(frozen=True)
class Cells:
    """Person-time of the reference class: covariates, ``months`` at risk and ``count`` of events (cell, family)."""

    covariates: Covariates
    months: np.ndarray
    count: np.ndarray


@njit(cache=True)
def rule_values(
    rules: RuleTable,
    authority_class: int,
    tags: int,
    stage: int,
    marks: int,
    age: float,
    ripening: float,
    out: np.ndarray,
) -> None:
    """Write the value of every rule into ``out``: 0 where it does not hold, else 1 or, if it ripens, ``ripening``.

    ``age``: months since opening, in ``[from, to)`` where a rule names it. ``ripening``: as `regime.Time.ripening`.
    """
    for r in range(len(out)):
        holds = rules.classes[r, authority_class] and rules.stages[r, stage]
        holds = holds and (rules.with_bit[r] == 0 or marks & rules.with_bit[r] != 0)
        holds = holds and marks & rules.without_bit[r] == 0
        holds = holds and (rules.tag_bit[r] == 0 or tags & rules.tag_bit[r] != 0)
        holds = holds and rules.age[r, 0] <= age < rules.age[r, 1]
        out[r] = (ripening if rules.ripens[r] else 1.0) if holds else 0.0


@njit(cache=True)
def _all_rule_values(rules, authority_class, tags, stage, marks, age, ripening):
    out = np.zeros((len(stage), len(rules.ripens)))
    for i in range(len(stage)):
        rule_values(rules, authority_class[i], tags[i], stage[i], marks[i], age[i], ripening[i], out[i])
    return out


def cut(row: int, episode: Episode, start: int, end: int, state: State, edges: Edges) -> list[Piece]:
    """Cut the days ``(start, end]`` of a proceeding in one state where a covariate changes."""
    inner = np.concatenate([episode.opened + edges.age, state.since + edges.stage, edges.calendar])
    inner = np.unique(inner[(inner > start) & (inner < end)])
    points = [start, *inner.tolist(), end]
    return [Piece(row, episode.authority_class, episode.tags, episode.opened, a, b, state) for a, b in pairwise(points)]


@dataclass(frozen=True)
class Edges:
    """Days at which covariates change: since opening, since a stage began, and of the calendar (ordinals)."""

    age: np.ndarray
    stage: np.ndarray
    calendar: np.ndarray

    @staticmethod
    def of(regime: Regime, first: int, last: int) -> Edges:
        """Return the edges that matter to days from ``first`` to ``last``.

        A day has the covariates of its middle: day k of a life, ``(k - 1, k]``, lies in the band of ``k - 1/2`` days.
        """
        time = regime.time
        ages = np.concatenate([time.age_edges(), [a for r in regime.rules for a in r.where.age or () if a > 0]])
        days = np.arange(first, last + 1)
        year = time.year(days - 0.5 - time.reference.toordinal())
        return Edges(_last_days(ages), _last_days(time.ripening_edges()), days[np.flatnonzero(np.diff(year))])


def _last_days(months: np.ndarray) -> np.ndarray:
    """Return the number of whole days whose middles lie before each edge."""
    return np.unique(np.ceil(months * DAYS_PER_MONTH - 0.5).astype(np.int64))


def covariates(pieces: Sequence[Piece], regime: Regime, held: int | None = None) -> Covariates:
    """Return the covariates of every piece: those of the middle of its first day.

    ``held``: a day (ordinal) whose year all pieces take, where the trend must not count.
    """
    flat = np.array([(p.authority_class, p.tags, p.opened, p.start, *p.state) for p in pieces], dtype=np.int64)
    kind, tags, opened, start, stage, since, marks = flat.reshape(-1, 7).T
    middle, time = start + 0.5, regime.time
    age, in_stage = (middle - opened) / DAYS_PER_MONTH, (middle - since) / DAYS_PER_MONTH
    values = _all_rule_values(regime.rule_table, kind, tags, stage, marks, age, time.ripening(in_stage))
    days = np.full(len(middle), held - 0.5) if held is not None else middle
    return Covariates(kind, stage, time.log_age(age), time.year(days - time.reference.toordinal()), values)


def same(each: Covariates) -> tuple[Covariates, np.ndarray]:
    """Return the distinct covariates, and the index of every entry among them."""
    table, index = np.unique(each.table, axis=0, return_inverse=True)
    kind, stage = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    return Covariates(kind, stage, table[:, 2], table[:, 3], table[:, 4:]), np.ravel(index)


def sums(index: np.ndarray, size: int, values: np.ndarray) -> np.ndarray:
    """Return the sum of ``values`` (entry, column) over the entries of each cell, shape cell, column."""
    total = np.zeros((size, values.shape[1]))
    np.add.at(total, index, values)
    return total


def lengths(pieces: Iterable[Piece]) -> np.ndarray:
    """Return the months of every piece."""
    return np.array([(p.end - p.start) / DAYS_PER_MONTH for p in pieces])
