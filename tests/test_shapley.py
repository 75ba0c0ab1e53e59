"""Games whose Shapley values are known."""

from itertools import permutations

import numpy as np
import pytest

from forecast.attribution.shapley import exact, in_order, sampled


def airport(costs):
    """The dearest player sets the price: phi of the k-th cheapest sums the steps, each shared by those who need it."""
    return lambda subset: np.array([max((costs[i] for i in subset), default=0.0)])


def test_the_airport_game():
    assert exact(3, airport([1.0, 2.0, 4.0]))[:, 0] == pytest.approx([1 / 3, 1 / 3 + 1 / 2, 1 / 3 + 1 / 2 + 2])


def table(n, seed):
    rng = np.random.default_rng(seed)
    values = {}
    return lambda subset: values.setdefault(subset, rng.normal(size=(2, 3)))


def test_exact_values_are_the_mean_over_all_orders():
    value = table(4, 1)
    orders = [in_order(list(p), value) for p in permutations(range(4))]
    assert exact(4, value) == pytest.approx(np.mean(orders, axis=0))


def test_they_sum_to_the_whole_exact_sampled_and_in_one_order():
    value = table(5, 2)
    whole = value(frozenset(range(5))) - value(frozenset())
    few, _ = sampled(5, value, 3, np.random.default_rng(1))
    for found in (exact(5, value), few, in_order([3, 0, 4, 1, 2], value)):
        assert found.sum(axis=0) == pytest.approx(whole)


def test_sampled_values_lie_within_their_errors():
    value = table(6, 3)
    found, error = sampled(6, value, 400, np.random.default_rng(2))
    off = (found - exact(6, value)) / error
    assert (error > 0).all()
    assert np.abs(off).max() < 4.5
    assert np.sqrt((off**2).mean()) == pytest.approx(1, abs=0.35)


def test_without_players_there_is_nothing_to_share():
    assert exact(0, lambda subset: np.ones(2)).shape == (0, 2)
