"""Everything that one origin knows about hazards: person-time of the reference class, and news of the focal matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from forecast.evidence.cells import Cells, Edges, Piece, covariates, cut, lengths, same, sums
from forecast.evidence.episodes import Episode, Unused, episodes
from forecast.evidence.news import News, first_event_ids, news_of
from forecast.evidence.statements import Statements
from forecast.record import Record
from forecast.regime import Regime


@dataclass(frozen=True)
class HazardEvidence:
    """What was public by one origin, as the hazards' likelihood takes it.

    ``lives``: the episode of every proceeding; ``focal``: those of the focal matter among them, as positions.
    ``cells``: person-time and events of the reference class: every matter's, and of the focal one its history and the
    part of its news that the analyst did not speak of. ``news``: the part that the analyst spoke of; ``None`` before
    ``as_of``, where there is only the outside view, or without statements. ``matter_months``, ``matter_count``: months
    and counts of ``cells`` by matter, shape matter, cell times family: for likelihoods of one matter each.
    """

    origin: date
    regime: Regime
    statements: Statements | None
    lives: tuple[Episode, ...]
    focal: tuple[int, ...]
    cells: Cells
    news: News | None
    matters: tuple[str, ...]
    matter_months: csr_array
    matter_count: csr_array

    @property
    def unused(self) -> tuple[Unused, ...]:
        """Rows of the log that enter no likelihood of hazards, and why."""
        return tuple(u for life in self.lives for u in life.unused)


def gather_hazards(
    record: Record, regime: Regime, origin: date, statements: Statements | None = None
) -> HazardEvidence:
    """Return the evidence about hazards that was public by the end of ``origin``.

    Without ``statements``, or before their ``as_of``, every matter is one of the reference class.
    """
    lives = episodes(record.as_of(origin).in_force(), regime, origin)
    inside = statements is not None and origin >= statements.as_of
    focal = tuple(i for i, e in enumerate(lives) if statements and e.matter_id == statements.matter)
    first = min((e.opened for e in lives), default=origin.toordinal())
    if statements is None or not inside:
        edges = Edges.of(regime, first, origin.toordinal())
        parts = _cells(lives, (), 0, (), np.zeros(0, dtype=int), regime, edges)
        return HazardEvidence(origin, regime, statements, lives, focal, parts[0], None, *parts[1:])
    last = max([origin.toordinal(), *(statements.last_day(g) for g in statements.groups)])
    edges = Edges.of(regime, first, last)
    at_brief = episodes(record.as_of(statements.as_of).in_force(), regime, statements.as_of)
    news = news_of(
        [lives[i] for i in focal],
        [e for e in at_brief if e.matter_id == statements.matter],
        statements,
        regime,
        edges,
    )
    as_of, stated = statements.as_of.toordinal(), statements.families
    parts = _cells(lives, focal, as_of, stated, news.first, regime, edges)
    return HazardEvidence(origin, regime, statements, lives, focal, parts[0], news, *parts[1:])


def _cells(
    lives: Sequence[Episode],
    focal: Sequence[int],
    as_of: int,
    stated: Sequence[int],
    first: np.ndarray,
    regime: Regime,
    edges: Edges,
) -> tuple[Cells, tuple[str, ...], csr_array, csr_array]:
    """Sum person-time and events of the reference class; of the focal matter, without what ``News`` takes.

    Returns the cells, the names of the matters, and months and counts by matter.
    """
    families = len(regime.families)
    taken = first_event_ids([lives[i] for i in focal], first, stated) if focal else {}
    pieces: list[Piece] = []
    counts: list[np.ndarray] = []
    for row, life in enumerate(lives):
        for number, stretch in enumerate(life.stretches):
            breaks = [as_of, *(int(d) for d in first if d)] if row in focal else []
            for start, end in _split(stretch.start, stretch.end, breaks):
                own = cut(row, life, start, end, stretch.state, edges)
                pieces += own
                counts += [np.zeros(families) for _ in own]
            for event in life.counted:
                if event.stretch == number and taken.get(event.family) != event.event_id:
                    counts[-1][event.family] += 1
    at_risk = np.repeat(lengths(pieces)[:, None], families, axis=1)
    for i, piece in enumerate(pieces):
        if piece.row in focal and piece.start >= as_of:
            for family in stated:
                if not first[family] or piece.start < first[family]:
                    at_risk[i, family] = 0.0
    count = np.array(counts).reshape(-1, families)
    distinct, index = same(covariates(pieces, regime))
    size = len(distinct)
    matters = tuple(dict.fromkeys(life.matter_id for life in lives))
    owner = np.array([matters.index(lives[piece.row].matter_id) for piece in pieces], dtype=np.int64)
    by_matter = [_by_matter(owner, index, len(matters), size, table) for table in (at_risk, count)]
    return Cells(distinct, sums(index, size, at_risk), sums(index, size, count)), matters, by_matter[0], by_matter[1]


def _by_matter(owner: np.ndarray, index: np.ndarray, matters: int, cells: int, table: np.ndarray) -> csr_array:
    """Return the sum of a table (piece, family) by matter, shape matter, cell times family."""
    families = table.shape[1]
    rows = np.repeat(owner, families)
    columns = (index[:, None] * families + np.arange(families)).ravel()
    kept = table.ravel() != 0
    return csr_array((table.ravel()[kept], (rows[kept], columns[kept])), shape=(matters, cells * families))


def _split(start: int, end: int, breaks: Sequence[int]) -> list[tuple[int, int]]:
    points = [start, *sorted({b for b in breaks if start < b < end}), end]
    return list(pairwise(points))
