"""What drives simulated courses: hazards, kinds of proceedings, where a matter stands, and the regime as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from forecast.regime import Regime


class Hazards(NamedTuple):
    """Parameters of the hazards of ``n`` courses, on the log scale; the first axis of every array is the course.

    ``level``: course, kind of proceeding, family; rate, powers and trend together. ``stage``: course, stage, family.
    ``age``: course, family. ``law``: course, rule. ``multiplier``: course, family, interval, on the natural scale (of
    families that are not stated: unused). ``tempo``: course. ``closing``: course, probability that a decision closes.
    ``opening``: course, (usual, raised) rate of new proceedings per month.
    """

    level: np.ndarray
    stage: np.ndarray
    age: np.ndarray
    law: np.ndarray
    multiplier: np.ndarray
    tempo: np.ndarray
    closing: np.ndarray
    opening: np.ndarray

    def take(self, rows: np.ndarray) -> Hazards:
        """Return these courses alone."""
        return Hazards(*(np.ascontiguousarray(array[rows]) for array in self))


class Kinds(NamedTuple):
    """Kinds of proceedings: class and tags, stage and marks of a new one, and how often a new one is of the kind."""

    authority_class: np.ndarray
    tags: np.ndarray
    stage: np.ndarray
    marks: np.ndarray
    share: np.ndarray


class Start(NamedTuple):
    """Where a matter stands, by proceeding: kind, months since opening and since the stage began, stage, marks, open.

    ``happened``: family; whether the first event after ``as_of`` has come. ``elapsed``: months since ``as_of``.
    ``ends``: family, interval; months after ``as_of`` at which the intervals of a stated family end (0: no more).
    ``raised_until``: months from now until which the opening rate is raised.
    """

    kind: np.ndarray
    age: np.ndarray
    in_stage: np.ndarray
    stage: np.ndarray
    marks: np.ndarray
    is_open: np.ndarray
    happened: np.ndarray
    elapsed: float
    ends: np.ndarray
    raised_until: float


class Law(NamedTuple):
    """What the regime says, as arrays for the compiled loop."""

    moves: np.ndarray
    closes: np.ndarray
    marks: np.ndarray
    age_edges: np.ndarray
    age_values: np.ndarray
    rule_edges: np.ndarray
    stage_edges: np.ndarray
    stage_values: np.ndarray
    raising: np.ndarray
    raised_months: float

    @staticmethod
    def of(regime: Regime, raised_by: tuple[str, ...] = (), raised_months: float = 0.0) -> Law:
        """Return the arrays of a regime; ``raised_by``: families that raise the opening rate for so many months."""
        time = regime.time
        age, stage = time.age_edges(), time.ripening_edges()
        named = [a for rule in regime.rules for a in rule.where.age or () if a > 0]
        return Law(
            moves=regime.moves,
            closes=regime.closes,
            marks=regime.family_bits,
            age_edges=np.append(age, np.inf),
            age_values=time.log_age(np.append(age, np.inf) - 1e-6),
            rule_edges=np.append(np.unique(named), np.inf),
            stage_edges=np.append(stage, np.inf),
            stage_values=time.ripening(np.append(stage, np.inf) - 1e-6),
            raising=np.array([f in raised_by for f in regime.families]),
            raised_months=float(raised_months),
        )
