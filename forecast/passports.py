"""Each number of a prior file beside what the record's reference class shows, with a warning where they disagree.

Only what was public by the prior file's ``as_of`` is used. Nothing is fitted: counterparts are

- **samples**, such as the sizes of fines, in which what is stated has a percentile;
- **rates**, ``k`` events in ``T`` months, and **shares**, ``k`` of ``n``: a figure with an exact 90 % interval and
  no percentile. Rates are crude, over all classes and stages: a model may well differ from them. Their events are
  those that carry likelihood, their months those at risk.

Numbers of the regime are not the brief's: their provenance is ``regime``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from fnmatch import fnmatchcase
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from forecast.evidence.gathering import gather_hazards
from forecast.intervals import TAIL, Interval, binomial_interval, percentile, poisson_interval
from forecast.observations import RULINGS, Observations, observe
from forecast.quantities import Range, Stated, Statement, bounds, middle, printed, says
from forecast.record import Record
from forecast.specification import Specification
from forecast.yaml_files import dotted

REGIME = "regime"
"""Where the regime stands in a prior file, and the provenance of its numbers."""
FEW = 5  # a sample smaller than this raises no warning
ODDS_FACTOR = 4.0  # a statement and the record's crude rate disagree if their odds differ by more
FIGURES: dict[str, tuple[Callable[[np.ndarray], float], int]] = {
    "median": (np.median, FEW),
    "latest figure": (lambda values: values[-1], 1),
}
"""Figures of a sample that a range should hold, and the number of values from which on they count."""


class Finding(NamedTuple):
    """The record's say on one number: a figure with its 90 % interval (a sample's: 5 to 95 %), and percentiles.

    In the unit of what is stated. Percentiles are 0 to 100, NaN where there is no sample.
    """

    record: str = ""
    figure: float = np.nan
    figure_low: float = np.nan
    figure_high: float = np.nan
    percentile: float = np.nan
    percentile_low: float = np.nan
    percentile_high: float = np.nan
    warning: str = ""


type Judge = Callable[[Stated], Finding]
type Counterparts = list[tuple[str, Judge]]


def passport(specification: Specification, record: Record) -> pd.DataFrame:
    """Return one row per number of the prior file, in its order: what is stated, and the record's say.

    Columns: ``key`` (dotted path), ``says``, ``stated_low``, ``stated``, ``stated_high`` (equal but for ranges),
    ``unit``, ``reading``, ``provenance`` (whose words: ``source``, ``author_assumption``, ``ours``, or ``regime``),
    ``brief``, ``record`` (in words), ``figure``, ``figure_low``,
    ``figure_high`` (the record's, with its 90 % interval; NaN where it has none), ``percentile``,
    ``percentile_low``, ``percentile_high`` (0 to 100, of the stated middle and
    of the range's ends in the reference class; NaN without one) and ``warning`` (empty, or one sentence).
    """
    table = counterparts(specification, record)
    rows = []
    for key, stated in specification.numbers():
        judge = next((judge for pattern, judge in table if fnmatchcase(key, pattern)), nothing(""))
        low, high = bounds(stated)
        whose = REGIME if key.startswith(f"{REGIME}.") else stated.source.kind
        told = (says(stated), low, middle(stated), high, stated.unit, stated.reading, whose, stated.source.brief)
        rows.append((key, *told, *judge(stated)))
    numbers = ("stated_low", "stated", "stated_high")
    columns = ("key", "says", *numbers, "unit", "reading", "provenance", "brief", *Finding._fields)
    return pd.DataFrame(rows, columns=list(columns))


def counterparts(specification: Specification, record: Record) -> Counterparts:
    """Return which keys have a counterpart in the record, by pattern, and how it judges them."""
    known = record.as_of(specification.as_of).in_force()
    seen = observe(known, specification, day := known.as_of_date or specification.as_of)
    return [
        ("scenarios.*.probability", nothing("see the outside view")),
        *_from_events(specification, known, day),
        *_from_fines(specification, known, seen),
        *_from_appeals(specification, seen),
        *_from_openings(seen),
        *_from_impacts(known, seen),
    ]


def _from_events(specification: Specification, known: Record, day: date) -> Counterparts:
    regime = specification.regime
    evidence = gather_hazards(known, regime, day)
    events, months = (table.sum(axis=0) for table in (evidence.cells.count, evidence.cells.months))
    still_open = sum(life.at_risk for life in evidence.lives if life.matter_id == specification.matter)
    table: Counterparts = []
    for family, count, at_risk in zip(regime.family_names, map(round, events), map(float, months), strict=True):
        crude = rate(count, at_risk, f"{family}, all classes and stages")
        table.append((f"{_pattern(REGIME, 'families', family)}.rate", crude))
        chance = partial(_chance, count, at_risk, still_open)
        table.append((f"{_pattern('statements', 'families', family)}.*", chance))
    return table


def _pattern(*path: str) -> str:
    """Return the pattern that the key of a path matches; brackets, which patterns read as choices, are escaped."""
    return dotted(path).replace("[", "[[]")


def _from_fines(specification: Specification, known: Record, seen: Observations) -> Counterparts:
    shares, noun, whose = expit(seen.size), "fines against technology groups", specification.fines.turnover_of
    in_shares, in_euros = _sums(specification, known)
    own = (known.turnover["company_group"] == specification.provider_group) & (whose == "provider")
    years = known.turnover.loc[own].sort_values("year")[["year", "turnover_eur"]].to_numpy(float)
    latest = "".join(f"the latest {printed(figure)}, of {year:.0f}" for year, figure in years[-1:])
    summed = "sums of fines by matter, a decision outside the log being a matter of its own"
    return [
        ("fines.turnover", sample(years[:, 1], f"years of the {whose}'s turnover", latest, "latest figure")),
        ("fines.share.*", sample(in_shares, summed)),
        ("fines.eur.*", sample(in_euros, summed)),
        ("sizes.share", sample(shares, noun, figure="median")),
        ("sizes.without_ceiling", sample(np.exp(seen.bare_size), "fines without a ceiling", figure="median")),
        ("appeals.share_kept", sample(expit(seen.kept), "reduced fines")),
        ("closing.mean", share(*seen.closed, "decisions that closed the proceeding")),
    ]


def _sums(specification: Specification, known: Record) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of fines of each other matter: as shares of ceiling x turnover, where known, and in EUR."""
    matter = known.events.merge(known.proceedings[["case_id", "matter_id"]], on="case_id")
    of_event = matter.set_index("event_id")["matter_id"]
    fines = known.fines.loc[known.fines["amount_eur"] > 0]
    owner = fines["event_id"].map(of_event)
    fines = fines.assign(matter=owner.where(owner.notna(), "decision " + fines["decision_id"]))
    fines = fines.loc[fines["matter"] != specification.matter]
    ceilings = fines["legal_cap_fraction"] * fines["turnover_eur"]
    shares = (fines["amount_eur"] / ceilings.where(ceilings > 0)).groupby(fines["matter"]).sum(min_count=1).dropna()
    return shares.to_numpy(float), fines.groupby("matter")["amount_eur"].sum().to_numpy(float)


def _from_appeals(specification: Specification, seen: Observations) -> Counterparts:
    stated = specification.appeals
    total = sum(getattr(stated.outcome, ruling).value for ruling in RULINGS)
    large = printed(stated.large.value)
    table = [
        ("appeals.probability_large.mean", share(*seen.appealed_large, f"fines of {large} EUR or more appealed")),
        ("appeals.probability.mean", share(*seen.appealed, f"fines below {large} EUR appealed")),
    ]
    for ruling, count in zip(RULINGS, map(int, seen.outcomes), strict=True):
        judge = share(count, int(seen.outcomes.sum()), f"rulings {ruling}", over=total)
        table.append((f"appeals.outcome.{ruling}", judge))
    phases = zip(stated.ruling_rate, map(int, seen.rulings), map(float, seen.ruling_months), strict=True)
    for place, (phase, ruled, months) in enumerate(phases):
        judge = rate(ruled, months, f"rulings from month {phase.from_months:g} on")
        table.append((f"appeals.ruling_rate?{place}?.rate", judge))
    return table


def _from_openings(seen: Observations) -> Counterparts:
    (few, many), (usual, raised) = (x.sum(axis=0) for x in (seen.opening_count, seen.opening_months))
    table = [("openings.rate", rate(int(few), float(usual), "EU openings per provider, not raised"))]
    judge = nothing("no openings to compare")
    if few and raised > 0:  # given their sum, the raised count is binomial: an exact, conditional interval
        figure, interval = many / raised / (few / usual), binomial_interval(int(many), int(few + many))
        low, high = (p / (1 - p) * usual / raised for p in interval)
        text = f"{many:.0f} openings in {raised:.0f} raised months, {few:.0f} in {usual:.0f} usual ones"
        judge = partial(_compared, text, "ratio", figure, (low, high))
    return [*table, ("openings.raised", judge)]


def _from_impacts(known: Record, seen: Observations) -> Counterparts:
    change, months = seen.users[:, :2].T
    losses = "half-yearly losses of users (negative: growth), from all causes and not only attrition"
    values = known.valuations.dropna(subset="change_fraction")
    studies = values.loc[values["kind"] == "event_study", "change_fraction"]
    caps = values.loc[(values["kind"] == "market_cap") & values["value_usd_bn"].notna()]
    named = zip(caps["company_group"], -caps["change_fraction"], strict=True)
    apart = ", ".join(f"{group} {printed(decline)}" for group, decline in named)
    spent = known.moderation.dropna(subset="spend_eur")
    what = "; ".join(f"{row.company_group} {row.year:.0f}: {row.what}" for row in spent.itertuples())
    aside = f"market values apart: {apart or 'none'}"
    declines = "event studies of listed firms, each around one step"
    spending = "figures of whole groups, in total rather than added"
    return [
        ("impacts.attrition.*", sample(-np.expm1(change * 6 / months), losses)),
        ("impacts.valuation_decline.*", sample(-studies.to_numpy(float), declines, aside)),
        ("impacts.moderation_spending.*", sample(spent["spend_eur"].to_numpy(float), spending, what)),
    ]


def _chance(events: int, months: float, still_open: int, stated: Stated) -> Finding:
    """Compare a statement with ``1 - exp(-x)`` (odds ``exp(x) - 1``), x = crude rate x months x open proceedings.

    Without an event in the record, the upper end of the rate's interval counts, and only as a bound.
    """
    if not isinstance(stated, Statement) or not still_open or not months > 0:
        return Finding("no proceeding of the matter is open, or none is at risk")
    crude = events / months if events else poisson_interval(0, months)[1]
    foreseen = stated.within * still_open
    exponent = crude * foreseen
    low, high = (float(-np.expm1(-rate * foreseen)) for rate in poisson_interval(events, months))
    factor = stated.value / (1 - stated.value) / np.expm1(exponent)
    chance = f"{'' if events else 'at most '}{printed(-np.expm1(-exponent), 3)} whatever the scenario"
    text = f"{chance} (open proceedings: {still_open}; events: {events} in {months:.0f} months)"
    finding = Finding(text, float(-np.expm1(-events / months * foreseen)), low, high)
    if factor > ODDS_FACTOR:
        return finding._replace(warning=f"the stated odds are {printed(factor)} times those at the record's rate")
    if events and factor < 1 / ODDS_FACTOR:
        return finding._replace(warning=f"the odds at the record's rate are {printed(1 / factor)} times the stated")
    return finding


def nothing(text: str) -> Judge:
    """Return the judge of numbers without a counterpart, which says ``text``."""
    return lambda stated: Finding(text)


def _beyond(values: np.ndarray, noun: str, stated: Stated) -> str:
    """Warn if a range of single values, or its middle, lies beyond the sample's 5 or 95 %."""
    (low, high), (least, most) = bounds(stated), np.quantile(values, (TAIL, 1 - TAIL))
    if low > most or high < least:
        which = "above the record's 95 %" if low > most else "below the record's 5 %"
        return f"the whole range lies {which}: {len(values)} {noun}"
    rank = percentile(values, middle(stated))
    beyond, side = max(rank, 100 - rank), "above" if rank > 50 else "below"
    part = "all" if beyond == 100 else f"{int(beyond)} %"
    return f"{side} {part} of the reference class: {len(values)} {noun}" if beyond > 100 * (1 - TAIL) else ""


def _left_out(values: np.ndarray, figure: str, stated: Stated) -> str:
    found, (low, high) = float(FIGURES[figure][0](values)), bounds(stated)
    side = "above" if found > high else "below"
    return "" if low <= found <= high else f"the record's {figure}, {printed(found)}, lies {side} the range"


def sample(values: np.ndarray, noun: str, aside: str = "", figure: str = "") -> Judge:
    """Return a judge that places numbers in a sample, and warns if a range lies beyond it or misses ``figure``."""
    aside, few = aside and f"; {aside}", FIGURES[figure][1] if figure else FEW
    if not len(values):
        return nothing(f"no {noun}{aside}")
    text = f"only {len(values)} {noun}: {', '.join(map(printed, np.sort(values)))}{aside}"
    low, mid, high = map(float, np.quantile(values, (TAIL, 0.5, 1 - TAIL)))
    found = Finding(text)
    if len(values) >= FEW:
        text = f"median {printed(mid)} [{printed(low)}, {printed(high)}], {len(values)} {noun}{aside}"
        found = Finding(text, mid, low, high)

    def judge(stated: Stated) -> Finding:
        rank, least, most = (percentile(values, x) for x in (middle(stated), *bounds(stated)))
        warning = _left_out(values, figure, stated) if figure else _beyond(values, noun, stated)
        told = warning if len(values) >= few else ""
        return found._replace(percentile=rank, percentile_low=least, percentile_high=most, warning=told)

    return judge


def rate(events: int, months: float, noun: str) -> Judge:
    """Return a judge of rates by ``k / T`` and its exact interval, per month."""
    text = f"{events} in {months:.0f} months: {noun}"
    if not months > 0:
        return nothing(text)
    return partial(_compared, text, "rate", events / months, poisson_interval(events, months))


def share(events: int, cases: int, noun: str, over: float = 1.0) -> Judge:
    """Return a judge of probabilities by ``k / n`` and its exact interval; stated counts are out of ``over``."""
    if not cases:
        return nothing(f"no {noun}")
    text = f"{events} of {cases}: {noun}"
    return partial(_compared, text, "share", events / cases, binomial_interval(events, cases), over=over)


def _compared(text: str, what: str, figure: float, interval: Interval, stated: Stated, *, over=1.0) -> Finding:
    """Return a figure with its exact interval, and a warning if that does not touch what is stated."""
    (least, most), (low, high), warning = interval, (x / over for x in bounds(stated)), ""
    if least > high or most < low:
        times = printed(figure / (middle(stated) / over))
        rest = "median and outside its range" if isinstance(stated, Range) else "value, which its interval excludes"
        warning = f"the record's {what} is {times} times the stated {rest}"
        warning = warning if figure else f"the record has none in so long: its {what} lies below what is stated"
    record = f"{printed(figure)} [{printed(least)}, {printed(most)}], {text}"
    return Finding(record, figure * over, least * over, most * over, warning=warning)
