"""The sampler against quadrature where the model is one-dimensional, and the gate against made-up draws."""

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy.integrate import quad
from scipy.stats import norm

from forecast import inference
from forecast.inference import Compiled, NotConvergedError, Posterior, Settings, converged, gather, labels_of
from forecast.record import load_record
from forecast.specification import Specification, load_specification


def without_effects(spec: Specification) -> Specification:
    """The same prior file with every effect shrunk to nothing and nothing stated: one Poisson rate per family."""
    data = spec.model_dump()
    regime, nothing = data["regime"], 1e-7
    for scale in ("powers", "stage", "age", "trend"):
        regime["scales"][scale]["value"] = nothing
    for kind in regime["classes"].values():
        kind["powers"] = {}
    for family in regime["families"].values():
        family["age"] = 0.0
    for rule in regime["rules"]:
        rule |= {"multiplier": 1.0, "sd": nothing}
    regime["stages"] = {}
    data["statements"]["families"] = {}
    return Specification.model_validate(data)


@pytest.fixture(scope="module")
def plain():
    spec, record = without_effects(load_specification()), load_record()
    evidence = gather(spec, record, spec.as_of.replace(year=2025))
    return Compiled(evidence).sample(evidence, Settings(draws=3000, tune=500, seed=5))


def test_one_rate_per_family_equals_quadrature(plain):
    """rate | data: Normal(loc, scale) times Poisson(n | months * exp(rate)), family by family."""
    cells, prior = plain.evidence.hazards.cells, plain.evidence.priors["rate"]
    for e, family in enumerate(plain.evidence.regime.family_names):
        n, months = cells.count[:, e].sum(), cells.months[:, e].sum()

        def density(a, n=n, months=months, e=e):
            return norm.pdf(a, prior.loc[e], prior.scale[e]) * np.exp(n * a - months * np.exp(a) + n * 6.0)

        span = (prior.loc[e] - 6 * prior.scale[e], prior.loc[e] + 6 * prior.scale[e])
        mass, first, second = (quad(lambda a, k=k: a**k * density(a), *span, limit=400)[0] for k in range(3))
        mean, variance = first / mass, second / mass - (first / mass) ** 2
        row = plain.diagnostics.loc[f"rate[{family}]"]
        assert abs(row["mean"] - mean) < 4.5 * row["mcse_mean"], family
        error = array_stats.mcse(plain.raw["rate"][..., e], method="sd", chain_axis=0, draw_axis=1)
        assert abs(row["sd"] - np.sqrt(variance)) < 4.5 * error, family


def test_the_gate_sees_each_failure(plain):
    raw = {k: v.copy() for k, v in plain.raw.items()}
    raw["log_turnover"][0] += 3.0
    statistics = {**plain.statistics, "diverging": plain.statistics["diverging"].copy()}
    statistics["diverging"][1, 2] = True
    bad = Posterior(plain.evidence, plain.settings, raw, plain.exact, statistics)
    text = "; ".join(bad.failures)
    for words in ("worst log_turnover", "r_hat of", "ess_bulk of", f"{plain.divergences + 1} divergences"):
        assert words in text


def test_stuck_chains_are_seen(plain):
    raw = {k: v.copy() for k, v in plain.raw.items()}
    raw["trend"][:] = 1.0
    bad = Posterior(plain.evidence, plain.settings, raw, plain.exact, plain.statistics)
    assert any("trend" in failure for failure in bad.failures)


def test_labels_follow_the_arrays():
    assert labels_of("a", (), {}) == ["a"]
    assert labels_of("a", ("x", "y"), {"x": ("p", "q"), "y": ("1", "2")}) == [
        "a[p, 1]",
        "a[p, 2]",
        "a[q, 1]",
        "a[q, 2]",
    ]


class Slow:
    """Stands for a compiled model whose chains meet only from so many draws on."""

    def __init__(self, plain, enough):
        self.plain, self.enough, self.asked = plain, enough, []

    def sample(self, evidence, settings):
        self.asked.append((settings.tune, settings.draws, settings.seed))
        statistics = {**self.plain.statistics, "diverging": np.array([settings.draws < self.enough])}
        return Posterior(evidence, settings, self.plain.raw, self.plain.exact, statistics)


@pytest.mark.parametrize(("enough", "samplings"), [(100, 1), (200, 2)])
def test_chains_that_fail_are_sampled_once_more_at_twice_the_length(plain, enough, samplings, monkeypatch, caplog):
    monkeypatch.setattr(inference, "MIN_ESS", 0)
    monkeypatch.setattr(inference, "MAX_R_HAT", 9.0)
    caplog.set_level("INFO", "forecast")
    slow = Slow(plain, enough)
    posterior = converged(slow, plain.evidence, Settings(draws=100, tune=50, seed=4))
    assert slow.asked == [(50, 100, 4), (100, 200, 4)][:samplings]
    assert posterior.settings.draws == 100 * samplings
    assert len(caplog.messages) == samplings - 1
    assert all("1 divergences (none allowed): sampling 100 + 200 draws" in line for line in caplog.messages)


def test_chains_that_fail_at_twice_the_length_too_are_refused(plain, monkeypatch):
    monkeypatch.setattr(inference, "MIN_ESS", 0)
    slow = Slow(plain, 1000)
    with pytest.raises(NotConvergedError, match="divergences"):
        converged(slow, plain.evidence, Settings(draws=100, tune=50))
    assert len(slow.asked) == 2
