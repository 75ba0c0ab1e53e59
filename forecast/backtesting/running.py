"""Rolling origins: what the outside view and three baselines said of every open proceeding, and how it came out."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from forecast.backtesting.asking import (
    EVERY,
    START,
    WINDOWS,
    Question,
    answers,
    first_answers,
    last_day,
    looked_at,
    questions,
)
from forecast.backtesting.rows import Answers, all_rows
from forecast.backtesting.saying import PASSES, Said, evidence_at
from forecast.backtesting.scoring import (
    count_table,
    group_table,
    law_table,
    pit_table,
    reliability_table,
    score_table,
)
from forecast.backtesting.spreading import AT_ONCE, here, on_cluster, require_scheduler
from forecast.inference import Compiled, NotConvergedError, Settings
from forecast.progress import report, working
from forecast.record import Record, as_day, load_record
from forecast.scores import RESAMPLES
from forecast.specification import Specification, load_specification
from forecast.trees import provenance

VIEW = "outside"
QUICKER = "Quicker: fewer origins (a later --from, a longer step, --every), or fewer draws (--draws)."
SCORED_WITH = ("scoringrules", "statsmodels")


@dataclass(frozen=True, repr=False)
class Backtest:
    """Forecasts at past origins, and how they came out.

    ``forecasts``: one row per forecast, ``backtest.csv``; ``quantiles``: the distributions behind its waiting times and
    sizes. ``scores``: means, skill and differences against each baseline, by family and window; ``groups``: by class,
    age and origin; ``law``: with and without legal multipliers. ``counts``: events observed and expected.
    ``reliability``, ``pit``: calibration. ``diagnostics``: one row per origin. ``manifest``: from what, with what.
    """

    forecasts: pd.DataFrame
    quantiles: xr.Dataset
    scores: pd.DataFrame
    groups: pd.DataFrame
    law: pd.DataFrame
    counts: pd.DataFrame
    reliability: pd.DataFrame
    pit: pd.DataFrame
    diagnostics: pd.DataFrame
    specification: Specification
    record: Record
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        m = self.manifest
        return (
            f"<Backtest of {m['origins']} origins from {m['start']}, up to {m['end']}: {len(self.forecasts)} forecasts>"
        )


def backtest(
    specification: Specification | str | Path | None = None,
    record: Record | str | Path | None = None,
    *,
    start: date | str = START,
    end: date | str | None = None,
    every: str = EVERY,
    windows: Sequence[int] = WINDOWS,
    settings: Settings | None = None,
    scheduler: str | None = None,
    compiled: Compiled | None = None,
) -> Backtest:
    """Forecast every open proceeding at rolling origins from what was public then, and score what was said.

    ``specification`` and ``record`` are as in ``run``. Origins go from ``start`` on, ``every`` ``<n>D``, ``<n>W`` or
    ``<n>M``, as long as one of the ``windows`` (months) ends by ``end``, by default the record's last day. The focal
    matter is one among the others: only the reference class speaks. With ``scheduler``, the address of a Dask cluster,
    every origin is a task there; the numbers are the same. A ``compiled`` model must have the coordinates of the last
    origin. Raises ``InputError`` on bad input, ``LeakError`` if an origin sees anything later, ``NotConvergedError``
    with the origin whose draws do not pass the gate.
    """
    spec = specification if isinstance(specification, Specification) else load_specification(specification)
    whole = record if isinstance(record, Record) else load_record(record)
    if scheduler is not None:
        require_scheduler(scheduler)
    asked = questions(whole, start, end, every, windows)
    settings, final = settings or Settings(), last_day(whole) if end is None else as_day(end)
    evidence = [evidence_at(spec, question, asked[-1].known) for question in asked]
    sampled = f"{settings.chains} chains of {settings.tune} + {settings.draws} draws"
    if scheduler is not None:
        report(f"Sampling {len(asked)} origins on {scheduler}, {sampled} each; every worker compiles the model once")
        stream = on_cluster(spec, asked, settings, scheduler)
    else:
        if compiled is None:
            report("Compiling the model once for all origins (the first time takes up to a minute)")
            compiled = Compiled(evidence[-1])
        report(f"Sampling {len(asked)} origins, {sampled} each")
        stream = here(evidence, asked, settings, compiled)
    said = []
    with closing(stream), working("Backtest", len(asked), "origins", quicker=QUICKER, pilot=AT_ONCE) as reached:
        for number, one in enumerate(stream, 1):
            if one.failures:
                raise NotConvergedError([f"origin {one.day}: {failure}" for failure in one.failures])
            report(f"Origin {one.day} done, {number} of {len(asked)}")
            reached(number)
            said.append(one)
    report("Scoring")
    about = provenance(evidence[-1], whole.as_of(final), settings.seed, VIEW)
    with working("Scoring"):
        return _scored(spec, whole, asked, said, final, settings, about | _plan(asked, final, every, settings))


def _scored(
    spec: Specification,
    whole: Record,
    asked: Sequence[Question],
    said: Sequence[Said],
    final: date,
    settings: Settings,
    manifest: dict[str, Any],
) -> Backtest:
    found, seen = answers(whole, final), looked_at(whole, final)
    answered = [Answers(first_answers(found, question.day), seen) for question in asked]
    table, batches, quantiles = all_rows(said, asked, answered, settings.seed)
    return Backtest(
        forecasts=table,
        quantiles=quantiles,
        scores=score_table(table, batches, settings.seed),
        groups=group_table(table, batches, settings.seed),
        law=law_table(table, settings.seed),
        counts=count_table(table, settings.seed),
        reliability=reliability_table(table, settings.seed),
        pit=pit_table(table, settings.seed),
        diagnostics=pd.DataFrame([_at_origin(q, one, seen) for q, one in zip(asked, said, strict=True)]),
        specification=spec,
        record=whole.as_of(final),
        manifest=manifest,
    )


def _at_origin(question: Question, said: Said, seen: Mapping[str, date]) -> dict[str, Any]:
    events = question.known.events
    unanswered = sum(seen[case] < window.end for case in said.cases for window in question.windows)
    return {
        "origin_date": str(question.day),
        "proceedings": len(question.known.proceedings),
        "asked": len(said.cases),
        "windows_unanswered": unanswered,
        "events": len(events),
        "windows": " ".join(str(window.months) for window in question.windows),
        **said.diagnostics,
    }


def _plan(asked: Sequence[Question], final: date, every: str, settings: Settings) -> dict[str, Any]:
    return {
        "start": str(asked[0].day),
        "end": str(final),
        "every": every,
        "origins": len(asked),
        "windows": sorted({window.months for question in asked for window in question.windows}),
        "courses": PASSES * settings.chains * settings.draws,
        "resamples": RESAMPLES,
        **{f"settings_{k}": v for k, v in asdict(settings).items() if k != "progress"},
        **{f"version_{p}": importlib.metadata.version(p) for p in SCORED_WITH},
    }
