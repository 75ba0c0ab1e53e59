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

from forecast.draw_checks import Expected, outcome_problems, read_tree, require_same, tree_problems
from forecast.files import InputError, whole_folder
from forecast.folders import (
    DIAGNOSTICS,
    MANIFEST,
    Saved,
    open_folder,
    plain_attributes,
    refuse_foreign,
    seal,
    with_labels,
    write_json,
)  # fmt: skip
from forecast.gathered import Evidence
from forecast.inference import Compiled, Posterior, Settings, converged, gather
from forecast.netcdf import write
from forecast.outcomes import imagine
from forecast.prior_check import from_prior
from forecast.progress import report, working
from forecast.record import Record, load_record, save_record
from forecast.record_tables import TABLES as RECORD_TABLES
from forecast.requests import read_request
from forecast.resolution import base_rate, clauses_of
from forecast.silence import assumption
from forecast.specification import Specification, dump_specification, load_specification
from forecast.summaries import posterior_table, resolution_table, scenario_table, scenario_views, summary_table, targets
from forecast.trees import provenance, stored_correction, to_tree
from forecast.unused import unused_rows
from forecast.vocabulary import SCENARIOS
from forecast.watchlist import event_probabilities, next_fines
from forecast.weight_of_evidence import weight_of_evidence

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
        said = f"Forecast of {m['matter']} at {m['origin']} ({m['view']} view), seed {m['seed']}\n{lines}"
        return "\n".join(line for line in (assumption(m), said) if line)


def run(
    specification: Specification | str | Path | None = None,
    record: Record | str | Path | None = None,
    origin: date | str | None = None,
    settings: Settings | None = None,
    *,
    compiled: Compiled | None = None,
    assume_silence: bool = False,
) -> Forecast:
    """Forecast one matter from what was public by the end of ``origin`` (default: the record's last day, see below).

    ``specification`` and ``record`` are values or paths; ``None`` takes the packaged ones. The default origin is
    ``as_of`` of the prior file, or the record's last complete day if that is later. ``assume_silence``: an origin after
    the record's last complete day is taken, and that nothing came since is an assumption of the forecast, named in its
    manifest (``assumed_silence``), by what is printed of it and under its figures. Raises ``InputError`` on bad input,
    such an origin without the assumption included, and ``NotConvergedError`` if the draws do not pass the gate.
    """
    spec, known, day = read_request(specification, record, origin, assume_silence=assume_silence)
    settings = settings or Settings()
    evidence = gather(spec, known, day)
    if compiled is None:
        report("Compiling the model (the first time takes up to a minute)")
        compiled = Compiled(evidence)
    report(f"Sampling {settings.chains} chains of {settings.tune} + {settings.draws} draws")
    posterior = fit(compiled, evidence, known, settings)
    report("Simulating what may follow")
    return conclude(posterior, known.as_of(day))


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
    if weight == 1 or not evidence.inside:
        return converged(compiled, evidence, settings)
    known = record.as_of(evidence.origin)
    at_brief = evidence if evidence.elapsed == 0 else gather(spec, record, spec.as_of, wider or known)
    first = converged(compiled, at_brief, settings)
    classes = imagine(first.draws, np.random.default_rng([settings.seed, 9]), outside=True).scenario
    outside = (np.bincount(classes, minlength=len(SCENARIOS)) + 0.5) / (len(classes) + 0.5 * len(SCENARIOS))
    pooled = at_brief.pi**weight * outside ** (1 - weight)
    return converged(compiled, replace(evidence, pooled_pi=pooled / pooled.sum()), settings)


@working("Simulating what may follow")
def conclude(posterior: Posterior, record: Record, earlier: Forecast | None = None) -> Forecast:
    """Return the forecast that a posterior implies; ``record`` is what was public by its origin.

    What the prior alone says at ``as_of`` is taken over from an ``earlier`` forecast where it would be the same.
    """
    evidence, settings = posterior.evidence, posterior.settings
    spec, origin = evidence.specification, str(evidence.origin)
    rng = np.random.default_rng([settings.seed, 3])
    future = imagine(posterior.draws, rng)
    outside = imagine(posterior.draws, rng, outside=True) if future.view == "inside" else future
    base = base_rate(record.as_of(evidence.origin).in_force(), clauses_of(spec.resolution), spec.matter)
    prior, outcomes = _before(evidence, record, settings, earlier), targets(future)
    outcomes.attrs = {"origin": origin, "matter": spec.matter, "view": future.view, "seed": settings.seed}
    tables = {
        "weight_of_evidence": weight_of_evidence(posterior.draws, record),
        "unused_rows": unused_rows(record.as_of(evidence.origin), evidence.hazards.lives),
        "summary": summary_table(outcomes, origin, settings.chains),
        "scenarios": scenario_table(
            scenario_views(posterior.draws, outcomes, outside.scenario, base), origin, settings.chains
        ),
        "event_probabilities": _dated(event_probabilities(future, rng), origin),
        "next_fines": _dated(next_fines(future, record, rng), origin),
        "posterior_summary": posterior_table(posterior),
        "resolution": resolution_table(outcomes).reset_index(),
        "statements": prior.statements,
        "prior_resolution": prior.resolution,
    }
    tables = {name: with_labels(table, spec.labels) for name, table in tables.items()}
    manifest = provenance(evidence, record, settings.seed, future.view) | {"resolved_matters": base}
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
    if not evidence.inside:
        return Before(xr.Dataset(), pd.DataFrame(), pd.DataFrame())
    spec, n = evidence.specification, settings.chains * settings.draws
    if earlier is not None and _began_alike(earlier, spec, record, n, settings.seed):
        return Before(earlier.prior_outcomes, earlier.tables["statements"], earlier.tables["prior_resolution"])
    at_brief = evidence if evidence.elapsed == 0 else gather(spec, record, spec.as_of)
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


@working("Writing the forecast")
def save(
    forecast: Forecast,
    folder: Path | str,
    draw: Callable[[Path], object] = lambda scratch: None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a complete folder; the same forecast made before is replaced whole or not at all.

    ``draw`` may add figures to the folder that it is given: they are not sealed, for they can be drawn again.
    ``overwrite``: replace a forecast of another matter, origin, prior file or record too. Raises ``InputError`` where
    one stands there, or anything else.
    """
    folder = Path(folder)
    refuse_foreign(folder, forecast.manifest, overwrite=overwrite)
    with whole_folder(folder) as scratch:
        write(forecast.tree, scratch / "posterior.nc")
        for name in DRAWS:
            write(xr.DataTree(getattr(forecast, name)), scratch / f"{name}.nc")
        for name, table in forecast.tables.items():
            table.to_csv(scratch / f"{name}.csv", index=False, float_format="%.10g", lineterminator="\n")
        (scratch / "priors.yaml").write_text(dump_specification(forecast.specification), encoding="utf-8")
        save_record(forecast.record, scratch / "record")
        write_json(scratch / DIAGNOSTICS, forecast.diagnostics)
        seal(scratch, forecast.manifest)
        draw(scratch)


@working("Reading the forecast")
def load(folder: Path | str) -> Forecast:
    """Read a folder that ``save`` wrote, and check all of it: seal, manifest, tables, draws, prior file and record.

    Raises ``InputError`` if it is none, incomplete, changed, of another version, or holds what no forecast holds: then
    each problem names its file.
    """
    folder = Path(folder)
    saved = open_folder(folder)
    spec, origin = load_specification(folder / "priors.yaml"), date.fromisoformat(saved.manifest["origin"])
    record = replace(load_record(folder / "record"), as_of_date=origin)
    require_same(saved.manifest, spec, record, folder / MANIFEST)
    draws = _read_draws(folder, saved, spec, record, origin)
    return Forecast(
        specification=spec,
        record=record,
        **draws,
        tables=saved.tables,
        diagnostics=saved.diagnostics,
        manifest={k: v for k, v in saved.manifest.items() if k != "sha256"},
    )


def _read_draws(folder: Path, saved: Saved, spec: Specification, record: Record, origin: date) -> dict[str, Any]:
    """Return the tree and the joint draws of a folder, checked against everything else in it."""
    expected = Expected.of(saved.tables, saved.diagnostics["settings"], tuple(saved.manifest["horizons"]))
    tree = read_tree(folder / "posterior.nc")
    evidence = gather(spec, record, origin, correction=stored_correction(tree, spec))
    problems = tree_problems(tree, evidence, expected, folder / "posterior.nc")
    draws = {name: read_tree(folder / f"{name}.nc").to_dataset() for name in DRAWS}
    for name in DRAWS:
        if name == "outcomes" or evidence.inside or draws[name].variables:
            problems += outcome_problems(draws[name], expected, folder / f"{name}.nc")
    if problems:
        raise InputError(problems)
    return {**draws, "tree": tree}
