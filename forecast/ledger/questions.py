"""From a saved forecast to what is issued: every target with its rule, and every number that was said of it.

Where the record's tables can answer, the rule is one that a machine checks; where they cannot (valuation, spending,
total cost) it is ``manual`` and names the figure that it waits for. A target that this module knows no rule for is
refused with the whole forecast: it would be a promise that nobody can call in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast.baselines import ORDER
from forecast.files import InputError, Problem
from forecast.ledger.frozen import baseline_rows, brief_rows
from forecast.ledger.log import NEW_APPEAL, OLD_APPEAL, Rule, deadline
from forecast.ledger.rules import CLOSED, clauses_json, problem_of
from forecast.ledger.tables import Question, Row, pmf, quantiles
from forecast.observations import latest_turnover
from forecast.opening_counts import openings_of
from forecast.resolution import RESOLUTIONS, clauses_of
from forecast.vocabulary import FAMILIES, SCENARIOS
from forecast.watchlist import LEAST_FINES

if TYPE_CHECKING:
    from forecast.forecasting import Forecast

FORECAST = "forecast"
"""Model id of the forecast itself, beside those of the views, the brief and the baselines."""
CLASS, IN_PROCEEDING, NEXT_FINE = "resolved_scenario", "event_in_proceeding", "next_fine"
LEAST_DRAWS = LEAST_FINES
"""Fewest draws in which a conditional target must be defined to be issued."""
MANUAL = {
    "valuation_impact": "a sourced estimate of the share of the provider's value lost to enforcement, the market apart",
    "valuation_change": "a sourced valuation of the provider against the one at the origin",
    "moderation_spending": "a sourced figure of the yearly spending on moderation that was added",
    "cost:moderation": "a sourced figure of the spending on moderation that was added since the origin",
    "cost:advertising": "a sourced figure of the advertising revenue lost since the origin",
    "total_cost": "fines left, spending added and advertising revenue lost since the origin, each with its source",
}
"""Targets that no table of a record answers, and what does."""


EVENTS = {
    CLOSED: CLOSED,
    ORDER: ORDER,
    "dropped": "closure",
    "appeal": NEW_APPEAL,
    "appeal_of_old_fine": OLD_APPEAL,
}
"""Events of the matter that have another name than a family -> what their rules call them."""


@dataclass(frozen=True)
class Material:
    """What one forecast brings into a ledger. ``skipped``: what it said that is not issued, each with the reason."""

    questions: tuple[Question, ...]
    rows: tuple[Row, ...]
    skipped: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class _Setting:
    """What the rules of a forecast's targets rest on: the forecast, and the grace left for publication."""

    forecast: Forecast
    grace_days: int

    @property
    def origin(self) -> date:
        return date.fromisoformat(self.forecast.manifest["origin"])

    @property
    def matter(self) -> str:
        return self.forecast.specification.matter

    @property
    def horizons(self) -> tuple[int, ...]:
        return self.forecast.specification.horizons

    @property
    def watched(self) -> dict[str, str]:
        """Every proceeding that is open at the origin, and its matter."""
        table = self.forecast.tables["event_probabilities"]
        return dict(zip(table["case_id"], table["matter_id"], strict=True))

    @property
    def open_cases(self) -> list[str]:
        return sorted(case for case, matter in self.watched.items() if matter == self.matter)

    def rule(self, name: str, months: int, **more: Any) -> Rule:
        until = deadline(self.origin, months)
        return {"rule": name, "after": str(self.origin), "until": str(until), "grace_days": self.grace_days, **more}


def material(forecast: Forecast, grace_days: int = 0) -> Material:
    """Return what a forecast issues; ``InputError`` naming every target without a usable rule."""
    setting, questions, rows, skipped = _Setting(forecast, grace_days), [], [], []
    for question, own, why in (*_focal(setting), *_classes(setting), *_proceedings(setting), *_next_fines(setting)):
        if why:
            skipped.append({k: getattr(question, k) for k in ("target", "horizon", "location")} | {"reason": why})
        else:
            questions.append(question)
            rows += own
    problems = [
        Problem(f"target {q.target}, {q.horizon} months", f"{what}; the forecast is not issued")
        for q in questions
        if (what := problem_of(q.rule))
    ]
    if problems:
        raise InputError(dict.fromkeys(problems))
    rows += brief_rows(forecast, questions) + baseline_rows(forecast, questions)
    by_place = sorted(questions, key=lambda q: (q.target, q.horizon, q.location))
    return Material(tuple(by_place), tuple(sorted(rows)), tuple(skipped))


Item = tuple[Question, list[Row], str]
"""A target, the forecast's numbers, and why it is not issued (empty if it is)."""


def _focal(s: _Setting) -> Iterator[Item]:
    """Yield yes/no targets and quantities of the matter, from the joint draws."""
    for name, variable in s.forecast.outcomes.data_vars.items():
        target, unit = str(name), str(variable.attrs.get("units", ""))
        if target == "scenario" or target.startswith(f"{CLASS}:"):
            continue
        for horizon, values in zip(s.horizons, variable.values.T, strict=True):
            defined = values[~np.isnan(values)]
            kind = "pmf" if unit == "probability" else "quantile"
            question = Question(target, horizon, s.matter, s.matter, unit, kind, _rule_of(target, horizon, s))
            why = _unasked(question, len(defined))
            if kind == "pmf":
                yes = round(defined.sum())
                own = pmf(FORECAST, question, {"yes": yes, "no": len(defined) - yes})
            else:
                own = [] if why else quantiles(FORECAST, question, defined)
            yield question, own, why


def _unasked(question: Question, defined: int) -> str:
    if not question.rule.get("cases", True):
        return "no proceeding of the matter is open at the origin"
    if not question.rule.get("providers", True):
        return "no provider whose openings the record counts"
    if defined < LEAST_DRAWS:
        return f"its condition is met in fewer than {LEAST_DRAWS} draws"
    return ""


def _rule_of(target: str, months: int, s: _Setting) -> Rule:
    """Return the rule of a target of the matter; one without a name where there is none for it."""
    kind, _, name = target.partition(":")
    if kind in ("event", "months_to") and (name in EVENTS or name in FAMILIES):
        return _event_rule(kind, EVENTS.get(name, name), months, s)
    if target in MANUAL:
        return s.rule("manual", months, needs=MANUAL[target])
    makers = {
        "fine_imposed": _sum_rule,
        "fine_left": _sum_rule,
        "fine_imposed_share": _share_rule,
        "fine_left_share": _share_rule,
        "fine_largest": _largest_rule,
        "user_attrition": _users_rule,
        "openings_member_states": _openings_rule,
        "openings_other_platforms": _openings_rule,
    }
    return makers[target](target, months, s) if target in makers else {"rule": None}


def _event_rule(kind: str, family: str, months: int, s: _Setting) -> Rule:
    """Return a rule on the proceedings open at the origin, of which the forecast speaks; of appeals, on all known."""
    known = s.forecast.record.proceedings
    own = sorted(known.loc[known["matter_id"] == s.matter, "case_id"])
    cases = own if family in (OLD_APPEAL, NEW_APPEAL) else s.open_cases
    if kind == "event" and family == CLOSED:
        return s.rule(CLOSED, months, cases=cases)
    return s.rule(kind, months, family=family, cases=cases)


def _sum_rule(target: str, months: int, s: _Setting) -> Rule:
    return s.rule("fine_sum", months, cases=s.open_cases, left=target == "fine_left", turnover_eur=None)


def _largest_rule(target: str, months: int, s: _Setting) -> Rule:
    return s.rule("largest_fine", months, cases=s.open_cases)


def _share_rule(target: str, months: int, s: _Setting) -> Rule:
    """Return a share of the turnover that the record had at the origin: one figure, so that it needs no revision."""
    spec = s.forecast.specification
    row = latest_turnover(s.forecast.record, spec.provider_group) if spec.fines.turnover_of == "provider" else None
    if row is None:
        whose = f"worldwide turnover of {spec.provider_group} ({spec.fines.turnover_of}) and the fines"
        return s.rule("manual", months, needs=whose)
    left = target.startswith("fine_left")
    about = {"turnover_eur": float(row["turnover_eur"]), "turnover_year": int(row["year"])}
    return s.rule("fine_sum", months, cases=s.open_cases, left=left, **about)


def _users_rule(target: str, months: int, s: _Setting) -> Rule:
    """Return a change against the latest count that was public at the brief's date, of the series in the prior file."""
    spec, users = s.forecast.specification, s.forecast.record.users
    name = spec.users.series if spec.users else ""
    own = users.loc[(users["series_id"] == name) & (users["published_on"] <= pd.Timestamp(spec.as_of))]
    if own.empty:
        return s.rule("manual", months, needs="counts of users at the brief's date and at the deadline, of one series")
    row = own.sort_values(["period_end", "published_on"]).iloc[-1]
    base = {"base_millions": float(row["monthly_active_millions"]), "base_period_end": str(row["period_end"].date())}
    return s.rule("user_change", months, series=name, **base)


def _openings_rule(target: str, months: int, s: _Setting) -> Rule:
    spec = s.forecast.specification
    counted = openings_of(s.forecast.record, spec, s.origin)
    pairs = zip(counted["opening_providers"], counted["opening_raised_left"], strict=True)
    designated = [provider for provider, left in pairs if left >= 0]
    is_focal = target == "openings_member_states"
    providers = [provider for provider in designated if (provider == spec.provider_group) == is_focal]
    return s.rule("openings", months, providers=providers)


def _classes(s: _Setting) -> Iterator[Item]:
    """Yield the class that the resolution rule will say; at the last horizon every view of the scenarios answers it."""
    spec, outcomes = s.forecast.specification, s.forecast.outcomes
    start = min(spec.as_of, s.origin)
    limit = deadline(start, spec.resolution.months.value)
    for j, horizon in enumerate(s.horizons):
        is_last = horizon == s.horizons[-1]
        window = {"after": str(start), "until": str(min(deadline(s.origin, horizon), limit))}
        clauses = clauses_json(clauses_of(spec.resolution))
        rule = s.rule("class", horizon, matter=s.matter, cases=s.open_cases, clauses=clauses, is_last=is_last) | window
        question = Question(CLASS, horizon, s.matter, s.matter, "class", "pmf", rule)
        names = SCENARIOS if is_last else RESOLUTIONS
        rows = pmf(FORECAST, question, {n: round(outcomes[f"{CLASS}:{n}"].values[:, j].sum()) for n in names})
        if is_last:
            rows += _views(question, s.forecast.tables["scenarios"])
        yield question, rows, "" if date.fromisoformat(rule["until"]) > s.origin else "decided before the origin"


def _views(question: Question, scenarios: pd.DataFrame) -> list[Row]:
    views = scenarios.loc[scenarios["view"].isin(["brief", "inside", "outside"])]
    columns = (views[c] for c in ("view", "scenario", "probability"))
    return [Row(v, *question[:3], "pmf", name, float(p)) for v, name, p in zip(*columns, strict=True)]


def _proceedings(s: _Setting) -> Iterator[Item]:
    """Yield each family in each open proceeding, by windows."""
    table, n = s.forecast.tables["event_probabilities"], s.forecast.outcomes.sizes["draw"]
    columns = (table[c] for c in ("case_id", "matter_id", "family", "window_months", "probability"))
    for case, matter, family, window, probability in zip(*columns, strict=True):
        rule = s.rule("event", int(window), family=family, cases=[case])
        question = Question(f"{IN_PROCEEDING}:{family}", int(window), case, matter, "probability", "pmf", rule)
        yes = round(probability * n)
        yield question, pmf(FORECAST, question, {"yes": yes, "no": n - yes}), ""


def _next_fines(s: _Setting) -> Iterator[Item]:
    """Yield the size of each open proceeding's next fine, given one within the last horizon."""
    months = s.horizons[-1]
    for row in s.forecast.tables["next_fines"].to_dict("records"):
        case = row["case_id"]
        rule = s.rule("first_fine", months, cases=[case])
        question = Question(NEXT_FINE, months, case, s.watched[case], "EUR, given a fine", "quantile", rule)
        stated = {int(k[1:]) / 100: v for k, v in row.items() if k[1:].isdigit()}
        why = row["reason"] if np.isnan(list(stated.values())).any() else ""
        yield question, [] if why else _levels(question, stated), why


def _levels(question: Question, stated: Mapping[float, float]) -> list[Row]:
    return [Row(FORECAST, *question[:3], "quantile", f"{level:g}", float(v)) for level, v in stated.items()]
