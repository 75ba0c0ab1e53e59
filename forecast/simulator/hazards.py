"""Hazards of proceedings on one day, told a second time: an oracle for the hazards that the likelihood takes.

    log h = rate[e] + powers[class, e] + stage[stage, e] + age[e] log_age + trend year
            + sum of law[r] over the rules r that hold and concern e (times the ripening, for a rule that ripens)

in events of family e per month and proceeding. A day is the interval ``(day - 1, day]``: it has the covariates of its
middle, and the stage and marks that the proceeding had when it began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from forecast.regime import Regime, Rule
from forecast.vocabulary import DAYS_PER_MONTH

Truth = Mapping[str, np.ndarray]
"""Parameters of one world by name (those of `forecast.model.priors.hazard_priors`), without an axis of draws."""


@dataclass
class Lives:
    """Where proceedings stand, one entry each; days are ordinals.

    ``authority_class``, ``stage``: indices into the regime's names. ``tags``, ``marks``: bits. ``since``: day on which
    the stage was reached. ``entry``: day of the first known step; at risk from the day after. ``closed``: day of the
    closing, 0 while open. ``is_observed``: False where the first known step was a decision. ``copy``: which focal
    matter the proceeding belongs to, -1 for none.
    """

    authority_class: np.ndarray
    tags: np.ndarray
    opened: np.ndarray
    entry: np.ndarray
    stage: np.ndarray
    since: np.ndarray
    marks: np.ndarray
    closed: np.ndarray
    is_observed: np.ndarray
    copy: np.ndarray

    def __len__(self) -> int:
        return len(self.stage)

    @staticmethod
    def none() -> Lives:
        """Return no proceeding."""
        empty = {f.name: np.zeros(0, dtype=np.int64) for f in fields(Lives)}
        return Lives(**empty | {"is_observed": np.zeros(0, dtype=bool)})

    def take(self, rows: np.ndarray) -> Lives:
        """Return a copy of these proceedings alone."""
        return Lives(**{f.name: getattr(self, f.name)[rows].copy() for f in fields(self)})

    def at_risk(self, day: int) -> np.ndarray:
        """Return the positions of the proceedings that are at risk on a day."""
        return np.flatnonzero(self.is_observed & (self.entry < day) & (self.closed == 0))

    def add(self, **entry: int) -> None:
        """Add one proceeding, by the values of all its fields."""
        for f in fields(self):
            column = getattr(self, f.name)
            setattr(self, f.name, np.append(column, np.array(entry[f.name], dtype=column.dtype)))

    def repeated(self, times: int) -> Lives:
        """Return the proceedings so many times over, each time as those of another focal matter: 0, 1, ..."""
        many = Lives(**{f.name: np.tile(getattr(self, f.name), times) for f in fields(self)})
        return replace(many, copy=np.repeat(np.arange(times), len(self)))


@dataclass(frozen=True)
class Law:
    """A regime's rules as tables, one row per rule: where each holds, and the families that it concerns.

    ``classes``, ``stages``, ``families``: rule by class, stage, family. ``with_``, ``without``, ``tag``: positions of
    the bits that must be set, or not; -1 for none. ``age``: rule, (from, to) in months. ``ripens``: by rule.
    """

    regime: Regime
    classes: np.ndarray
    stages: np.ndarray
    families: np.ndarray
    with_: np.ndarray
    without: np.ndarray
    tag: np.ndarray
    age: np.ndarray
    ripens: np.ndarray

    @staticmethod
    def of(regime: Regime) -> Law:
        """Return the tables of a regime."""
        rules, where, marks, tags = regime.rules, [r.where for r in regime.rules], [*regime.marks], [*regime.tags]
        everywhere = (-np.inf, np.inf)
        return Law(
            regime,
            classes=np.array([[name in (w.classes or regime.classes) for name in regime.class_names] for w in where]),
            stages=np.array([[name in (w.stages or regime.stage_names) for name in regime.stage_names] for w in where]),
            families=np.array([[_concerns(rule, name) for name in regime.family_names] for rule in rules], dtype=float),
            with_=np.array([marks.index(w.marked) if w.marked else -1 for w in where]),
            without=np.array([marks.index(w.unmarked) if w.unmarked else -1 for w in where]),
            tag=np.array([tags.index(w.tag) if w.tag else -1 for w in where]),
            age=np.array([w.age if w.age else everywhere for w in where], dtype=float),
            ripens=np.array([rule.ripens for rule in rules]),
        )

    def holds(self, lives: Lives, age: np.ndarray) -> np.ndarray:
        """Return whether each rule's condition holds, shape proceeding, rule; ``age``: months since opening."""
        months = age[:, None]
        return (
            self.classes.T[lives.authority_class]
            & self.stages.T[lives.stage]
            & ((self.with_ < 0) | _bit(lives.marks, self.with_))
            & ((self.without < 0) | ~_bit(lives.marks, self.without))
            & ((self.tag < 0) | _bit(lives.tags, self.tag))
            & (self.age[:, 0] <= months)
            & (months < self.age[:, 1])
        )


def _concerns(rule: Rule, family: str) -> bool:
    return family not in rule.all_but and (family in rule.families or not rule.families)


def _bit(bits: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return whether bits are set, shape entry, position (False at position -1)."""
    return (positions >= 0) & ((bits[:, None] >> np.maximum(positions, 0)) % 2 == 1)


def hazards(truth: Truth, law: Law, lives: Lives, day: int, held_from: int | None = None) -> np.ndarray:
    """Return hazards per month on ``day``, shape proceeding, family.

    ``held_from``: day from which on the trend stays at its level; by default it goes on.
    """
    time, middle = law.regime.time, day - 0.5
    age = (middle - lives.opened) / DAYS_PER_MONTH
    log_age = _banded_log(age, time.age_offset, time.age_unit, time.age_band, time.age_flat_after)
    in_stage = (middle - lives.since) / DAYS_PER_MONTH
    ripening = _banded_log(in_stage, time.ripening_offset, time.ripening_unit, time.ripening_band, time.age_flat_after)
    size = law.holds(lives, age) * np.where(law.ripens, ripening[:, None], 1.0)
    log_hazard = truth["rate"] + truth["powers"][lives.authority_class]
    log_hazard += _stage_table(truth["stage"], law.regime)[lives.stage]
    log_hazard += truth["age"] * log_age[:, None] + truth["trend"] * year_of(law.regime, day, held_from)
    return np.exp(log_hazard + (size * truth["law"]) @ law.families)


def year_of(regime: Regime, day: int, held_from: int | None = None) -> float:
    """Return the banded year of a day: years since the regime's reference, none earlier than its earliest."""
    time = regime.time
    day = day if held_from is None else min(day, held_from)
    years = (day - 0.5 - time.reference.toordinal()) / 365.25
    return float(np.rint(max(years, time.earliest_year) / time.year_band) * time.year_band)


def _banded_log(months: np.ndarray, offset: float, unit: float, band: float, flat_after: float) -> np.ndarray:
    """Return ``log((min(months, flat_after) + offset) / unit)``, rounded to a multiple of ``band``."""
    exact = np.log((np.minimum(months, flat_after) + offset) / unit)
    return np.rint(exact / band) * band


def _stage_table(stage: np.ndarray, regime: Regime) -> np.ndarray:
    """Return the effect of every stage, shape stage, family: none in the first stage of a procedure."""
    effect = dict(zip(regime.later_stages, stage, strict=True))
    return np.array([effect.get(name, np.zeros(len(regime.families))) for name in regime.stage_names])
