"""Stated ranges and probabilities against SciPy's own distributions."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit

from forecast import elicitation as el


@pytest.mark.parametrize("mass", [0.5, 0.8, 0.9, 0.99])
@pytest.mark.parametrize(
    ("solve", "law", "low", "high"),
    [
        (el.normal_from_range, lambda n: stats.norm(n.loc, n.scale), -3.0, 5.0),
        (el.lognormal_from_range, lambda n: stats.lognorm(n.scale, scale=np.exp(n.loc)), 1.0, 50.0),
    ],
)
def test_a_range_is_a_central_interval_with_equal_tails(solve, law, low, high, mass):
    distribution = law(solve(low, high, mass))
    assert distribution.cdf(low) == pytest.approx((1 - mass) / 2, abs=1e-12)
    assert distribution.sf(high) == pytest.approx((1 - mass) / 2, abs=1e-12)


def test_a_share_stays_a_share():
    normal = el.logitnormal_from_range(0.03, 0.33, 0.9)
    draws = expit(np.random.default_rng(1).normal(*normal, 200_000))
    assert np.quantile(draws, [0.05, 0.95]) == pytest.approx([0.03, 0.33], rel=0.02)
    assert 0 < draws.min() < draws.max() < 1


@pytest.mark.parametrize("probability", [0.001, 0.05, 0.5, 0.85, 0.999])
@pytest.mark.parametrize("sd", [0.0, 0.5, 2.0])
def test_a_statement_keeps_its_mean(probability, sd):
    loc = el.statement_location(probability, sd)
    mean = expit(loc) if sd == 0 else quad(lambda z: expit(loc + sd * z) * stats.norm.pdf(z), -12, 12, limit=400)[0]
    assert mean == pytest.approx(probability, rel=1e-6)


@pytest.mark.parametrize("probability", [1e-12, 0.01, 0.4999999, 0.99, 1 - 1e-12])
@pytest.mark.parametrize("sd", [0.0, 1.0, 4.0])
def test_the_location_is_the_root_that_brent_finds(probability, sd):
    """The quadrature's own root, to rounding, from one end of the probabilities to the other."""
    rest, sign = (1 - probability, -1) if probability > 0.5 else (probability, 1)  # no cancellation near 1
    root = brentq(lambda x: el.mean_of_expit(x, sd) - rest, -80, 80, xtol=1e-12, rtol=1e-12)
    assert el.statement_location(probability, sd) == pytest.approx(sign * root, abs=1e-9)


def test_conditional_probabilities_multiply_back():
    cumulative = [0.1, 0.4, 0.75]
    left = np.cumprod(1 - np.array(el.conditional_probabilities(cumulative)))
    assert 1 - left == pytest.approx(cumulative)


@pytest.mark.parametrize(
    "call",
    [
        lambda: el.normal_from_range(2, 1),
        lambda: el.normal_from_range(1, 2, 1.0),
        lambda: el.statement_location(1.0, 0.5),
        lambda: el.conditional_probabilities([0.4, 0.3]),
        lambda: el.conditional_probabilities([0.4, 0.4]),
    ],
)
def test_nonsense_is_refused(call):
    with pytest.raises(ValueError, match="got"):
        call()
