"""The tree of a forecast as ArviZ takes it, its words and digits: saved and unsaved ones are the same."""

import warnings
from datetime import date

import arviz as az
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt

import forecast
from forecast.attribution.pool import log_density
from forecast.descriptions import GROUPS
from forecast.inference import Draws, gather
from forecast.netcdf import write
from forecast.sensitivity.scaling import psense
from forecast.trees import (
    DERIVED_BITS,
    EFFECT_DIMS,
    PARAMETER_BITS,
    PRIOR_DRAWS,
    prior_parameters,
    rounded,
    to_tree,
)
from forecast.updating import settings_of, stored, total_log_likelihood

LIMIT = 15_000_000


@pytest.fixture(scope="module")
def tree(packaged):
    return packaged.tree


@pytest.fixture(scope="module")
def posterior(packaged):
    evidence = gather(packaged.specification, packaged.record, date.fromisoformat(packaged.manifest["origin"]))
    return stored(evidence, settings_of(packaged), packaged.tree, packaged.posterior_summary)


@pytest.fixture(scope="module")
def unsaved(packaged, posterior):
    return to_tree(posterior, {k: v for k, v in packaged.manifest.items() if isinstance(v, str | int)})


@pytest.fixture(params=["saved", "unsaved"])
def either(request, tree, unsaved):
    return {"saved": tree, "unsaved": unsaved}[request.param]


def told(tree, **options):
    """Return PSIS-LOO of a tree; that some k-hats are large is not the matter here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Estimated shape parameter", UserWarning)
        return az.loo(tree, pointwise=True, **options)


def test_loo_needs_no_further_words_and_every_k_hat_is_a_number(either):
    found = told(either)
    assert found.pareto_k.notnull().all()
    assert set(found.elpd_i["matter"].values) == set(either["log_likelihood"]["matter"].values)


def test_a_matter_without_months_at_risk_has_no_row_and_is_named(tree, posterior):
    x, names = posterior.evidence.exposure, tree["log_likelihood"].attrs["matters_without_data"].split(", ")
    months = np.bincount(x.row_matter, x.months.sum(axis=1), len(x.matters))
    empty = [name for name, total in zip(x.matters, months, strict=True) if total == 0]
    assert names == empty
    assert len(empty) > 0
    assert [*tree["log_likelihood"]["matter"].values] == [name for name in x.matters if name not in empty]


def test_loo_is_that_of_all_digits(tree, posterior):
    shape = (posterior.settings.chains, posterior.settings.draws)
    log_weight, log_pi = posterior.draws.effects["log_weight"], posterior.evidence.constants.log_pi
    density = posterior.draws.matters.marginal(log_weight, log_pi)
    speaks = np.ptp(density, axis=0) > 1e-9
    values = xr.Dataset({"matters": (("chain", "draw", "matter"), density[:, speaks].reshape(*shape, -1))})
    whole = told(tree.assign(log_likelihood=xr.DataTree(values)))
    kept = told(tree)
    assert kept.elpd == pytest.approx(whole.elpd, abs=1e-4)
    assert kept.p == pytest.approx(whole.p, abs=1e-4)
    assert kept.pareto_k.values == pytest.approx(whole.pareto_k.values, abs=1e-4)


def test_power_scaling_of_all_data_and_of_the_matters_alone(either, posterior):
    whole, shape = either.assign(log_likelihood=either["log_likelihood_sums"]), (4, 1200)
    alone, every = (
        float(az.psense(x, var_names="drift_mean", group="likelihood")["drift_mean"]) for x in (either, whole)
    )
    drift, sums = posterior.draws.flat["drift_mean"][None], either["log_likelihood_sums"]
    total = total_log_likelihood(posterior.draws)
    assert every == pytest.approx(psense("likelihood", total, drift, shape)[0], rel=1e-4)
    assert alone == pytest.approx(psense("likelihood", sums["matters"].values.ravel(), drift, shape)[0], rel=1e-4)
    assert every > 1.2 * alone  # the matters say nothing about the drift of user numbers
    prior = az.psense(either, var_names="drift_mean", group="prior", group_var_names=["drift_mean"])["drift_mean"]
    density = either["log_prior"]["drift_mean"].values.ravel()
    assert float(prior) == pytest.approx(psense("prior", density, drift, shape)[0], rel=1e-9)


def test_sums_hold_all_that_the_draws_were_weighted_by(tree, posterior):
    sums = tree["log_likelihood_sums"].to_dataset()
    total = sum(sums[k].values.ravel() for k in sums)
    assert total_log_likelihood(posterior.draws) == pytest.approx(total, rel=1e-9)
    assert tree["log_likelihood"]["matters"].sum("matter").values == pytest.approx(sums["matters"].values, abs=1e-3)


def test_log_prior_is_summed_by_parameter(tree):
    score = tree["posterior"]["pace_score"]
    expected = (-(score**2) / 2 - np.log(2 * np.pi) / 2).sum("provider")
    assert tree["log_prior"]["pace_score"].values == pytest.approx(expected.values, rel=1e-6)
    assert {v.dims for v in tree["log_prior"].data_vars.values()} == {("chain", "draw")}


@pytest.mark.parametrize(
    ("plot", "variable"),
    [
        ("plot_ppc_pit", None),
        ("plot_ppc_pit", "events"),
        ("plot_ppc_pit", "fine_share"),
        ("plot_ppc_rootogram", "events"),
        ("plot_ppc_dist", "fine_share"),
        ("plot_ppc_interval", "events"),
    ],
)
def test_arviz_draws_replicates(either, plot, variable):
    getattr(az, plot)(either, var_names=variable, backend="matplotlib")
    assert plt.get_fignums()
    plt.close("all")


def test_arviz_draws_prior_beside_posterior(either):
    az.plot_prior_posterior(either, var_names="weight", backend="matplotlib")
    plt.close("all")


def test_the_rootogram_counts_what_the_record_holds(tree):
    plots = az.plot_ppc_rootogram(tree, var_names="events", backend="matplotlib")
    seen = plots.viz["observed_markers"]["events"].item().get_offsets().data
    values, counts = np.unique(tree["observed_data"]["events"].values, return_counts=True)
    assert seen[:, 0] == pytest.approx(values)
    assert seen[:, 1] == pytest.approx(counts)
    plt.close("all")


def test_saving_changes_nothing(unsaved, tmp_path):
    write(unsaved, tmp_path / "posterior.nc")
    with xr.open_datatree(tmp_path / "posterior.nc", engine="netcdf4") as opened:
        loaded = opened.load()
    assert loaded.identical(unsaved)
    for node in unsaved.subtree:
        for name, variable in node.data_vars.items():
            if variable.dtype.kind in "fib":
                assert loaded[node.path][name].dtype == variable.dtype, name


def test_a_tree_of_stored_draws_is_the_stored_tree(tree, unsaved):
    for name in ("posterior", "prior", "prior_predictive", "observed_data", "sample_stats", "constant_data"):
        assert unsaved[name].to_dataset().identical(tree[name].to_dataset()), name


def test_the_file_is_small(packaged_folder):
    assert (packaged_folder / "posterior.nc").stat().st_size < LIMIT


def test_every_variable_is_described(tree):
    assert set(GROUPS) == set(tree.children)
    for name, group in tree.children.items():
        assert set(GROUPS[name]) == set(group.data_vars), name
        for key, variable in group.data_vars.items():
            assert variable.attrs["long_name"], (name, key)
            assert variable.attrs["description"].endswith("."), (name, key)
    assert tree["posterior"]["log_turnover"].attrs["units"] == "log EUR a year"
    assert "units" not in tree["constant_data"]["case_open"].attrs


def test_every_target_is_described(packaged_folder):
    for name in ("outcomes", "prior_outcomes"):
        with xr.open_dataset(packaged_folder / f"{name}.nc", engine="netcdf4") as draws:
            names = [variable.attrs["long_name"] for variable in draws.data_vars.values()]
            assert len(set(names)) == len(names)
            for key, variable in draws.data_vars.items():
                assert variable.attrs["long_name"] != key
                assert variable.attrs["description"].endswith(".")
                assert "units" in variable.attrs or key == "scenario"


def test_derived_variables_are_those_of_the_parameters(tree, posterior):
    shown = {
        **posterior.draws.effects,
        "weight": np.exp(posterior.draws.effects["log_weight"]),
        "stated_probability": -np.expm1(-posterior.draws.effects["stated"]),
        "instrument_effect": posterior.draws.effects["instrument"],
    }
    for name in EFFECT_DIMS:
        kept = tree["posterior"][name].values
        assert kept == pytest.approx(shown[name].reshape(kept.shape), rel=2.0 ** -(DERIVED_BITS + 1), abs=1e-300), name


def test_the_prior_in_the_tree_is_the_beginning_of_all_of_it(packaged, tree, posterior):
    whole, kept = prior_parameters(posterior.evidence, posterior.settings), tree["prior"].to_dataset()
    assert kept["log_rate"].shape[:2] == (4, PRIOR_DRAWS // 4)
    assert whole["log_rate"].shape[:2] == (4, 1200)
    for name, values in kept.data_vars.items():
        assert values.values == pytest.approx(whole[name].values[:, : PRIOR_DRAWS // 4], rel=1e-4), name


def test_rounded_parameters_leave_densities_where_they_were(posterior):
    """The draws of a fit have all digits; here those that were cut off are made up anew."""
    rng = np.random.default_rng(5)
    half = 2.0 ** -(PARAMETER_BITS + 1)
    flat = {k: v * (1 + half * rng.uniform(-1, 1, v.shape)) for k, v in posterior.draws.flat.items()}
    other = Draws(posterior.evidence, flat)
    assert np.abs(log_density(other) - log_density(posterior.draws)).max() < 1e-7


def test_silence_over_no_time_moves_no_draw(packaged):
    """What an update compares are densities of the draws that the tree holds, not of those before rounding."""
    later = forecast.update(packaged, {})
    assert later.diagnostics["update"]["k_hat"] == 0
    assert (
        later.tree["posterior"]
        .to_dataset()[["pace_score"]]
        .identical(packaged.tree["posterior"].to_dataset()[["pace_score"]])
    )


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20),
    st.integers(min_value=8, max_value=51),
)
def test_rounding_keeps_so_many_digits(numbers, bits):
    values = np.array(numbers)
    near = rounded(values, bits)
    finite = np.isfinite(values) & (np.abs(values) < 1e300)
    normal = finite & (np.abs(values) > 1e-300)
    assert (np.abs(near[normal] - values[normal]) <= np.abs(values[normal]) * 2.0 ** -(bits + 1)).all()
    assert np.array_equal(near[~np.isfinite(values)], values[~np.isfinite(values)], equal_nan=True)
    assert (near[finite].view(np.uint64) & np.uint64((1 << (52 - bits)) - 1) == 0).all()
    assert np.array_equal(rounded(near, bits), near, equal_nan=True)
