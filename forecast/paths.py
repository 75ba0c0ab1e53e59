"""What may happen to a matter: exact simulation of its proceedings as competing hazards.

Between events and boundaries (phases of each proceeding, intervals of the statements, the end of a raised opening
rate) all hazards are constant, so the next event comes after an exponential time and its kind is drawn in
proportion to the hazards (Gillespie 1977, doi:10.1021/j100540a008). One loop serves the focal matter, every other
open proceeding, and the tests that reproduce the analyst's statements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from forecast.quantities import IMPACTS
from forecast.vocabulary import FAMILIES, PHASE_STARTS, STAGES

_STARTS = np.array([*PHASE_STARTS[1:], np.inf])
_N_STAGES = len(STAGES)
_FINDINGS, _FINE = FAMILIES.index("findings"), FAMILIES.index("fine")
_COMMITMENTS, _CLOSURE = FAMILIES.index("commitments"), FAMILIES.index("closure")


@dataclass(frozen=True)
class Hazards:
    """Everything that drives ``n`` paths of one matter; the first axis of every array is the path.

    ``base``: path, family, cell. ``effect``: path, proceeding, family. ``tilt``: path, family. ``frailty``: path.
    ``multiplier``: path, family, interval, with ``ends``: family, interval (months since ``as_of``; 0 = none) for
    families whose first event is stated. ``closing``: path. ``opening``: path, (usual, raised) rate of new
    proceedings per month, raised for ``raised_months`` after each event of a ``raising`` family. New proceedings are
    counted but not followed: the brief speaks of the matter as it stands.
    """

    base: np.ndarray
    effect: np.ndarray
    tilt: np.ndarray
    frailty: np.ndarray
    multiplier: np.ndarray
    ends: np.ndarray
    closing: np.ndarray
    opening: np.ndarray
    raising: np.ndarray
    raised_months: float

    def times(self, factor: np.ndarray) -> Hazards:
        """Return these hazards with every family's multiplied by its ``factor``: first stated events and later ones."""
        return replace(self, tilt=self.tilt * factor, multiplier=self.multiplier * factor[:, None])


@dataclass(frozen=True)
class Intervention:
    """An assumption about what acts on a matter from now on, never evidence: ``do(lever)``.

    ``hazards``: multiplier of each family's hazards. ``impacts``: multiplier of each impact at full size.
    """

    hazards: np.ndarray
    impacts: np.ndarray


NOTHING = Intervention(np.ones(len(FAMILIES)), np.ones(len(IMPACTS)))
"""No intervention."""


@dataclass(frozen=True)
class Start:
    """Where the matter stands: ``age``, ``stage``, ``is_open`` per proceeding; ``happened`` per family.

    ``elapsed`` are months since ``as_of``; ``raised_until`` is when a raised opening rate ends (months from now).
    """

    age: np.ndarray
    stage: np.ndarray
    is_open: np.ndarray
    happened: np.ndarray
    elapsed: float
    raised_until: float


@dataclass(frozen=True)
class Paths:
    """Simulated events, times in months from now.

    ``first``: path, proceeding, family, the first event (infinite if none by the horizon). ``path``, ``time``,
    ``family``, ``proceeding``: one entry per event.
    ``opening_path``, ``opening_time``: new proceedings. ``all_closed``: path, when first none was open.
    """

    first: np.ndarray
    path: np.ndarray
    time: np.ndarray
    family: np.ndarray
    proceeding: np.ndarray
    opening_path: np.ndarray
    opening_time: np.ndarray
    all_closed: np.ndarray

    @property
    def first_any(self) -> np.ndarray:
        """The matter's first event of each family, shape path, family."""
        return self.first.min(axis=1)


def simulate_paths(
    hazards: Hazards, start: Start, horizon: float, rng: np.random.Generator, *, frozen: bool = False
) -> Paths:
    """Return one path per draw, up to ``horizon`` months from now.

    ``frozen`` keeps every stage as it stands and lets nothing close: the world of the analyst's statements.
    Every event of every family is returned.
    """
    h, s = hazards, start
    return Paths(
        *_run(
            rng, float(horizon), h.base, h.effect, h.tilt, h.frailty, h.multiplier, h.ends, h.closing, h.opening,
            h.raising, float(h.raised_months), s.age.astype(float), s.stage.astype(np.int64), s.is_open, s.happened,
            float(s.elapsed), float(s.raised_until), frozen,
        )
    )  # fmt: skip


@njit(cache=True)
def _grown(array):
    larger = np.empty(2 * len(array), array.dtype)
    larger[: len(array)] = array
    return larger


@njit(cache=True)
def _run(
    rng, horizon, base, effect, tilt, frailty, multiplier, ends, closing, opening, raising, raised_months,
    age, stage0, open0, happened0, elapsed, raised_until0, frozen,
):  # fmt: skip
    n_paths, n_proceedings, n_families = effect.shape
    first = np.full((n_paths, n_proceedings, n_families), np.inf)
    all_closed = np.full(n_paths, np.inf)
    at_path, at_time = np.empty(1024, np.int64), np.empty(1024)
    at_family, at_proceeding = np.empty(1024, np.int64), np.empty(1024, np.int64)
    new_path, new_time = np.empty(1024, np.int64), np.empty(1024)
    n_events, n_new = 0, 0
    hazard = np.zeros((n_proceedings, n_families))
    for i in range(n_paths):
        stage, is_open, happened = stage0.copy(), open0.copy(), happened0.copy()
        raised_until = raised_until0
        t = 0.0
        while t < horizon:
            # Hazards now, and the nearest boundary at which any of them changes.
            boundary = horizon - t
            total = 0.0
            for e in range(n_families):
                level = frailty[i] * tilt[i, e]
                if ends[e, 0] > 0 and not happened[e]:
                    k = 0
                    while k + 1 < ends.shape[1] and ends[e, k + 1] > 0 and elapsed + t >= ends[e, k] - 1e-9:
                        k += 1
                    level = multiplier[i, e, k]
                    if elapsed + t < ends[e, k] - 1e-9:
                        boundary = min(boundary, ends[e, k] - elapsed - t)
                for c in range(n_proceedings):
                    hazard[c, e] = 0.0
                    if is_open[c]:
                        p = 0
                        while age[c] + t >= _STARTS[p] - 1e-9:
                            p += 1
                        boundary = min(boundary, _STARTS[p] - age[c] - t)
                        hazard[c, e] = base[i, e, p * _N_STAGES + stage[c]] * effect[i, c, e] * level
                        total += hazard[c, e]
            rate = 0.0
            if not frozen:
                rate = opening[i, int(t < raised_until - 1e-9)]
                if t < raised_until - 1e-9:
                    boundary = min(boundary, raised_until - t)
            wait = rng.exponential() / (total + rate) if total + rate > 0 else np.inf
            if wait >= boundary:
                t += boundary
                continue
            t += wait
            left = rng.random() * (total + rate)
            if left >= total:
                if n_new == len(new_path):
                    new_path, new_time = _grown(new_path), _grown(new_time)
                new_path[n_new], new_time[n_new] = i, t
                n_new += 1
                continue
            c, e = 0, 0
            for c in range(n_proceedings):
                for e in range(n_families):
                    left -= hazard[c, e]
                    if left < 0:
                        break
                if left < 0:
                    break
            happened[e] = True
            first[i, c, e] = min(first[i, c, e], t)
            if n_events == len(at_path):
                at_path, at_time = _grown(at_path), _grown(at_time)
                at_family, at_proceeding = _grown(at_family), _grown(at_proceeding)
            at_path[n_events], at_time[n_events] = i, t
            at_family[n_events], at_proceeding[n_events] = e, c
            n_events += 1
            if raising[e]:
                raised_until = max(raised_until, t + raised_months)
            if frozen:
                continue
            if e == _FINDINGS:
                stage[c] = max(stage[c], 1)
            elif e in (_FINE, _COMMITMENTS):
                stage[c] = 2
                is_open[c] = rng.random() >= closing[i]
            elif e == _CLOSURE:
                is_open[c] = False
            if not is_open[c] and not is_open.any():
                all_closed[i] = min(all_closed[i], t)
    return (
        first, at_path[:n_events], at_time[:n_events], at_family[:n_events], at_proceeding[:n_events],
        new_path[:n_new], new_time[:n_new], all_closed,
    )  # fmt: skip
