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
normals and of what is conjugate, scaling means: a prior worth twice as many observations. Parts that act on the future
alone (the scenarios' probabilities, sizes of fines, scopes of orders) are scaled given what comes before them, and have
no psense, for no parameter feels them.
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
from forecast.outcomes import Future
from forecast.parameters import parameters
from forecast.progress import working
from forecast.sensitivity.answers import TARGETS, futures, reread
from forecast.sensitivity.parts import ALL_DATA, ALL_PRIORS, Part, Parts, data_parts, prior_parts
from forecast.sensitivity.weighing import SAME
from forecast.sensitivity.worlds import Read, Worlds
from forecast.summaries import targets
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
    """Answers by draw, scenario and replicate, and how much each scenario weighs in each draw (``view``)."""

    values: Mapping[Name, np.ndarray]
    units: Mapping[Name, str]
    view: np.ndarray

    def by_draw(self, values: np.ndarray) -> np.ndarray:
        """Return the mean over scenarios and courses, by draw."""
        return (values.mean(axis=2) * self.view).sum(axis=1)


@working("Scaling priors and data")
def power_scaling(worlds: Worlds) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ``scaling``, a row per part and answer, and psense of every sampled parameter (all priors, all data)."""
    seen, seed = worlds.base, worlds.settings.seed
    shape = (worlds.settings.chains, worlds.settings.draws)
    courses = [
        [reread(future, seen.draws, seen.world.law, seed, r) for future in futures(seen.draws, seen.world.law, seed, r)]
        for r in range(REPLICATES)
    ]
    prior, data = prior_parts(seen, courses, seed), data_parts(seen)
    told = _told(seen, courses)
    tables = [_scaled(kind, prior if kind == "prior" else data, told, shape) for kind in ("prior", "likelihood")]
    return pd.concat(tables, ignore_index=True), _of_parameters(seen, prior, data, shape)


def _told(seen: Read, courses: list[list[Future]]) -> Told:
    """Return the answers: targets at each horizon, and the scenarios' probabilities now in both views."""
    n = len(seen.draws)
    drawn = [[targets(future) for future in row] for row in courses]
    names = [t for t in TARGETS if t in drawn[0][0] and t != "fine_largest"]  # that one has no value in some draws
    values: dict[Name, np.ndarray] = {}
    units: dict[Name, str] = {}
    for s, scenario in enumerate(SCENARIOS):
        if seen.draws.evidence.exposure.inside:
            values["view", scenario, 0] = np.tile(np.eye(len(SCENARIOS))[s], (n, 1))[:, :, None]
        values["outside", scenario, 0] = np.repeat(seen.world.outside[:, s, None], len(SCENARIOS), axis=1)[:, :, None]
    for name in names:
        every = np.stack([np.stack([one[name].values for one in row], axis=1) for row in drawn], axis=2)
        horizons = seen.draws.evidence.specification.horizons
        values |= {(name, "all", horizon): every[..., j] for j, horizon in enumerate(horizons)}
        units |= {(name, "all", horizon): drawn[0][0][name].attrs["units"] for horizon in horizons}
    return Told(values, {k: units.get(k, "probability") for k in values}, seen.view)


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
        table["shift"], table["shift_se"] = _shift(told, part, means)
        tables.append(table)
    first = ["kind", "part", "target", "scenario", "horizon_months", "unit"]
    return pd.concat(tables, ignore_index=True)[
        [*first, "psense", "noise", "doubling", "doubling_se", "shift", "shift_se"]
    ]


def _doubling(
    told: Told, part: Part, means: Mapping[Name, np.ndarray], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``log 2 Cov(answer, log p)`` over parameters and courses, and its Monte Carlo error."""
    touch = np.zeros((len(means), shape[0] * shape[1]))
    for i, (name, values) in enumerate(told.values.items()):
        centre = means[name].mean()
        if part.course is not None:
            touch[i] += told.by_draw((values - centre) * part.course)
        if part.draw is not None:
            touch[i] += (means[name] - centre) * (part.draw - part.draw.mean())
    touch *= np.log(2)
    moves = touch.mean(axis=1)
    return np.where(np.abs(moves) < SAME, 0.0, moves), mcse(touch.reshape(-1, *shape))


def _shift(told: Told, part: Part, means: Mapping[Name, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return ``|Cov(answer, z)|`` and its Monte Carlo error: squares of covariances, less those of their errors.

    Errors of the covariances are those of the means of blocks of consecutive draws. Missing where there are no scores.
    """
    sizes, errors = np.full(len(means), np.nan), np.full(len(means), np.nan)
    for i, (name, values) in enumerate(told.values.items()):
        touch = _touch(told, part, values, means[name])
        if touch is not None:
            blocks = np.stack([block.mean(axis=0) for block in np.array_split(touch, BLOCKS)])
            mean, error = blocks.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(BLOCKS)
            sizes[i] = np.sqrt(max((mean**2 - error**2).sum(), 0.0))
            least = max(sizes[i], np.sqrt((error**2).sum()))
            errors[i] = np.sqrt(((mean * error) ** 2).sum()) / least if least > 0 else 0.0
    return sizes, errors


def _touch(told: Told, part: Part, values: np.ndarray, mean: np.ndarray) -> np.ndarray | None:
    """Return the answer times each score, by draw; their means are the covariances."""
    if part.scores is not None:
        return (mean - mean.mean())[:, None] * part.scores
    if part.course_score is not None:
        return ((values - mean.mean()) * part.course_score).mean(axis=2) * told.view
    return None


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
    table = parameters(draws.evidence.specification, draws.evidence.coords)
    columns = np.concatenate([draws.flat[k].reshape(len(draws), -1) for k in table], axis=1).T
    found: dict[str, Any] = {}
    for kind, part in (("prior", prior[ALL_PRIORS]), ("likelihood", data[ALL_DATA])):
        assert part.draw is not None  # all of it is of parameters
        found[f"psense_{kind}"] = psense(kind, part.draw, columns, shape)
    return pd.DataFrame(found)
