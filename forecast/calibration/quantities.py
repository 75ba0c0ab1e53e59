"""What is ranked in a world: functions of the unknowns, the same for the truth and for draws of the posterior.

A rank among posterior draws is uniform for any function of parameters and data (Talts et al. 2018, arXiv:1804.06788).
Beside the parameters themselves that is: expected events and stated probabilities, the densities of the data and their
sum, which notice what no parameter alone does (Modrak et al. 2023, doi:10.1214/23-BA1404), the scenario and the tempo,
and what comes of the focal matter after the origin.
"""

from __future__ import annotations

import numpy as np

from forecast.inference import Draws, labels_of
from forecast.model.focal import stated_probabilities
from forecast.model.hazards import log_hazards
from forecast.projection.paths import Paths
from forecast.simulator import FocalTruth
from forecast.vocabulary import FAMILIES

KINDS = {
    "scenario": "scenario and tempo",
    "density": "log densities of data and parameters",
    "parameter": "parameters, one by one",
    "effect": "stated probabilities, expected events",
    "target": "first events, fines and closing by every horizon",
}
"""Kinds of quantities, each with an equal share of the error that the verdict allows."""
UNRANKED = ("log_opening_rate", "log_raised", "log_opening_shape", "impact_score")
"""Sampled parameters of what worlds do not draw."""
FINE = FAMILIES.index("fine")


def of_parameters(draws: Draws) -> dict[str, np.ndarray]:
    """Return every sampled parameter of what worlds draw by its label, and the probability of closing: shape draw."""
    found: dict[str, np.ndarray] = {"closing_probability": draws.flat["closing_probability"]}
    for name, prior in draws.evidence.priors.items():
        if name not in UNRANKED:
            labels = labels_of(name, prior.dims, draws.evidence.coords)
            found.update(zip(labels, draws.flat[name].reshape(len(draws), -1).T, strict=True))
    return found


def of_effects(draws: Draws) -> dict[str, np.ndarray]:
    """Return stated probabilities with their errors, and by family the log of events expected in the record."""
    evidence, cells = draws.evidence, draws.evidence.hazards.cells
    stated = stated_probabilities(draws.flat, evidence.statements).reshape(len(draws), -1)
    labels = labels_of("stated", ("statement", "scenario"), evidence.coords)
    found = dict(zip(labels, stated.T, strict=True))
    log_h = log_hazards(draws.flat, cells.covariates, evidence.regime)
    expected = np.log((cells.months * np.exp(log_h)).sum(axis=1))
    return found | {f"expected[{family}]": expected[:, i] for i, family in enumerate(FAMILIES)}


def of_densities(draws: Draws) -> dict[str, np.ndarray]:
    """Return log densities: of events, news and each kind of figure, of the parameters, and of all together."""
    data = {name: values for name, values in draws.log_likelihoods.items() if name != "openings"}
    priors = {name: prior for name, prior in draws.evidence.priors.items() if name not in UNRANKED}
    each = [p.log_density(draws.flat[name]).reshape(len(draws), -1).sum(axis=1) for name, p in priors.items()]
    found = data | {"prior": np.sum(each, axis=0)}
    return found | {"joint": np.sum(list(found.values()), axis=0)}


def of_paths(paths: Paths, horizons: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return what comes of the focal matter on every course: months to each family's first event, fines, closing."""
    months = {f"months_to:{family}": paths.first[:, i] for i, family in enumerate(FAMILIES)}
    is_fine, last = paths.family == FINE, horizons[-1]
    fines = {
        f"fines, {h} months": np.bincount(paths.path[is_fine & (paths.time <= h)], minlength=paths.n) for h in horizons
    }
    found = months | fines | {"months_to:all_closed": paths.all_closed}
    return {name: _cut(name, values, last) for name, values in found.items()}


def of_truth(truth: FocalTruth, horizons: tuple[int, ...]) -> dict[str, float]:
    """Return the same of what truly happened."""
    found = {f"months_to:{family}": float(truth.first[i]) for i, family in enumerate(FAMILIES)}
    found |= {f"fines, {h} months": float((truth.fines <= h).sum()) for h in horizons}
    found["months_to:all_closed"] = truth.all_closed
    return {name: float(_cut(name, np.array(value), horizons[-1])) for name, value in found.items()}


def _cut(name: str, values: np.ndarray, last: int) -> np.ndarray:
    """Return months beyond the last horizon as infinite: nobody asks for them."""
    return np.where(values <= last, values, np.inf) if name.startswith("months_to:") else values.astype(float)
