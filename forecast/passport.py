"""Each number of a prior file beside what the record's reference class shows, with a warning where they disagree.

Only what was public by the prior file's ``as_of`` is used. Counterparts are of three kinds:

- **values**, a sample such as the sizes of fines: the stated range has a percentile in it;
- **rates**, ``k`` events in ``T`` months, with an exact 90 % interval from gamma quantiles;
- **proportions**, ``k`` of ``n``, with an exact 90 % interval from beta quantiles.

Rates and proportions are single figures: they have an interval and no percentile. Nothing here is fitted: rates
are crude, over all authorities, phases and stages, and a model may have good reasons to differ from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import betaincinv, expit, gammaincinv, logit

from forecast.exposure import course
from forecast.observations import RULING_PHASES, RULINGS, Observations, latest_turnover, observe
from forecast.record import Record
from forecast.specification import Number, Range, Specification, Statement
from forecast.vocabulary import FAMILIES

FEW = 5
"""A sample smaller than this raises no warning."""
ODDS_FACTOR = 4.0
"""A statement and the record's crude rate disagree if their odds differ by more than this factor."""
TAIL = 0.05
"""Mass on either side of the record's intervals."""
SHARES = (
    "probability",
    *(f"fraction of {whole}" for whole in ("ceiling", "users", "valuation", "fine", "revenue")),
)
"""Units whose ranges have their middle on the logit scale."""
FINES = "fines against technology groups"


class Finding(NamedTuple):
    """The record's say on one number; percentiles are 0 to 100, NaN where there is no sample."""

    record: str = ""
    percentile: float = np.nan
    percentile_low: float = np.nan
    percentile_high: float = np.nan
    warning: str = ""


class Sample(NamedTuple):
    """Values of a reference class, a noun for them, and what must be said beside them."""

    values: np.ndarray
    noun: str
    aside: str = ""


class Count(NamedTuple):
    """``events`` in so many months (a rate) or cases (a proportion)."""

    events: int
    total: float
    noun: str


@dataclass(frozen=True)
class Evidence:
    """What was public at ``as_of``: ``family_counts`` in ``months`` at risk, ``n_open`` proceedings of the matter."""

    specification: Specification
    known: Record
    seen: Observations
    family_counts: np.ndarray
    months: float
    n_open: int


type Stated = Number | Range
type Judge = Callable[[Evidence, str, Stated], Finding]


def passport(specification: Specification, record: Record) -> pd.DataFrame:
    """Return one row per number of the prior file, in its order: what is stated, and the record's say.

    Columns: ``key`` (dotted path), ``says``, ``unit``, ``reading``, ``provenance``, ``brief``, ``record`` (printed
    figures, or empty), ``percentile``, ``percentile_low``, ``percentile_high`` (0 to 100, of the stated middle and
    of the range's ends in the reference class; NaN without one) and ``warning`` (empty, or one sentence).
    """
    evidence = gather(specification, record)
    rows = []
    for key, stated in specification.numbers():
        judge = next((judge for pattern, judge in COUNTERPARTS if fnmatchcase(key, pattern)), _silent)
        source = stated.source
        told = (key, says(stated), stated.unit, stated.reading, source.kind, source.brief)
        rows.append((*told, *judge(evidence, key, stated)))
    columns = ("key", "says", "unit", "reading", "provenance", "brief", *Finding._fields)
    return pd.DataFrame(rows, columns=list(columns))


def gather(specification: Specification, record: Record) -> Evidence:
    """Return what the record knew by ``as_of`` (or by its own earlier cut)."""
    known = record.as_of(specification.as_of)
    day = known.as_of_date or specification.as_of
    courses = {case: course(known, case, day) for case in known.proceedings["case_id"]}
    families = [family for one in courses.values() for _, _, family, _ in one.events]
    focal = known.proceedings.loc[known.proceedings["matter_id"] == specification.matter, "case_id"]
    return Evidence(
        specification,
        known,
        observe(known, specification, day),
        np.bincount(np.array(families, dtype=np.int64), minlength=len(FAMILIES)),
        float(sum(part.end - part.start for one in courses.values() for part in one.segments)),
        sum(courses[case].is_open for case in focal),
    )


def percentile(values: np.ndarray, x: float) -> float:
    """Return the mid-rank percentile ``100 (#below + #equal / 2) / n`` of ``x``, 0 to 100 (NaN if empty)."""
    return float(100 * ((values < x).mean() + (values == x).mean() / 2)) if len(values) else np.nan


def poisson_interval(events: int, months: float) -> tuple[float, float]:
    """Return the exact 90 % interval of a rate: ``chi2(.05; 2k) / 2T`` to ``chi2(.95; 2k + 2) / 2T``, per month."""
    low = float(gammaincinv(events, TAIL)) if events else 0.0
    return low / months, float(gammaincinv(events + 1, 1 - TAIL)) / months


def binomial_interval(events: int, cases: float) -> tuple[float, float]:
    """Return the exact (Clopper-Pearson) 90 % interval of a proportion."""
    missed = cases - events
    low = float(betaincinv(events, missed + 1, TAIL)) if events else 0.0
    return low, float(betaincinv(events + 1, missed, 1 - TAIL)) if missed else 1.0


def middle(stated: Stated) -> float:
    """Return the value, or the median of the range: on the logit scale for shares, the log scale if positive."""
    if isinstance(stated, Number):
        return stated.value
    if stated.unit in SHARES:
        return float(expit((logit(stated.low) + logit(stated.high)) / 2))
    return float(np.sqrt(stated.low * stated.high)) if stated.low > 0 else (stated.low + stated.high) / 2


def says(stated: Stated) -> str:
    """Return what is stated as text: ``0.03 - 0.33 (90 %)``, ``0.40``, ``0.25 within 6 months``."""
    if isinstance(stated, Range):
        return f"{_printed(stated.low, 4)} - {_printed(stated.high, 4)} ({100 * stated.mass:.3g} %)"
    within = f" within {stated.within:g} months" if isinstance(stated, Statement) else ""
    padded = f"{stated.value:.2f}" if stated.unit == "probability" and stated.value >= 0.1 else ""
    exact = _printed(stated.value, 4)
    return (padded if len(padded) > len(exact) else exact) + within


def _printed(x: float, digits: int = 2) -> str:
    for size, word in ((1e9, " bn"), (1e6, " m")):
        if abs(x) >= size:
            return np.format_float_positional(x / size, max(digits, 3), fractional=False, trim="-") + word
    return np.format_float_positional(x, digits, fractional=False, trim="-")


def _bounds(stated: Stated) -> tuple[float, float]:
    return (stated.low, stated.high) if isinstance(stated, Range) else (stated.value, stated.value)


def _silent(evidence: Evidence, key: str, stated: Stated) -> Finding:
    return Finding()


def _outside_view(evidence: Evidence, key: str, stated: Stated) -> Finding:
    return Finding("see the outside view")


def _sample(draw: Callable[[Evidence], Sample], disagree: Callable[[Sample, Stated], str]) -> Judge:
    """Judge what is stated by a sample: print it, place the middle and the ends in it, warn as ``disagree`` says."""

    def judge(evidence: Evidence, key: str, stated: Stated) -> Finding:
        values, noun, aside = sample = draw(evidence)
        aside = f"; {aside}" if aside else ""
        if not len(values):
            return Finding(f"no {noun}{aside}")
        text = f"only {len(values)} {noun}: {', '.join(_printed(x) for x in np.sort(values))}"
        if len(values) >= FEW:
            low, mid, high = map(_printed, np.quantile(values, (TAIL, 0.5, 1 - TAIL)))
            text = f"median {mid} [{low}, {high}], {len(values)} {noun}"
        low, high = (percentile(values, x) for x in _bounds(stated))
        warning = disagree(sample, stated) if len(values) >= FEW else ""
        return Finding(text + aside, percentile(values, middle(stated)), low, high, warning)

    return judge


def _beyond(sample: Sample, stated: Stated) -> str:
    """Warn if a range of single values, or its middle, lies beyond the sample's 5 or 95 %."""
    (low, high), (least, most) = _bounds(stated), np.quantile(sample.values, (TAIL, 1 - TAIL))
    if low > most or high < least:
        which = "above the record's 95 %" if low > most else "below the record's 5 %"
        return f"the whole range lies {which}: {len(sample.values)} {sample.noun}"
    rank = percentile(sample.values, middle(stated))
    beyond = max(rank, 100 - rank)
    if beyond <= 100 * (1 - TAIL):
        return ""
    part, side = "all" if beyond == 100 else f"{int(beyond)} %", "above" if rank > 50 else "below"
    return f"{side} {part} of the reference class: {len(sample.values)} {sample.noun}"


def _median_outside(sample: Sample, stated: Stated) -> str:
    """Warn if a range for the median of a class does not hold the sample's median."""
    found, (low, high) = float(np.median(sample.values)), _bounds(stated)
    side = "above" if found > high else "below"
    return "" if low <= found <= high else f"the record's median, {_printed(found)}, lies {side} the stated range"


def _compared(text: str, what: str, figure: float, interval: tuple[float, float], stated: Stated) -> Finding:
    """Return a figure with its exact interval, and a warning if that does not touch what is stated."""
    (least, most), (low, high) = interval, _bounds(stated)
    warning = ""
    if least > high or most < low:
        part = (
            "median and outside its range" if isinstance(stated, Range) else "value, which its interval leaves out"
        )
        warning = f"the record's {what} is {_printed(figure / middle(stated))} times the stated {part}"
    return Finding(f"{_printed(figure)} [{_printed(least)}, {_printed(most)}], {text}", warning=warning)


def _counted(count: Callable[[Evidence, str], Count], what: str = "rate") -> Judge:
    """Judge a rate by ``k / T``, or a share by ``k / n``, and its exact interval."""
    interval = poisson_interval if what == "rate" else binomial_interval

    def judge(evidence: Evidence, key: str, stated: Stated) -> Finding:
        events, total, noun = count(evidence, key)
        if not total > 0:
            return Finding(f"nothing to count: {noun}")
        text = f"{events} {noun} in {total:,.0f} months" if what == "rate" else f"{events} of {total:.0f} {noun}"
        return _compared(text, what, events / total, interval(events, total), stated)

    return judge


def _family(evidence: Evidence, key: str) -> Count:
    family = key.split(".")[2]
    events = int(evidence.family_counts[FAMILIES.index(family)])
    return Count(events, evidence.months, f"{family} events over all phases and stages")


def _statement(evidence: Evidence, key: str, stated: Stated) -> Finding:
    """Compare P with ``1 - exp(-x)``, ``x`` = crude rate x months x open proceedings of the matter; odds ``exp(x) - 1``.

    Without an event in the record, the upper end of the rate's interval counts, and only as a bound.
    """
    events, months, noun = _family(evidence, key)
    if not isinstance(stated, Statement) or not months > 0 or not evidence.n_open:
        return Finding("no open proceeding of the matter")
    rate = events / months if events else poisson_interval(0, months)[1]
    exponent = rate * stated.within * evidence.n_open
    factor = stated.value / (1 - stated.value) / np.expm1(exponent)
    text = f"{'' if events else 'at most '}{_printed(-np.expm1(-exponent))} whatever the scenario, with "
    text += f"{evidence.n_open} proceedings open: {events} {noun}"
    warning = ""
    if factor > ODDS_FACTOR:
        warning = f"the stated odds are {_printed(factor)} times those at the record's rate"
    elif events and factor < 1 / ODDS_FACTOR:
        warning = f"the odds at the record's rate are {_printed(1 / factor)} times the stated ones"
    return Finding(text, warning=warning)


def _turnover(evidence: Evidence, key: str, stated: Stated) -> Finding:
    """Place the range among the provider's published years; the latest figure should lie in it."""
    fines, known = evidence.specification.fines, evidence.known
    latest = latest_turnover(known, evidence.specification.provider_group)
    if latest is None or fines.turnover_of == "parent":
        return Finding(f"no turnover of the {fines.turnover_of}")
    rows = known.turnover.loc[known.turnover["company_group"] == evidence.specification.provider_group]
    values, figure, (low, high) = (
        rows["turnover_eur"].to_numpy(float),
        float(latest["turnover_eur"]),
        _bounds(stated),
    )
    text = f"{latest['year']:.0f}: {_printed(figure)}; "
    text += f"{len(values)} years from {_printed(values.min())} to {_printed(values.max())}"
    warning = (
        "" if low <= figure <= high else f"the latest published figure, {_printed(figure)}, is outside the range"
    )
    return Finding(text, *(percentile(values, x) for x in (middle(stated), low, high)), warning)


def _outcome(evidence: Evidence, key: str, stated: Stated) -> Finding:
    """Compare a Dirichlet count's share of the stated counts with its share of the rulings."""
    counts, ruling = evidence.specification.appeals.outcome, key.rsplit(".", 1)[1]
    share = middle(stated) / sum(getattr(counts, name).value for name in RULINGS)
    ruled = Count(int(evidence.seen.outcomes[RULINGS.index(ruling)]), evidence.seen.outcomes.sum(), "rulings")
    judge = _counted(lambda *_: ruled, "share")
    found = judge(evidence, key, Number(value=share, unit="probability", reading="share", source=stated.source))
    return found._replace(record=f"{found.record}; the stated share is {_printed(share)}")


def _ruling(evidence: Evidence, key: str) -> Count:
    phase = int(key[key.index("[") + 1 : key.index("]")])
    start = evidence.specification.appeals.ruling_rate[phase].from_months
    if phase >= len(RULING_PHASES) or start != RULING_PHASES[phase]:
        return Count(0, 0, f"rulings are counted from months {', '.join(f'{x:g}' for x in RULING_PHASES)} on")
    noun = f"rulings from month {start:g} on"
    return Count(int(evidence.seen.rulings[phase]), float(evidence.seen.ruling_months[phase]), noun)


def _raised(evidence: Evidence, key: str, stated: Stated) -> Finding:
    """Compare a ratio of two rates: given their sum, the raised count is binomial (exact, conditional interval)."""
    (few, many), (usual, raised) = (
        evidence.seen.opening_count.sum(axis=0),
        evidence.seen.opening_months.sum(axis=0),
    )
    if not (few and raised > 0):
        return Finding("no openings to compare")
    low, high = (p / (1 - p) * usual / raised for p in binomial_interval(int(many), few + many))
    text = f"{many:.0f} openings in {raised:.0f} raised months, {few:.0f} in {usual:.0f} usual ones"
    return _compared(text, "ratio", many / raised / (few / usual), (low, high), stated)


def _fine_amounts(evidence: Evidence) -> Sample:
    fines, events = evidence.known.fines, evidence.known.events
    cases = evidence.known.proceedings.set_index("case_id")["matter_id"]
    matter = fines["event_id"].map(events.set_index("event_id")["case_id"]).map(cases)
    others = fines.loc[(fines["amount_eur"] > 0) & (matter != evidence.specification.matter)]
    return Sample(others["amount_eur"].to_numpy(float), FINES)


def _losses(evidence: Evidence) -> Sample:
    change, months = evidence.seen.users[:, :2].T
    return Sample(-np.expm1(change * 6 / months), "losses of users per half-year, all causes, not attrition alone")


def _declines(evidence: Evidence) -> Sample:
    rows = evidence.known.valuations.dropna(subset="change_fraction")
    studies = rows.loc[rows["kind"] == "event_study", "change_fraction"]
    caps = rows.loc[(rows["kind"] == "market_cap") & rows["value_usd_bn"].notna()]
    named = zip(caps["company_group"], -caps["change_fraction"], strict=True)
    apart = ", ".join(f"{group} {_printed(decline)}" for group, decline in named)
    aside = f"apart, market values: {apart}" if apart else ""
    return Sample(-studies.to_numpy(float), "event studies of listed firms, around one step", aside)


def _spending(evidence: Evidence) -> Sample:
    rows = evidence.known.moderation.dropna(subset="spend_eur")
    what = "; ".join(f"{group}: {text}" for group, text in zip(rows["company_group"], rows["what"], strict=True))
    return Sample(rows["spend_eur"].to_numpy(float), "figures of whole groups, in total rather than added", what)


def _openings(evidence: Evidence, key: str) -> Count:
    seen = evidence.seen
    return Count(
        int(seen.opening_count[:, 0].sum()), float(seen.opening_months[:, 0].sum()), "openings, not raised,"
    )


COUNTERPARTS: tuple[tuple[str, Judge], ...] = (
    ("scenarios.*.probability", _outside_view),
    ("fines.turnover", _turnover),
    ("fines.share.*", _sample(lambda e: Sample(expit(e.seen.size), FINES), _beyond)),
    ("fines.eur.*", _sample(_fine_amounts, _beyond)),
    ("statements.families.*", _statement),
    ("appeals.probability.mean", _counted(lambda e, _: Count(*e.seen.appealed, "fines appealed"), "share")),
    ("appeals.ruling_rate*.rate", _counted(_ruling)),
    ("appeals.outcome.*", _outcome),
    ("appeals.share_kept", _sample(lambda e: Sample(expit(e.seen.kept), "reduced fines"), _beyond)),
    ("closing.mean", _counted(lambda e, _: Count(*e.seen.closed, "decisions closed the proceeding"), "share")),
    ("hazards.rates.*", _counted(_family)),
    ("sizes.share", _sample(lambda e: Sample(expit(e.seen.size), FINES), _median_outside)),
    (
        "sizes.without_ceiling",
        _sample(lambda e: Sample(np.exp(e.seen.bare_size), "fines without a ceiling"), _median_outside),
    ),
    ("openings.rate", _counted(_openings)),
    ("openings.raised", _raised),
    ("impacts.attrition.*", _sample(_losses, _beyond)),
    ("impacts.valuation_decline.*", _sample(_declines, _beyond)),
    ("impacts.moderation_spending.*", _sample(_spending, _beyond)),
)
"""Which keys have a counterpart in the record, by pattern; the first that fits judges."""
