"""What a forecast is to be judged against, fixed when it is issued: the brief as it was written, and plain baselines.

``brief``: the analyst's own numbers, never updated. A class: the scenarios' probabilities. A first event: the
statements, mixed over the scenarios. An amount: the prior file alone, at an origin on the brief's own date (on another
day it speaks of other deadlines). ``pooled``, ``by_class``, ``incidence``: ``forecast.baselines``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from forecast.baselines import BASELINES, fine_sizes, fit_baselines
from forecast.ledger.tables import Question, Row, quantiles
from forecast.news import public_ids
from forecast.quantities import ByScenario, Statement
from forecast.specification import Specification
from forecast.vocabulary import DAYS_PER_MONTH, SCENARIOS, family_of
from forecast.watchlist import QUANTILES

if TYPE_CHECKING:
    from forecast.forecasting import Forecast

BRIEF = "brief"


def brief_rows(forecast: Forecast, questions: Sequence[Question]) -> list[Row]:
    """Return what the brief says of events and amounts; nothing before its date."""
    spec, origin = forecast.specification, date.fromisoformat(forecast.manifest["origin"])
    elapsed = (origin - spec.as_of).days / DAYS_PER_MONTH
    if elapsed < 0:
        return []
    seen, rows = _seen(forecast), []
    for question in questions:
        family = question.rule.get("family") if question.target.startswith("event:") else None
        if family in spec.statements.families and family not in seen:
            p = stated_probability(spec, spec.statements.families[family], elapsed, elapsed + question.horizon)
            rows += _yes_no(BRIEF, question, p)
        elif question.output_type == "quantile" and elapsed == 0 and question.target in forecast.prior_outcomes:
            draws = forecast.prior_outcomes[question.target].sel(horizon=question.horizon).values
            rows += quantiles(BRIEF, question, draws[~np.isnan(draws)])
    return rows


def stated_probability(
    specification: Specification, stated: ByScenario[tuple[Statement, ...]], start: float, end: float
) -> float:
    """Return the probability, by the statements, of the first event within (start, end] months of the brief.

    ``sum_s pi_s (1 - exp(-(H_s(end) - H_s(start))))`` with ``H_s = -log(1 - P_s)`` at the stated horizons, straight in
    between and beyond the last, given that none came by ``start``; the weights ``pi`` are the brief's, whatever came.
    """
    total = 0.0
    for scenario in SCENARIOS:
        within = np.array([0.0, *(statement.within for statement in stated[scenario])])
        hazard = np.array([0.0, *(-np.log1p(-statement.value) for statement in stated[scenario])])
        beyond = np.maximum(np.array([start, end]) - within[-1], 0.0)
        slope = (hazard[-1] - hazard[-2]) / (within[-1] - within[-2])
        low, high = np.interp([start, end], within, hazard) + beyond * slope
        total += specification.scenarios[scenario].probability.value * -np.expm1(low - high)
    return float(total)


def _seen(forecast: Forecast) -> set[str | None]:
    """Return the families of which the matter has seen an event since the brief: of those it says nothing further."""
    spec, events = forecast.specification, forecast.record.in_force().events
    cases = forecast.record.proceedings
    own = events["case_id"].isin(cases.loc[cases["matter_id"] == spec.matter, "case_id"])
    late = ~events["event_id"].isin(public_ids(forecast.record, spec.as_of)) & (events["date"].dt.date > spec.as_of)
    rows = events.loc[own & late]
    return {family_of(kind, scope) for kind, scope in zip(rows["type"], rows["scope"], strict=True)}


def baseline_rows(forecast: Forecast, questions: Sequence[Question]) -> list[Row]:
    """Return what the plain baselines say of events and next fines, from what was public by the origin.

    Of an event in a matter: one minus the product over its open proceedings of it not coming.
    """
    origin, rows = date.fromisoformat(forecast.manifest["origin"]), []
    fitted = fit_baselines(forecast.record, origin, forecast.specification.regime)
    known = forecast.record.in_force()
    for question in questions:
        rule, months = question.rule, float(question.horizon)
        if rule["rule"] == "event" and rule["family"] in fitted.rates:
            for name in BASELINES:
                within = [float(fitted.within(name, rule["family"], case, months)) for case in rule["cases"]]
                rows += _yes_no(name, question, 1 - float(np.prod(1 - np.array(within))))
        elif rule["rule"] == "first_fine":
            for name, logs in fine_sizes(known, rule["cases"][0]).items():
                rows += quantiles(name, question, np.exp(logs), QUANTILES) if len(logs) else []
    return rows


def _yes_no(model_id: str, question: Question, probability: float) -> list[Row]:
    pairs = (("yes", probability), ("no", 1 - probability))
    return [Row(model_id, *question[:3], "pmf", name, p) for name, p in pairs]
