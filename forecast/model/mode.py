"""The normal approximation of the reference class at its mode: Newton's method, for the log posterior is concave.

The log posterior of the hazards' parameters is that of a Poisson regression with normal priors,

    sum over cells and families of (count log h - months h) + sum of log prior,      log h linear in the parameters,

so its mode is unique and a few Newton steps find it; the inverse of its negative second derivative is the covariance.
It takes milliseconds. It serves where many nearby posteriors are wanted roughly, and to translate statements
(`forecast.projection.translation`); a forecast itself is sampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.evidence.cells import Cells, Covariates
from forecast.model.priors import NormalPrior, hazard_priors
from forecast.regime import Regime

MAX_STEPS, TOLERANCE, MAX_STEP = 200, 1e-9, 2.0


@dataclass(frozen=True)
class NormalApproximation:
    """Mode and Cholesky factor of the covariance, over all parameters in the order of ``priors``, flattened."""

    priors: dict[str, NormalPrior]
    mode: np.ndarray
    cholesky: np.ndarray

    def draw(self, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return ``n`` draws of every parameter, by name."""
        return self.split(self.mode + rng.standard_normal((n, len(self.mode))) @ self.cholesky.T)

    def split(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parameters by name, of a flat vector on the last axis."""
        sizes = [prior.loc.size for prior in self.priors.values()]
        parts = np.split(flat, np.cumsum(sizes)[:-1], axis=-1)
        return {
            name: part.reshape((*flat.shape[:-1], *prior.loc.shape))
            for (name, prior), part in zip(self.priors.items(), parts, strict=True)
        }


def normal_approximation(cells: Cells, regime: Regime) -> NormalApproximation:
    """Return the normal approximation of the reference class's posterior.

    Raises ``RuntimeError`` if Newton's method has not converged after ``MAX_STEPS`` steps, which a concave posterior
    does not allow.
    """
    priors = hazard_priors(regime)
    loc = np.concatenate([p.loc.ravel() for p in priors.values()])
    precision = np.concatenate([p.scale.ravel() for p in priors.values()]) ** -2.0
    designs = [_design(cells.covariates, regime, f) for f in range(len(regime.families))]
    theta = loc.copy()
    for _ in range(MAX_STEPS):
        gradient, hessian = -(theta - loc) * precision, np.diag(precision)
        for f, (columns, matrix) in enumerate(designs):
            expected = cells.months[:, f] * np.exp(matrix @ theta[columns])
            gradient[columns] += matrix.T @ (cells.count[:, f] - expected)
            hessian[np.ix_(columns, columns)] += (matrix.T * expected) @ matrix
        step = np.linalg.solve(hessian, gradient)
        theta = theta + step * min(1.0, MAX_STEP / np.abs(step).max(initial=TOLERANCE))
        if np.abs(step).max() < TOLERANCE:
            inverse = np.linalg.inv(np.linalg.cholesky(hessian))
            return NormalApproximation(priors, theta, inverse.T)
    raise RuntimeError(f"the mode of the reference class was not found in {MAX_STEPS} steps of Newton's method")


def _design(cells: Covariates, regime: Regime, family: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the parameters (positions in the flat vector) that a family's log hazard depends on, and their factors."""
    n, families = len(cells), len(regime.families)
    classes, stages, rules = len(regime.classes), len(regime.later_stages), len(regime.rules)
    later = [regime.later_stages.index(s) if s in regime.later_stages else -1 for s in regime.stage_names]
    of_stage = np.array(later)[cells.stage]
    starts = np.cumsum([0, families, classes * families, stages * families, families, rules])
    columns = np.concatenate([
        [family],
        starts[1] + np.arange(classes) * families + family,
        starts[2] + np.arange(stages) * families + family,
        [starts[3] + family],
        starts[4] + np.arange(rules),
        [starts[5]],
    ])  # fmt: skip
    matrix = np.column_stack([
        np.ones(n),
        cells.authority_class[:, None] == np.arange(classes),
        of_stage[:, None] == np.arange(stages),
        cells.log_age,
        cells.rules * regime.rule_table.families[:, family],
        cells.year,
    ]).astype(float)  # fmt: skip
    return columns, matrix
