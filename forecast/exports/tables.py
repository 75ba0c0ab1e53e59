"""The tables of a forecast as they are exported: long and tidy, and back; as labelled arrays.

Long tables have one number per row, in the column ``value``, with its ``unit``. What were columns of a table is named
in ``statistic`` (in ``resolved`` for the cross-tables); ``interval`` stands on the rows that are ends of an interval.
The table ``draws`` holds the joint draws at the origin, one row per draw, horizon and target; draws count from 0, chain
after chain. A target that is undefined in a draw (the date of an event that did not come) has no row there. All other
tables keep undefined numbers as missing ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from forecast.descriptions import of_target
from forecast.files import InputError, Problem
from forecast.vocabulary import SCENARIOS

if TYPE_CHECKING:
    from forecast.forecasting import Forecast

CONTENT = "export of a forecast"
"""What the metadata of every export say that it is."""
KINDS = {"eti": "equal-tailed", "hdi": "highest density"}
"""Kinds of intervals in words."""
ENDS = ("q05", "q95")
TYPES = {
    "draw": "int64",
    "step": "int64",
    "horizon_months": "int64",
    "window_months": "int64",
    "within_months": "float64",
    "value": "float64",
}
"""Types of the columns of long tables; all others are text, empty where there is none."""


@dataclass(frozen=True)
class Layout:
    """How a table becomes long: the columns that name its rows, what its other columns are, and their unit.

    ``dims``: the columns that span an array, outermost first, in the order of the rows; ``source``: the columns of the
    table itself, ``*`` for the numbers, where they do not simply follow the keys.
    """

    keys: tuple[str, ...]
    dims: tuple[str, ...]
    unit: str = "probability"
    over: str = "statistic"
    source: tuple[str, ...] = ()


LAYOUTS = {
    "summary": Layout(
        ("origin_date", "target", "horizon_months", "scenario", "label", "unit"),
        ("target", "horizon_months", "scenario", "statistic"),
        source=("origin_date", "horizon_months", "target", "scenario", "label", "unit", "*"),
    ),
    "scenarios": Layout(("origin_date", "view", "scenario", "label"), ("view", "scenario", "statistic")),
    "weight_of_evidence": Layout(
        ("step", "start", "end", "kind", "case_id", "event_id", "what", "note", "rests_on", "scenario", "label"),
        ("step", "scenario", "statistic"),
    ),
    "event_probabilities": Layout(
        ("origin_date", "case_id", "matter_id", "view", "family", "window_months"),
        ("case_id", "window_months", "family", "statistic"),
    ),
    "next_fines": Layout(
        ("origin_date", "case_id", "reason"),
        ("case_id", "statistic"),
        "EUR, given a fine",
        source=("origin_date", "case_id", "*", "reason"),
    ),
    "posterior_summary": Layout(
        ("parameter",),
        ("parameter", "statistic"),
        "log, logit or standard score",
        source=("parameter", "*", "interval"),
    ),
    "statements": Layout(
        ("family", "scenario", "label", "within_months"), ("family", "scenario", "within_months", "statistic")
    ),
    "resolution": Layout(("latent", "label"), ("latent", "resolved"), over="resolved"),
    "prior_resolution": Layout(("latent", "label"), ("latent", "resolved"), over="resolved"),
}
UNITS = {"r_hat": "ratio", "ess_bulk": "draws", "ess_tail": "draws", "contraction": "fraction", "log_factor": "nats"}
"""Units of statistics that are not in the unit of what they are statistics of."""


def metadata(manifest: dict[str, Any]) -> dict[str, str]:
    """Return what every exported file says of itself: the manifest of the forecast as text, one line a value."""
    kind, level = manifest["interval"].split()
    said = {"content": CONTENT, "export_format": 2, **manifest, "interval_kind": KINDS[kind], "interval_level": level}
    texts = {k: json.dumps(v, ensure_ascii=False) if isinstance(v, dict | list) else v for k, v in said.items()}
    return {key: " ".join(str(value).split()) for key, value in texts.items()}


def tidy(forecast: Forecast) -> dict[str, pd.DataFrame]:
    """Return the tables of a forecast that have rows, and ``draws``, each long and tidy."""
    interval = forecast.manifest["interval"]
    long = {k: _long(forecast.tables[k], at, interval) for k, at in LAYOUTS.items() if len(forecast.tables[k])}
    long["draws"] = draws_table(forecast.outcomes)
    for name, frame in long.items():
        if np.isinf(frame["value"]).any():
            raise InputError(Problem(f"table {name}", "holds an infinite value, which not every format can"))
        for column in frame.columns.difference(list(TYPES)):
            if frame[column].str.contains("\0", regex=False).any():
                raise InputError(Problem(f"table {name}, column {column}", "holds a NUL character"))
    return long


def _long(table: pd.DataFrame, layout: Layout, interval: str) -> pd.DataFrame:
    names = [c for c in table.columns if c not in (*layout.keys, "interval")]
    frame = table[list(layout.keys)].iloc[np.repeat(np.arange(len(table)), len(names))].reset_index(drop=True)
    statistic = np.tile(np.array(names, dtype=object), len(table))
    if "unit" not in layout.keys:
        frame["unit"] = np.tile([UNITS.get(n, layout.unit) for n in names], len(table))
    frame[layout.over] = statistic
    frame["value"] = table[names].to_numpy(dtype=float).ravel()
    if set(ENDS) <= set(names):
        frame["interval"] = np.where(np.isin(statistic, ENDS), interval, "")
    return typed(frame)


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``frame`` with the types that exported tables have."""
    texts = {c: frame[c].astype("str").fillna("") for c in frame if c not in TYPES}
    return frame.astype({c: TYPES[c] for c in frame if c in TYPES}).assign(**texts)


def draws_table(outcomes: xr.Dataset) -> pd.DataFrame:
    """Return joint draws as a long table: by target, horizon and draw."""
    targets = {k: v for k, v in outcomes.data_vars.items() if k != "scenario"}
    cube = np.stack([v.values.T for v in targets.values()])
    defined = ~np.isnan(cube)
    target, horizon, draw = np.nonzero(defined)
    labels = np.array(outcomes["scenario"].attrs["labels"].split(", "), dtype=object)
    frame = {
        "draw": draw,
        "horizon_months": outcomes["horizon"].values[horizon],
        "scenario": labels[outcomes["scenario"].values[draw]],
        "target": np.array(list(targets), dtype=object)[target],
        "unit": np.array([v.attrs["units"] for v in targets.values()], dtype=object)[target],
        "value": cube[defined],
    }
    return typed(pd.DataFrame(frame))


def restore(about: dict[str, str], tables: dict[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], xr.Dataset]:
    """Return the tables of the forecast, and its joint draws, from what ``read_export`` returned."""
    wide = {name: _wide(frame, LAYOUTS[name], about) for name, frame in tables.items() if name != "draws"}
    return wide, joint_draws(about, tables)


def joint_draws(about: dict[str, str], tables: dict[str, pd.DataFrame]) -> xr.Dataset:
    """Return the joint draws that ``draws`` holds; ``summary`` knows also targets that no draw has."""
    long, summary = tables["draws"], tables["summary"]
    targets, horizons = summary.drop_duplicates("target"), summary["horizon_months"].unique()
    shape = (len(targets), int(long["draw"].max()) + 1, len(horizons))
    cube, scenario = np.full(shape, np.nan), np.zeros(shape[1], dtype=np.int64)
    target, horizon = pd.Index(targets["target"]), pd.Index(horizons)
    places = target.get_indexer(long["target"]), long["draw"], horizon.get_indexer(long["horizon_months"])
    cube[places] = long["value"]
    scenario[long["draw"]] = pd.Index(SCENARIOS).get_indexer(long["scenario"])
    pairs = zip(targets["target"], cube, targets["unit"], strict=True)
    data = {
        name: xr.Variable(("draw", "horizon"), values, {"units": unit, **of_target(name)})
        for name, values, unit in pairs
    }
    data["scenario"] = xr.Variable(("draw",), scenario, {"labels": ", ".join(SCENARIOS), **of_target("scenario")})
    attrs = {**{k: about[k] for k in ("origin", "matter", "view")}, "seed": int(about["seed"])}
    months = {"horizon": ("horizon", horizons, {"units": "months after the origin"})}
    return xr.Dataset(data, months, attrs)


def _wide(frame: pd.DataFrame, layout: Layout, about: dict[str, str]) -> pd.DataFrame:
    names = list(frame[layout.over].unique())
    wide = frame.iloc[:: len(names)][list(layout.keys)].reset_index(drop=True).assign(interval=about["interval"])
    wide[names] = frame["value"].to_numpy().reshape(-1, len(names))
    return wide[[c for part in layout.source or (*layout.keys, "*") for c in (names if part == "*" else [part])]]


def to_arrays(frame: pd.DataFrame, dims: tuple[str, ...]) -> xr.Dataset:
    """Return a long table as an array over ``dims``; what depends on one of them, or on none, is stored so.

    Rows that are no full product of ``dims`` in this order become an array over rows.
    """
    labels = {d: frame[d].unique() for d in dims}
    shape = tuple(map(len, labels.values()))
    grid = np.stack(np.unravel_index(np.arange(len(frame)) % np.prod(shape), shape))
    codes = np.stack([pd.Index(values).get_indexer(frame[d]) for d, values in labels.items()])
    if len(frame) != np.prod(shape) or (codes != grid).any():
        dims, shape, labels = ("row",), (len(frame),), {}
    data: dict[str, Any] = {d: (d, _plain(values)) for d, values in labels.items()}
    for name in (c for c in frame.columns if c not in labels):
        cube = _plain(frame[name].to_numpy()).reshape(shape)
        data[name] = (dims, cube) if name == "value" else _smallest(cube, dims)
    coords = {k: v for k, v in data.items() if k != "value"}
    return xr.Dataset({"value": data["value"]}, coords, {"columns": " ".join(frame.columns)})


def _plain(values: Any) -> np.ndarray:
    array = np.asarray(values)
    return array if array.dtype.kind in "if" else np.array(array, dtype=object)


def _smallest(cube: np.ndarray, dims: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
    first: list[Any] = [0] * cube.ndim
    if (cube == cube.flat[0]).all():
        return (), np.asarray(cube.flat[0], cube.dtype)
    for i, dim in enumerate(dims):
        line = cube[(*first[:i], slice(None), *first[i + 1 :])]
        if (cube == line.reshape([-1 if j == i else 1 for j in range(cube.ndim)])).all():
            return (dim,), line
    return dims, cube


def from_arrays(arrays: xr.Dataset) -> pd.DataFrame:
    """Return the long table that ``to_arrays`` was given."""
    value = arrays["value"]
    columns = {c: arrays[c].broadcast_like(value).transpose(*value.dims) for c in arrays.attrs["columns"].split()}
    return typed(pd.DataFrame({c: array.values.ravel() for c, array in columns.items()}))
