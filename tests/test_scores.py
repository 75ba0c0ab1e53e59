"""Scoring rules against numbers worked by hand, closed forms, other estimators, and their own definitions."""

import math

import numpy as np
import pytest
import scoringrules
from scipy.stats import kstest, norm

from forecast import scores


def test_log_score_by_hand():
    given = scores.log_score([0.25, 0.25, 1.0, 0.0], [1, 0, 1, 0])
    assert given == pytest.approx([math.log(4), math.log(4 / 3), 0.0, 0.0])
    assert not np.signbit(given).any()


def test_what_was_denied_costs_everything():
    assert scores.log_score([0.0, 1.0], [1, 0]).tolist() == [math.inf, math.inf]


def test_yes_no_scores_agree_with_scoringrules():
    rng = np.random.default_rng(1)
    p, y = rng.random(200), rng.integers(0, 2, 200)
    np.testing.assert_allclose(scores.brier_score(p, y), scoringrules.brier_score(y, p))
    np.testing.assert_allclose(scores.log_score(p, y), scoringrules.log_score(y, p))
    assert scores.brier_score(0.2, 1) == pytest.approx(0.64)


@pytest.mark.parametrize("score", [scores.log_score, scores.brier_score])
@pytest.mark.parametrize("wrong", [(1.2, 1), (-0.1, 0), (np.nan, 0), (0.5, 0.5), (0.5, np.nan)])
def test_what_is_no_probability_or_no_outcome_is_refused(score, wrong):
    with pytest.raises(ValueError, match=r"lies outside|is neither"):
        score(*wrong)


def test_a_share_of_draws_is_never_certain():
    assert scores.smoothed_share([0, 3, 10], 10) == pytest.approx([0.5 / 11, 3.5 / 11, 10.5 / 11])


def test_crps_by_hand():
    # E|X - y| - E|X - X'| / 2: (0 + 1)/2 - (1/2)/2; (3 + 1)/2 - (2/2)/2; a single draw: the distance
    assert scores.crps([[0.0, 1.0]], [0.0]) == pytest.approx([0.25])
    assert scores.crps([[0.0, 2.0]], [3.0]) == pytest.approx([1.5])
    assert scores.crps([[4.0]], [1.5]) == pytest.approx([2.5])


def test_crps_agrees_with_scoringrules_and_closed_forms():
    rng = np.random.default_rng(2)
    draws, y = rng.normal(size=(30, 101)), rng.normal(size=30)
    np.testing.assert_allclose(scores.crps(draws, y), scoringrules.crps_ensemble(y, draws, estimator="nrg"), rtol=1e-10)
    fine = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    np.testing.assert_allclose(scores.crps(np.tile(fine, (30, 1)), y), scoringrules.crps_normal(y, 0, 1), atol=1e-6)


def test_censored_crps_by_hand():
    # draws 1, inf; limit 3: as draws 1, 3.  y = 2: (1 + 1)/2 - (2/2)/2; y never: (2 + 0)/2 - 1/2, whatever comes later
    draws = [[1.0, math.inf]]
    assert scores.censored_crps(draws, [2.0], [3.0]) == pytest.approx([0.5])
    assert scores.censored_crps(draws, [math.inf], [3.0]) == pytest.approx([0.5])
    assert scores.censored_crps([[1.0, 7.0]], [4.0], [3.0]) == pytest.approx([0.5])


def test_censored_crps_is_the_threshold_weighted_one():
    rng = np.random.default_rng(3)
    draws, y, limit = rng.exponential(5.0, (40, 300)), rng.exponential(5.0, 40), rng.uniform(1, 10, 40)
    own = scores.censored_crps(draws, y, limit)
    for i in range(40):
        chained = scoringrules.twcrps_ensemble(
            y[i], draws[i], v_func=lambda x, c=limit[i]: np.minimum(x, c), estimator="qd", backend="numpy"
        )
        cdf = lambda x, d=draws[i]: np.searchsorted(np.sort(d), x, side="right") / 300  # noqa: E731
        knots = np.sort(np.concatenate([[0.0, limit[i]], np.clip(np.append(draws[i], y[i]), 0, limit[i])]))
        middle = (knots[1:] + knots[:-1]) / 2
        integral = (np.diff(knots) * (cdf(middle) - (y[i] <= middle)) ** 2).sum()
        assert own[i] == pytest.approx(float(chained), rel=1e-10)
        assert own[i] == pytest.approx(integral, rel=1e-10)


def test_censored_crps_is_proper():
    """Against true exponential waiting times of rate 0.2, followed up to 6, no other rate does better on average."""
    limit, true, u = 6.0, 0.2, (np.arange(1000) + 0.5) / 1000
    waits = -np.log1p(-u) / true

    def expected(rate: float) -> float:
        draws = np.tile(-np.log1p(-u) / rate, (len(waits), 1))
        return float(scores.censored_crps(draws, waits, np.full(len(waits), limit)).mean())

    best = expected(true)
    assert all(expected(rate) > best + 1e-3 for rate in (0.1, 0.15, 0.26, 0.4))


def test_pit_by_hand():
    class Half:
        def random(self, shape):
            return np.full(shape, 0.5)

    # 2 of 4 draws below, none tied: (2 + 1/2)/5; all tied: (0 + 5/2)/5; one below, two tied: (1 + 3/2)/5
    draws = [[1.0, 2.0, 4.0, 5.0], [3.0, 3.0, 3.0, 3.0], [1.0, 3.0, 3.0, 7.0]]
    assert scores.pit(draws, [3.0, 3.0, 3.0], Half()) == pytest.approx([0.5, 0.5, 0.5])
    assert scores.pit(draws[:1], [9.0], Half()) == pytest.approx([0.9])


@pytest.mark.parametrize("make", [lambda rng, n: rng.normal(size=n), lambda rng, n: rng.poisson(0.7, n).astype(float)])
def test_pit_of_an_exchangeable_value_is_uniform_with_point_masses_too(make):
    rng = np.random.default_rng(4)
    values = make(rng, (4000, 8))
    assert kstest(scores.pit(values[:, 1:], values[:, 0], rng), "uniform").pvalue > 0.01


def test_censored_pit_is_uniform_and_keeps_what_was_seen():
    rng = np.random.default_rng(5)
    times, limit = rng.exponential(5.0, (4000, 200)), rng.uniform(0.5, 12, 4000)
    got = scores.censored_pit(times[:, 1:], times[:, 0], limit, rng)
    assert kstest(got, "uniform").pvalue > 0.01
    cut = times[:, 0] > limit
    beyond = (times[:, 1:] <= limit[:, None]).mean(axis=1)
    assert (got[cut] >= beyond[cut] * 199 / 200).all()
    plain = scores.pit(times[:, 1:], times[:, 0], rng)
    np.testing.assert_allclose(got[~cut], plain[~cut], atol=1 / 199)


def test_skill_by_hand():
    assert scores.skill([0.5, 2.0], [1.0, 1.0]).tolist() == [0.5, -1.0]
    assert np.isnan(scores.skill(0.0, 0.0))


def test_resampling_keeps_clusters_whole():
    """Against the plain way: repeat the rows of each cluster as often as it was drawn, and average."""
    rng = np.random.default_rng(6)
    values, clusters = rng.normal(size=(12, 2)), np.array(list("bbbaaccccccd"))
    got = scores.resampled_means(values, clusters, seed=9, resamples=50)
    times = np.random.default_rng(9).multinomial(4, [0.25] * 4, size=50)
    for row, counts in zip(got, times, strict=True):
        drawn = np.concatenate(
            [np.repeat(values[clusters == c], k, axis=0) for c, k in zip("abcd", counts, strict=True)]
        )
        # np.repeat repeats rows one by one, which is the same set of rows
        np.testing.assert_allclose(row, drawn.mean(axis=0))


def test_resampling_finds_the_spread_of_dependent_rows():
    """60 clusters of 5 equal rows: the mean's variance is that of 60 values, not of 300."""
    value = np.random.default_rng(7).normal(size=60)
    means = scores.resampled_means(np.repeat(value, 5)[:, None], np.repeat(np.arange(60), 5), seed=1, resamples=20_000)
    assert means.std() == pytest.approx(value.std() / math.sqrt(60), rel=0.02)
    low, high = scores.interval(means)[:, 0]
    assert (low, high) == pytest.approx(
        value.mean() + np.array([-1, 1]) * 1.645 * value.std() / math.sqrt(60), abs=0.02
    )


def test_a_seed_is_an_answer():
    values, clusters = np.arange(10.0)[:, None], np.arange(10) // 2
    one, same, other = (scores.resampled_means(values, clusters, seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
    assert (scores.resampled_means(values, ["x"] * 10, 1) == 4.5).all()
