"""The reference class without a sampler's compiler: its mode by Newton's method, and independent draws around it.

The log posterior of the hazards' parameters is that of a Poisson regression with normal priors,

    sum over cells and families of (count log h - months h) + sum of log prior,      log h linear in the parameters,

so its mode is unique and a few Newton steps find it; the inverse of its negative second derivative is the covariance of
a normal approximation. That alone expects too many events of families that never came, whose log hazards are skewed to
the left; `reference_draws` therefore moves every draw of it by a few Hamiltonian transitions that leave the posterior
as it is (Neal 2011, doi:10.1201/b10905-6), in the space where the approximation is standard normal. It serves where a
posterior is wanted without compiling, above all to translate statements (`forecast.projection.translation`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.evidence.cells import Cells, Covariates
from forecast.model.priors import NormalPrior, hazard_priors
from forecast.regime import Regime

MAX_STEPS, TOLERANCE, MAX_STEP = 200, 1e-9, 2.0
TRANSITIONS, LEAPS, STEP = 2, 7, 0.22
"""Hamiltonian transitions of each draw, leapfrog steps of each and their length, about a quarter of a period in all."""
LARGEST_EXPONENT = 20.0
"""Log hazards beyond it, which only a rejected proposal reaches, are cut off there."""


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


def reference_draws(cells: Cells, regime: Regime, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return ``n`` independent draws of the reference class's posterior, by name.

    Each begins at a draw of the normal approximation and makes ``TRANSITIONS`` transitions of its own.
    """
    around = normal_approximation(cells, regime)
    target = _Target(cells, regime, around)
    z = rng.standard_normal((n, len(around.mode)))
    density, gradient = target(z)
    for _ in range(TRANSITIONS):
        momentum, step = rng.standard_normal(z.shape), STEP * rng.uniform(0.8, 1.2)
        place, speed = z, momentum + step / 2 * gradient
        for leap in range(1, LEAPS + 1):
            place = place + step * speed
            new_density, new_gradient = target(place)
            speed = speed + (step if leap < LEAPS else step / 2) * new_gradient
        energy = (new_density - (speed**2).sum(axis=1) / 2) - (density - (momentum**2).sum(axis=1) / 2)
        taken = np.log(rng.random(n)) < energy
        z = np.where(taken[:, None], place, z)
        density, gradient = np.where(taken, new_density, density), np.where(taken[:, None], new_gradient, gradient)
    return around.split(around.mode + z @ around.cholesky.T)


class _Target:
    """Log posterior density and gradient, of many points at once, where the approximation is standard normal."""

    def __init__(self, cells: Cells, regime: Regime, around: NormalApproximation):
        self.around, self.months = around, cells.months
        self.loc = np.concatenate([p.loc.ravel() for p in around.priors.values()])
        self.precision = np.concatenate([p.scale.ravel() for p in around.priors.values()]) ** -2.0
        self.parts = []
        for family in range(len(regime.families)):
            columns, matrix = _design(cells.covariates, regime, family)
            used = np.abs(matrix).sum(axis=0) > 0
            self.parts.append((columns[used], matrix[:, used], matrix[:, used].T @ cells.count[:, family]))

    def __call__(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        theta = self.around.mode + z @ self.around.cholesky.T
        away = theta - self.loc
        density, gradient = -(away**2) @ self.precision / 2, -away * self.precision
        for family, (columns, matrix, counted) in enumerate(self.parts):
            own = theta[:, columns]
            expected = np.exp(np.minimum(own @ matrix.T, LARGEST_EXPONENT)) * self.months[:, family]
            density = density + own @ counted - expected.sum(axis=1)
            gradient[:, columns] += counted - expected @ matrix
        return density, gradient @ self.around.cholesky


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
