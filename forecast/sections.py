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
    LOADED_FAMILIES,
    LOADING,
    LOG_HAZARD,
    LOG_RATIO,
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
    AuthorityClass,
    Base,
    ByScenario,
    Family,
    ImpactName,
    LoadedFamily,
    Number,
    Place,
    Range,
    Real,
    Scope,
    Source,
    Text,
    _complete,
    at_most,
    whole_months,
)
from forecast.stated import STEPS
from forecast.vocabulary import FAMILIES, SCENARIOS
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
    """Crackdown: an event of one of these families, an order of these scopes, or all of ``together``."""

    families: tuple[Family, ...]
    order_scopes: tuple[Scope, ...]
    together: tuple[Family, ...]


class SignificantRule(Base):
    """Significant, if no crackdown: fines of this sum or more, or an order of these scopes. Else limited."""

    fine_total: Annotated[Number, EUR]
    order_scopes: tuple[Scope, ...]


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
    """The focal matter's single fine: shares of ceiling x turnover, or euros, as ``reading`` chooses."""

    reading: Literal["share_of_ceiling", "eur"]
    ceiling: Annotated[Number, TURNOVERS]
    turnover: Annotated[Range, EUR]
    turnover_of: Literal["provider", "parent"]
    turnover_walk: Annotated[Number, YEARLY_NOISE]
    share: Annotated[ByScenario[Range], CEILINGS]
    eur: Annotated[ByScenario[Range], EUR]


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
    """Whether, when and with what result a fine is appealed; ``share_kept`` is what a reduction leaves."""

    probability: BetaPrior
    delay: Annotated[Range, MONTHS]
    ruling_rate: Annotated[
        tuple[RulingRate, ...], AfterValidator(partial(at_most, STEPS, "steps")), AfterValidator(_phases)
    ]
    outcome: Outcome
    share_kept: Annotated[Range, Place("fraction of fine", 1e-6, 0.999999, 5)]
    share_kept_weight: Annotated[Number, MOMENTS]


class Scales(Base):
    """Standard deviations of the effects on the log hazard."""

    phase: Annotated[Range, LOG_HAZARD]
    stage: Annotated[Range, LOG_HAZARD]
    procedure: Annotated[Range, LOG_HAZARD]
    authority_class: Annotated[Range, LOG_HAZARD]
    pace: Annotated[Range, LOG_HAZARD]


class Steps(Base):
    """What procedural law says of a case's course: where effects of class, stage and phase are centred, by family.

    ``at_authority`` multiplies the hazard at a class of authorities, ``after_findings`` in that stage,
    ``after_six_months`` in all later phases. What is not named is centred at 1.
    """

    at_authority: Annotated[dict[AuthorityClass, dict[Family, Number]], RATIO] = Field(default_factory=dict)
    after_findings: Annotated[dict[Family, Number], RATIO] = Field(default_factory=dict)
    after_six_months: Annotated[dict[Family, Number], RATIO] = Field(default_factory=dict)


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
    steps: Steps = Field(default_factory=Steps)
    severity: Severity
    loadings: Annotated[dict[LoadedFamily, Range], LOADING, AfterValidator(partial(_complete, LOADED_FAMILIES))]
    frailty_shape: Annotated[Range, SHAPE]
    weights: Annotated[ByScenario[Number], PROBABILITY, AfterValidator(_sums_to_one)]
    weights_sd: Annotated[Number, LOG_RATIO]


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


class Impacts(Base):
    """Effects at full size, the correlation of their errors, their half-life, and the market's noise."""

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
