"""Reading the draws of a saved forecast: whole arrays of the right shape, with finite numbers and known codes alone.

What is expected follows from the folder itself: the prior file and the record give the dimensions of the parameters,
the tables name targets, units and parameters, the diagnostics say how many draws there are.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from forecast.files import InputError, Problem, size_text
from forecast.inference import STATISTICS, Evidence, labels_of
from forecast.record import Record
from forecast.resolution import RESOLUTIONS
from forecast.specification import Specification
from forecast.trees import layout
from forecast.vocabulary import SCENARIOS

UNREADABLE = (
    OSError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, MemoryError,
    AssertionError,
)  # fmt: skip
"""What the NetCDF library and xarray raise at a damaged file."""
LEAST_LIMIT, TIMES = 64 * 2**20, 64
"""Arrays may declare ``TIMES`` the bytes of their file, or so many at least: packed numbers, but no empty promises."""
SUMS = "log_likelihood_sums"
"""The log-likelihood of each kind of data, summed; without this group ``log_likelihood`` itself has all matters."""
SAMPLED = ("posterior", "sample_stats", "log_likelihood", SUMS)
"""Groups that an update goes on from: a number for every draw, all of them finite."""
NEEDED = ("posterior", "sample_stats", "log_likelihood", "prior", "observed_data")
REPLICATED = ("prior_predictive", "posterior_predictive")
"""Groups that may be thinned, or missing."""
SEEN = ("events", "fine_share")
"""What is replicated."""


@dataclass(frozen=True)
class Expected:
    """What the rest of a folder says of its draws."""

    chains: int
    draws: int
    horizons: tuple[int, ...]
    units: Mapping[str, str]
    parameters: tuple[str, ...]

    @classmethod
    def of(cls, tables: Mapping[str, pd.DataFrame], settings: Mapping[str, int], horizons: Sequence[int]) -> Expected:
        """Read it from the tables and from the settings of the sampler."""
        named = tables["summary"].drop_duplicates("target")
        units = dict(zip(named["target"], named["unit"], strict=True))
        labels = tuple(tables["posterior_summary"]["parameter"])
        return cls(settings["chains"], settings["draws"], tuple(horizons), units, labels)


def read_tree(path: Path) -> xr.DataTree:
    """Return all groups of a NetCDF file in memory; ``InputError`` where it is none, or promises too much."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a damaged attribute makes xarray say is found below
            _require_moderate(path)
            with xr.open_datatree(path, engine="netcdf4", decode_times=False) as tree:
                return tree.load()
    except InputError:
        raise
    except UNREADABLE as error:
        what = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise InputError(Problem(str(path), f"is no NetCDF file that can be read: {what}")) from error


def _require_moderate(path: Path) -> None:
    """Raise ``InputError`` for arrays far larger than their file, which would be filled with nothing; none is read."""
    from netCDF4 import Dataset  # noqa: PLC0415

    with Dataset(path) as root:
        groups = [root]
        for group in groups:
            groups += group.groups.values()
        sizes = [v.size * (8 if v.dtype is str else v.dtype.itemsize) for g in groups for v in g.variables.values()]
    declared = sum(map(int, sizes))
    if declared > max(LEAST_LIMIT, TIMES * path.stat().st_size):
        what = f"declares arrays of {size_text(declared)} in a file of {size_text(path.stat().st_size)}"
        raise InputError(Problem(str(path), what))


def outcome_problems(outcomes: xr.Dataset, expected: Expected, path: Path) -> list[Problem]:
    """Return what is wrong with the joint draws of the targets."""
    return [Problem(str(path), what) for what in _outcomes(outcomes, expected)]


def _outcomes(outcomes: xr.Dataset, e: Expected) -> Iterator[str]:
    wanted = {"draw": e.chains * e.draws, "horizon": len(e.horizons)}
    if dict(outcomes.sizes) != wanted:
        yield f"has the dimensions {_sizes(outcomes.sizes)}; {_sizes(wanted)} were expected"
        return
    if "horizon" not in outcomes.coords or not np.array_equal(outcomes["horizon"].values, e.horizons):
        yield f"has other horizons than {', '.join(map(str, e.horizons))} months"
    targets = {str(name) for name in outcomes.data_vars} - {"scenario"}
    for name in sorted(targets ^ set(e.units)):
        yield f"{'lacks' if name in e.units else 'has'} the target {name[:80]!r}, unlike summary.csv"
    if "scenario" not in outcomes:
        yield "lacks the scenario of each draw"
    else:
        yield from _scenario(outcomes["scenario"])
    for name in sorted(targets & set(e.units)):
        yield from _target(name, outcomes[name], e.units[name])
    flags = [f"resolved_scenario:{name}" for name in RESOLUTIONS]
    sound = [flag for flag in flags if flag in targets and not list(_target(flag, outcomes[flag], "probability"))]
    if sound != flags:
        yield f"lacks draws of 0 and 1 for one of {', '.join(flags)}"
    elif (np.sum([outcomes[flag].values for flag in flags], axis=0) != 1).any():
        yield "has draws that resolve as no class or as several"


def _scenario(codes: xr.DataArray) -> Iterator[str]:
    if codes.dims != ("draw",) or codes.dtype.kind not in "iu":
        yield "has no whole number for the scenario of each draw"
    elif not ((codes.values >= 0) & (codes.values < len(SCENARIOS))).all():
        yield f"has a scenario code that is none of 0 to {len(SCENARIOS) - 1}"
    if codes.attrs.get("labels") != ", ".join(SCENARIOS):
        yield f"has other labels of the scenarios than {', '.join(SCENARIOS)}"


def _target(name: str, target: xr.DataArray, unit: str) -> Iterator[str]:
    values = target.values
    if target.dims != ("draw", "horizon") or values.dtype != np.float64:
        yield f"target {name}: is no array of numbers by draw and horizon"
        return
    if target.attrs.get("units") != unit:
        yield f"target {name}: has another unit than {unit!r}, that of summary.csv"
    if np.isinf(values).any() or (np.isnan(values).any() and "given" not in unit):
        yield f"target {name}: has draws that are not finite"
    elif unit == "probability" and not np.isin(values, (0, 1)).all():
        yield f"target {name}: has draws that are neither 0 nor 1"
    elif ("EUR" in unit or unit.startswith(("months", "count"))) and (values < 0).any():
        yield f"target {name}: has draws below 0"


def tree_problems(tree: xr.DataTree, evidence: Evidence, expected: Expected, path: Path) -> list[Problem]:
    """Return what is wrong with posterior, prior, statistics, densities and replicates."""
    return [Problem(str(path), what) for what in _tree(tree, evidence, expected)]


def _tree(tree: xr.DataTree, evidence: Evidence, e: Expected) -> Iterator[str]:
    missing = [name for name in NEEDED if name not in tree.children]
    if missing:
        yield f"lacks the groups {', '.join(missing)}"
        return
    groups = {str(name): node.to_dataset(inherit=False) for name, node in tree.children.items()}
    told = {k: tree.attrs.get(f"settings_{k}") for k in ("chains", "draws", "tune", "seed")}
    for name, value in told.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
            yield f"attribute settings_{name}: a whole number was expected, not {repr(value)[:80]}"
    if (told["chains"], told["draws"]) != (e.chains, e.draws):
        yield f"attributes settings_chains, settings_draws: expected {e.chains}, {e.draws}, as in diagnostics.json"
    dims, coords = layout(evidence)
    for name in ("posterior", "prior"):
        own = {k: v for k, v in dims.items() if name == "posterior" or k in groups[name]}
        yield from (f"group {name}: {what}" for what in _parameters(groups[name], own, coords))
    for name, group in groups.items():
        yield from (f"group {name}: {what}" for what in _numbers(name, group, e))
    if [label for k, p in evidence.priors.items() for label in labels_of(k, p.dims, evidence.coords)] != list(
        e.parameters
    ):
        yield "group posterior: has other parameters than posterior_summary.csv"
    if not set(STATISTICS) <= set(groups["sample_stats"].data_vars):
        yield f"group sample_stats: lacks one of {', '.join(STATISTICS)}"
    yield from _densities(groups, evidence)
    yield from _replicates(groups)


def _parameters(group: xr.Dataset, dims: Mapping[str, tuple[str, ...]], coords: Mapping[str, Any]) -> Iterator[str]:
    """Yield where the variables are not those that the prior file and the record imply, with their labels."""
    for name in dims:
        if name not in group:
            yield f"lacks {name}"
        elif group[name].dims != ("chain", "draw", *dims[name]) or group[name].dtype.kind != "f":
            yield f"{name}: is no array of numbers by {', '.join(('chain', 'draw', *dims[name]))}"
    for dim in {dim for name in dims for dim in dims[name]}:
        if _labels(group, dim) != list(coords[dim]):
            yield f"{dim}: has other labels than the prior file and the record give"


def _numbers(name: str, group: xr.Dataset, e: Expected) -> Iterator[str]:
    """Yield where chains and draws are not those of the settings, and where numbers are not finite."""
    whole = name in SAMPLED
    for label, variable in group.data_vars.items():
        if whole and variable.dims[:2] != ("chain", "draw"):
            yield f"{label}: is no array by chain and draw"
        if variable.dtype.kind == "f" and not np.isfinite(variable.values).all():
            yield f"{label}: has numbers that are not finite"
        elif variable.dtype.kind not in ("biuf" if whole else "biufUOST"):
            yield f"{label}: holds no numbers"
    for dim, size in (("chain", e.chains), ("draw", e.draws)):
        if whole and group.sizes.get(dim) != size:
            yield f"has {group.sizes.get(dim, 'no')} for {dim}; {size} were expected"
        if dim in group.sizes and (dim not in group.coords or not _counted(group[dim].values, whole)):
            yield f"{dim}: is not counted from 0"


def _counted(numbers: np.ndarray, whole: bool) -> bool:
    """Return whether numbers are 0, 1 and so on; of thinned draws, whole and ascending."""
    if numbers.dtype.kind not in "iu":
        return False
    return np.array_equal(numbers, np.arange(len(numbers))) if whole else bool((np.diff(numbers) > 0).all())


def _densities(groups: Mapping[str, xr.Dataset], evidence: Evidence) -> Iterator[str]:
    """Yield where the log-likelihood of the draws, which an update takes as known, has other parts or matters."""
    found, known = _labels(groups["log_likelihood"], "matter"), list(evidence.hazards.matters)
    if "matters" not in groups["log_likelihood"] or (set(found) - set(known) if SUMS in groups else found != known):
        yield "group log_likelihood: has other matters than the record gives"
    if SUMS in groups and "events" not in groups[SUMS]:
        yield f"group {SUMS}: lacks the events"


def _replicates(groups: Mapping[str, xr.Dataset]) -> Iterator[str]:
    seen = groups["observed_data"]
    for name in SEEN:
        if name not in seen or seen[name].dtype.kind not in "iuf":
            yield f"group observed_data: lacks the numbers of {name}"
            return
    for group in REPLICATED:
        for name in SEEN if group in groups else ():
            drawn = groups[group].get(name)
            if drawn is None or drawn.dims != ("chain", "draw", *seen[name].dims) or math.prod(drawn.shape[:2]) == 0:
                yield f"group {group}: {name} is no array by chain, draw, {', '.join(map(str, seen[name].dims))}"
            elif drawn.shape[2:] != seen[name].shape or drawn.dtype.kind not in "iuf":
                yield f"group {group}: {name} does not fit that of observed_data"


def _labels(group: xr.Dataset, dim: str) -> list[str]:
    return [str(label) for label in group[dim].values] if dim in group.coords else []


def _sizes(sizes: Mapping[Any, int]) -> str:
    return ", ".join(f"{name} {size}" for name, size in sizes.items()) or "none"


def require_same(manifest: dict[str, Any], spec: Specification, record: Record, path: Path) -> None:
    """Raise ``InputError`` where the manifest is of another prior file or record than those beside it."""
    found = {
        "matter": spec.matter,
        "as_of": str(spec.as_of),
        "priors_fingerprint": spec.fingerprint,
        "record_fingerprint": record.fingerprint,
    }
    problems = [
        Problem(f"{path}, key {key}", f"is {manifest[key]}; the prior file and the record in the folder give {value}")
        for key, value in found.items()
        if manifest[key] != value
    ]
    if problems:
        raise InputError(problems)
