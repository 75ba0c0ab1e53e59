"""What if: the forecast as it would stand had certain events come, had nothing come, were a mitigation at work.

Supposed events and supposed silence are evidence about their own matters and about the focal one, and about nothing
else: whoever supposes one event says nothing about fifty other proceedings. With ``M`` the matters spoken of,

    log w_i = sum_{m in M} [ log p(record of m up to the new origin | theta_i) - log p(record of m as known | theta_i) ]

and everything else (other matters, openings, sizes, users, rulings) stays as known at the forecast's own origin. A
lever is no evidence but an intervention, do(lever) (Pearl 2009, doi:10.1017/CBO9780511803161): from the origin on it
multiplies the focal matter's hazards and the full impacts, and leaves the probabilities of the scenarios alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from forecast.exposure import Exposure, build_exposure
from forecast.files import InputError, Problem, whole_file
from forecast.folders import MANIFEST, with_labels
from forecast.forecasting import Forecast, fit
from forecast.hypotheses.suppositions import Supposed, in_words, intervention, read_suppositions
from forecast.inference import Compiled, Evidence, Posterior, gather
from forecast.observations import observe
from forecast.outcomes import imagine
from forecast.paths import Intervention
from forecast.progress import report
from forecast.record import Record
from forecast.summaries import scenario_table, scenario_views, summary_table, targets
from forecast.updating import Certificate, efficiency, reweight, settings_of, stored
from forecast.vocabulary import resolved_view
from forecast.watchlist import focal_statute

SUPPOSED = (
    "new_fine_amount",
    "new_fine_ceiling",
    "new_fine_instrument",
    "new_order_scopes",
    "resolved_families",
    "resolved_order_scopes",
    "resolved_fine_total",
    "unappealed_fines",
    "opening_raised_left",
)
"""What supposed events and passing time change besides the matters' own months and events."""
QUANTILES = {"median": 0.5, "q05": 0.05, "q95": 0.95}


@dataclass(frozen=True, repr=False)
class WhatIf:
    """A forecast before and after a supposition. Nothing in ``after`` has happened.

    ``before``, ``after``: the tables ``scenarios`` and ``summary``, as in a forecast. ``table``: both side by side, one
    number a row: ``what`` (scenario or target), ``view``, ``horizon`` (months after each one's own origin; 0: the
    probability of a scenario now), ``statistic``, ``unit``, ``before``, ``after``, ``change``, ``mcse`` of the change.
    ``suppositions`` in words. ``certificate``: how far the weights can be trusted. ``manifest``: that of the forecast,
    with ``supposed_origin`` and ``method`` (reweighted, refitted, or unchanged where only levers are supposed).
    """

    before: dict[str, pd.DataFrame]
    after: dict[str, pd.DataFrame]
    table: pd.DataFrame
    suppositions: tuple[str, ...]
    certificate: Certificate
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        return f"<WhatIf, hypothetical: {'; '.join(self.suppositions)}>"


def whatif(
    forecast: Forecast,
    events: Sequence[str] = (),
    silence_until: date | str | None = None,
    levers: Sequence[str] = (),
    *,
    refit: bool = False,
) -> WhatIf:
    """Return the forecast as it would stand under a supposition; the forecast itself is not touched.

    ``events``: texts ``DATE CASE TYPE [AMOUNT_EUR]``, a scope after a colon, each public on its day. ``silence_until``:
    nothing else happens up to that day (default: the last supposed event's). ``levers``: mitigations of the prior file.
    ``refit``: fit anew where the stored draws cannot be reweighted; without it that is refused, with the certificate.
    Raises ``InputError`` with every mistake, ``NotConvergedError`` if a new fit does not pass the gate.
    """
    spec, old, kept = forecast.specification, held(forecast), efficiency(forecast)
    was = old.evidence.exposure.origin
    supposed = read_suppositions(forecast.record, spec, was, events, silence_until, levers)
    matters = spoken_of(forecast, supposed.events)
    posterior, certificate, method = old, Certificate(0.0, kept * len(old.draws), kept, {}), "unchanged"
    if supposed.day > was:
        evidence = supposed_evidence(old.evidence, supposed.record, supposed.day, matters)
        posterior, certificate = reweight(old, evidence, kept, matters=matters)
        failures, method = certificate.failures + posterior.failures, "reweighted"
        if failures and not refit:
            raise InputError(_too_far(failures))
        if failures:
            report(f"Fitting anew ({'; '.join(failures)})")
            compiled, method = Compiled(evidence), "refitted"
            posterior = fit(compiled, evidence, supposed.record, old.settings)
    after, outcomes = _concluded(posterior, supposed.record, intervention(spec, levers))
    before = {name: forecast.tables[name] for name in after}
    return WhatIf(
        before=before,
        after=after,
        table=_compared(before, after, forecast, outcomes, paired=posterior is old),
        suppositions=tuple(in_words(spec, supposed, was, matters)),
        certificate=certificate,
        manifest={**forecast.manifest, "supposed_origin": str(supposed.day), "method": method},
    )


def _too_far(failures: list[str]) -> Problem:
    unlike = f"what is supposed is so unlike anything drawn that weights fail ({'; '.join(failures)})"
    advice = "suppose fewer events, or an earlier day; or fit anew (refit), which takes a minute"
    return Problem("whatif", f"{unlike}; {advice}")


def held(forecast: Forecast) -> Posterior:
    """Return the posterior that a forecast holds, with its evidence; ``InputError`` if its draws cannot be reused."""
    spec, tree = forecast.specification, forecast.tree
    if "posterior" not in tree.children:
        raise InputError(Problem("forecast", "a fitted forecast was expected; here is the prior alone"))
    if spec.pooling.value < 1:
        raise InputError(Problem("pooling", "below 1 needs the fit at the brief's date: use forecast update on a copy"))
    evidence = gather(spec, forecast.record, date.fromisoformat(forecast.manifest["origin"]))
    return stored(evidence, settings_of(forecast), tree, forecast.tables["posterior_summary"])


def spoken_of(forecast: Forecast, events: Sequence[Supposed]) -> tuple[str, ...]:
    """Return the matters that a supposition speaks of: the focal one, and those of the supposed events."""
    matter = forecast.record.proceedings.set_index("case_id")["matter_id"]
    return tuple(dict.fromkeys([forecast.specification.matter, *(str(matter[e.case]) for e in events)]))


def supposed_evidence(old: Evidence, record: Record, day: date, matters: Sequence[str]) -> Evidence:
    """Return ``old`` with the months and events of some matters as ``record`` has them by ``day``, and nothing else.

    ``record`` is the old one with supposed events beside what it held.
    """
    later = observe(record, old.specification, day)
    observations = replace(old.observations, **{name: getattr(later, name) for name in SUPPOSED})
    return replace(old, exposure=supposed_exposure(old, record, day, matters), observations=observations)


def supposed_exposure(old: Evidence, record: Record, day: date, matters: Sequence[str]) -> Exposure:
    """Return the exposure of ``old`` with the rows of some matters as ``record`` has them by ``day``."""
    cases = record.proceedings.loc[record.proceedings["matter_id"].isin(matters)]
    own = replace(record, proceedings=cases, events=record.events.loc[record.events["case_id"].isin(cases["case_id"])])
    return _spliced(old.exposure, build_exposure(own, old.specification, day))


def _spliced(old: Exposure, new: Exposure) -> Exposure:
    """Return ``old`` with the rows that ``new`` has; the focal matter's rows come first in both."""
    rows = np.array([old.cases.index(case) for case in new.cases])
    kept = ~np.isin(old.event_row, rows)
    later = {"event_row": rows[new.event_row], "event_family": new.event_family, "event_cell": new.event_cell}
    parts: dict[str, Any] = {k: np.concatenate([getattr(old, k)[kept], values]) for k, values in later.items()}
    for name in ("months", "is_open", "stage", "age"):
        parts[name] = getattr(old, name).copy()
        parts[name][rows] = getattr(new, name)
    news = ("news_months", "first_months", "stated_months", "news_row", "news_family", "news_cell", "news_group")
    parts |= {name: getattr(new, name) for name in (*news, "happened", "origin", "inside")}
    return replace(old, **parts)


def _concluded(
    posterior: Posterior, record: Record, assumed: Intervention
) -> tuple[dict[str, pd.DataFrame], xr.Dataset]:
    """Return the tables and joint draws that a posterior implies; without lever and news those of the forecast."""
    draws, settings, origin = posterior.draws, posterior.settings, posterior.evidence.exposure.origin
    law = focal_statute(draws, record.as_of(origin))
    rng = np.random.default_rng([settings.seed, 3])
    outcomes = targets(imagine(draws, law.ceilings, law.instruments, rng, intervention=assumed))
    views = scenario_views(draws, outcomes)
    tables = {
        "scenarios": scenario_table(views, str(origin), settings.chains),
        "summary": summary_table(outcomes, str(origin), settings.chains),
    }
    labels = draws.evidence.specification.labels
    return {name: with_labels(table, labels) for name, table in tables.items()}, outcomes


def _compared(
    before: Mapping[str, pd.DataFrame],
    after: Mapping[str, pd.DataFrame],
    forecast: Forecast,
    outcomes: xr.Dataset,
    *,
    paired: bool,
) -> pd.DataFrame:
    """Return every scenario and every target that has a value in each draw, before and after.

    ``paired``: both are of the same draws of the parameters, so that the errors of means are those of differences.
    Else they are taken as independent, which overstates the error of a change, for both rest on the same fit.
    """
    keys = ["view", "scenario"]
    both = before["scenarios"].merge(after["scenarios"], on=keys, suffixes=("_before", "_after"))
    last = forecast.specification.horizons[-1]
    is_resolved = both["view"] == resolved_view(last)
    error = np.hypot(both["mcse_before"], both["mcse_after"]) * (1.0 - paired * ~is_resolved)
    horizon = np.where(is_resolved, last, 0)
    columns = {"target": both["scenario"], "view": both["view"], "horizon_months": horizon, "statistic": "probability"}
    columns |= {"unit": "probability", "before": both["probability_before"], "after": both["probability_after"]}
    scenarios = pd.DataFrame({**columns, "mcse": error})
    chains, view = int(forecast.tree.attrs["settings_chains"]), forecast.manifest["view"]
    rows = []
    for name in (n for n in outcomes if n in forecast.outcomes and n != "scenario"):
        unit, draws = outcomes[name].attrs["units"], (forecast.outcomes[name].values, outcomes[name].values)
        if np.isnan(draws).any():
            continue  # defined only in some draws: a date, the largest fine
        for j, months in enumerate(outcomes["horizon"].values):
            pair = [values[:, j].reshape(chains, -1) for values in draws]
            rows += [(name, view, int(months), *row) for row in _statistics(pair, unit, paired=paired)]
    table = pd.concat([scenarios, pd.DataFrame(rows, columns=list(scenarios))], ignore_index=True)
    table.insert(7, "change", table["after"] - table["before"])
    return table


def _statistics(pair: list[np.ndarray], unit: str, *, paired: bool) -> list[tuple[str, str, float, float, float]]:
    """Return statistic, unit, before, after and Monte Carlo error of the change, for draws (chain, draw)."""
    from arviz_stats.base import array_stats  # noqa: PLC0415  (ArviZ costs seconds to import)

    def error(values: np.ndarray, **how: Any) -> float:
        return 0.0 if np.ptp(values) == 0 else float(array_stats.mcse(values, chain_axis=0, draw_axis=1, **how))

    def apart(**how: Any) -> float:
        return math.hypot(error(pair[0], **how), error(pair[1], **how))

    before, after = pair
    mean = error(after - before, method="mean") if paired else apart(method="mean")
    name = "probability" if unit == "probability" else "mean"
    rows = [(name, unit, float(before.mean()), float(after.mean()), mean)]
    for name, q in QUANTILES.items() if unit != "probability" else ():
        same = np.array_equal(before, after)
        both = float(np.quantile(before, q)), float(np.quantile(after, q))
        rows.append((name, unit, *both, 0.0 if same else apart(method="quantile", prob=q)))
    return rows


def require_file(path: Path) -> None:
    """Raise ``InputError`` where a table cannot be written: in the folder of a forecast, or over a folder."""
    if any((folder / MANIFEST).is_file() for folder in path.absolute().parents):
        raise InputError(Problem(str(path), "lies in the folder of a forecast: choose another place"))
    if path.is_dir():
        raise InputError(Problem(str(path), "is a folder; expected a file to write"))


def write_table(path: Path, table: pd.DataFrame, notes: Mapping[str, str]) -> None:
    """Write a table of what has not happened, under lines ``# key: value`` that say so; whole or not at all.

    Raises ``InputError`` where it cannot be written.
    """
    require_file(path)
    try:
        with whole_file(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(f"# {key}: {' '.join(value.split())}\n" for key, value in notes.items())
            table.to_csv(stream, index=False, float_format="%.10g", lineterminator="\n")
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be written: {error.strerror}")) from error


def notes_of(manifest: Mapping[str, Any], suppositions: Sequence[str]) -> dict[str, str]:
    """Return what a file of hypothetical numbers says of itself."""
    names = ("matter", "origin", "supposed_origin", "view", "seed", "priors_fingerprint", "record_fingerprint")
    told = {name: str(manifest[name]) for name in names if name in manifest}
    return {"content": "hypothetical: nothing of this has happened", **told, "supposed": "; ".join(suppositions)}
