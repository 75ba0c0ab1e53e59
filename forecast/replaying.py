"""The forecast as it would have been said at each of several dates, from what was public then.

One model is compiled for all dates before the brief, and one for all from it on, which know its statements. Their
coordinates (instruments, services) are those of the last date, and what was not known of them at a date is pure prior
there: it changes which draws come, nothing else. Every date is sampled anew, with the seeds of ``forecasting.conclude``
and its gate, and sees a record that ``leaks`` has examined.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import count, pairwise, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from forecast.files import InputError, Problem
from forecast.folders import plain_attributes
from forecast.forecasting import fit
from forecast.gathered import Evidence, gather
from forecast.inference import Compiled, NotConvergedError, Posterior, Settings
from forecast.leaks import require_no_leak
from forecast.outcomes import imagine
from forecast.parallel import each
from forecast.progress import report, working
from forecast.record import Record, as_day
from forecast.record_tables import EARLIEST, LATEST
from forecast.requests import read_request
from forecast.resolution import base_rate, clauses_of
from forecast.specification import Specification
from forecast.summaries import scenario_table, scenario_views, summary_table, targets
from forecast.trees import provenance
from forecast.vocabulary import INTERVAL, SCENARIOS, resolved_view

AT_ONCE = 2
"""Origins worked on at a time: while one is summarised on one core, the other one is sampled."""
QUICKER = "Quicker: fewer origins (a longer step, --every), or fewer draws (--draws)."
STATISTICS = ("mean", "q05", "q50", "q95")
UNITS = {
    "scenario_probability": "probability", "scenario_mcse": "probability", "value": "that of the target: unit",
    "value_mcse": "that of the target: unit", "horizon": "months after the origin", "r_hat": "ratio",
    "ess_bulk": "draws", "ess_tail": "draws", "divergences": "draws",
}  # fmt: skip
"""Units of the arrays of ``to_dataset``."""
KEYS = ["origin_date", "view", "target", "horizon_months", "scenario"]


@dataclass(frozen=True, repr=False)
class Trajectory:
    """One matter's forecasts at several origins.

    ``table``: one number a row: the probability of each ``scenario`` in each ``view`` (target ``scenario``), and of
    every target at every horizon, in the view that counts (``inside`` from the brief's date on), its ``probability``,
    or ``mean``, ``q05``, ``q50`` and ``q95``, with Monte Carlo error and unit. ``events``: what became public after
    the previous origin, up to each. ``diagnostics``: the sampler's worst figures by origin. ``record``: what was public
    at the last origin. ``manifest``: from what, with what.
    """

    table: pd.DataFrame
    events: pd.DataFrame
    diagnostics: pd.DataFrame
    specification: Specification
    record: Record
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        m = self.manifest
        return f"<Trajectory of {m['matter']} from {m['start']} to {m['end']}, every {m['every']}>"


@dataclass(frozen=True)
class _Origin:
    """What is known at one origin."""

    record: Record
    evidence: Evidence

    @property
    def day(self) -> date:
        return self.evidence.origin


def replay(
    specification: Specification | str | Path | None = None,
    record: Record | str | Path | None = None,
    *,
    start: date | str,
    end: date | str,
    every: str = "1M",
    settings: Settings | None = None,
    compiled: Mapping[bool, Compiled] | None = None,
    assume_silence: bool = False,
) -> Trajectory:
    """Forecast one matter at ``start``, every so often, and at ``end``, each time from what was public by then.

    ``specification``, ``record`` and ``assume_silence`` are as in ``run``; ``every`` is ``<n>D``, ``<n>W`` or ``<n>M``
    (days, weeks, calendar months). ``compiled``: models with the coordinates of ``end``, by whether the brief has a say
    (``Evidence.inside``). Before the brief's date there is the outside view only. Raises ``InputError`` on bad input,
    where nothing is public about the matter at ``start`` and where ``end`` lies after the record's last publication
    (unless silence is assumed), ``LeakError`` if an origin sees anything later, ``NotConvergedError`` with the origin
    that does not pass the gate.
    """
    days = origins(start, end, every)
    spec, whole, _ = read_request(specification, record, days[-1], place="end", assume_silence=assume_silence)
    _require_known(spec.matter, whole, days[0])
    wider = whole.as_of(days[-1])
    known = [_seen(spec, whole, day, wider) for day in days]
    models = _models(known, compiled or {})
    settings, said = settings or Settings(), []
    report(f"Sampling {len(known)} origins, {settings.chains} chains of {settings.tune} + {settings.draws} draws each")
    task = working("Replay", len(known), "origins", quicker=QUICKER, pilot=AT_ONCE)
    with each(partial(_say, models, wider, settings), known, AT_ONCE) as told, task as reached:
        for number, (one, numbers) in enumerate(zip(known, told, strict=True), 1):
            report(f"Origin {one.day} done, {number} of {len(known)}")
            reached(number)
            said.append(numbers)
    return Trajectory(
        table=pd.concat([table for table, _ in said], ignore_index=True),
        events=_became_public(spec.matter, known),
        diagnostics=pd.DataFrame([worst for _, worst in said]),
        specification=spec,
        record=wider,
        manifest=_manifest(known, every, settings),
    )


def origins(start: date | str, end: date | str, every: str) -> list[date]:
    """Return ``start``, the days that steps counted from it hit before ``end``, and ``end``.

    Months are the calendar's; a day that a month does not have is its last one. Raises ``InputError`` for a step that
    is none, and days out of order or outside the years of a record.
    """
    first, last = as_day(start), as_day(end)
    step = re.fullmatch("([1-9][0-9]{0,3})([DWM])", every)
    problems = []
    if step is None:
        expected = "expected a number of days, weeks or months from 1 to 9999, such as 10D, 2W or 1M"
        problems.append(Problem("every", f"{every!r} is no step; {expected}"))
    if last < first:
        problems.append(Problem("end", f"{last} lies before the start, {first}"))
    problems += [
        Problem(name, f"{day} lies outside {EARLIEST.date()} to {LATEST.date()}, the days of a record")
        for name, day in (("start", first), ("end", last))
        if not EARLIEST.date() <= day <= LATEST.date()
    ]
    if problems or step is None:
        raise InputError(problems)
    length, unit = int(step[1]), step[2]
    days = (_later(first, n * length, unit) for n in count())
    return [*takewhile(lambda day: day < last, days), last]


def _later(day: date, steps: int, unit: str) -> date:
    if unit != "M":
        return day + timedelta(days=steps * (7 if unit == "W" else 1))
    years, month = divmod(day.month - 1 + steps, 12)
    return date(day.year + years, month + 1, min(day.day, calendar.monthrange(day.year + years, month + 1)[1]))


def _require_known(matter: str, record: Record, start: date) -> None:
    """Raise ``InputError`` if nothing is public about the matter by ``start``, with the first day on which it is."""
    cases = record.proceedings.loc[record.proceedings["matter_id"] == matter, "case_id"]
    published = record.events.loc[record.events["case_id"].isin(cases), "published_on"]
    days = (day.date() for day in sorted(set(published)))
    first = next((day for day in days if matter in set(record.as_of(day).proceedings["matter_id"])), None)
    if first is None:
        raise InputError(Problem("record", f"holds nothing about the matter {matter!r}"))
    if start < first:
        raise InputError(Problem("start", f"nothing is public about {matter!r} by {start}; start on {first} or later"))


def _seen(spec: Specification, whole: Record, day: date, wider: Record) -> _Origin:
    known = whole.as_of(day)
    require_no_leak(known, whole, day)
    return _Origin(known, gather(spec, known, day, wider))


def _models(known: list[_Origin], compiled: Mapping[bool, Compiled]) -> dict[bool, Compiled]:
    """Return the compiled models that the origins need, by whether the brief has a say; those at hand are used."""
    models = dict(compiled)
    for one in known:
        if one.evidence.inside not in models:
            report("Compiling the model once for all origins on one side of the brief's date (up to a minute)")
            models[one.evidence.inside] = Compiled(one.evidence)
    return models


def _say(
    models: Mapping[bool, Compiled], wider: Record, settings: Settings, one: _Origin
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the rows of ``Trajectory.table`` and ``Trajectory.diagnostics`` at one origin."""
    try:
        posterior = fit(models[one.evidence.inside], one.evidence, one.record, settings, wider)
    except NotConvergedError as error:
        raise NotConvergedError([f"origin {one.day}: {failure}" for failure in error.failures]) from error
    return _numbers(posterior, one.record), _worst(posterior)


def _numbers(posterior: Posterior, record: Record) -> pd.DataFrame:
    """Return the rows of ``Trajectory.table`` at one origin, from the draws that ``conclude`` would make there."""
    draws, settings, spec = posterior.draws, posterior.settings, posterior.evidence.specification
    rng = np.random.default_rng([settings.seed, 3])
    future = imagine(draws, rng)
    beside = imagine(draws, rng, outside=True) if future.view == "inside" else future
    outcomes, origin = targets(future), str(posterior.evidence.origin)
    base = base_rate(record.in_force(), clauses_of(spec.resolution), spec.matter)
    views = scenario_table(scenario_views(draws, outcomes, beside.scenario, base), origin, settings.chains)
    summary = summary_table(outcomes, origin, settings.chains)
    last = future.horizons[-1]
    weights = views.rename(columns={"probability": "value"}).assign(
        target="scenario",
        horizon_months=np.where(views["view"] == resolved_view(last), float(last), np.nan),
        unit="probability",
        statistic="probability",
    )
    own = summary.loc[summary["scenario"] == "all"].assign(view=future.view)
    long = own.melt([*KEYS, "unit", "mcse_mean"], list(STATISTICS), "statistic", "value", ignore_index=False)
    long = long.sort_index(kind="stable").rename(columns={"mcse_mean": "mcse"})
    is_mean, yes_no = long["statistic"] == "mean", long["unit"] == "probability"
    long = long.assign(mcse=long["mcse"].where(is_mean), statistic=long["statistic"].mask(yes_no, "probability"))
    both = pd.concat([weights, long.loc[is_mean | ~yes_no]], ignore_index=True)
    both["horizon_months"] = both["horizon_months"].astype("Int64")
    both["interval"] = np.where(both["statistic"].isin(["q05", "q95"]), INTERVAL, "")
    return both[[*KEYS, "statistic", "value", "mcse", "unit", "interval"]]


def _worst(posterior: Posterior) -> dict[str, Any]:
    table, day = posterior.diagnostics, str(posterior.evidence.origin)
    ess = {name: float(table[name].min()) for name in ("ess_bulk", "ess_tail")}
    return {"origin_date": day, "r_hat": float(table["r_hat"].max()), **ess, "divergences": posterior.divergences}


def _became_public(matter: str, known: Iterable[_Origin]) -> pd.DataFrame:
    """Return the events in force at each origin that were not known at the one before."""
    columns = ["origin_date", "event_id", "case_id", "matter_id", "date", "published_on", "type", "is_focal"]
    steps = [pd.DataFrame(columns=columns)]
    for before, now in pairwise(known):
        events = now.record.in_force().events
        fresh = events.loc[~events["event_id"].isin(before.record.events["event_id"])]
        fresh = fresh.merge(now.record.proceedings[["case_id", "matter_id"]], on="case_id")
        fresh = fresh.assign(origin_date=str(now.day), is_focal=fresh["matter_id"] == matter)
        steps.append(fresh[columns].sort_values(["published_on", "date", "event_id"]))
    filled = [step for step in steps if len(step)]
    return pd.concat(filled, ignore_index=True) if filled else steps[0]


def _manifest(known: list[_Origin], every: str, settings: Settings) -> dict[str, Any]:
    first, last = known[0], known[-1]
    views = ["inside" if one.evidence.inside else "outside" for one in known]
    view = ", then ".join(dict.fromkeys(views))
    sampler = {f"settings_{k}": v for k, v in vars(settings).items() if k != "progress"}
    return {
        **provenance(last.evidence, last.record, settings.seed, view),
        "start": str(first.day),
        "end": str(last.day),
        "every": every,
        **sampler,
    }


def to_dataset(trajectory: Trajectory) -> xr.Dataset:
    """Return the numbers of a trajectory as labelled arrays, with units and provenance.

    ``scenario_probability`` by origin, view and scenario, missing where there is no such view. ``value`` by origin,
    target, horizon and statistic, in the target's ``unit``, missing where it is undefined; the mean of a yes/no target
    is its probability. ``*_mcse``: Monte Carlo errors of probabilities and means.
    """
    table = trajectory.table.assign(statistic=lambda t: t["statistic"].replace("probability", "mean"))
    table["origin_date"] = pd.to_datetime(table["origin_date"])
    is_view = table["target"] == "scenario"
    views = table.loc[is_view].set_index(["origin_date", "view", "scenario"])
    own = table.loc[~is_view].astype({"horizon_months": "int64"}).rename(columns={"horizon_months": "horizon"})
    units = own.drop_duplicates("target").set_index("target")["unit"]
    own = own.set_index(["origin_date", "target", "horizon", "statistic"])
    worst = trajectory.diagnostics.assign(origin_date=lambda t: pd.to_datetime(t["origin_date"]))
    data = xr.Dataset(
        {
            "scenario_probability": views["value"].to_xarray(),
            "scenario_mcse": views["mcse"].to_xarray(),
            "value": own["value"].to_xarray(),
            "value_mcse": own["mcse"].xs("mean", level="statistic").to_xarray(),
            **{name: column.to_xarray() for name, column in worst.set_index("origin_date").items()},
        }
    )
    order_of_views = ("brief", "inside", "outside", "base_rate", resolved_view(trajectory.manifest["horizons"][-1]))
    order = {"view": [v for v in order_of_views if v in data["view"]], "scenario": list(SCENARIOS)}
    order["target"] = list(units.index)
    data = data.reindex({**order, "statistic": list(STATISTICS)}).assign_coords(unit=("target", units.to_numpy(str)))
    for name, unit in UNITS.items():
        data[name].attrs["units"] = unit
    return data.assign_attrs(plain_attributes(trajectory.manifest))
