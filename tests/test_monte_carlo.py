"""Convergence, Monte Carlo errors and smoothed weights against ArviZ, on real draws and on awkward ones."""

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

from forecast.monte_carlo import convergence, mcse, smoothed_weights

AXES = {"chain_axis": -2, "draw_axis": -1}


def arviz(values):
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "r_hat": array_stats.rhat(values, **AXES),
            "ess_bulk": array_stats.ess(values, method="bulk", **AXES),
            "ess_tail": array_stats.ess(values, method="tail", prob=(0.05, 0.95), **AXES),
            "mcse_mean": array_stats.mcse(values, method="mean", **AXES),
        }


def autoregressive(rng, shape, rho):
    x = rng.normal(size=shape)
    for t in range(1, shape[-1]):
        x[..., t] += rho * x[..., t - 1]
    return x


def awkward(rng, chains, draws):
    """Draws by name: of each kind that a sampler may leave, and some that none should."""
    shape = (chains, draws)
    kinds = {
        "independent": rng.normal(size=shape),
        "slow": autoregressive(rng, shape, 0.97),
        "anti-correlated": autoregressive(rng, shape, -0.9),
        "alternating": np.broadcast_to((-1.0) ** np.arange(draws), shape) + 0.01 * rng.normal(size=shape),
        "heavy-tailed": rng.standard_cauchy(shape),
        "yes or no": (rng.random(shape) < 0.2) * 1.0,
        "rare": (rng.random(shape) < 2 / (chains * draws)) * 1.0,
        "symmetric pairs": np.where(rng.random(shape) < 0.5, -1.0, 1.0),
        "rounded": rng.normal(size=shape).round(1),
        "constant": np.full(shape, 0.1),
        "stuck chains": np.broadcast_to(np.arange(chains, dtype=float)[:, None], shape),
        "one chain away": rng.normal(size=shape) + 5.0 * (np.arange(chains) == 0)[:, None],
        "trend": rng.normal(size=shape) + np.linspace(0, 3, draws),
        "large": 1e9 + rng.normal(size=shape),
        "infinite": np.where(rng.random(shape) < 0.1, np.inf, rng.normal(size=shape)),
        "unknown": np.where(np.arange(draws) == 1, np.nan, rng.normal(size=shape)),
    }
    return list(kinds), np.stack(list(kinds.values()))


def agree(values, names):
    got = convergence(values)
    for column, expected in arviz(values).items():
        for name, a, b in zip(names, got[column], expected, strict=True):
            assert a == pytest.approx(b, rel=1e-10, nan_ok=True), (column, name)


@pytest.mark.parametrize(("chains", "draws"), [(4, 1200), (2, 1000), (3, 333), (5, 50), (4, 9), (2, 5), (2, 4)])
def test_awkward_draws_give_what_arviz_gives(chains, draws):
    rng = np.random.default_rng([chains, draws])
    with np.errstate(invalid="ignore"):
        names, values = awkward(rng, chains, draws)
        agree(values, names)


def test_many_short_runs_give_what_arviz_gives():
    """Few draws end Geyer's sequence in all of its ways."""
    rng = np.random.default_rng(8)
    for draws in range(4, 24):
        values = np.stack([autoregressive(rng, (3, draws), rho) for rho in np.linspace(-0.95, 0.95, 20)])
        agree(values, [str(draws)] * len(values))


def test_the_sampled_parameters_give_what_arviz_gives(packaged):
    group = packaged.tree["posterior"].to_dataset()
    for name in ("log_rate", "pace_score", "authority_score", "log_turnover", "log_shape"):
        values = np.moveaxis(group[name].values.reshape(4, group.sizes["draw"], -1), 2, 0)
        agree(values, [name] * len(values))


def test_any_leading_axes_are_kept():
    values = np.random.default_rng(2).normal(size=(2, 3, 4, 100))
    whole, parts = convergence(values), convergence(values[1, 2])
    for name, column in whole.items():
        assert column.shape == (2, 3)
        assert column[1, 2] == pytest.approx(parts[name], rel=1e-12)
    assert mcse(values).shape == (2, 3)


def test_of_too_few_draws_nothing_is_said():
    for shape in ((1, 100), (4, 3)):
        assert all(
            np.isnan(column).all() for column in convergence(np.random.default_rng(1).normal(size=shape)).values()
        )
    assert np.isnan(mcse(np.zeros((2, 3, 3)))).all()


def test_the_error_of_a_mean_is_its_spread_over_many_runs():
    """First-order autoregression: the variance of the mean is known."""
    rho, n = 0.7, 2_000
    values = autoregressive(np.random.default_rng(5), (200, 4, n + 200), rho)[..., 200:]
    known = 1 / (1 - rho) / np.sqrt(4 * n)
    assert mcse(values).mean() == pytest.approx(known, rel=0.05)
    assert values.mean(axis=(1, 2)).std(ddof=1) == pytest.approx(known, rel=0.15)


@pytest.mark.parametrize("n", [25, 40, 226, 1000, 4800])
@pytest.mark.parametrize("spread", [0.01, 0.5, 2.0, 8.0])
def test_smoothed_weights_are_those_of_arviz(n, spread):
    rng = np.random.default_rng([n, int(100 * spread)])
    for log_ratio in (spread * rng.normal(size=n), spread * rng.gumbel(size=n), -spread * rng.exponential(size=n)):
        given = log_ratio.copy()
        weights, shape = smoothed_weights(log_ratio)
        expected, k_hat = array_stats.psislw(-log_ratio)
        assert weights == pytest.approx(expected, rel=1e-12)
        assert shape == pytest.approx(float(k_hat), rel=1e-12, abs=1e-12, nan_ok=True)
        assert np.array_equal(log_ratio, given)


def test_the_shape_of_a_pareto_tail_is_found():
    """Ratios ``u^-k``, u uniform, have a tail of shape k."""
    u = np.random.default_rng(6).random(100_000)
    for k in (0.2, 0.5, 0.9):
        assert smoothed_weights(-k * np.log(u))[1] == pytest.approx(k, abs=0.08)


def test_ratios_that_tell_no_shape_are_left_as_they_are():
    tied = np.log(np.repeat([1.0, 2.0], [900, 100]))
    for log_ratio in (tied, np.array([0.0, 1.0, 3.0])):
        weights, shape = smoothed_weights(log_ratio)
        assert np.isnan(shape)
        assert weights == pytest.approx(log_ratio - np.log(np.exp(log_ratio).sum()))


def test_normal_scores_are_scipys():
    from forecast.monte_carlo import _normal_scores  # noqa: PLC0415

    values = np.random.default_rng(3).normal(size=(5, 4, 30)).round(1)
    for one, got in zip(values, _normal_scores(values), strict=True):
        ranks = stats.rankdata(one).reshape(one.shape)
        assert got == pytest.approx(stats.norm.ppf((ranks - 3 / 8) / (one.size + 1 / 4)), rel=1e-12)
