"""One forecast, from prior file and record to a folder: fit, imagine, summarise, save, load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from forecast.files import whole_folder
from forecast.folders import check_folder, read_json, read_tables, refuse_foreign, seal, with_labels, write_json
from forecast.inference import Compiled, Evidence, Posterior, Settings, converged, gather
from forecast.outcomes import imagine, outside_weights
from forecast.prior_check import from_prior
from forecast.progress import report
from forecast.record import Record, as_day, load_record, save_record
from forecast.record_tables import TABLES as RECORD_TABLES
from forecast.specification import Specification, dump_specification, load_specification
from forecast.summaries import (
    posterior_table,
    resolution_table,
    scenario_table,
    scenario_views,
    summary_table,
    targets,
)
from forecast.trees import plain_attributes, provenance, to_tree, write
from forecast.watchlist import event_probabilities, focal_statute, next_fines

DRAWS = ("outcomes", "prior_outcomes")


@dataclass(frozen=True, repr=False)
class Forecast:
    """What the evidence says at one origin date: everything that a folder holds.

    ``outcomes``: joint draws of every target (draw, horizon); ``prior_outcomes``: the same from the prior file alone at
    ``as_of`` (empty before it). ``tree``: posterior, prior, statistics, data, replicates of the data, densities.
    ``tables``: the frames named in ``TABLES``. ``diagnostics``, ``manifest``: what was sampled, from what, with what.
    """

    specification: Specification
    record: Record
    outcomes: xr.Dataset
    prior_outcomes: xr.Dataset
    tree: xr.DataTree
    tables: dict[str, pd.DataFrame]
    diagnostics: dict[str, Any]
    manifest: dict[str, Any]

    def __getattr__(self, name: str) -> pd.DataFrame:
        tables = self.__dict__.get("tables", {})
        if name in tables:
            return tables[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        m = self.manifest
        return f"<Forecast of {m['matter']} at {m['origin']}, {m['view']} view>"

    def __str__(self) -> str:
        m, views = self.manifest, self.tables["scenarios"]
        wide = views.pivot(index="view", columns="scenario", values="probability")
        order, names = (list(dict.fromkeys(views[column])) for column in ("view", "scenario"))
        lines = wide.loc[order, names].rename(columns=m["labels"]).to_string(float_format="{:.3f}".format)
        return f"Forecast of {m['matter']} at {m['origin']} ({m['view']} view), seed {m['seed']}\n{lines}"


def run(
    specification: Specification | str | Path | None = None,
    record: Record | str | Path | None = None,
    origin: date | str | None = None,
    settings: Settings | None = None,
    *,
    compiled: Compiled | None = None,
) -> Forecast:
    """Forecast one matter from what was public by the end of ``origin`` (default: the record's last day, see below).

    ``specification`` and ``record`` are values or paths; ``None`` takes the packaged ones. The default origin is
    ``as_of`` of the prior file, or the day of the record's last publication if that is later. Raises
    ``InputError`` on bad input and ``NotConvergedError`` if the draws do not pass the gate.
    """
    spec = specification if isinstance(specification, Specification) else load_specification(specification)
    known = record if isinstance(record, Record) else load_record(record)
    day = default_origin(spec, known) if origin is None else as_day(origin)
    settings = settings or Settings()
    evidence = gather(spec, known, day)
    if compiled is None:
        report("Compiling the model (the first time takes up to a minute)")
        compiled = Compiled(evidence)
    report(f"Sampling {settings.chains} chains of {settings.tune} + {settings.draws} draws")
    posterior = fit(compiled, evidence, known, settings)
    report("Simulating what may follow")
    return conclude(posterior, known.as_of(day))


def default_origin(specification: Specification, record: Record) -> date:
    """Return ``as_of``, or the day of the record's last publication if that is later."""
    last = record.events["published_on"].max()
    return max(specification.as_of, last.date())


def fit(
    compiled: Compiled,
    evidence: Evidence,
    record: Record,
    settings: Settings,
    wider: Record | None = None,
) -> Posterior:
    """Return draws that passed the gate (``converged``), the analyst's probabilities pooled with the outside view.

    Where ``pooling`` is below 1, the pool at ``as_of`` is logarithmic, ``pi_s^w * outside_s^(1 - w)`` normalised, on
    posterior means, once; then comes news. ``wider`` is the record that fixed the coordinates of ``evidence``, if it
    was another one.
    """
    spec = evidence.specification
    weight = spec.pooling.value
    if weight == 1 or not evidence.exposure.inside:
        return converged(compiled, evidence, settings)
    known = record.as_of(evidence.exposure.origin)
    at_brief = evidence if evidence.exposure.elapsed == 0 else gather(spec, record, spec.as_of, wider or known)
    first = converged(compiled, at_brief, settings)
    outside = outside_weights(first.draws).mean(axis=0)
    pooled = at_brief.constants.pi**weight * outside ** (1 - weight)
    return converged(compiled, replace(evidence, pooled_pi=pooled / pooled.sum()), settings)


def conclude(posterior: Posterior, record: Record, earlier: Forecast | None = None) -> Forecast:
    """Return the forecast that a posterior implies; ``record`` is what was public by its origin.

    What the prior alone says at ``as_of`` is taken over from an ``earlier`` forecast where it would be the same.
    """
    evidence, settings = posterior.evidence, posterior.settings
    spec, origin = evidence.specification, str(evidence.exposure.origin)
    rng = np.random.default_rng([settings.seed, 3])
    law = focal_statute(posterior.draws, record)
    future = imagine(posterior.draws, law.ceilings, law.instruments, rng)
    prior, outcomes = _before(evidence, record, settings, earlier), targets(future)
    outcomes.attrs = {"origin": origin, "matter": spec.matter, "view": future.view, "seed": settings.seed}
    tables = {
        "summary": summary_table(outcomes, origin, settings.chains),
        "scenarios": scenario_table(scenario_views(posterior.draws, outcomes), origin, settings.chains),
        "event_probabilities": _dated(event_probabilities(future, rng), origin),
        "next_fines": _dated(next_fines(future, record, rng), origin),
        "posterior_summary": posterior_table(posterior),
        "resolution": resolution_table(outcomes).reset_index(),
        "statements": prior.statements,
        "prior_resolution": prior.resolution,
    }
    tables = {name: with_labels(table, spec.labels) for name, table in tables.items()}
    manifest = provenance(evidence, record, settings.seed, future.view)
    return Forecast(
        specification=spec,
        record=record,
        outcomes=outcomes,
        prior_outcomes=prior.outcomes,
        tree=to_tree(posterior, plain_attributes(manifest)),
        tables=tables,
        diagnostics=_diagnostics(posterior),
        manifest=manifest,
    )


def _dated(table: pd.DataFrame, origin: str) -> pd.DataFrame:
    table.insert(0, "origin_date", origin)
    return table


class Before(NamedTuple):
    """What the prior alone says at ``as_of``; all empty before it, when there is no brief to have a say."""

    outcomes: xr.Dataset
    statements: pd.DataFrame
    resolution: pd.DataFrame


def _before(evidence: Evidence, record: Record, settings: Settings, earlier: Forecast | None) -> Before:
    if not evidence.exposure.inside:
        return Before(xr.Dataset(), pd.DataFrame(), pd.DataFrame())
    spec, n = evidence.specification, settings.chains * settings.draws
    if earlier is not None and _began_alike(earlier, spec, record, n, settings.seed):
        return Before(earlier.prior_outcomes, earlier.tables["statements"], earlier.tables["prior_resolution"])
    at_brief = evidence if evidence.exposure.elapsed == 0 else gather(spec, record, spec.as_of)
    prior = from_prior(at_brief, record, n, settings.seed)
    return Before(prior.outcomes, prior.tables["statements"], prior.tables["prior_resolution"])


def _began_alike(earlier: Forecast, spec: Specification, record: Record, n: int, seed: int) -> bool:
    """Return whether the prior of a forecast was of the same prior file, record at ``as_of``, draws and seed."""
    if earlier.prior_outcomes.sizes.get("draw") != n or earlier.manifest["seed"] != seed:
        return False
    was, now = (known.as_of(spec.as_of) for known in (earlier.record, record))
    same_record = all(getattr(was, name).equals(getattr(now, name)) for name in RECORD_TABLES)
    return same_record and earlier.specification.fingerprint == spec.fingerprint


def _diagnostics(posterior: Posterior) -> dict[str, Any]:
    table = posterior.diagnostics
    worst = {
        "r_hat": table["r_hat"].idxmax(),
        "ess_bulk": table["ess_bulk"].idxmin(),
        "ess_tail": table["ess_tail"].idxmin(),
    }
    return {
        "sampler": "nutpie",
        "parameters": len(table),
        "converged": not posterior.failures,
        "failures": posterior.failures,
        "divergences": posterior.divergences,
        "max_treedepth_reached": int(posterior.statistics["maxdepth_reached"].sum()),
        "worst": {k: {"parameter": v, "value": float(table.loc[v, k])} for k, v in worst.items()},
        "settings": {k: v for k, v in vars(posterior.settings).items() if k != "progress"},
    }


def save(forecast: Forecast, folder: Path | str, draw: Callable[[Path], object] = lambda scratch: None) -> None:
    """Write a complete folder; one that stands there already is replaced whole or not at all.

    ``draw`` may add figures to the folder that it is given: they are not sealed, for they can be drawn again.
    """
    folder = Path(folder)
    refuse_foreign(folder)
    with whole_folder(folder) as scratch:
        write(forecast.tree, scratch / "posterior.nc")
        for name in DRAWS:
            write(xr.DataTree(getattr(forecast, name)), scratch / f"{name}.nc")
        for name, table in forecast.tables.items():
            table.to_csv(scratch / f"{name}.csv", index=False, float_format="%.10g", lineterminator="\n")
        (scratch / "priors.yaml").write_text(dump_specification(forecast.specification), encoding="utf-8")
        save_record(forecast.record, scratch / "record")
        write_json(scratch / "diagnostics.json", forecast.diagnostics)
        seal(scratch, forecast.manifest)
        draw(scratch)


def load(folder: Path | str) -> Forecast:
    """Read a folder that ``save`` wrote; ``InputError`` if it is none, incomplete, changed, or of another version."""
    folder = Path(folder)
    manifest = check_folder(folder)
    with xr.open_datatree(folder / "posterior.nc", engine="netcdf4") as tree:
        loaded = tree.load()
    return Forecast(
        specification=load_specification(folder / "priors.yaml"),
        record=replace(load_record(folder / "record"), as_of_date=date.fromisoformat(manifest["origin"])),
        **{name: _read_draws(folder / f"{name}.nc") for name in DRAWS},
        tree=loaded,
        tables=read_tables(folder),
        diagnostics=read_json(folder / "diagnostics.json"),
        manifest={k: v for k, v in manifest.items() if k != "sha256"},
    )


def _read_draws(path: Path) -> xr.Dataset:
    with xr.open_dataset(path, engine="netcdf4") as draws:
        return draws.load()
