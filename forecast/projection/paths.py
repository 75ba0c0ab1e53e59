"""What may happen to a matter: exact simulation of its proceedings as competing hazards.

Between events and the edges at which covariates change (bands of age and of time in a stage, ages that rules name,
ends of the intervals of statements, the end of a raised opening rate) all hazards are constant, so the next event comes
after an exponential time and its kind is drawn in proportion to the hazards (Gillespie 1977, doi:10.1021/j100540a008).
The first event of a stated family comes at ``tempo * multiplier[interval] * hazard``, every other event at the
reference hazard. New proceedings open, and are followed like the old ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from forecast.evidence.cells import rule_values
from forecast.projection.drivers import Hazards, Kinds, Law, Start
from forecast.regime import RuleTable

MAX_NEW = 24
"""New proceedings of one course that are followed; further ones are counted but not followed."""


@dataclass(frozen=True)
class Paths:
    """Simulated events, times in months from now; one entry per event in ``path``, ``time``, ``family``,
    ``proceeding``.

    ``proceeding``: index into the matter's proceedings, those of ``Start`` first, then new ones in order of opening.
    ``new_path``, ``new_time``, ``new_kind``: new proceedings. ``all_closed``: path; when first none was open (infinite:
    never). ``compensator``: path, family, interval; integral of the hazard of the first event of a stated family, up to
    that event: its mean is the probability that it comes in the interval, with less noise than the share of paths.
    """

    n: int
    families: int
    path: np.ndarray
    time: np.ndarray
    family: np.ndarray
    proceeding: np.ndarray
    new_path: np.ndarray
    new_time: np.ndarray
    new_kind: np.ndarray
    all_closed: np.ndarray
    compensator: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """The matter's first event of each family, months from now (infinite: none), shape path, family."""
        out = np.full((self.n, self.families), np.inf)
        np.minimum.at(out, (self.path, self.family), self.time)
        return out

    def first_in(self, proceedings: int) -> np.ndarray:
        """The first event of each family in each of the first proceedings, shape path, proceeding, family."""
        out = np.full((self.n, proceedings, self.families), np.inf)
        own = self.proceeding < proceedings
        np.minimum.at(out, (self.path[own], self.proceeding[own], self.family[own]), self.time[own])
        return out


def simulate_paths(
    hazards: Hazards, start: Start, kinds: Kinds, law: Law, rules: RuleTable, horizon: float, seeds: np.ndarray
) -> Paths:
    """Return one course per row of ``hazards``, up to ``horizon`` months from now.

    ``seeds``: one 32-bit seed per course; the same seeds give the same random numbers whatever else changes, and the
    same courses on any number of threads.
    """
    room = 64
    while True:
        out = _simulate(hazards, start, kinds, law, rules, float(horizon), seeds.astype(np.uint32), room)
        count, new = out[0], out[4]
        if count.max(initial=0) <= room:
            break
        room = int(count.max()) + 16
    (time, family, proceeding), (new_time, new_kind), all_closed, compensator = out[1:4], out[5:7], out[7], out[8]
    path, place = _entries(count, room)
    new_path, new_place = _entries(new, new_time.shape[1])
    return Paths(
        n=len(count),
        families=hazards.age.shape[1],
        path=path,
        time=time[path, place],
        family=family[path, place],
        proceeding=proceeding[path, place],
        new_path=new_path,
        new_time=new_time[new_path, new_place],
        new_kind=new_kind[new_path, new_place],
        all_closed=all_closed,
        compensator=compensator,
    )


def _entries(count: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of every entry of a ragged table that is kept in a full one."""
    row, column = np.nonzero(np.arange(room) < count[:, None])
    return row, column


@njit(cache=True)
def _band(edges, months):
    b = 0
    while months >= edges[b] - 1e-9:
        b += 1
    return b


@njit(cache=True)
def _refresh(i, c, hazards, law, rules, kinds, kind, stage, marks, age, in_stage, value, log_h):
    """Write the log hazards of a proceeding into ``log_h[c]`` and return the months until its covariates change."""
    a, s, r = _band(law.age_edges, age), _band(law.stage_edges, in_stage), _band(law.rule_edges, age)
    k = kind[c]
    rule_values(
        rules, kinds.authority_class[k], kinds.tags[k], stage[c], marks[c], age + 1e-9, law.stage_values[s], value
    )
    for e in range(log_h.shape[1]):
        log_h[c, e] = hazards.level[i, k, e] + hazards.stage[i, stage[c], e] + hazards.age[i, e] * law.age_values[a]
    for j in range(len(value)):
        if value[j] != 0:
            for e in range(log_h.shape[1]):
                if rules.families[j, e]:
                    log_h[c, e] += hazards.law[i, j] * value[j]
    return min(law.age_edges[a] - age, law.stage_edges[s] - in_stage, law.rule_edges[r] - age)


@njit(cache=True, parallel=True, error_model="numpy")
def _simulate(hazards, start, kinds, law, rules, horizon, seeds, room):
    n, families = hazards.age.shape
    count, new = np.zeros(n, np.int64), np.zeros(n, np.int64)
    time, family, proceeding = np.empty((n, room)), np.empty((n, room), np.int64), np.empty((n, room), np.int64)
    new_time, new_kind = np.empty((n, MAX_NEW)), np.empty((n, MAX_NEW), np.int64)
    all_closed, compensator = np.full(n, np.inf), np.zeros((n, families, start.ends.shape[1]))
    for i in prange(n):
        np.random.seed(seeds[i])  # noqa: NPY002
        count[i], new[i], all_closed[i] = _course(
            i, hazards, start, kinds, law, rules, horizon, time[i], family[i], proceeding[i], new_time[i], new_kind[i],
            compensator[i],
        )  # fmt: skip
    return count, time, family, proceeding, new, new_time, new_kind, all_closed, compensator


@njit(cache=True, error_model="numpy")
def _course(i, hazards, start, kinds, law, rules, horizon, time, family, proceeding, new_time, new_kind, compensator):
    families, old = hazards.age.shape[1], len(start.kind)
    most = old + MAX_NEW
    count, new, all_closed = 0, 0, np.inf
    cumulative = np.cumsum(kinds.share)
    kind, stage, marks = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    born, moved, is_open = np.empty(most), np.empty(most), np.zeros(most, np.bool_)
    change = np.full(most, np.inf)  # when a proceeding's covariates change next
    log_h, hazard, value = np.empty((most, families)), np.zeros((most, families)), np.empty(len(rules.ripens))
    total = np.zeros(families)  # sum over proceedings of the reference hazard
    kind[:old], stage[:old], marks[:old], is_open[:old] = start.kind, start.stage, start.marks, start.is_open
    born[:old], moved[:old] = -start.age, -start.in_stage
    happened = start.happened.copy()
    factor, interval = np.ones(families), np.zeros(families, np.int64)
    raised_until, size, t, opened = start.raised_until, old, 0.0, 0
    for c in range(old):
        if is_open[c]:
            change[c] = 0.0
    while t < horizon:
        # Hazards now, and the nearest edge at which any of them changes.
        edge = horizon
        for c in range(size):
            if is_open[c]:
                if change[c] <= t + 1e-9:
                    change[c] = t + _refresh(
                        i, c, hazards, law, rules, kinds, kind, stage, marks, t - born[c], t - moved[c], value, log_h
                    )
                    for e in range(families):
                        hazard[c, e] = np.exp(log_h[c, e])
                edge = min(edge, change[c])
        everything = 0.0
        for e in range(families):
            total[e] = 0.0
            for c in range(size):
                if is_open[c]:
                    total[e] += hazard[c, e]
            factor[e] = 1.0
            if start.ends[e, 0] > 0 and not happened[e]:
                k, since = 0, start.elapsed + t
                while k + 1 < start.ends.shape[1] and start.ends[e, k + 1] > 0 and since >= start.ends[e, k] - 1e-9:
                    k += 1
                interval[e], factor[e] = k, hazards.tempo[i] * hazards.multiplier[i, e, k]
                if since < start.ends[e, k] - 1e-9:
                    edge = min(edge, t + start.ends[e, k] - since)
            everything += factor[e] * total[e]
        rate = hazards.opening[i, int(t < raised_until - 1e-9)]
        if t < raised_until - 1e-9:
            edge = min(edge, raised_until)
        wait = np.random.exponential(1.0) / (everything + rate) if everything + rate > 0 else np.inf  # noqa: NPY002
        step = min(wait, edge - t)
        for e in range(families):
            if start.ends[e, 0] > 0 and not happened[e] and start.elapsed + t < _last_end(start.ends, e) - 1e-9:
                compensator[e, interval[e]] += step * factor[e] * total[e]
        if t + wait >= edge:
            t = edge
            continue
        t += wait
        left = np.random.random() * (everything + rate)  # noqa: NPY002
        if left >= everything:
            opened += 1
            if size < most:
                point = np.random.random() * cumulative[-1]  # noqa: NPY002
                k = min(np.searchsorted(cumulative, point, side="right"), len(cumulative) - 1)
                kind[size], stage[size], marks[size] = k, kinds.stage[k], kinds.marks[k]
                born[size], moved[size], is_open[size], change[size] = t, t, True, t
                new_time[new], new_kind[new] = t, k
                new += 1
                size += 1
            continue
        e = 0
        while e < families - 1 and left >= factor[e] * total[e]:
            left -= factor[e] * total[e]
            e += 1
        c, part = -1, left / factor[e]
        for candidate in range(size):
            if is_open[candidate]:
                c = candidate
                if part < hazard[candidate, e]:
                    break
                part -= hazard[candidate, e]
        happened[e] = True
        if count < len(time):
            time[count], family[count], proceeding[count] = t, e, c
        count += 1
        if law.raising[e]:
            raised_until = max(raised_until, t + law.raised_months)
        if law.moves[stage[c], e] != stage[c]:
            stage[c], moved[c] = law.moves[stage[c], e], t
        marks[c] |= law.marks[e]
        change[c] = t
        if law.closes[e] == 2 or (law.closes[e] == 1 and np.random.random() < hazards.closing[i]):  # noqa: NPY002
            is_open[c] = False
            if not is_open.any():
                all_closed = min(all_closed, t)
    return count, new, all_closed


@njit(cache=True)
def _last_end(ends, e):
    last = 0.0
    for k in range(ends.shape[1]):
        last = max(last, ends[e, k])
    return last
