"""Every draw under every scenario: one enlarged joint simulation from the origin, and weighted shares of it.

Posterior draw i is simulated under each scenario s, R times, with weight ``p_i(s) / (N R)``, that of the inside view.
Then ``sum of weights of s = p(s)`` to the last digit, and with any event e of the paths

    p(e) p(s | e) + p(not e) p(s | not e) = p(s)

for shares of one set of paths obey the law of total probability exactly. Draws of a chain are correlated, so Monte
Carlo errors leave out one block of consecutive draws at a time (Künsch 1989, doi:10.1214/aos/1176347265).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from forecast.inference import Draws
from forecast.outcomes import fine_left, imagine, inside_weights
from forecast.progress import working
from forecast.vocabulary import DAYS_PER_MONTH, SCENARIOS

DAYS = 90
"""Length of the window in which an event counts as a signpost."""
REPLICATES = 8
BLOCKS = 20


@dataclass(frozen=True)
class Branches:
    """Simulated paths. ``cases``: the open focal proceedings, in the order of the axis.

    ``weight``: draw, scenario; sums to 1. ``came``: replicate, scenario, draw, case, family: whether a first event of
    the family came in the case within ``DAYS``. ``left``: replicate, scenario, draw: fines left after appeals by the
    last horizon, EUR.
    """

    cases: tuple[str, ...]
    weight: np.ndarray = field(repr=False)
    came: np.ndarray = field(repr=False)
    left: np.ndarray = field(repr=False)

    @property
    def block(self) -> np.ndarray:
        """Index of the block of every draw."""
        return np.arange(len(self.weight)) * BLOCKS // len(self.weight)

    def totals(self, values: np.ndarray) -> np.ndarray:
        """Return sums over draws (first axis), shape 1 + blocks, ...: of all draws, then without each block."""
        parts = np.stack([values[self.block == b].sum(axis=0) for b in range(BLOCKS)])
        return np.concatenate([parts.sum(axis=0, keepdims=True), parts.sum(axis=0) - parts])

    @cached_property
    def scenario(self) -> np.ndarray:
        """Probability of each scenario, shape 1 + blocks, scenario."""
        return self._shares(self.weight)

    def joint(self, event: np.ndarray) -> np.ndarray:
        """Return ``p(s, e)`` for indicators (replicate, scenario, draw, ...), shape 1 + blocks, scenario, ..."""
        often = np.moveaxis(event.mean(axis=0), 0, 1)
        return self._shares(self.weight.reshape(self.weight.shape + (1,) * (often.ndim - 2)) * often)

    def _shares(self, weighted: np.ndarray) -> np.ndarray:
        whole = self.totals(self.weight).sum(axis=1)
        return self.totals(weighted) / whole.reshape(-1, *(1,) * (weighted.ndim - 1))

    def fines_left(self, event: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return median and mean of the fines left given an event (default: whatever comes), each 1 + blocks.

        The median is the least amount with at least half of the weight at or below it.
        """
        kept = np.ones(self.left.shape, dtype=bool) if event is None else event
        weight = np.broadcast_to(self.weight.T, self.left.shape)[kept]
        block, amount = np.broadcast_to(self.block, self.left.shape)[kept], self.left[kept]
        order = np.argsort(amount, kind="stable")
        weight, block, amount = weight[order], block[order], amount[order]
        medians, means = [], []
        for b in range(-1, BLOCKS):
            own = np.where(block == b, 0.0, weight)
            upto = np.cumsum(own)
            medians.append(amount[min(np.searchsorted(upto, upto[-1] / 2), len(amount) - 1)])
            means.append(own @ amount / upto[-1])
        return np.array(medians), np.array(means)

    @cached_property
    def fines_left_now(self) -> tuple[np.ndarray, np.ndarray]:
        """Median and mean of the fines left, whatever comes."""
        return self.fines_left()


@working("Simulating every scenario")
def branch(draws: Draws, rng: np.random.Generator, replicates: int = REPLICATES) -> Branches:
    """Simulate each draw under each scenario ``replicates`` times; ``draws`` are of an origin with a brief."""
    focal, n, months = draws.evidence.focal, len(draws), DAYS / DAYS_PER_MONTH
    still = [i for i, life in enumerate(focal) if life.at_risk]
    came, left = [], []
    for _ in range(replicates):
        futures = [imagine(draws, rng, scenario=np.full(n, s)) for s in range(len(SCENARIOS))]
        came.append(np.stack([f.paths.first_in(len(focal))[:, still] <= months for f in futures]))
        left.append(np.stack([fine_left(f)[:, -1] for f in futures]))
    cases = tuple(focal[i].case_id for i in still)
    return Branches(cases, inside_weights(draws) / n, np.stack(came), np.stack(left))


def with_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a statistic and its jackknife error from its values with all draws and without each block (axis 0)."""
    without = values[1:]
    spread = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    return values[0], np.sqrt((len(without) - 1) / len(without) * spread)


def information(joint: np.ndarray, scenario: np.ndarray) -> np.ndarray:
    """Return the mutual information of scenario and event in bits, over the last axis.

    ``I = sum_s sum_e p(s, e) log2(p(s, e) / (p(s) p(e)))`` with ``joint = p(s, e)`` and ``scenario = p(s)``, where e is
    that the event comes or that it does not; terms of probability 0 are 0.
    """
    total = np.zeros(joint.shape[:-1])
    for part in (joint, scenario - joint):
        expected = scenario * part.sum(axis=-1, keepdims=True)
        ratio = np.divide(part, expected, out=np.ones_like(part), where=(part > 0) & (expected > 0))
        total += (part * np.log2(ratio)).sum(axis=-1)
    return total
