"""The prior file: what an analyst says about one matter, as numbers with unit, reading and provenance.

`load_specification` reads and checks a YAML file, `dump_specification` writes one; the fields of
`Specification` are the keys of the file, in the file's order. Rates are per month, amounts in EUR.
Every mistake of a file is reported at once, as an `InputError` with line and key.

More than 300 lines, because the schema is one table: a class for each part of the file, in its order.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    Strict,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from forecast.files import InputError, Problem, did_you_mean, fingerprint
from forecast.vocabulary import FAMILIES, LOADING_SIGNS, SCENARIOS, SCOPES
from forecast.yaml_files import (
    KeyPath,
    check_document,
    dotted,
    key_path,
    model_problems,
    read_yaml,
    refusal,
    yaml_text,
)

DEFAULT_FILE = "x-paris-2026.yaml"
STATED_FAMILIES = tuple(family for family in FAMILIES if family not in ("request", "closure"))
LOADED_FAMILIES = tuple(family for family, sign in LOADING_SIGNS.items() if sign and family != "fine")
IMPACTS = ("attrition", "valuation_decline", "moderation_spending")


class Base(BaseModel):
    """A part of the file: immutable, no unknown keys, no infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Real = Annotated[float, Strict()]
Text = Annotated[str, Field(min_length=1)]


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
    """One number, and how the words behind it were read."""

    value: Real
    unit: Text
    reading: Text
    source: Source


class Statement(Number):
    """Cumulative probability of the matter's first event of a family ``within`` so many months of `as_of`."""

    within: Annotated[Real, Field(gt=0)]


class Range(Base):
    """A central interval: mass ``mass`` between low and high, the rest in equal tails."""

    low: Real
    high: Real
    mass: Real = 0.90
    unit: Text
    reading: Text = "equal tails"
    source: Source

    @model_validator(mode="after")
    def _is_an_interval(self) -> Self:
        wrong: list[tuple[KeyPath, str]] = []
        if self.low >= self.high:
            wrong.append((("low",), f"expected low < high, not {self.low:g} and {self.high:g}"))
        if not 0 < self.mass < 1:
            wrong.append((("mass",), f"expected a mass between 0 and 1, not {self.mass:g}"))
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
    """What every number below a field must be: its unit, and the interval its values lie in."""

    unit: str
    low: float = float("-inf")
    high: float = float("inf")
    closed: bool = False

    @property
    def interval(self) -> str:
        """The interval in words."""
        if self.high < float("inf"):
            return (
                f"from {self.low:g} to {self.high:g}" if self.closed else f"between {self.low:g} and {self.high:g}"
            )
        return f"above {self.low:g}"

    def check[T](self, value: T) -> T:
        """Return ``value``, or raise a refusal of every number that does not belong here."""
        wrong: list[tuple[KeyPath, str]] = []
        for path, number in walk(value):
            if number.unit != self.unit:
                near = did_you_mean(number.unit, [self.unit])
                wrong.append(((*path, "unit"), f"expected unit {self.unit!r}, not {number.unit!r}{near}"))
            for name in ("low", "high") if isinstance(number, Range) else ("value",):
                what = getattr(number, name)
                inside = self.low <= what <= self.high if self.closed else self.low < what < self.high
                if not inside:
                    wrong.append(((*path, name), f"expected a number {self.interval}, not {what:g}"))
        if wrong:
            raise refusal(*wrong)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return {**handler(schema), "description": f"unit {self.unit}, {self.interval}"}


PROBABILITY, CORRELATION = Place("probability", 0, 1), Place("correlation", 0, 1, closed=True)
CEILINGS, TURNOVERS = Place("fraction of ceiling", 0, 1), Place("fraction of turnover", 0, 1)
EUR, EUR_A_YEAR, COUNT = Place("EUR", 0), Place("EUR a year", 0), Place("observations", 0)
MONTHS, RATE, RATIO = Place("months", 0), Place("per month", 0), Place("multiplier", 0)
LOG_HAZARD, LOG_RATIO, LOGIT = Place("log hazard", 0), Place("log ratio", 0), Place("logit", 0)
SHAPE, YEARLY_NOISE = Place("gamma shape", 0), Place("log per square-root year", 0)


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
        raise refusal(((), f"{name!r} is no {self.noun}{near}: expected one of {', '.join(self.options)}"))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"type": "string", "enum": [*self.options]}


Family = Annotated[str, Word("family", FAMILIES)]
StatedFamily = Annotated[str, Word("family that can be stated", STATED_FAMILIES)]
LoadedFamily = Annotated[str, Word("family with a loading of its own", LOADED_FAMILIES)]
Scope = Annotated[str, Word("scope", SCOPES)]
ImpactName = Annotated[str, Word("impact", IMPACTS)]


def _complete[T](options: tuple[str, ...], values: dict[str, T]) -> dict[str, T]:
    if missing := [name for name in options if name not in values]:
        raise refusal(*(((), f"missing key {name!r}") for name in missing))
    return values


class Scenario(Base):
    """One of the analyst's scenarios."""

    label: Text
    summary: Text
    probability: Annotated[Number, PROBABILITY]


def _sums_to_one[T: (ByScenario[Scenario], ByScenario[Number])](values: T) -> T:
    shares = [value.probability if isinstance(value, Scenario) else value for _, value in values.items()]
    total = sum(share.value for share in shares)
    if abs(total - 1) > 1e-9:
        raise refusal(((), f"expected a sum of 1, not {total:.10g}"))
    return values


class CrackdownRule(Base):
    """Crackdown: an event of one of these families, an order of these scopes, or all of ``together``."""

    families: tuple[Family, ...]
    order_scopes: tuple[Scope, ...]
    together: tuple[Family, ...]


class SignificantRule(Base):
    """Significant, if no crackdown: fines of this sum or more, or an order of these scopes. Else limited."""

    fine_total: Annotated[Number, EUR]
    order_scopes: tuple[Scope, ...]


class Resolution(Base):
    """How a matter's class is read off its events within ``months`` of `as_of`."""

    months: Annotated[Number, MONTHS]
    crackdown: CrackdownRule
    significant: SignificantRule


class Fines(Base):
    """The focal matter's single fine: shares of ceiling x turnover, or euros, as ``reading`` chooses."""

    reading: Literal["share_of_ceiling", "eur"]
    ceiling: Annotated[Number, TURNOVERS]
    turnover: Annotated[Range, EUR]
    turnover_of: Literal["provider", "parent"]
    turnover_walk: Annotated[Number, YEARLY_NOISE]
    share: Annotated[ByScenario[Range], CEILINGS]
    eur: Annotated[ByScenario[Range], EUR]


def _one_course(stated: ByScenario[tuple[Statement, ...]]) -> ByScenario[tuple[Statement, ...]]:
    wrong: list[tuple[KeyPath, str]] = []
    for scenario, statements in stated.items():
        for place, (one, two) in enumerate(pairwise(statements), start=1):
            if two.within <= one.within:
                what = f"expected more than {one.within:g} months, not {two.within:g}"
                wrong.append(((scenario, place, "within"), what))
            elif two.value < one.value:
                what = f"expected at least the {one.value:g} of the horizon before, not {two.value:g}"
                wrong.append(((scenario, place, "value"), what))
    horizons = {name: [statement.within for statement in statements] for name, statements in stated.items()}
    for scenario, months in horizons.items():
        if not wrong and (months != horizons["limited"] or not months):
            what = f"expected the horizons of 'limited', {horizons['limited']}" if months else "expected a horizon"
            wrong.append(((scenario,), f"{what}, not {months}"))
    if wrong:
        raise refusal(*wrong)
    return stated


Course = Annotated[ByScenario[tuple[Statement, ...]], PROBABILITY, AfterValidator(_one_course)]


class Statements(Base):
    """What the analyst says of events: location of logit P, errors of sd ``error_sd``, a part ``shared``."""

    error_sd: Annotated[Number, LOGIT]
    shared: Annotated[Number, CORRELATION]
    families: dict[StatedFamily, Course]


class Orders(Base):
    """Probability of each scope, given an order and the scenario; the rest are specific orders."""

    extensive: Annotated[ByScenario[Number], PROBABILITY]
    filtering: Annotated[ByScenario[Number], PROBABILITY]

    @model_validator(mode="after")
    def _leaves_a_rest(self) -> Self:
        sums = {name: self.extensive[name].value + self.filtering[name].value for name in SCENARIOS}
        if wrong := {name: total for name, total in sums.items() if total > 1}:
            what = "expected extensive + filtering of at most 1, not {:g}"
            raise refusal(*((("filtering", name, "value"), what.format(total)) for name, total in wrong.items()))
        return self


class BetaPrior(Base):
    """Beta(mean x weight, (1 - mean) x weight): a probability worth ``weight`` observations."""

    mean: Annotated[Number, PROBABILITY]
    weight: Annotated[Number, COUNT]


class RulingRate(Base):
    """Rate of rulings from this month after the decision on: Gamma(rate x weight, weight)."""

    from_months: Annotated[Real, Field(ge=0)]
    rate: Annotated[Number, RATE]
    weight: Annotated[Number, MONTHS]


class Outcome(Base):
    """Dirichlet counts of the outcomes of an appeal."""

    upheld: Annotated[Number, COUNT]
    reduced: Annotated[Number, COUNT]
    annulled: Annotated[Number, COUNT]


def _phases(rates: tuple[RulingRate, ...]) -> tuple[RulingRate, ...]:
    starts = [rate.from_months for rate in rates]
    if starts[:1] != [0] or starts != sorted(set(starts)):
        raise refusal(((), f"expected from_months to start at 0 and to rise, not {starts}"))
    return rates


class Appeals(Base):
    """Whether, when and with what result a fine is appealed; ``share_kept`` is what a reduction leaves."""

    probability: BetaPrior
    delay: Annotated[Range, MONTHS]
    ruling_rate: Annotated[tuple[RulingRate, ...], AfterValidator(_phases)]
    outcome: Outcome
    share_kept: Annotated[Range, Place("fraction of fine", 0, 1)]
    share_kept_weight: Annotated[Number, COUNT]


class Scales(Base):
    """Standard deviations of the effects on the log hazard."""

    phase: Annotated[Range, LOG_HAZARD]
    stage: Annotated[Range, LOG_HAZARD]
    authority_class: Annotated[Range, LOG_HAZARD]
    pace: Annotated[Range, LOG_HAZARD]


class Severity(Base):
    """Steps of the fine's log hazard from significant down to limited and up to crackdown."""

    down: Annotated[Range, LOG_HAZARD]
    up: Annotated[Range, LOG_HAZARD]


class Hazards(Base):
    """The reference class: events per month and proceeding, and what moves them.

    ``rates`` are those of an average authority in the first phase before findings; ``loadings`` are
    magnitudes, their signs stand in the vocabulary; ``weights`` are the scenarios' shares there.
    """

    rates: Annotated[dict[Family, Range], RATE, AfterValidator(partial(_complete, FAMILIES))]
    scales: Scales
    severity: Severity
    loadings: Annotated[dict[LoadedFamily, Range], RATIO, AfterValidator(partial(_complete, LOADED_FAMILIES))]
    frailty_shape: Annotated[Range, SHAPE]
    weights: Annotated[ByScenario[Number], PROBABILITY, AfterValidator(_sums_to_one)]
    weights_sd: Annotated[Number, LOG_RATIO]


class Sizes(Base):
    """Fines of the reference class, as shares of ceiling x turnover, or of turnover without a ceiling."""

    share: Annotated[Range, CEILINGS]
    spread: Annotated[Range, LOGIT]
    instruments: Annotated[Range, LOGIT]
    without_ceiling: Annotated[Range, TURNOVERS]
    without_ceiling_weight: Annotated[Number, COUNT]


class Drift(Base):
    """Log change of users per month: its mean, its sd between services, and noise within a series."""

    mean: Annotated[Range, Place("log per month")]
    services: Annotated[Range, Place("log per month", 0)]
    noise: Annotated[Range, Place("log per square-root month", 0)]


class Openings(Base):
    """New proceedings per designated provider and month, raised for a time after events of ``raised_by``."""

    rate: Annotated[Range, RATE]
    raised: Annotated[Range, RATIO]
    raised_months: Annotated[Number, MONTHS]
    raised_by: tuple[Family, ...]
    shape: Annotated[Range, SHAPE]


class Impacts(Base):
    """Effects at full size, the correlation of their errors, their half-life, and the market's noise."""

    attrition: Annotated[ByScenario[Range], Place("fraction of users", 0, 1)]
    valuation_decline: Annotated[ByScenario[Range], Place("fraction of valuation", 0, 1)]
    moderation_spending: Annotated[ByScenario[Range], EUR_A_YEAR]
    shared: Annotated[Number, CORRELATION]
    half_life: Annotated[Number, MONTHS]
    volatility: Annotated[Number, YEARLY_NOISE]


class Users(Base):
    """The published series by which attrition resolves."""

    series: Text
    region: Text


class Advertising(Base):
    """Worldwide advertising revenue, and the affected region's share of it."""

    revenue: Annotated[Range, EUR_A_YEAR]
    region_share: Annotated[Range, Place("fraction of revenue", 0, 1)]


class Lever(Base):
    """A mitigation, assumed to multiply hazards and impacts: for what-ifs only."""

    what: Text
    hazards: Annotated[dict[Family, Number], RATIO] = Field(default_factory=dict)
    impacts: Annotated[dict[ImpactName, Number], RATIO] = Field(default_factory=dict)
    source: Source


def _setting(value: object) -> float | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise refusal(((), f"expected a number or text, not {value!r}"))
    return value if isinstance(value, str) else float(value)


class Reading(Base):
    """Another admissible reading of the brief: values to set, by dotted path."""

    what: Text
    set: dict[Text, Annotated[Any, AfterValidator(_setting), WithJsonSchema({"type": ["number", "string"]})]]


class Specification(Base):
    """Everything an analyst says about one matter: see the classes of its parts."""

    version: Literal[1]
    title: Text
    matter: Text
    provider_group: Text
    as_of: Annotated[date, Strict()]
    pooling: Annotated[Number, Place("fraction", 0, 1, closed=True)]
    scenarios: Annotated[ByScenario[Scenario], AfterValidator(_sums_to_one)]
    resolution: Resolution
    fines: Fines
    statements: Statements
    orders: Orders
    appeals: Appeals
    closing: BetaPrior
    hazards: Hazards
    sizes: Sizes
    drift: Drift
    openings: Openings
    impacts: Impacts | None = None
    users: Users | None = None
    advertising: Advertising | None = None
    levers: dict[Text, Lever] = Field(default_factory=dict)
    readings: dict[Text, Reading] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        wrong: list[tuple[KeyPath, str]] = [
            (("levers", name, "impacts"), "there is no section 'impacts' for it to act on")
            for name, lever in self.levers.items()
            if lever.impacts and not self.impacts
        ]
        for name, reading in self.readings.items():
            wrong += [(("readings", name, *path), what) for path, what in _read_as(self, reading)[1]]
        if wrong:
            raise refusal(*wrong)
        return self

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content, whatever its comments, format or order of keys."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return fingerprint(text.encode())

    def numbers(self) -> Iterator[tuple[str, Number | Range]]:
        """Yield every number with its dotted path, in the order of the file."""
        return ((dotted(path), number) for path, number in walk(self))

    def with_reading(self, *names: str) -> Specification:
        """Return this specification with the values of these readings set, and no further readings.

        A name that the file does not have, or readings that contradict each other, are an `InputError`.
        """
        read = self
        for name in names:
            if name not in self.readings:
                near = did_you_mean(name, self.readings) or f": expected one of {', '.join(self.readings)}"
                raise InputError(Problem("readings", f"there is no reading {name!r}{near}"))
            changed, wrong = _read_as(read, self.readings[name])
            if changed is None or wrong:
                raise InputError(Problem(dotted(("readings", name, *path)), what) for path, what in wrong)
            read = changed
        return read

    def __str__(self) -> str:
        chances = ", ".join(f"{name} {case.probability.value:.0%}" for name, case in self.scenarios.items())
        kinds = Counter(number.source.kind for _, number in self.numbers())
        return (
            f"{self.title} ({self.matter}, as of {self.as_of})\n"
            f"scenarios: {chances}\n"
            f"numbers: {kinds['source']} on the brief's words, "
            f"{kinds['author_assumption']} on its author's assumptions, {kinds['ours']} ours\n"
            f"fingerprint: {self.fingerprint[:12]}"
        )


def _read_as(
    specification: Specification, reading: Reading
) -> tuple[Specification | None, list[tuple[KeyPath, str]]]:
    """Return the specification with a reading's values set, and what is wrong with the reading."""
    data: Any = {**specification.model_dump(), "readings": {}}
    wrong: list[tuple[KeyPath, str]] = []
    for text, value in reading.set.items():
        try:
            data = _replaced(data, key_path(text) or (text,), value)
        except KeyError as error:
            wrong.append((("set", text), error.args[0]))
    try:
        return Specification.model_validate(data), wrong
    except ValidationError as error:
        for path, what in model_problems(Specification, error):
            text = dotted(path)
            wrong.append((("set", text), what) if text in reading.set else (("set",), f"then {text}: {what}"))
    return None, wrong


def _replaced(data: Any, path: KeyPath, value: float | str) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(data, dict) and step in data:
        return {**data, step: _replaced(data[step], rest, value)}
    if isinstance(data, tuple) and isinstance(step, int) and step < len(data):
        return (*data[:step], _replaced(data[step], rest, value), *data[step + 1 :])
    near = did_you_mean(str(step), data) if isinstance(data, dict) else ""
    raise KeyError(f"there is no key {step!r} to set{near}")


def packaged_priors() -> Path:
    """Return the folder of the shipped prior files: in an installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "priors"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "priors"


def load_specification(path: str | Path | None = None) -> Specification:
    """Read and check a prior file, by default the packaged one on X; raises `InputError`."""
    return check_document(
        Specification, read_yaml(packaged_priors() / DEFAULT_FILE if path is None else Path(path))
    )


def dump_specification(specification: Specification) -> str:
    """Return the specification as YAML, one number a line; loading it gives an equal one."""
    return yaml_text(_plain(specification.model_dump()), flow=frozenset({"unit", "brief"}))


def _plain(value: Any) -> Any:
    """Leave out what is empty by default, and put a statement's horizon first."""
    if isinstance(value, dict):
        kept = {key: _plain(inner) for key, inner in value.items() if inner not in (None, "", {})}
        return {"within": kept["within"], **kept} if "within" in kept else kept
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a prior file, as kept in ``priors/schema.json`` for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Specification.model_json_schema()}
