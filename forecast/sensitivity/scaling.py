"""Power scaling: how far each answer moves when a part of the prior, or of the data, counts a little more or less.

A density p(theta) raised to the power alpha counts alpha times as much; the draws are weighted by its logarithm times
``alpha - 1``, so nothing is fitted (Kallioinen et al. 2024, doi:10.1007/s11222-023-10366-5). An answer is taken as the
parameters of a draw imply it, on average over courses: the probability of an event per draw, say. Told are

- ``psense``, ArviZ's diagnostic: the gradient of the cumulative Jensen-Shannon distance in log2 alpha. It compares the
  answer's whole distribution over the parameters, has no unit, and counts from 0.05 on (``THRESHOLD``); ``noise`` is
  what it is, on average over answers, where nothing can be related: with the chains exchanged;
- ``doubling``: by how much the answer's mean moves, in its own unit, per doubling of the part's weight, were it to go
  on as it begins: ``log 2 Cov(answer, log p)``;
- ``shift``: by how much it moves when the centre of the prior moves by one of its own sds, in the direction that moves
  the answer most: ``|Cov(answer, z)|``, z the scores of the part's parameters, all of them one vector.

Scaling sharpens a prior about its centre and leaves the centre where it is. Where the data are silent, as on what the
analyst states, the mean hardly moves by it, and yet it is the prior that speaks: that is what ``shift`` shows. Of
normals and of what is conjugate, scaling means: a prior worth twice as many observations. The scenarios' probabilities
act on the future alone: they are scaled given the parameters, and have no psense, for no parameter feels them. What the
ranges of fines and impacts do to an answer is told by the readings of the brief (``multiverse``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from forecast.attribution.bridge import BLOCKS
from forecast.monte_carlo import mcse
from forecast.progress import working
from forecast.sensitivity.answers import futures, headline, of_classes, own_view, simulated
from forecast.sensitivity.parts import ALL_DATA, ALL_PRIORS, Part, Parts, data_parts, prior_parts
from forecast.sensitivity.weighing import SAME
from forecast.sensitivity.worlds import Read, Worlds
from forecast.vocabulary import SCENARIOS

THRESHOLD = 0.05
"""From here on psense counts (Kallioinen et al. 2024): a shift of a normal by a quarter of its sd per doubling."""
REPLICATES = 16
"""Courses of every draw under each scenario."""
ALPHAS = (0.99, 1.01)
NOISE_OF = 4
"""Noise is taken of every so manieth answer."""

type Name = tuple[str, str, int]
"""Target, scenario, horizon (0: now)."""


@dataclass(frozen=True)
class Told:
    """Answers by draw and scenario (before the brief: one column), means over courses, and each scenario's weight."""

    values: Mapping[Name, np.ndarray]
    units: Mapping[Name, str]
    view: np.ndarray

    def by_draw(self, values: np.ndarray) -> np.ndarray:
        """Return the mean over scenarios, by draw."""
        return (values * self.view).sum(axis=1)


@working("Scaling priors and data")
def power_scaling(worlds: Worlds) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ``scaling``, a row per part and answer, and psense of every sampled parameter (all priors, all data)."""
    seen, shape = worlds.base, (worlds.settings.chains, worlds.settings.draws)
    prior, data = prior_parts(seen), data_parts(seen)
    told = _told(seen, worlds.settings.seed)
    tables = [_scaled(kind, prior if kind == "prior" else data, told, shape) for kind in ("prior", "likelihood")]
    return pd.concat(tables, ignore_index=True), _of_parameters(seen, prior, data, shape)


def _told(seen: Read, seed: int) -> Told:
    """Return the answers: targets at each horizon, and the scenarios' probabilities now in both views."""
    draws, inside = seen.draws, seen.draws.evidence.inside
    columns = len(SCENARIOS) if inside else 1
    values: dict[Name, np.ndarray] = {}
    units: dict[Name, str] = {}
    for s, scenario in enumerate(SCENARIOS if inside else ()):
        values["view", scenario, 0] = np.tile(np.eye(columns)[s], (len(draws), 1))
    for replicate in range(REPLICATES):
        every = futures(draws, simulated(draws, seed, replicate), seed, replicate)
        classes = of_classes(every[-1])
        parts = {
            ("outside", scenario, 0): np.tile(classes[:, s, None], (1, columns)) for s, scenario in enumerate(SCENARIOS)
        }
        drawn = [headline(future).drop_vars("fine_largest") for future in own_view(every)]  # it has no value in some
        for name, target in drawn[0].data_vars.items():
            both = np.stack([one[name].values for one in drawn], axis=1)
            for j, horizon in enumerate(draws.evidence.specification.horizons):
                parts[str(name), "all", horizon] = both[..., j]
                units[str(name), "all", horizon] = target.attrs["units"]
        for key, part in parts.items():
            values[key] = values.get(key, 0.0) + part / REPLICATES
    view = seen.view if inside else np.ones((len(draws), 1))
    return Told(values, {k: units.get(k, "probability") for k in values}, view)


def _scaled(kind: str, parts: Parts, told: Told, shape: tuple[int, int]) -> pd.DataFrame:
    """Return a row per part of one kind and answer."""
    means = {name: told.by_draw(values) for name, values in told.values.items()}
    stacked = np.stack(list(means.values()))
    moving = np.ptp(stacked, axis=1) > SAME
    tables = []
    for name, part in parts.items():
        table = pd.DataFrame(list(means), columns=["target", "scenario", "horizon_months"])
        table = table.assign(kind=kind, part=name, unit=[told.units[k] for k in means], psense=np.nan, noise=np.nan)
        if part.draw is not None:
            table.loc[moving, "psense"] = psense(kind, part.draw, stacked[moving], shape)
            some = stacked[moving][::NOISE_OF].reshape(-1, *shape)
            exchanged = np.roll(some, 1, axis=1).reshape(len(some), -1)
            table["noise"] = psense(kind, part.draw, exchanged, shape).mean()
        table["doubling"], table["doubling_se"] = _doubling(told, part, means, shape)
        table["shift"], table["shift_se"] = _shift(part, means)
        tables.append(table)
    first = ["kind", "part", "target", "scenario", "horizon_months", "unit"]
    return pd.concat(tables, ignore_index=True)[
        [*first, "psense", "noise", "doubling", "doubling_se", "shift", "shift_se"]
    ]


def _doubling(
    told: Told, part: Part, means: Mapping[Name, np.ndarray], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``log 2 Cov(answer, log p)`` over parameters and scenarios, and its Monte Carlo error."""
    touch = np.zeros((len(means), shape[0] * shape[1]))
    for i, (name, values) in enumerate(told.values.items()):
        centre = means[name].mean()
        if part.scenario is not None:
            touch[i] += told.by_draw((values - centre) * part.scenario)
        if part.draw is not None:
            touch[i] += (means[name] - centre) * (part.draw - part.draw.mean())
    touch *= np.log(2)
    moves = touch.mean(axis=1)
    return np.where(np.abs(moves) < SAME, 0.0, moves), mcse(touch.reshape(-1, *shape))


def _shift(part: Part, means: Mapping[Name, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return ``|Cov(answer, z)|`` and its Monte Carlo error: squares of covariances, less those of their errors.

    Errors of the covariances are those of the means of blocks of consecutive draws. Missing where there are no scores.
    """
    sizes, errors = np.full(len(means), np.nan), np.full(len(means), np.nan)
    if part.scores is None:
        return sizes, errors
    for i, values in enumerate(means.values()):
        touch = (values - values.mean())[:, None] * part.scores
        blocks = np.stack([block.mean(axis=0) for block in np.array_split(touch, BLOCKS)])
        mean, error = blocks.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(BLOCKS)
        sizes[i] = np.sqrt(max((mean**2 - error**2).sum(), 0.0))
        least = max(sizes[i], np.sqrt((error**2).sum()))
        errors[i] = np.sqrt(((mean * error) ** 2).sum()) / least if least > 0 else 0.0
    return sizes, errors


def psense(kind: str, density: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return ArviZ's power-scaling sensitivity of each row of ``values`` (answer, draw) to one log density (draw).

    ``kind`` is ``prior`` or ``likelihood``; ``shape``: chains, draws. A density that is constant moves nothing.
    """
    from arviz_stats import psense as of_tree  # noqa: PLC0415  (ArviZ costs seconds to import)

    if np.ptp(density) == 0:
        return np.zeros(len(values))
    names = [f"a{i}" for i in range(len(values))]
    posterior = {k: (("chain", "draw"), v.reshape(shape)) for k, v in zip(names, values, strict=True)}
    part = xr.Dataset({"part": (("chain", "draw"), density.reshape(shape))})
    group = {"prior": "log_prior", "likelihood": "log_likelihood"}[kind]
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(posterior), group: part})
    found = of_tree(tree, group=kind, alphas=ALPHAS, group_var_names=["part"])
    return np.array([float(found[k]) for k in names])


def _of_parameters(seen: Read, prior: Parts, data: Parts, shape: tuple[int, int]) -> pd.DataFrame:
    """Return psense of every sampled parameter against all priors and all data, in the order of the model's table."""
    draws = seen.draws
    columns = np.concatenate([draws.flat[k].reshape(len(draws), -1) for k in draws.evidence.priors], axis=1).T
    found: dict[str, Any] = {}
    for kind, part in (("prior", prior[ALL_PRIORS]), ("likelihood", data[ALL_DATA])):
        assert part.draw is not None  # all of it is of parameters
        found[f"psense_{kind}"] = psense(kind, part.draw, columns, shape)
    return pd.DataFrame(found)
