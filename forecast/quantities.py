"""The kinds of number in a prior file: values and ranges with unit, reading and provenance, and where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log, log1p, sqrt
from statistics import NormalDist
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, Strict, model_validator
from pydantic_core import CoreSchema, core_schema

from forecast.files import did_you_mean
from forecast.vocabulary import FAMILIES, SCENARIOS
from forecast.yaml_files import KeyPath, refusal, shortened

IMPACTS = ("attrition", "valuation_decline", "moderation_spending")


class Base(BaseModel):
    """A part of the file: immutable, no unknown keys, no infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Real = Annotated[float, Strict()]
Text = Annotated[str, Field(min_length=1)]
LEAST_GAP, LONGEST = 0.1, 1200.0
"""Months: the shortest time that is told apart (three days), and the longest that is looked at (a hundred years)."""
Since = Annotated[Real, Field(ge=LEAST_GAP, le=LONGEST)]
"""Months after a day."""
MASS = (0.1, 0.9999)
"""Least and greatest mass of a range: less says nothing of the tails; more makes limits of quantiles."""


class Source(Base):
    """Whose claim a number renders: the brief's, the brief's where it says "author's assumption", or ours.

    ``brief`` names section and item of the brief, such as "Scenarios, 1".
    """

    kind: Literal["source", "author_assumption", "ours"]
    brief: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _names_its_place(self) -> Self:
        if self.kind != "ours" and not self.brief.strip():
            raise refusal((("brief",), f"missing: kind {self.kind!r} needs section and item of the brief"))
        return self


class Number(Base):
    """One number, and how the words behind it were read: "as stated" unless ``reading`` says otherwise."""

    value: Real
    unit: Text
    reading: Annotated[Text, Field(description="how the words behind the number were read; optional")] = "as stated"
    source: Source


def whole_months(months: Number) -> Number:
    """Return a whole number of months, or raise a refusal of any other: targets are forecast at its end."""
    if months.value != round(months.value):
        raise refusal((("value",), f"expected a whole number of months, not {months.value:g}"))
    return months


class Statement(Number):
    """Cumulative probability of the matter's first event of a family ``within`` so many months of `as_of`."""

    within: Since


class Range(Base):
    """A central interval: mass ``mass`` between low and high, the rest in equal tails."""

    low: Real
    high: Real
    mass: Annotated[Real, Field(description=f"from {MASS[0]:g} to {MASS[1]:g}")] = 0.90
    unit: Text
    reading: Annotated[Text, Field(description="how the words behind the range were read; optional")] = "equal tails"
    source: Source

    @model_validator(mode="after")
    def _is_an_interval(self) -> Self:
        wrong: list[tuple[KeyPath, str]] = []
        if self.low >= self.high:
            wrong.append((("low",), f"expected low < high, not {self.low:g} and {self.high:g}"))
        if not MASS[0] <= self.mass <= MASS[1]:
            wrong.append((("mass",), f"expected a mass from {MASS[0]:g} to {MASS[1]:g}, not {self.mass:g}"))
        if wrong:
            raise refusal(*wrong)
        return self


class ByScenario[T](Base):
    """One value for each scenario."""

    limited: T
    significant: T
    crackdown: T

    def __getitem__(self, scenario: str) -> T:
        return getattr(self, scenario)

    def items(self) -> Iterator[tuple[str, T]]:
        """Yield scenario and value, in order of severity."""
        return ((scenario, self[scenario]) for scenario in SCENARIOS)


def walk(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Number | Range]]:
    """Yield every `Number` and `Range` below ``value`` with its path."""
    if isinstance(value, Number | Range):
        yield path, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from walk(getattr(value, name), (*path, name))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, (*path, key))
    elif isinstance(value, tuple):
        for place, inner in enumerate(value):
            yield from walk(inner, (*path, place))


@dataclass(frozen=True)
class Place:
    """What every number below a field must be: its unit, the interval its values lie in, and how wide a range may be.

    ``widest``: the greatest standard deviation of a range's normal on its scale (`scale_of`).
    """

    unit: str
    low: float
    high: float
    widest: float = 4.0

    @property
    def interval(self) -> str:
        """The interval in words."""
        return f"from {self.low:g} to {self.high:g}"

    def check[T](self, value: T) -> T:
        """Return ``value``, or raise a refusal of every number that does not belong here."""
        wrong: list[tuple[KeyPath, str]] = []
        for path, number in walk(value):
            if number.unit != self.unit:
                near = did_you_mean(number.unit, [self.unit])
                wrong.append(((*path, "unit"), f"expected unit {self.unit!r}, not {shortened(number.unit)}{near}"))
            ends = ("low", "high") if isinstance(number, Range) else ("value",)
            outside = [name for name in ends if not self.low <= getattr(number, name) <= self.high]
            for name in outside:
                wrong.append(((*path, name), f"expected a number {self.interval}, not {getattr(number, name):g}"))
            if isinstance(number, Range) and not outside and (what := self._width(number)):
                wrong.append(((*path, "high"), what))
        if wrong:
            raise refusal(*wrong)
        return value

    def _width(self, stated: Range) -> str:
        """Return what is wrong with a range's width for its mass, if anything is."""
        scale, on = scale_of(self.unit, self.low)
        sd = (on(stated.high) - on(stated.low)) / (2 * NormalDist().inv_cdf((1 + stated.mass) / 2))
        if NARROWEST <= sd <= self.widest:
            return ""
        bound = f"at least {NARROWEST:g}" if sd < NARROWEST else f"at most {self.widest:g}"
        ends = f"{100 * stated.mass:g} % between {stated.low:.10g} and {stated.high:.10g}"
        return f"{ends} means a standard deviation of {sd:.2g} on the {scale} scale: expected {bound}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "description": f"unit {self.unit}, {self.interval}"}


SHARES = ("probability", *(f"fraction of {x}" for x in ("ceiling", "users", "valuation", "fine", "revenue")))
"""Units whose ranges have their middle on the logit scale."""
NARROWEST = 1e-6
"""Least standard deviation of a range on its scale: a number known to a millionth, finer than any sampler needs."""


def scale_of(unit: str, low: float) -> tuple[str, Callable[[float], float]]:
    """Return the scale on which a range of this unit is normal, and the way to it: logit, log, or the unit itself."""
    if unit in SHARES:
        return "logit", lambda x: log(x) - log1p(-x)
    return ("log", log) if low > 0 else (f"{unit!r}", lambda x: x)


# Each interval holds what the unit can mean in any field of supervision, with room; outside it stand slips of the
# pen (a percentage for a share, euros for millions, days for months) and numbers that no arithmetic survives.
PROBABILITY = Place("probability", 1e-6, 0.999999)  # one in a million: rarer than any record or simulation can show
CORRELATION = Place("correlation", 0, 0.999)  # 1 leaves nothing of one's own, and no covariance can be factored
CEILINGS = Place("fraction of ceiling", 1e-9, 0.999999, 5)  # from a fine of 10 EUR under a ceiling of 10 bn EUR
TURNOVERS = Place("fraction of turnover", 1e-9, 0.999999)  # from a fine of 100 EUR on a turnover of 100 bn EUR
EUR, EUR_A_YEAR = Place("EUR", 1, 1e13), Place("EUR a year", 1, 1e13)  # up to ten times the largest turnover there is
COUNT = Place("observations", 0.1, 1e6)  # below any reference prior's weight, beyond any record's length
MOMENTS = Place("observations", 1, 1e6)  # fewer leave mean and sd of a normal without any scale
MONTHS = Place("months", 0.01, LONGEST)  # from hours to a century
RESOLVING = Place("months", 1, 240)  # within the twenty years that a proceeding can be followed
WAITING = Place("months", 0.01, 1e6)  # months of waiting, of any number of proceedings together
RATE = Place("per month", 1e-7, 100)  # from one in ten million months to three a day
RATIO = Place("multiplier", 0.001, 1000)  # a thousandth to a thousandfold
LOGIT = Place("logit", 0.001, 5, 1.5)  # 5: a factor of 150 in the odds
SHAPE = Place("gamma shape", 0.05, 1e7)  # coefficients of variation from 4.5 down to none
YEARLY_NOISE = Place("log per square-root year", 0.001, 3)  # 3: twenty times as much or as little in a year


@dataclass(frozen=True)
class Word:
    """What a text below a field must be: one of the options."""

    noun: str
    options: tuple[str, ...]

    def check(self, name: str) -> str:
        """Return ``name``, or refuse it with the closest option."""
        if name in self.options:
            return name
        near = did_you_mean(name, self.options)
        raise refusal(((), f"{shortened(name)} is no {self.noun}{near}: expected one of {', '.join(self.options)}"))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"type": "string", "enum": [*self.options]}


Family = Annotated[str, Word("family", FAMILIES)]
ImpactName = Annotated[str, Word("impact", IMPACTS)]


def at_most[T: (dict[str, object], tuple[object, ...])](most: int, noun: str, values: T) -> T:
    """Return ``values``, or refuse a mapping or a list of more than ``most``: each costs time wherever it is used."""
    if len(values) > most:
        raise refusal(((), f"expected at most {most} {noun}, not {len(values):,}"))
    return values


type Stated = Number | Range


def middle(stated: Stated) -> float:
    """Return the value, or a range's median: on the logit scale for shares, on the log scale if positive."""
    if isinstance(stated, Number):
        return stated.value
    if stated.unit in SHARES:
        odds = sqrt(stated.low / (1 - stated.low) * stated.high / (1 - stated.high))
        return odds / (1 + odds)
    return sqrt(stated.low * stated.high) if stated.low > 0 else (stated.low + stated.high) / 2


def says(stated: Stated) -> str:
    """Return what is stated as text: ``0.03 - 0.33 (90 %)``, ``0.40``, ``0.25 within 6 months``."""
    if isinstance(stated, Range):
        return f"{printed(stated.low, 4)} - {printed(stated.high, 4)} ({100 * stated.mass:.3g} %)"
    plain = printed(stated.value, 4)
    text = max(plain, f"{stated.value:.2f}", key=len) if stated.unit == "probability" else plain
    return f"{text} within {stated.within:g} months" if isinstance(stated, Statement) else text


def printed(x: float, digits: int = 2) -> str:
    """Return a number in so many significant digits, with m and bn for millions and billions."""
    size, word = (1e9, " bn") if abs(x) >= 1e9 else (1e6, " m") if abs(x) >= 1e5 else (1, "")
    return np.format_float_positional(x / size, max(digits, 3 * (size > 1)), fractional=False, trim="-") + word


def percent(share: float, digits: int = 0) -> str:
    """Return a probability or share in per cent; what is possible and rounds to nothing is ``<1 %``, never ``0 %``."""
    if not np.isfinite(share):
        return "-"
    least, text = 10.0**-digits, f"{100 * share:.{digits}f}"
    if 0 < share < 1 and float(text) in (0.0, 100.0):
        return f"<{least:.{digits}f} %" if share < 0.5 else f">{100 - least:.{digits}f} %"
    return f"{text} %" if float(text) else f"{0.0:.{digits}f} %"


def bounds(stated: Stated) -> tuple[float, float]:
    """Return both ends of a range, or the value twice."""
    return (stated.low, stated.high) if isinstance(stated, Range) else (stated.value, stated.value)
