"""Exact draws against SciPy's distributions, and against a grid where there is no ready-made one."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import beta, dirichlet, gamma, invgamma, kstest, norm, t
from worlds import AS_OF, load_record, load_specification

from forecast.conjugate import draw_conjugate
from forecast.model.figures import figure_coordinates, figure_priors
from forecast.model.priors import draw_priors, hazard_priors
from forecast.observations import observe

N = 40_000
DATA = SimpleNamespace(
    appealed=(17, 40),
    appealed_large=(18, 19),
    closed=(13, 17),
    outcomes=np.array([12, 5, 5]),
    rulings=np.array([2, 12, 8]),
    ruling_months=np.array([500.0, 800.0, 300.0]),
    kept=np.array([0.9, -0.4, 1.7, 0.2]),
    bare_size=np.array([-8.0, -6.5, -5.0, -9.3, -7.7]),
)


@pytest.fixture(scope="module")
def spec():
    return load_specification()


@pytest.fixture(scope="module")
def drawn(spec):
    return {
        "prior": draw_conjugate(spec, None, N, np.random.default_rng(1)),
        "posterior": draw_conjugate(spec, DATA, N, np.random.default_rng(2)),
    }


def agrees(sample: np.ndarray, law):
    assert kstest(sample, law.cdf).pvalue > 1e-3


def test_probabilities_are_beta(spec, drawn):
    for name, prior, (yes, total) in (
        ("appeal_probability", spec.appeals.probability, DATA.appealed),
        ("appeal_probability_large", spec.appeals.probability_large, DATA.appealed_large),
        ("closing_probability", spec.closing, DATA.closed),
    ):
        a, b = prior.mean.value * prior.weight.value, (1 - prior.mean.value) * prior.weight.value
        agrees(drawn["prior"][name], beta(a, b))
        agrees(drawn["posterior"][name], beta(a + yes, b + total - yes))


def test_ruling_rates_are_gamma(spec, drawn):
    for k, prior in enumerate(spec.appeals.ruling_rate):
        rate, weight = prior.rate.value, prior.weight.value
        agrees(drawn["prior"]["ruling_rate"][:, k], gamma(rate * weight, scale=1 / weight))
        law = gamma(rate * weight + DATA.rulings[k], scale=1 / (weight + DATA.ruling_months[k]))
        agrees(drawn["posterior"]["ruling_rate"][:, k], law)


def test_outcomes_are_dirichlet(spec, drawn):
    prior = np.array([getattr(spec.appeals.outcome, k).value for k in ("upheld", "reduced", "annulled")])
    for name, counts in (("prior", prior), ("posterior", prior + DATA.outcomes)):
        sample = drawn[name]["ruling_outcome"]
        assert sample.sum(axis=1) == pytest.approx(1)
        assert np.cov(sample.T) == pytest.approx(dirichlet(counts).cov(), abs=0.002)
        for k in range(3):
            agrees(sample[:, k], beta(counts[k], counts.sum() - counts[k]))


def kept_prior(spec) -> tuple[float, float, float]:
    r = spec.appeals.share_kept
    low, high = logit(r.low), logit(r.high)
    return (low + high) / 2, (high - low) / 2 / norm.ppf((1 + r.mass) / 2), spec.appeals.share_kept_weight.value


def test_normal_inverse_gamma_prior(spec, drawn):
    loc, scale, weight = kept_prior(spec)
    mean, sd = drawn["prior"]["kept"].T
    agrees(sd**2, invgamma(weight / 2, scale=weight / 2 * scale**2))
    agrees(mean, t(weight, loc, scale / np.sqrt(weight)))
    agrees((mean - loc) / sd * np.sqrt(weight), norm)


def test_normal_inverse_gamma_posterior_on_a_grid(spec, drawn):
    """Prior times likelihood on a grid of mean and log sd: its means, sds and quantiles."""
    loc, scale, weight = kept_prior(spec)
    mean, log_sd = np.meshgrid(np.linspace(-9, 9, 1201), np.linspace(np.log(0.05), np.log(30), 1201), indexing="ij")
    sd = np.exp(log_sd)
    density = invgamma.logpdf(sd**2, weight / 2, scale=weight / 2 * scale**2) + np.log(2 * sd**2)  # of log sd
    density += norm.logpdf(mean, loc, sd / np.sqrt(weight))
    density += sum(norm.logpdf(x, mean, sd) for x in DATA.kept)
    p = np.exp(density - density.max())
    p /= p.sum()
    for values, marginal, sample in (
        (mean[:, 0], p.sum(axis=1), drawn["posterior"]["kept"][:, 0]),
        (log_sd[0], p.sum(axis=0), np.log(drawn["posterior"]["kept"][:, 1])),
    ):
        centre = marginal @ values
        spread = np.sqrt(marginal @ (values - centre) ** 2)
        assert abs(sample.mean() - centre) < 4 * spread / np.sqrt(N)
        assert sample.std() == pytest.approx(spread, rel=0.03)
        for q in (0.05, 0.5, 0.95):
            at = np.interp(q, np.cumsum(marginal) - marginal / 2, values)  # half of a cell lies below its middle
            assert np.mean(sample <= at) == pytest.approx(q, abs=4 * np.sqrt(q * (1 - q) / N) + 2e-3)


def test_packaged_record_gives_finite_draws(spec):
    draws = draw_conjugate(spec, observe(load_record(), spec, AS_OF), 500, np.random.default_rng(3))
    assert all(np.isfinite(v).all() for v in draws.values())
    assert all(len(v) == 500 for v in draws.values())


def test_same_seed_same_draws(spec):
    one, two = (draw_conjugate(spec, DATA, 10, np.random.default_rng(5)) for _ in range(2))
    assert all(np.array_equal(one[k], two[k]) for k in one)


def test_stated_ranges_hold_in_the_prior(spec):
    """Prior draws lie below and above the ranges of the prior file 5 % of the time each."""
    coords = figure_coordinates(observe(load_record(), spec, AS_OF))
    raw = draw_priors(hazard_priors(spec.regime) | figure_priors(spec, coords), N, np.random.default_rng(7))
    stated = [(np.exp(raw["rate"][:, k]), family.rate) for k, family in enumerate(spec.regime.families.values())]
    stated += [
        (np.exp(raw["log_turnover"]), spec.fines.turnover),
        (expit(raw["size_mean"]), spec.sizes.share),
        (np.exp(raw["log_size_spread"]), spec.sizes.spread),
        (np.exp(raw["log_instrument_scale"]), spec.sizes.instruments),
        (raw["drift_mean"], spec.drift.mean),
        (np.exp(raw["log_drift_scale"]), spec.drift.services),
        (np.exp(raw["log_user_noise"]), spec.drift.noise),
        (np.exp(raw["log_opening_rate"]), spec.openings.rate),
        (np.exp(raw["log_raised"]), spec.openings.raised),
        (np.exp(raw["log_opening_shape"]), spec.openings.shape),
    ]
    for sample, r in stated:
        tail = (1 - r.mass) / 2
        error = 4 * np.sqrt(tail * (1 - tail) / N)
        assert np.mean(sample < r.low) == pytest.approx(tail, abs=error), r
        assert np.mean(sample > r.high) == pytest.approx(tail, abs=error), r


def test_log_prior_is_elementwise_normal(spec):
    priors = hazard_priors(spec.regime) | figure_priors(spec, figure_coordinates(observe(load_record(), spec, AS_OF)))
    for name, values in draw_priors(priors, 3, np.random.default_rng(0)).items():
        density = priors[name].log_density(values)
        assert density.shape == values.shape
        assert density == pytest.approx(norm(priors[name].loc, priors[name].scale).logpdf(values))
