"""The evidence at every point of the way from one forecast to a later one.

    earlier forecast -> other priors -> corrections -> the focal matter day by day
                     -> other matters and figures -> later forecast

*Corrections*: rows that were public by the earlier origin and were missing then. *The focal matter*, in the order in
which its events became public: each stretch of days without one (*silence*) and each day with some. The months of all
horizons count from the end of each step, so that silence also moves what is expected within so many months. On the
brief's date there is a step of its own, from the outside view to the inside view. All *other matters* and *figures*
(users, turnover, sizes of fines, openings) stay as they were at the earlier origin until all of the focal matter has
come, and then come in one step: events of some matters without the silence of others, or without the openings, would
lie where neither forecast has draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from forecast.attribution.pool import Pool, focal_log_likelihood, log_density, log_prior
from forecast.forecasting import Forecast
from forecast.gathered import Evidence, gather
from forecast.model.figures import log_figures
from forecast.observations import Observations
from forecast.record import Record
from forecast.specification import Specification
from forecast.trees import stored_correction

CORRECTIONS, ELSEWHERE = "corrections of the past", "other matters and figures"
MATTERS_OWN = ("opening_raised_left", "opening_classes", "new_fine_sum", "new_fine_ceiling", "resolved",
               "unappealed_fines", "set_off")  # fmt: skip
"""Observations that follow the focal matter and the clock; all others are figures."""


@dataclass(frozen=True)
class Point:
    """Where the way stands after a step: evidence to simulate from, and the log density of each pooled draw.

    ``kind``: start, priors, corrections, silence, event, brief or elsewhere.
    """

    kind: str
    name: str
    evidence: Evidence
    log_density: np.ndarray


def points(before: Forecast, after: Forecast, pool: Pool) -> Iterator[Point]:
    """Yield every point from the earlier forecast to the later one."""
    start, spec, record = origin_of(before), after.specification, after.record
    evidence = evidence_at(before, start, record)
    yield Point("start", f"forecast of {start}", evidence, log_density(pool.draws(evidence)))
    if before.specification.fingerprint != spec.fingerprint:
        evidence = evidence_at(after, start, record, of=before.record)
        yield Point("priors", "other priors", evidence, log_density(pool.draws(evidence)))
    if record.as_of(start) != before.record:
        evidence = evidence_at(after, start, record)
        yield Point("corrections", CORRECTIONS, evidence, log_density(pool.draws(evidence)))
    base, elsewhere, steps = evidence, _others(pool, evidence), days_of(before, after)
    for kind, name, day, is_inside in steps:
        evidence = focal_alone(evidence_at(after, day, record, is_inside=is_inside), base)
        draws = pool.draws(evidence)
        figures = log_figures(draws.flat, draws.effects, evidence.observations)
        density = sum(figures.values(), log_prior(draws) + elsewhere + focal_log_likelihood(draws))
        yield Point(kind, name, evidence, density)
    if steps:
        full = evidence_at(after, origin_of(after), record)
        yield Point("elsewhere", ELSEWHERE, full, log_density(pool.draws(full)))


def origin_of(forecast: Forecast) -> date:
    """Return the origin date of a forecast."""
    return date.fromisoformat(forecast.manifest["origin"])


def evidence_at(
    forecast: Forecast, day: date, wider: Record, *, of: Record | None = None, is_inside: bool = True
) -> Evidence:
    """Return what a forecast's prior file and record say by the end of ``day``; ``of``: another record.

    ``wider`` fixes the coordinates. ``is_inside`` false: the outside view, also on the brief's own date.
    """
    spec = forecast.specification if is_inside else outside(forecast.specification)
    correction = stored_correction(forecast.tree, forecast.specification)
    return gather(spec, forecast.record if of is None else of, day, wider, correction=correction)


def outside(spec: Specification) -> Specification:
    """Return the prior file as if the brief came a day later: on its date there is the outside view alone."""
    return spec.model_copy(update={"as_of": spec.as_of + timedelta(days=1)})


def days_of(before: Forecast, after: Forecast) -> list[tuple[str, str, date, bool]]:
    """Return the focal matter's steps: kind, name, last day, and whether the brief has a say."""
    start, end, brief = origin_of(before), origin_of(after), after.specification.as_of
    new = focal_news(after, start)
    crossed = start < brief <= end
    steps: list[tuple[str, str, date, bool]] = []
    reached = start
    for day in sorted({*new, end, *([brief] if crossed else [])}):
        is_inside = not (crossed and day <= brief)
        quiet = day - timedelta(days=1) if day in new else day
        if quiet > reached:
            steps.append(("silence", f"silence until {quiet}", quiet, is_inside))
        if day in new:
            steps.append(("event", label(day, new[day]), day, is_inside))
        if crossed and day == brief:
            steps.append(("brief", "the brief", day, True))
        reached = day
    return steps


def focal_news(after: Forecast, start: date) -> dict[date, pd.DataFrame]:
    """Return the focal matter's new events by the day on which they became known, after ``start``."""
    record, matter = after.record, after.specification.matter
    cases = set(record.proceedings.loc[record.proceedings["matter_id"] == matter, "case_id"])
    own = record.events.loc[record.events["case_id"].isin(cases)]
    seen, found = set(record.as_of(start).events["event_id"]), {}
    for day in sorted(set(own.loc[own["published_on"] > pd.Timestamp(start), "published_on"].dt.date)):
        known = record.as_of(day).events
        fresh = known.loc[known["case_id"].isin(cases) & ~known["event_id"].isin(seen)]
        seen |= set(fresh["event_id"])
        if len(fresh):
            found[day] = fresh
    return found


def label(day: date, events: pd.DataFrame) -> str:
    """Return the events of one day in words."""
    columns = (events[name] for name in ("case_id", "type", "supersedes"))
    told = (f"{case} {kind}{' (correction)' if was else ''}" for case, kind, was in zip(*columns, strict=True))
    return f"{day} {'; '.join(dict.fromkeys(told))}"


def focal_alone(evidence: Evidence, base: Evidence) -> Evidence:
    """Return evidence with all figures as they were in ``base``; what follows the focal matter stays."""
    own = {name: getattr(evidence.observations, name) for name in MATTERS_OWN}
    observations: Observations = replace(base.observations, **own)
    return replace(evidence, observations=observations)


def _others(pool: Pool, evidence: Evidence) -> np.ndarray:
    """Return the log-likelihood of the events of all matters but the focal one, shape draw."""
    is_focal = np.array([name == evidence.specification.matter for name in evidence.hazards.matters])
    return pool.draws(evidence).by_matter[:, ~is_focal].sum(axis=1)


def elsewhere_news(after: Forecast, since: Record) -> pd.DataFrame:
    """Return the new events of other matters, with ``matter_id``, in the order in which they were published."""
    cases = after.record.proceedings[["case_id", "matter_id"]]
    events = after.record.events.merge(cases, on="case_id")
    is_new = ~events["event_id"].isin(since.events["event_id"]) & (events["matter_id"] != after.specification.matter)
    return events.loc[is_new].sort_values(["published_on", "event_id"])
