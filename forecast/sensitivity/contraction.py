"""From prior to posterior: how much of each parameter's prior variance the data took away, and where they moved it.

    contraction = 1 - Var(posterior) / Var(prior)        near 0: the row shows the prior, not a finding
    shift       = (E[posterior] - E[prior]) / sd(prior)

Below 0 the data widened a parameter, or its error is all there is to see.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from forecast.inference import labels_of
from forecast.progress import working
from forecast.sensitivity.parts import EXACT_GROUP, group_of
from forecast.sensitivity.worlds import Worlds
from forecast.trees import EXACT_DIMS, prior_parameters


@working("Comparing prior and posterior")
def contraction(worlds: Worlds, psense: pd.DataFrame) -> pd.DataFrame:
    """Return one row per parameter: ``part, prior_mean, prior_sd, mean, sd, shift, contraction``, and psense.

    Sampled parameters come first, in the order of the model's table, which is that of ``psense`` too; then the
    conjugate ones, whose draws are exact and have no psense of their own.
    """
    posterior = worlds.posterior
    table, coords, told = posterior.evidence.priors, posterior.evidence.coords, posterior.diagnostics
    labels, parts, means, sds = [], [], [], []
    for name, prior in table.items():
        labels += labels_of(name, prior.dims, coords)
        parts += [group_of(name)] * math.prod(prior.loc.shape)
        means.append(np.ravel(prior.loc))
        sds.append(np.ravel(prior.scale))
    sampled = pd.DataFrame({"parameter": labels, "part": parts})
    sampled["prior_mean"], sampled["prior_sd"] = np.concatenate(means), np.concatenate(sds)
    sampled["mean"], sampled["sd"] = told.loc[labels, "mean"].to_numpy(), told.loc[labels, "sd"].to_numpy()
    every = pd.concat([sampled.join(psense), _exact(worlds)], ignore_index=True)
    every["shift"] = (every["mean"] - every["prior_mean"]) / every["prior_sd"]
    every["contraction"] = 1 - (every["sd"] / every["prior_sd"]) ** 2
    return every


def _exact(worlds: Worlds) -> pd.DataFrame:
    """The conjugate parts: moments of their draws."""
    prior = prior_parameters(worlds.posterior.evidence, worlds.posterior.settings)
    posterior = worlds.forecast.tree["posterior"].to_dataset()
    rows = []
    for name, dims in EXACT_DIMS.items():
        labels = labels_of(name, dims, {d: tuple(map(str, posterior[d].values)) for d in dims})
        both = [group[name].values.reshape(-1, len(labels)) for group in (prior, posterior)]
        moments = [(values.mean(axis=0), values.std(axis=0, ddof=1)) for values in both]
        rows += list(zip(labels, *moments[0], *moments[1], strict=True))
    table = pd.DataFrame(rows, columns=["parameter", "prior_mean", "prior_sd", "mean", "sd"])
    table.insert(1, "part", EXACT_GROUP)
    return table


def by_part(parameters: pd.DataFrame) -> pd.DataFrame:
    """Return how the parameters of each part contracted: their number, mean and largest contraction, largest shift."""
    rows = []
    for part, own in parameters.groupby("part", sort=False):
        most, moved = own.loc[own["contraction"].idxmax()], own.loc[own["shift"].abs().idxmax()]
        counts = (len(own), own["contraction"].mean())
        rows.append((part, *counts, most["contraction"], most["parameter"], moved["shift"], moved["parameter"]))
    columns = ["part", "parameters", "contraction", "largest", "largest_parameter", "shift", "shift_parameter"]
    return pd.DataFrame(rows, columns=columns)
