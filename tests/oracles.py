"""Likelihoods computed by brute force: day by day from the rows of a record, term by term, by numerical integration.

Nothing here uses the code that it checks. What was public on a day (`Record.as_of`, `Record.in_force`) and the values
of a regime are taken as they are. Parameters are read by label; hazards are scalars; a day is ``(day - 1, day]`` and
has the covariates of its middle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from math import exp, floor, log, sqrt

import numpy as np
import pandas as pd
from scipy import stats
from scipy.integrate import quad

MONTH = 365.25 / 12


@dataclass
class Life:
    """One proceeding, day by day: its covariates on each day at risk, and the family that counts on a day, if any.

    ``happened``: (day, family) of all its events; ``final``: stage, since, marks at the end; ``open``: still at risk.
    """

    case: str
    matter: str
    days: dict[date, tuple] = field(default_factory=dict)
    counted: dict[date, tuple[str, str]] = field(default_factory=dict)
    happened: list[tuple[date, str]] = field(default_factory=list)
    about: tuple = ()
    final: tuple = ()
    open: bool = False


def lives(record, regime, until):
    """Return the life of every proceeding as public by the end of ``until``."""
    known = record.as_of(until).in_force()
    return [
        life(row, known.events[known.events["case_id"] == row["case_id"]], regime, until)
        for row in known.proceedings.to_dict("records")
    ]


def family_of(regime, kind, scope):
    for name, family in regime.families.items():
        if scope != "person" and kind in family.types and (not family.scopes or scope in family.scopes):
            return name
    return None


def life(row, rows, regime, until):
    """Walk through one proceeding's days."""
    opened, closed = row["opened_on"].date(), row["closed_on"]
    procedure = regime.classes[row["authority_class"]].procedure
    stages = regime.procedures[procedure]
    tags = frozenset(tag for tag, text in regime.tags.items() if text in row["authority"])
    out = Life(row["case_id"], row["matter_id"], about=(row["authority_class"], tags, opened))
    by_day = {}
    for event in rows.to_dict("records"):
        day = event["date"].date()
        if day >= opened:
            name = family_of(regime, event["type"], event["scope"])
            by_day.setdefault(day, []).append((name, event["event_id"], event["type"]))
    is_open = pd.isna(closed) or closed.date() > until
    watched = row.get("observed_until", pd.NaT)
    end = until if is_open else closed.date()
    if is_open and not pd.isna(watched):
        end = min(end, watched.date())
    stage, since, marks = stages[0], opened, frozenset()
    entry = min(by_day)
    order = list(regime.families)
    observed = all(name is None or regime.families[name].closes == "never" for name, *_ in by_day[entry])
    day = entry
    while day <= max(end, entry):
        today = by_day.get(day, [])
        if day > entry and observed:
            out.days[day] = (stage, since, marks)
            named = [(order.index(name), event_id, name) for name, event_id, _ in today if name]
            if named:
                _, event_id, name = max(named)
                out.counted[day] = (event_id, name)
        reached = stage
        for name, _, kind in today:
            marks |= {mark for mark, types in regime.marks.items() if kind in types}
            if name:
                out.happened.append((day, name))
                target = regime.families[name].moves_to.get(procedure, reached)
                reached = max(reached, target, key=stages.index)
        if reached != stage:
            stage, since = reached, day
        day += timedelta(days=1)
    out.final, out.open = (stage, since, marks), is_open and observed
    return out


def rounded(value, band):
    """Return the nearest multiple of a band."""
    return floor(value / band + 0.5) * band


def covariates(about, state, day, regime, trend_day=None):
    """Return class, stage, log age, year (that of ``trend_day`` if given) and the value of every rule, on a day."""
    kind, tags, opened = about
    stage, since, marks = state
    time = regime.time
    age = ((day - opened).days - 0.5) / MONTH
    in_stage = ((day - since).days - 0.5) / MONTH
    log_age = rounded(log((min(age, time.age_flat_after) + time.age_offset) / time.age_unit), time.age_band)
    ripened = rounded(
        log((min(in_stage, time.age_flat_after) + time.ripening_offset) / time.ripening_unit), time.ripening_band
    )
    year = rounded(max((((trend_day or day) - time.reference).days - 0.5) / 365.25, time.earliest_year), time.year_band)
    values = []
    for rule in regime.rules:
        where = rule.where
        holds = (
            (not where.classes or kind in where.classes)
            and (not where.stages or stage in where.stages)
            and (where.with_mark is None or where.with_mark in marks)
            and (where.without is None or where.without not in marks)
            and (where.tag is None or where.tag in tags)
            and (where.age is None or where.age[0] <= age < where.age[1])
        )
        values.append((ripened if rule.ripens else 1.0) if holds else 0.0)
    return kind, stage, round(log_age, 9), round(year, 9), tuple(round(v, 9) for v in values)


class Hazard:
    """Log hazards per month by family, of one draw of the parameters; each combination of covariates once."""

    def __init__(self, values, regime, trend_day=None):
        self.values, self.regime, self.known, self.trend_day = values, regime, {}, trend_day

    def held(self, day):
        """Return the same hazard with the trend at the level of one day."""
        return Hazard(self.values, self.regime, day)

    def __call__(self, about, state, day):
        key = covariates(about, state, day, self.regime, self.trend_day)
        if key not in self.known:
            self.known[key] = {name: self._one(name, *key) for name in self.regime.families}
        return self.known[key]

    def _one(self, name, kind, stage, log_age, year, rules):
        v, regime = self.values, self.regime
        f, c = list(regime.families).index(name), list(regime.classes).index(kind)
        total = v["rate"][f] + v["powers"][c][f] + v["age"][f] * log_age + v["trend"] * year
        later = [s for own in regime.procedures.values() for s in own[1:]]
        if stage in later:
            total += v["stage"][later.index(stage)][f]
        for r, rule in enumerate(regime.rules):
            if name not in rule.except_ and (not rule.families or name in rule.families):
                total += v["law"][r] * rules[r]
        return float(total)


def first_day(own, as_of, family):
    """Return the day of the focal matter's first event of a family after ``as_of``; ``None`` without one."""
    return min((d for one in own for d, name in one.happened if name == family and d > as_of), default=None)


def carrying(own, day, family):
    """Return the life whose event on ``day`` carries the likelihood of a family's first event: the lowest event_id."""
    on_day = [(one.counted[day][0], one) for one in own if day in one.counted and one.counted[day][1] == family]
    return min(on_day, key=lambda pair: pair[0])[1] if on_day else None


def reference_log_likelihood(record, regime, origin, hazard, statements=None):
    """Return the sum over proceedings, days and families of ``count log h - h / MONTH``, without the stated news."""
    everyone = lives(record, regime, origin)
    inside = statements is not None and origin >= statements.as_of
    stated = {list(regime.families)[f] for f in statements.families} if inside else set()
    own = [one for one in everyone if inside and one.matter == statements.matter]
    first = {name: first_day(own, statements.as_of, name) for name in stated}
    taken = {name: carrying(own, day, name) for name, day in first.items() if day}
    total = 0.0
    for one in everyone:
        is_focal = any(one is other for other in own)
        for day, state in one.days.items():
            log_h = hazard(one.about, state, day)
            for name, value in log_h.items():
                is_news = is_focal and name in stated and day > statements.as_of
                if not (is_news and (first[name] is None or day <= first[name])):
                    total -= exp(value) / MONTH
            if day in one.counted:
                name = one.counted[day][1]
                is_taken = is_focal and name in taken and day == first[name] and one is taken[name]
                total += 0.0 if is_taken else log_h[name]
    return total


def interval_hazards(values, statements):
    """Return ``A(P_K) - A(P_(K-1))`` of every group and scenario, with the statements' errors."""
    k, out = statements.tempo, np.zeros(statements.location.shape)
    for s in range(out.shape[1]):
        cumulative = {}
        for g, group in enumerate(statements.groups):
            error = sqrt(statements.shared) * values["statement_shared"][g]
            error += sqrt(1 - statements.shared) * values["statement_own"][g][s]
            conditional = stats.logistic.cdf(statements.location[g, s] + statements.error_sd * error)
            before = cumulative.get(group.family, 0.0)
            after = cumulative[group.family] = 1 - (1 - before) * (1 - conditional)
            out[g, s] = k * ((1 - after) ** (-1 / k) - (1 - before) ** (-1 / k))
    return out


def day_after(as_of, months):
    return as_of + timedelta(days=round(months * MONTH))


def group_on(statements, family, day):
    """Return the statement group whose interval a day lies in; the last one of a family goes on for ever."""
    own = [g for g, group in enumerate(statements.groups) if group.family == family]
    begun = [g for g in own if day_after(statements.as_of, statements.groups[g].start) < day]
    return begun[-1]


def multipliers(record, regime, hazard, statements, values, correction):
    """Return ``m[g, s]``: what is stated over the reference hazard of the matter as it was seen on ``as_of``."""
    names, hazard = list(regime.families), hazard.held(statements.as_of)
    at_brief = [x for x in lives(record, regime, statements.as_of) if x.matter == statements.matter and x.open]
    ahead, day = np.zeros(len(statements.groups)), statements.as_of
    ends = [(day_after(statements.as_of, g.start), day_after(statements.as_of, g.end)) for g in statements.groups]
    while day < max(end for _, end in ends):
        day += timedelta(days=1)
        for one in at_brief:
            log_h = hazard(one.about, one.final, day)
            for g, group in enumerate(statements.groups):
                if ends[g][0] < day <= ends[g][1]:
                    ahead[g] += exp(log_h[names[group.family]]) / MONTH
    return correction * interval_hazards(values, statements) / ahead[:, None]


def news_log_likelihood(record, regime, origin, hazard, statements, values, correction):
    """Return ``log p(news | s)`` by scenario: the tempo is integrated numerically."""
    names, as_of = list(regime.families), statements.as_of
    hazard = hazard.held(as_of)
    own = [one for one in lives(record, regime, origin) if one.matter == statements.matter]
    m = multipliers(record, regime, hazard, statements, values, np.asarray(correction))
    lived, came = np.zeros(m.shape[0]), []
    for f in statements.families:
        first = first_day(own, as_of, names[f])
        for one in own:
            for day, state in one.days.items():
                if day > as_of and (first is None or day <= first):
                    lived[group_on(statements, f, day)] += exp(hazard(one.about, state, day)[names[f]]) / MONTH
        source = carrying(own, first, names[f]) if first else None
        if source:
            came.append((group_on(statements, f, first), hazard(source.about, source.days[first], first)[names[f]]))
    return np.array([_integrated(m[:, s], lived, came, statements.tempo) for s in range(m.shape[1])])


def _integrated(m, lived, came, k):
    """Return ``log`` of the integral over f of ``Gamma(f; k, k) prod(f m h) exp(-f sum(m lived))``."""
    tempo = stats.gamma(k, scale=1 / k)
    total, fixed, n = float(m @ lived), sum(log(m[g]) + log_h for g, log_h in came), len(came)

    def log_integrand(f):
        return tempo.logpdf(f) + n * log(f) - f * total

    # In x = log f the integrand is smooth and has one peak, at f = (k + n) / (k + total).
    peak = log((k + n) / (k + total))
    top, width = log_integrand(exp(peak)) + peak, 1 / sqrt(k + n)
    cuts = [peak + width * x for x in (-40, -12, -6, -3, -1, 0, 1, 3, 6, 12)]
    parts = [
        quad(lambda x: exp(log_integrand(exp(x)) + x - top), a, b, epsabs=0, epsrel=1e-12)[0] for a, b in pairwise(cuts)
    ]
    return fixed + top + log(sum(parts))
