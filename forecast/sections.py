"""The parts of a prior file: one class for each, in the file's order.

A field's annotation says what may stand there: unit, interval, vocabulary. Rates are per month, amounts in EUR.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from forecast.labels import LONGEST_LABEL, check_label
from forecast.quantities import (
    CEILINGS,
    CORRELATION,
    COUNT,
    EUR,
    EUR_A_YEAR,
    LOGIT,
    LONGEST,
    MOMENTS,
    MONTHS,
    PROBABILITY,
    RATE,
    RATIO,
    RESOLVING,
    SHAPE,
    TURNOVERS,
    WAITING,
    YEARLY_NOISE,
    Base,
    ByScenario,
    Family,
    ImpactName,
    Number,
    Place,
    Range,
    Real,
    Source,
    Text,
    at_most,
    whole_months,
)
from forecast.stated import STEPS
from forecast.yaml_files import refusal


class Scenario(Base):
    """One of the analyst's scenarios: its ``label`` is printed wherever the scenario is shown."""

    label: Annotated[Text, AfterValidator(check_label), Field(json_schema_extra={"maxLength": LONGEST_LABEL})]
    summary: Text
    probability: Annotated[Number, PROBABILITY]


def _sums_to_one[T: (ByScenario[Scenario], ByScenario[Number])](values: T) -> T:
    shares = [value.probability if isinstance(value, Scenario) else value for _, value in values.items()]
    total = sum(share.value for share in shares)
    if abs(total - 1) > 1e-9:
        raise refusal(((), f"expected a sum of 1, not {total:.10g}"))
    return values


class CrackdownRule(Base):
    """Crackdown: an event of one of these families, or all of ``together``.

    Where an executive charge counts ``together`` with a fine, the fine must be of the same proceeding, or reach the sum
    that the rule of significant names.
    """

    families: tuple[Family, ...]
    together: tuple[Family, ...]

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if not self.families and not self.together:
            raise refusal((("families",), "no event would make it a crackdown: expected a family here or in together"))
        return self


class SignificantRule(Base):
    """Significant, if no crackdown: fines of this sum or more, or an event of one of these families. Else limited."""

    fine_total: Annotated[Number, EUR]
    families: tuple[Family, ...]


class Resolution(Base):
    """How a matter's class is read off its events within ``months`` of `as_of`.

    A scenario should resolve as itself: by the prior alone, with a probability of 0.8 or more, as ``forecast validate``
    checks. A file in which one does not says why in ``reason``.
    """

    months: Annotated[Number, RESOLVING, AfterValidator(whole_months)]
    crackdown: CrackdownRule
    significant: SignificantRule
    reason: Annotated[Text | None, Field(exclude_if=lambda text: text is None)] = None


class Fines(Base):
    """The sum of the focal matter's fines up to the last horizon, given a fine and the scenario.

    Shares of ``ceiling`` x turnover, or euros, as ``reading`` chooses.
    """

    reading: Literal["share_of_ceiling", "eur"]
    ceiling: Annotated[Number, TURNOVERS]
    turnover: Annotated[Range, EUR]
    turnover_of: Literal["provider", "parent"]
    turnover_walk: Annotated[Number, YEARLY_NOISE]
    share: Annotated[ByScenario[Range], CEILINGS]
    eur: Annotated[ByScenario[Range], EUR]


class BetaPrior(Base):
    """Beta(mean x weight, (1 - mean) x weight): a probability worth ``weight`` observations."""

    mean: Annotated[Number, PROBABILITY]
    weight: Annotated[Number, COUNT]


class RulingRate(Base):
    """Rate of rulings from this month after the decision on: Gamma(rate x weight, weight)."""

    from_months: Annotated[Real, Field(ge=0, le=LONGEST)]
    rate: Annotated[Number, RATE]
    weight: Annotated[Number, WAITING]


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
    """Whether, when and with what result a fine is appealed; ``share_kept`` is what a reduction leaves.

    Fines of ``large`` EUR and more have a probability of their own.
    """

    large: Annotated[Number, EUR]
    probability_large: BetaPrior
    probability: BetaPrior
    delay: Annotated[Range, MONTHS]
    ruling_rate: Annotated[
        tuple[RulingRate, ...], AfterValidator(partial(at_most, STEPS, "steps")), AfterValidator(_phases)
    ]
    outcome: Outcome
    share_kept: Annotated[Range, Place("fraction of fine", 1e-6, 0.999999, 5)]
    share_kept_weight: Annotated[Number, MOMENTS]


class Sizes(Base):
    """Fines of the reference class, as shares of ceiling x turnover, or of turnover without a ceiling."""

    share: Annotated[Range, CEILINGS]
    spread: Annotated[Range, LOGIT]
    instruments: Annotated[Range, LOGIT]
    without_ceiling: Annotated[Range, TURNOVERS]
    without_ceiling_weight: Annotated[Number, MOMENTS]


class Drift(Base):
    """Log change of users per month: its mean, its sd between services, and noise within a series."""

    mean: Annotated[Range, Place("log per month", -1, 1, 0.5)]  # 1: from one user to three within a month
    services: Annotated[Range, Place("log per month", 1e-5, 1, 1.5)]
    noise: Annotated[Range, Place("log per square-root month", 1e-5, 1, 1.5)]


class Openings(Base):
    """New proceedings per designated provider and month, raised for a time after events of ``raised_by``."""

    rate: Annotated[Range, RATE]
    raised: Annotated[Range, RATIO]
    raised_months: Annotated[Number, MONTHS]
    raised_by: tuple[Family, ...]
    shape: Annotated[Range, SHAPE]


class SetOff(Base):
    """Share of each impact's full effect that the first event of a family sets off; together at most the whole."""

    attrition: dict[Family, Number] = Field(default_factory=dict)
    valuation_decline: dict[Family, Number] = Field(default_factory=dict)
    moderation_spending: dict[Family, Number] = Field(default_factory=dict)


class Impacts(Base):
    """Full effects, what sets them off, the correlation of their errors, their half-life, and the market's noise."""

    set_off: Annotated[SetOff, Place("fraction of effect", 0.0, 1.0)]
    attrition: Annotated[ByScenario[Range], Place("fraction of users", 1e-6, 0.999999, 5)]
    valuation_decline: Annotated[ByScenario[Range], Place("fraction of valuation", 1e-6, 0.999999, 5)]
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
    region_share: Annotated[Range, Place("fraction of revenue", 1e-6, 0.999999, 5)]


class Lever(Base):
    """A mitigation, assumed to multiply hazards and impacts: for what-ifs only."""

    what: Text
    hazards: Annotated[dict[Family, Number], RATIO] = Field(default_factory=dict)
    impacts: Annotated[dict[ImpactName, Number], RATIO] = Field(default_factory=dict)
    source: Source
