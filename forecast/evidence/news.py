"""News about the focal matter: time lived before the first event of each stated family, and which of them came.

A first event of a stated family after ``as_of`` is what the analyst spoke of; its time and its silence go into the
likelihood of the scenarios. The trend is held at ``as_of`` in it, as the analyst's probabilities know of no trend: its
level cancels. All else after ``as_of``, events of families that nobody stated and later events of stated
ones, is evidence about the reference class, like the matter's history and like every other matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.evidence.cells import Covariates, Edges, Piece, covariates, cut, lengths, same, sums
from forecast.evidence.episodes import Episode
from forecast.evidence.statements import Statements
from forecast.regime import Regime


@dataclass(frozen=True)
class News:
    """The focal matter after ``as_of``, by cell of its person-time and statement group (interval of a family).

    ``foreseen``: months at risk as the analyst saw them on ``as_of``: every proceeding then open stays open and in its
    stage. ``lived``: months at risk since then and before the matter's first event of the family. ``came``: 1 where
    that first event came and carries likelihood. All of shape cell, group. ``first``: day (ordinal) of the matter's
    first event of each family after ``as_of``, 0 where none came.
    """

    covariates: Covariates
    foreseen: np.ndarray
    lived: np.ndarray
    came: np.ndarray
    first: np.ndarray

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known after ``as_of``: neither an event nor a day of silence."""
        return not self.lived.any() and not self.came.any()


def first_days(focal: Sequence[Episode], as_of: int, families: int) -> np.ndarray:
    """Return the day of the matter's first event of each family after ``as_of``, 0 where none came."""
    first = np.zeros(families, dtype=np.int64)
    for happened in sorted((h for e in focal for h in e.happened if h.day > as_of), key=lambda h: h.day):
        first[happened.family] = first[happened.family] or happened.day
    return first


def news_of(
    focal: Sequence[Episode], at_brief: Sequence[Episode], statements: Statements, regime: Regime, edges: Edges
) -> News:
    """Return the news about the focal matter.

    ``focal``: its episodes up to the origin. ``at_brief``: the same as they were public at ``as_of``. ``edges`` must
    reach to the last day of the last statement.
    """
    as_of, groups = statements.as_of.toordinal(), statements.groups
    first = first_days(focal, as_of, len(regime.families))
    pieces: list[Piece] = []
    columns: list[tuple[str, int]] = []
    for g, group in enumerate(groups):
        begin, until = statements.first_day(group), statements.last_day(group)
        for row, episode in enumerate(e for e in at_brief if e.at_risk):
            own = cut(row, episode, begin, until, episode.last, edges)
            pieces, columns = pieces + own, columns + [("foreseen", g)] * len(own)
        is_last = g + 1 == len(groups) or groups[g + 1].family != group.family
        beyond = np.inf if is_last else until
        stop = min(beyond, first[group.family] or np.inf)
        own = _lived(focal, begin, stop, edges)
        pieces, columns = pieces + own, columns + [("lived", g)] * len(own)
    came = list(_came(focal, first, statements))
    for g, event_piece in came:
        pieces, columns = [*pieces, event_piece], [*columns, ("came", g)]
    distinct, index = (
        same(covariates(pieces, regime, held=as_of)) if pieces else (_none(regime), np.zeros(0, dtype=np.int64))
    )
    weight = {"foreseen": lengths(pieces), "lived": lengths(pieces), "came": np.ones(len(pieces))}
    tables = {}
    for name in weight:
        values = np.zeros((len(pieces), len(groups)))
        for i, (kind, g) in enumerate(columns):
            values[i, g] = weight[name][i] if kind == name else 0.0
        tables[name] = sums(index, len(distinct), values)
    return News(distinct, **tables, first=first)


def _lived(focal: Sequence[Episode], begin: int, stop: float, edges: Edges) -> list[Piece]:
    pieces: list[Piece] = []
    for row, episode in enumerate(focal):
        for stretch in episode.stretches:
            start, end = max(stretch.start, begin), int(min(stretch.end, stop))
            if end > start:
                pieces += cut(row, episode, start, end, stretch.state, edges)
    return pieces


def _came(focal: Sequence[Episode], first: np.ndarray, statements: Statements) -> list[tuple[int, Piece]]:
    """Return group and day (a piece of one day) of every first event of a stated family that carries likelihood."""
    found = []
    for family in statements.families:
        on_day = [
            (c.event_id, row, e, c)
            for row, e in enumerate(focal)
            for c in e.counted
            if c.family == family and first[family] and c.day == first[family]
        ]
        if on_day:
            _, row, episode, event = min(on_day, key=lambda x: x[0])
            group = max(
                g for g in statements.of_family(family) if statements.first_day(statements.groups[g]) < event.day
            )
            state = episode.stretches[event.stretch].state
            found.append(
                (
                    group,
                    Piece(row, episode.authority_class, episode.tags, episode.opened, event.day - 1, event.day, state),
                )
            )
    return found


def first_event_ids(focal: Sequence[Episode], first: np.ndarray, families: Sequence[int]) -> dict[int, str]:
    """Return the event that carries the likelihood of each stated family's first event, by family."""
    found = {}
    for family in families:
        ids = [c.event_id for e in focal for c in e.counted if c.family == family and c.day == first[family]]
        if first[family] and ids:
            found[family] = min(ids)
    return found


def _none(regime: Regime) -> Covariates:
    empty = np.zeros(0)
    return Covariates(empty.astype(int), empty.astype(int), empty, empty, np.zeros((0, len(regime.rules))))
