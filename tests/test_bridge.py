"""Pooled draws against densities whose constants and moments are known."""

import numpy as np
import pytest
from scipy import stats

from forecast.attribution.bridge import BLOCKS, Bridge, effective

N = 4000


@pytest.fixture(scope="module")
def pooled():
    """Draws of Normal(0, 1) and Normal(2, 1.5), and unnormalised densities: constants 3 and -1."""
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(0, 1, N), rng.normal(2, 1.5, N)])
    density = np.stack([stats.norm.logpdf(x) + 3, stats.norm.logpdf(x, 2, 1.5) - 1])
    return x, Bridge(density, np.array([N, N]))


@pytest.mark.parametrize(("mean", "sd"), [(0, 1), (2, 1.5), (1, 1), (0.5, 1.2)])
def test_moments_of_any_density_between(pooled, mean, sd):
    x, bridge = pooled
    weights = bridge.weights(stats.norm.logpdf(x, mean, sd) + 17)
    assert weights.sum(axis=1) == pytest.approx(1)
    means = weights @ x
    error = np.sqrt((BLOCKS - 1) / BLOCKS * ((means[1:] - means[1:].mean()) ** 2).sum())
    assert 0.005 < error < 0.05
    assert abs(means[0] - mean) < 4 * error
    assert weights[0] @ (x - mean) ** 2 == pytest.approx(sd**2, rel=0.05)


def test_constants_are_found(pooled):
    x, bridge = pooled
    mixture = np.log(0.5 * stats.norm.pdf(x) + 0.5 * stats.norm.pdf(x, 2, 1.5))
    found = bridge._log_mixture[0] - mixture
    assert np.ptp(found) < 0.1  # equal up to one constant, but for the error of the ratio of the two


def test_a_row_leaves_its_block_out(pooled):
    x, bridge = pooled
    weights = bridge.weights(stats.norm.logpdf(x, 1, 1))
    for block in range(BLOCKS):
        assert not weights[1 + block, bridge.block == block].any()
        assert (weights[1 + block, bridge.block != block] > 0).all()


def test_one_fit_is_plain_importance_sampling():
    x = np.random.default_rng(6).normal(size=N)
    target = stats.norm.logpdf(x, 0.4)
    bridge = Bridge(stats.norm.logpdf(x)[None], np.array([N]))
    plain = np.exp(target - stats.norm.logpdf(x))
    assert bridge.weights(target)[0] == pytest.approx(plain / plain.sum())
    assert bridge.overlap == 1


def test_weights_of_a_sampled_density_are_bounded(pooled):
    _, bridge = pooled
    for density in bridge.log_density:
        assert bridge.weights(density)[0].max() <= 1.1 / N
        assert effective(bridge.weights(density)[0]) > N


def test_overlap_says_how_far_apart_the_fits_are():
    rng = np.random.default_rng(7)
    overlaps = []
    for gap in (0.0, 1.0, 3.0, 6.0):
        x = np.concatenate([rng.normal(0, 1, N), rng.normal(gap, 1, N)])
        density = np.stack([stats.norm.logpdf(x), stats.norm.logpdf(x, gap)])
        overlaps.append(Bridge(density, np.array([N, N])).overlap)
    assert overlaps == sorted(overlaps, reverse=True)
    assert overlaps[0] == pytest.approx(1)
    assert overlaps[-1] < 0.03


def test_an_independent_estimate_of_the_errors(pooled):
    """The jackknife's error of a mean against the spread of that mean over fresh sets of draws."""
    x, bridge = pooled
    means = bridge.weights(stats.norm.logpdf(x, 1, 1)) @ x
    error = np.sqrt((BLOCKS - 1) / BLOCKS * ((means[1:] - means[1:].mean()) ** 2).sum())
    rng, fresh = np.random.default_rng(8), []
    for _ in range(40):
        y = np.concatenate([rng.normal(0, 1, N), rng.normal(2, 1.5, N)])
        density = np.stack([stats.norm.logpdf(y), stats.norm.logpdf(y, 2, 1.5)])
        one = Bridge(density, np.array([N, N]))
        fresh.append(one.weights(stats.norm.logpdf(y, 1, 1))[0] @ y)
    assert error == pytest.approx(np.std(fresh, ddof=1), rel=0.5)
