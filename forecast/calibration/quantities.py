"""What is ranked in a world: functions of the unknowns, the same for the truth and for draws of the posterior.

A rank among posterior draws is uniform for any function of parameters and data (Talts et al. 2018, arXiv:1804.06788).
Beside the parameters themselves that is: what the formulas speak of, the expected events of the record, the densities
of the data and their sum, which notice what no parameter alone does (Modrak et al. 2023, doi:10.1214/23-BA1404), the
scenarios, and every target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from forecast.inference import Draws, labels_of
from forecast.likelihood import at_risk, base_hazards, other_data, row_effects
from forecast.parameters import log_prior, parameters
from forecast.vocabulary import FAMILIES, SCENARIOS

KINDS = {
    "scenario": "scenarios and frailty",
    "density": "log densities of data and parameters",
    "parameter": "parameters, one by one",
    "effect": "effects, stated probabilities, expected events",
    "target": "targets at every horizon",
}
"""Kinds of quantities, each with an equal share of the error that the verdict allows."""
EFFECTS = {
    "phase": ("family", "later_phase"),
    "stage": ("family", "later_stage"),
    "authority": ("authority_class", "family"),
    "pace": ("provider",),
    "log_weight": ("scenario",),
    "stated": ("statement", "scenario"),
    "drift": ("service",),
    "instrument": ("instrument",),
}
"""Effects that are more than a function of one parameter, with their dimensions; what a model lacks is skipped."""


def of_parameters(draws: Draws) -> dict[str, np.ndarray]:
    """Return every sampled and every exact parameter by its label, each of shape draw."""
    evidence = draws.evidence
    table = parameters(evidence.specification, evidence.coords)
    found: dict[str, np.ndarray] = {}
    for name, values in draws.flat.items():
        columns = values.reshape(len(draws), -1)
        if name in table:
            labels = labels_of(name, table[name].dims, evidence.coords)
        else:
            labels = [f"{name}[{i}]" for i in range(columns.shape[1])] if values.ndim > 1 else [name]
        found.update(zip(labels, columns.T, strict=True))
    return found


def of_effects(draws: Draws) -> dict[str, np.ndarray]:
    """Return the effects of ``EFFECTS``, and by family the log expected events of an average matter in the record."""
    found: dict[str, np.ndarray] = {}
    for name, dims in EFFECTS.items():
        if name in draws.effects:
            labels = labels_of(name, dims, draws.evidence.coords)
            found.update(zip(labels, draws.effects[name].reshape(len(draws), len(labels)).T, strict=True))
    x = draws.evidence.exposure
    expected = at_risk(base_hazards(draws.effects), row_effects(draws.effects, x), x.months).sum(axis=1)
    found.update({f"expected[{family}]": np.log(expected[:, i]) for i, family in enumerate(FAMILIES)})
    return found


def of_densities(draws: Draws) -> dict[str, np.ndarray]:
    """Return log densities: of the matters' history, the focal news, each other kind of data, the parameters, all."""
    evidence, log_weight = draws.evidence, draws.effects["log_weight"]
    matters, table = draws.matters, parameters(draws.evidence.specification, draws.evidence.coords)
    sampled = {name: draws.flat[name] for name in table}
    found = {
        "history": logsumexp(matters.history + log_weight[:, None], axis=2).sum(axis=1),
        "news": logsumexp(matters.news + evidence.constants.log_pi, axis=1),
        **other_data(draws.flat, draws.effects, evidence.observations),
        "prior": sum(v.reshape(len(draws), -1).sum(axis=1) for v in log_prior(sampled, table).values()),
    }
    return {**found, "joint": sum(found.values())}


def of_classes(draws: Draws, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the class of every reference matter at every draw; return how many there are of each."""
    log_weight = draws.effects["log_weight"][:, None] + draws.matters.history[:, 1:]
    drawn = (log_weight + rng.gumbel(size=log_weight.shape)).argmax(axis=2)
    return count_classes(drawn)


def count_classes(classes: np.ndarray) -> dict[str, np.ndarray]:
    """Return the number of matters of each class along the last axis."""
    return {f"reference matters: {name}": (classes == s).sum(axis=-1) for s, name in enumerate(SCENARIOS)}


def of_targets(outcomes: xr.Dataset | Mapping[str, np.ndarray]) -> Iterator[tuple[str, int, np.ndarray]]:
    """Yield every target with the index of a horizon and its values there.

    Dates are asked for once, by the last horizon: one that does not come is infinite. The largest of no fines is 0.
    """
    for name, target in outcomes.items():
        values = target.values if isinstance(target, xr.DataArray) else target
        if name == "scenario":
            continue
        missing = np.inf if str(name).startswith("months_to:") else 0.0
        last = values.shape[-1] - 1
        for j in [last] if str(name).startswith("months_to:") else range(last + 1):
            yield str(name), j, np.nan_to_num(values[..., j], nan=missing, posinf=np.inf)
