"""The parts of a regime's file: one class for each, and `Content`, the whole file as it is written.

Numbers have limits here, names are checked in `forecast.regime_checks`, and `forecast.regime` reads them as law.
"""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field, Strict

from forecast.quantities import RATE, Base, Number, Place, Range, Real, Text, at_most

Multiplier = Annotated[Real, Field(ge=0.001, le=1000)]
Spread = Annotated[Real, Field(ge=0.001, le=5)]
"""A standard deviation in logarithms."""
Power = Annotated[Real, Field(ge=-5, le=5)]
Months = Annotated[Real, Field(ge=0.1, le=1200)]
Band = Annotated[Real, Field(ge=0.05, le=5)]
"""Width of a band in which a covariate counts as constant: a narrower one makes cells without number."""
MOST_RULES, MOST_MARKS = 100, 30
"""Marks and tags are bits of one number."""


class Family(Base):
    """A family of events: the types (and scopes) of the log that belong to it, and what one such event does.

    ``moves_to``: the stage that a proceeding of each procedure reaches by it. ``closes``: whether it ends the
    proceeding; ``may`` means with the probability of the prior file's ``closing``. ``age``: prior centre of the power of age in its hazard. ``rate``: events per month, see the file's head.
    """

    label: Text
    types: tuple[Text, ...]
    scopes: tuple[str, ...] = ()
    moves_to: dict[str, str] = Field(default_factory=dict)
    closes: Literal["never", "may", "always"] = "never"
    age: Power = 0.0
    rate: Annotated[Range, RATE]

    def takes(self, event_type: str, scope: str) -> bool:
        """Return whether an event of this type and scope belongs to the family."""
        return event_type in self.types and (not self.scopes or scope in self.scopes)


class AuthorityClass(Base):
    """A class of authorities: its procedure, and the prior centres of its powers, as multipliers by family."""

    procedure: str
    meaning: Text
    powers: dict[str, Multiplier] = Field(default_factory=dict)
    law: Text


class Condition(Base):
    """Where a rule holds: in these classes and stages, with or without a mark, at this age, at this authority."""

    classes: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    marked: str | None = None
    unmarked: str | None = None
    age: tuple[Real, Real] | None = None
    tag: str | None = None


class Rule(Base):
    """One rule of procedural law or practice: a multiplier of the hazards of its families where it holds.

    ``log multiplier ~ Normal(log(multiplier), sd)``. A rule that ``ripens`` multiplies by
    ``exp(effect log((months in the stage + offset) / unit))`` instead: its effect is a power of time.
    """

    name: Text
    where: Condition
    families: tuple[str, ...] = ()
    all_but: tuple[str, ...] = ()
    ripens: bool = False
    multiplier: Multiplier
    sd: Spread
    law: Text


class Scales(Base):
    """Standard deviations of the effects on the log hazard."""

    powers: Annotated[Number, Place("log hazard", 0.001, 5)]
    stage: Annotated[Number, Place("log hazard", 0.001, 5)]
    age: Annotated[Number, Place("log hazard per log age", 0.001, 5)]
    trend: Annotated[Number, Place("log hazard per year", 0.001, 5)]


class Time(Base):
    """How time enters the hazards.

    ``log_age = log((min(months since opening, age_flat_after) + age_offset) / age_unit)``, rounded to multiples of
    ``age_band``; ripening likewise with the months since the stage began; ``year``: years since ``reference``, no
    earlier than ``earliest_year``, rounded to multiples of ``year_band``. Between the edges of these bands hazards are
    constant, so time at risk can be summed exactly.
    """

    reference: Annotated[date, Strict()]
    earliest_year: Annotated[Real, Field(ge=-50, le=50)]
    age_offset: Months
    age_unit: Months
    age_flat_after: Months
    age_band: Band
    ripening_offset: Months
    ripening_unit: Months
    ripening_band: Band
    year_band: Band

    def log_age(self, months: np.ndarray | float) -> np.ndarray:
        """Return the banded logarithm of age, for months since opening."""
        capped = np.minimum(months, self.age_flat_after) + self.age_offset
        return np.round(np.log(capped / self.age_unit) / self.age_band) * self.age_band

    def ripening(self, months: np.ndarray | float) -> np.ndarray:
        """Return the banded logarithm of time in a stage, for months since the stage began."""
        capped = np.minimum(months, self.age_flat_after) + self.ripening_offset
        return np.round(np.log(capped / self.ripening_unit) / self.ripening_band) * self.ripening_band

    def year(self, days: np.ndarray | float) -> np.ndarray:
        """Return the banded year, for days since ``reference``."""
        return np.round(np.maximum(np.asarray(days) / 365.25, self.earliest_year) / self.year_band) * self.year_band

    def age_edges(self) -> np.ndarray:
        """Return the months since opening at which ``log_age`` changes, ascending."""
        return _edges(self.age_offset, self.age_unit, self.age_band, self.age_flat_after)

    def ripening_edges(self) -> np.ndarray:
        """Return the months in a stage at which ``ripening`` changes, ascending."""
        return _edges(self.ripening_offset, self.ripening_unit, self.ripening_band, self.age_flat_after)


def _edges(offset: float, unit: float, band: float, flat_after: float) -> np.ndarray:
    first = np.round(np.log(offset / unit) / band)
    last = np.round(np.log((flat_after + offset) / unit) / band)
    edges = unit * np.exp((np.arange(first, last) + 0.5) * band) - offset
    return edges[(edges > 0) & (edges < flat_after)]


class Content(Base):
    """A regime's file: see the classes of its parts.

    ``silent_types``: event types that belong to no family, and what they say. ``marks``: the event types that set each
    mark. ``procedures``: their stages, in order. ``stages``: multipliers by family of each stage after the first.
    ``tags``: text in an authority's name that gives it the tag.
    """

    version: Literal[1]
    name: Text
    title: Text
    families: dict[str, Family]
    silent_types: dict[str, Text]
    marks: Annotated[dict[str, tuple[str, ...]], AfterValidator(partial(at_most, MOST_MARKS, "marks"))]
    procedures: dict[str, tuple[str, ...]]
    stages: dict[str, dict[str, Multiplier]]
    classes: dict[str, AuthorityClass]
    tags: Annotated[dict[str, Text], AfterValidator(partial(at_most, MOST_MARKS, "tags"))]
    rules: Annotated[tuple[Rule, ...], AfterValidator(partial(at_most, MOST_RULES, "rules"))]
    scales: Scales
    time: Time

    @property
    def every_stage(self) -> list[str]:
        """Names of the stages of all procedures, each procedure's in order."""
        return [stage for stages in self.procedures.values() for stage in stages]
