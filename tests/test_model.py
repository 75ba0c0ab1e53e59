"""The story in PyMC against the same formulas in NumPy; the prior file and the regime as its only source of numbers."""

import numpy as np
import pymc as pm
import pytensor
import pytest
from worlds import load_record, load_specification

from forecast.gathered import gather
from forecast.inference import Draws, prior_draws
from forecast.model.build import build_model, model_data
from forecast.model.priors import hazard_priors
from forecast.regime import packaged_priors
from forecast.specification import load_specification as read_specification


@pytest.fixture(scope="module", params=["2026-10-06", "2025-06-30"])
def evidence(request):
    spec, record = load_specification(), load_record()
    known = spec.as_of.fromisoformat(request.param)
    ones = np.ones((23, 3))  # any correction will do: both tellings must take the same
    return gather(spec, record, known, correction=ones * np.linspace(0.5, 2, 23)[:, None])


def log_densities(evidence, draws):
    """Return the log density of the PyMC model at draws of its parameters."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        model = build_model(evidence)
        logp = model.compile_logp()
    return np.array([logp({name: draws.flat[name][i] for name in evidence.priors}) for i in range(len(draws))])


def test_the_model_in_pymc_is_the_likelihood_in_numpy(evidence):
    """Up to a constant of the data, so differences between draws agree."""
    draws = prior_draws(evidence, 6, seed=3)
    prior = sum(
        evidence.priors[name].log_density(draws.flat[name]).reshape(6, -1).sum(axis=1) for name in evidence.priors
    )
    expected = prior + np.sum(list(draws.log_likelihoods.values()), axis=0)
    found = log_densities(evidence, draws)
    assert found - found[0] == pytest.approx(expected - expected[0], rel=1e-9, abs=1e-7)
    assert ("news" in draws.log_likelihoods) == evidence.inside


def test_free_variables_have_the_names_dimensions_and_priors_of_the_table(evidence):
    model = build_model(evidence)
    assert {rv.name for rv in model.free_RVs} == set(evidence.priors)
    for name, prior in evidence.priors.items():
        assert model.named_vars_to_dims.get(name, ()) == (prior.dims or ()) or not prior.dims
        drawn = pm.draw(model[name], draws=400, random_seed=1)
        z = (drawn - prior.loc) / prior.scale
        assert abs(z.mean()) < 5 / np.sqrt(z.size)


def test_data_are_replaced_and_nothing_else(evidence):
    model, data = build_model(evidence), model_data(evidence)
    assert {v.name for v in model.data_vars} == set(data)


def test_by_matter_adds_up_to_all_events(evidence):
    draws = prior_draws(evidence, 5, seed=4)
    total = draws.log_likelihoods["events"]
    assert draws.by_matter.sum(axis=1) == pytest.approx(total)
    assert draws.by_matter.shape == (5, len(evidence.hazards.matters))


def test_a_reader_changes_one_prior_by_changing_one_line(tmp_path):
    text = (packaged_priors() / "regimes" / "platforms.yaml").read_text()
    (line,) = [one for one in text.splitlines() if one.strip().startswith("trend: {value: 0.1")]
    (tmp_path / "mine.yaml").write_text(text.replace(line, line.replace("value: 0.1", "value: 0.2")))
    brief = (packaged_priors() / "x-paris-2026.yaml").read_text()
    (tmp_path / "brief.yaml").write_text(brief.replace("regime: platforms", f"regime: {tmp_path / 'mine.yaml'}"))
    old, new = (
        hazard_priors(load_specification().regime),
        hazard_priors(read_specification(tmp_path / "brief.yaml").regime),
    )
    assert new["trend"].scale == pytest.approx(2 * old["trend"].scale)
    for name in set(old) - {"trend"}:
        assert np.array_equal(old[name].loc, new[name].loc), name
        assert np.array_equal(old[name].scale, new[name].scale), name


def test_draws_of_some_rows_are_those_rows(evidence):
    draws = prior_draws(evidence, 5, seed=4)
    some = draws.take(np.array([3, 1]))
    assert isinstance(some, Draws)
    assert some.log_news == pytest.approx(draws.log_news[[3, 1]])
