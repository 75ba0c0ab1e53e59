"""What an analyst states of events: cumulative probabilities by horizon, family and scenario, and their error."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator

from forecast.quantities import (
    CORRELATION,
    LEAST_GAP,
    LOGIT,
    PROBABILITY,
    SHAPE,
    Base,
    ByScenario,
    Family,
    Number,
    Statement,
)
from forecast.yaml_files import KeyPath, refusal

STEPS = 24
"""Most horizons of a statement, and most steps of the rate of rulings."""


def _one_course(stated: ByScenario[tuple[Statement, ...]]) -> ByScenario[tuple[Statement, ...]]:
    wrong: list[tuple[KeyPath, str]] = []
    for scenario, statements in stated.items():
        for place, (one, two) in enumerate(pairwise(statements), start=1):
            if two.within < one.within + LEAST_GAP:
                what = f"expected at least {one.within + LEAST_GAP:.10g} months, {LEAST_GAP:g} more than before, not "
                wrong.append(((scenario, place, "within"), f"{what}{two.within:.10g}"))
            if two.value < one.value + PROBABILITY.low:
                what = f"expected more than the {one.value:.10g} of the horizon before, by {PROBABILITY.low:g} or more"
                wrong.append(((scenario, place, "value"), f"{what}, not {two.value:.10g}"))
    wrong += [
        ((name,), f"expected at most {STEPS} horizons, not {len(s)}") for name, s in stated.items() if len(s) > STEPS
    ]
    horizons = {name: [statement.within for statement in statements] for name, statements in stated.items()}
    for scenario, months in horizons.items():
        if not wrong and (months != horizons["limited"] or not months):
            what = f"expected the horizons of 'limited', {horizons['limited']}" if months else "expected a horizon"
            wrong.append(((scenario,), f"{what}, not {months}"))
    if wrong:
        raise refusal(*wrong)
    return stated


Course = Annotated[ByScenario[tuple[Statement, ...]], PROBABILITY, AfterValidator(_one_course)]


def _something[T](families: dict[str, T]) -> dict[str, T]:
    if not families:
        raise refusal(((), "expected a statement on one family at least: without any, no event tells scenarios apart"))
    return families


class Statements(Base):
    """What the analyst says of events: location of logit P, errors of sd ``error_sd``, a part ``shared``.

    ``tempo``: shape k of the matter's pace, Gamma(k, k), which all stated families share.
    """

    error_sd: Annotated[Number, LOGIT]
    shared: Annotated[Number, CORRELATION]
    tempo: Annotated[Number, SHAPE]
    families: Annotated[dict[Family, Course], AfterValidator(_something)]
