"""One set of draws for many posteriors: draws of several fits are pooled and weighted for any other.

With draws of K densities known up to a constant, ``q_k``, N_k draws each, every pooled draw comes from the mixture
``sum_k N_k exp(f_k) q_k``, and for a density ``q`` it has the weight

    w_i  proportional to  q(theta_i) / sum_k N_k exp(f_k) q_k(theta_i)

where the constants solve ``exp(-f_k) = sum_i q_k(theta_i) / sum_l N_l exp(f_l) q_l(theta_i)`` (Shirts and Chodera
2008, doi:10.1063/1.2978177; Kong et al. 2003, doi:10.1111/1467-9868.00404). Weights for a density that was sampled
are bounded, whatever lies between. Errors come from leaving out one block of consecutive draws at a time (Künsch 1989,
doi:10.1214/aos/1176347265), the constants solved anew each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

BLOCKS = 20
"""Blocks of consecutive draws; the same part of every fit belongs to one block, for reweighted draws repeat others."""

TOLERANCE = 1e-9
"""Largest slope of the loss at its minimum; a share of draws."""


@dataclass(frozen=True)
class Bridge:
    """Pooled draws of K fits: ``log_density[k, i] = log q_k(theta_i)``, draws of each fit side by side, in order."""

    log_density: np.ndarray
    counts: np.ndarray

    @cached_property
    def block(self) -> np.ndarray:
        """Index of the block of every draw."""
        return np.concatenate([np.arange(n) * BLOCKS // n for n in self.counts])

    @cached_property
    def _log_mixture(self) -> np.ndarray:
        """Log density of the mixture, shape 1 + blocks, draw; infinite where a row leaves the draw out."""
        fit = np.repeat(np.arange(len(self.counts)), self.counts)
        rows = [self._mixed(np.ones(len(fit), dtype=bool), fit)]
        rows += [self._mixed(self.block != block, fit) for block in range(BLOCKS)]
        return np.stack(rows)

    def _mixed(self, kept: np.ndarray, fit: np.ndarray) -> np.ndarray:
        counts = np.bincount(fit[kept], minlength=len(self.counts))
        offsets = np.log(counts) + _constants(self.log_density[:, kept], counts)
        return np.where(kept, logsumexp(self.log_density + offsets[:, None], axis=0), np.inf)

    def weights(self, log_density: np.ndarray) -> np.ndarray:
        """Return weights of the draws for a density, shape 1 + blocks, draw: first with all draws, then without each.

        Every row sums to 1.
        """
        return softmax(log_density - self._log_mixture, axis=1)

    @property
    def overlap(self) -> float:
        """Return how well the fits hang together: 1 if they are one density, 0 if no draws connect them.

        ``1 - lambda_2``, the second eigenvalue of ``O[k, l] = sum_i w_i(k) N_l exp(f_l) q_l(theta_i) / mixture``
        (Klimovich et al. 2015, doi:10.1007/s10822-015-9840-9).
        """
        if len(self.counts) == 1:
            return 1.0
        own = np.stack([self.weights(q)[0] for q in self.log_density])
        matrix = own @ (own * self.counts[:, None]).T
        return float(1 - np.sort(np.abs(np.linalg.eigvals(matrix)))[-2])


def _constants(log_density: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return f, with ``f_0 = 0``: the minimum of the convex ``mean_i log mixture_i - sum_k N_k f_k / N``."""
    if len(counts) == 1:
        return np.zeros(1)
    share = counts / counts.sum()

    def at(others: np.ndarray) -> np.ndarray:
        return log_density + (np.log(counts) + np.append(0.0, others))[:, None]

    def loss(others: np.ndarray) -> float:
        return float(logsumexp(at(others), axis=0).mean() - share[1:] @ others)

    def slope(others: np.ndarray) -> np.ndarray:
        return softmax(at(others), axis=0).mean(axis=1)[1:] - share[1:]

    def curvature(others: np.ndarray) -> np.ndarray:
        part = softmax(at(others), axis=0)[1:]
        return np.diag(part.mean(axis=1)) - part @ part.T / part.shape[1]

    start = np.median(log_density[:1] - log_density[1:], axis=1)
    found = minimize(loss, start, jac=slope, hess=curvature, method="trust-exact", options={"gtol": TOLERANCE})
    if np.abs(slope(found.x)).max() > 1e-6:
        raise RuntimeError(f"the constants of {len(counts)} fits did not settle: no draws connect them")
    return np.append(0.0, found.x)


def effective(weights: np.ndarray) -> float:
    """Return ``1 / sum w^2``, the number of equally weighted draws that weights are worth."""
    return float(1 / (weights**2).sum())
