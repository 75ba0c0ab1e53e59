"""Who moved the total: Shapley values of a game, exactly or by sampling orders.

    phi_j = sum over S without j of  |S|! (n - |S| - 1)! / n!  [v(S + j) - v(S)]

the mean of what j adds over all orders of arrival (Shapley 1953, doi:10.1515/9781400881970-018). The values sum to
``v(all) - v(none)`` exactly, exact or sampled: so do those of every single order.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise
from math import factorial

import numpy as np

MOST_EXACT = 10
"""Most players for whom all ``2^n`` subsets are valued."""

ORDERS = 12
"""Pairs of orders (each forwards and backwards) where there are too many players for all subsets."""

Value = Callable[[frozenset[int]], np.ndarray]
"""A vector of quantities, of one shape, for every subset of the players ``0 .. n - 1``."""


def subsets(n: int) -> int:
    """Return how many subsets of ``n`` players are valued, at most."""
    return 2**n if n <= MOST_EXACT else min(2**n, 2 * ORDERS * n)


def exact(n: int, value: Value) -> np.ndarray:
    """Return the Shapley values from all subsets, shape player, *value."""
    everyone = frozenset(range(n))
    total = np.zeros((n, *value(everyone).shape))
    for j in everyone:
        others = sorted(everyone - {j})
        for size in range(n):
            share = factorial(size) * factorial(n - size - 1) / factorial(n)
            for subset in map(frozenset, combinations(others, size)):
                total[j] += share * (value(subset | {j}) - value(subset))
    return total


def sampled(n: int, value: Value, orders: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return estimates from random orders and their standard errors, each of shape player, *value.

    Every order is used forwards and backwards (antithetic: Mitchell et al. 2022, jmlr.org/papers/v23/21-0439.html); an
    error is that of the mean over the ``orders`` pairs.
    """
    pairs = []
    for _ in range(orders):
        order = rng.permutation(n).tolist()
        pairs.append((in_order(order, value) + in_order(order[::-1], value)) / 2)
    stacked = np.stack(pairs)
    return stacked.mean(axis=0), stacked.std(axis=0, ddof=1) / np.sqrt(orders)


def in_order(order: list[int], value: Value) -> np.ndarray:
    """Return what each player adds when they arrive in this order, by player, shape player, *value."""
    met = [frozenset(order[:k]) for k in range(len(order) + 1)]
    steps = [value(after) - value(before) for before, after in pairwise(met)]
    added = np.zeros((len(order), *value(met[0]).shape))
    for player, step in zip(order, steps, strict=True):
        added[player] = step
    return added
