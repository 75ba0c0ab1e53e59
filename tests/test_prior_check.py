"""What the prior file alone says: the analyst's own numbers come back, in seconds, without the sampler."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import ks_2samp
from worlds import load_record, load_specification

import forecast
from forecast.files import InputError
from forecast.replication import by_class_and_family
from forecast.vocabulary import SCENARIOS


@pytest.fixture(scope="module")
def prior():
    return forecast.prior_forecast(load_specification(), load_record(), seed=3)


def test_scenarios_are_the_briefs(prior):
    share = np.bincount(prior.outcomes["scenario"].values, minlength=3) / prior.outcomes.sizes["draw"]
    assert share == pytest.approx([0.40, 0.45, 0.15], abs=2e-4)


def test_statements_come_back(prior):
    off = (prior.tables["statements"]["net"] - prior.tables["statements"]["stated"]).abs() / prior.tables["statements"][
        "net_mcse"
    ]
    assert len(off) == 51
    assert off.max() < 4


def test_impacts_of_a_scenario_have_the_stated_range(prior):
    """The range is of the full effect; at 60 months nearly all of it is felt."""
    spec = load_specification()
    stated, half = spec.impacts.attrition.significant, spec.impacts.half_life.value
    felt = 1 - 2 ** (-60 / half)
    own = prior.outcomes["scenario"].values == SCENARIOS.index("significant")
    drawn = prior.outcomes["user_attrition"].sel(horizon=60).values[own] / felt
    low, high = np.quantile(drawn, (0.05, 0.95))
    assert low == pytest.approx(stated.low, rel=0.12)
    assert high == pytest.approx(stated.high, rel=0.12)


def test_a_forecast_keeps_the_same_draws(packaged):
    again = forecast.prior_forecast(packaged.specification, load_record())
    assert again.outcomes.equals(packaged.prior_outcomes)
    one, two = (table[list(SCENARIOS)] for table in (again.tables["prior_resolution"], packaged.prior_resolution))
    assert np.allclose(one, two, rtol=0, atol=1e-9)


def test_summary_has_the_columns_of_a_forecast(prior, packaged):
    assert list(prior.tables["summary"].columns) == list(packaged.summary.columns)
    row = prior.tables["summary"].query("target == 'total_cost' and horizon_months == 60 and scenario == 'all'").iloc[0]
    assert row["mean"] == pytest.approx(float(prior.outcomes["total_cost"].sel(horizon=60).mean()))


def test_another_reading_gives_another_forecast(prior):
    other = forecast.prior_forecast(load_specification().with_reading("eur"), load_record(), seed=3)
    a, b = (p.outcomes["fine_largest"].sel(horizon=60).dropna("draw") for p in (prior, other))
    assert ks_2samp(a, b).pvalue < 1e-6


def test_the_record_is_no_surprise_to_the_prior_family_by_family(prior):
    groups = (prior.tree[k].to_dataset() for k in ("prior_predictive", "observed_data"))
    counts, found = (by_class_and_family(data).sum("authority_class") for data in groups)
    low, high = (counts.quantile(q, ("chain", "draw")) for q in (0.05, 0.95))
    assert ((low <= found) & (found <= high)).sum() >= 9


def test_too_few_draws_are_refused():
    with pytest.raises(InputError, match="expected at least 2"):
        forecast.prior_forecast(draws=1)


def test_it_needs_no_sampler():
    code = (
        "import sys, forecast; forecast.prior_forecast(draws=50); print([m in sys.modules for m in ('pymc', 'nutpie')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[False, False]"
