"""The whole line on the packaged input: one folder, complete, reproducible, refused when it is not whole."""

import json
import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from rich.console import Console
from worlds import HORIZONS, LATER, with_news

import forecast
from forecast import forecasting, inference, plots
from forecast.files import InputError
from forecast.hypotheses.whatifs import notes_of
from forecast.inference import Compiled, NotConvergedError, Settings, gather
from forecast.outcomes import imagine
from forecast.record import load_record
from forecast.silence import assumption, silence_of
from forecast.specification import load_specification
from forecast.terminal.forecasts import screen
from forecast.terminal.hypotheses import watch_screen, whatif_screen
from forecast.vocabulary import FAMILIES, SCENARIOS, WINDOWS

SHORT = Settings(draws=150, tune=200, chains=2, seed=5)


@pytest.fixture(scope="module")
def compiled():
    spec, record = load_specification(), load_record()
    return Compiled(gather(spec, record, spec.as_of))


@pytest.fixture
def lenient(monkeypatch):
    """Short runs do not pass the gate; these tests look at what comes after it."""
    monkeypatch.setattr(inference, "MIN_ESS", 0)
    monkeypatch.setattr(inference, "MAX_R_HAT", 9.0)


def test_the_folder_is_complete(packaged_folder):
    files = {p.relative_to(packaged_folder).as_posix() for p in packaged_folder.rglob("*") if p.is_file()}
    names = (
        "posterior.nc outcomes.nc prior_outcomes.nc summary.csv scenarios.csv event_probabilities.csv next_fines.csv"
    )
    expected = {
        *names.split(),
        "posterior_summary.csv",
        "weight_of_evidence.csv",
        "unused_rows.csv",
        "diagnostics.json",
        "manifest.json",
        "priors.yaml",
        "record/events.csv",
    }
    assert expected <= files
    manifest = json.loads((packaged_folder / "manifest.json").read_text())
    assert set(manifest["sha256"]) == files - {"manifest.json"}


def test_the_files_of_draws_hold_what_xarray_itself_writes(packaged, packaged_folder, tmp_path):
    packaged.tree.to_netcdf(tmp_path / "posterior.nc", engine="netcdf4")
    packaged.outcomes.to_netcdf(tmp_path / "outcomes.nc", engine="netcdf4")
    for name in ("posterior.nc", "outcomes.nc"):
        ours, theirs = (xr.open_datatree(folder / name).load() for folder in (packaged_folder, tmp_path))
        assert ours.identical(theirs), name
        for node in ours.subtree:
            for variable, values in node.variables.items():
                assert values.dtype == theirs[node.path].variables[variable].dtype, (node.path, variable)
        ours.close()
        theirs.close()


def test_default_draws_pass_the_gate(packaged):
    assert packaged.diagnostics["converged"]
    table = packaged.tables["posterior_summary"]
    assert table["ess_bulk"].min() >= 400
    assert table["ess_tail"].min() >= 400
    assert table["r_hat"].max() <= 1.01
    assert packaged.diagnostics["divergences"] == 0


def test_columns_and_rows(packaged):
    summary = packaged.tables["summary"]
    columns = "origin_date horizon_months target scenario label unit mean sd q05 q25 q50 q75 q95 mcse_mean"
    assert list(summary.columns) == columns.split()
    assert set(summary["scenario"]) == {"all", *SCENARIOS}
    assert set(summary["horizon_months"]) == set(HORIZONS)
    assert not summary.duplicated(["horizon_months", "target", "scenario"]).any()
    events = packaged.tables["event_probabilities"]
    assert set(events["window_months"]) == set(WINDOWS)
    assert set(events["family"]) == set(FAMILIES)
    keys = ["origin_date", "case_id", "matter_id", "view", "family", "window_months"]
    assert list(events.columns) == [*keys, "probability", "mcse", "outside_probability", "outside_mcse"]
    assert list(packaged.tables["next_fines"].columns) == [
        "origin_date",
        "case_id",
        "q05",
        "q25",
        "q50",
        "q75",
        "q95",
        "reason",
    ]


def test_views_of_the_scenarios(packaged):
    views = packaged.tables["scenarios"].pivot(index="view", columns="scenario", values="probability")[list(SCENARIOS)]
    assert views.loc["brief"].tolist() == [0.40, 0.45, 0.15]
    assert views.loc["inside"].tolist() == [0.40, 0.45, 0.15]
    assert views.sum(axis=1).to_numpy() == pytest.approx(np.ones(5))
    counts = pd.Series(packaged.manifest["resolved_matters"])
    assert counts.sum() > 40
    assert views.loc["base_rate"].tolist() == pytest.approx((counts / counts.sum())[list(SCENARIOS)].tolist())
    assert (np.diag(packaged.tables["resolution"][list(SCENARIOS)]) >= 0.8).all()
    assert (np.diag(packaged.tables["prior_resolution"][list(SCENARIOS)]) >= 0.8).all()


def test_every_number_of_the_summary_comes_from_the_draws(packaged):
    summary, draws = packaged.tables["summary"], packaged.outcomes
    scenario = draws["scenario"].values
    for _, row in summary.iterrows():
        values = draws[row["target"]].sel(horizon=row["horizon_months"]).values
        own = values if row["scenario"] == "all" else values[scenario == SCENARIOS.index(row["scenario"])]
        own = own[~np.isnan(own)]
        if len(own) > 1:
            assert row["mean"] == pytest.approx(own.mean(), rel=1e-9, abs=1e-12)
            above = np.nan if row["unit"] == "probability" else np.quantile(own, 0.95)
            assert row["q95"] == pytest.approx(above, rel=1e-9, abs=1e-12, nan_ok=True)


def test_statements_posterior_is_their_prior(packaged):
    prior, posterior = (packaged.tree[g]["stated_probability"].to_numpy() for g in ("prior", "posterior"))
    error = prior.std(axis=(0, 1)) / np.sqrt(prior.shape[0] * prior.shape[1])
    assert (np.abs(prior.mean(axis=(0, 1)) - posterior.mean(axis=(0, 1))) < 8 * error).all()
    first = [s for s in packaged.tree["prior"]["statement"].to_numpy() if " 0-" in s]
    spec = packaged.specification
    for label in first:
        stated = spec.statements.families[label.split()[0]]
        mean = packaged.tree["prior"]["stated_probability"].sel(statement=label).mean(("chain", "draw")).to_numpy()
        sd = packaged.tree["prior"]["stated_probability"].sel(statement=label).std(("chain", "draw")).to_numpy()
        expected = [stated[s][0].value for s in SCENARIOS]
        assert (np.abs(mean - expected) < 4.5 * sd / np.sqrt(packaged.tree["prior"]["log_turnover"].size)).all()


def test_the_tree_knows_what_made_it(packaged):
    tree = packaged.tree
    assert set(tree.children) == {
        "prior",
        "posterior",
        "prior_predictive",
        "posterior_predictive",
        "observed_data",
        "sample_stats",
        "constant_data",
        "log_likelihood",
        "log_likelihood_sums",
        "log_prior",
    }
    assert tree.attrs["priors_fingerprint"] == load_specification().fingerprint
    assert tree.attrs["record_fingerprint"] == packaged.record.fingerprint
    assert tree.attrs["settings_seed"] == packaged.manifest["seed"]
    assert list(tree["posterior"]["chain"].values) == [0, 1, 2, 3]
    assert tree["posterior"].sizes["draw"] == tree["posterior"]["draw"].values[-1] + 1 == 1200


def test_save_and_load_is_the_identity(packaged, packaged_folder, tmp_path):
    again = forecast.load(packaged_folder)
    forecast.save(again, tmp_path / "copy")
    third = forecast.load(tmp_path / "copy")
    assert third.outcomes.identical(packaged.outcomes)
    assert third.specification == packaged.specification
    assert third.record.fingerprint == packaged.record.fingerprint
    for name, table in packaged.tables.items():
        pd.testing.assert_frame_equal(third.tables[name], table)
    assert all(third.tree[g].to_dataset().identical(packaged.tree[g].to_dataset()) for g in packaged.tree.children)


def test_the_same_seed_gives_the_same_file(compiled, lenient, tmp_path):
    texts = []
    for name in ("one", "two"):
        forecasting.save(forecasting.run(origin="2026-02-03", settings=SHORT, compiled=compiled), tmp_path / name)
        texts.append((tmp_path / name / "summary.csv").read_bytes())
    assert texts[0] == texts[1]


def test_an_origin_before_the_brief_has_the_outside_view_only(lenient):
    result = forecasting.run(origin="2025-02-03", settings=SHORT)
    assert set(result.tables["scenarios"]["view"]) == {"outside", "base_rate", "resolved_60m"}
    assert result.tables["weight_of_evidence"].empty
    assert result.manifest["view"] == "outside"
    assert "valuation_change" not in result.outcomes
    assert result.record.events["published_on"].max() <= pd.Timestamp("2025-02-03")


def test_another_matter_and_a_pooled_view(lenient):
    spec = load_specification("priors/tiktok-commission-2026.yaml")
    result = forecasting.run(spec, settings=SHORT)
    assert result.manifest["matter"] == "ec-dsa-tiktok-2024a"
    assert result.tables["scenarios"].query("view == 'inside'")["probability"].sum() == pytest.approx(1)
    assert "user_attrition" not in result.outcomes


def test_pooling_moves_the_inside_view_towards_the_outside_one(compiled, lenient):
    spec, record = load_specification().with_reading("outside_pool_half"), load_record()
    evidence = gather(spec, record, spec.as_of)
    pooled = forecasting.fit(compiled, evidence, record, SHORT).evidence.pi
    draws = compiled.sample(evidence, SHORT).draws
    classes = imagine(draws, np.random.default_rng(1), outside=True).scenario
    expected = np.sqrt([0.40, 0.45, 0.15] * np.bincount(classes, minlength=3) / len(classes))
    assert pooled == pytest.approx(expected / expected.sum(), abs=0.03)  # other random courses


def test_pooling_is_fixed_at_the_brief_and_news_update_it(lenient):
    spec, record = load_specification().with_reading("outside_pool_half"), with_news()
    later = gather(spec, record, LATER)
    posterior = forecasting.fit(Compiled(later), later, record, SHORT)
    assert posterior.evidence.pi.sum() == pytest.approx(1)
    assert not np.allclose(posterior.evidence.pi, [0.40, 0.45, 0.15])
    inside = forecasting.conclude(posterior, record.as_of(LATER)).tables["scenarios"].query("view == 'inside'")
    assert not np.allclose(inside["probability"], posterior.evidence.pi, atol=0.01)


def test_too_few_draws_are_refused_with_advice(compiled):
    with pytest.raises(NotConvergedError, match=r"ess_bulk of \d+ parameters.*--draws"):
        forecasting.run(origin="2026-02-03", settings=SHORT, compiled=compiled)


def test_evidence_of_other_coordinates_is_refused(compiled):
    spec, record = load_specification(), load_record()
    with pytest.raises(ValueError, match="coordinates"):
        compiled.sample(gather(spec, record, spec.as_of.replace(year=2025)), SHORT)


def test_folders_that_are_not_whole_are_refused(packaged_folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(packaged_folder, broken)
    (broken / "summary.csv").write_text("changed")
    (broken / "record" / "events.csv").unlink()
    with pytest.raises(InputError) as caught:
        forecast.load(broken)
    assert "summary.csv: was changed" in str(caught.value)
    assert "events.csv: is missing" in str(caught.value)
    manifest = json.loads((broken / "manifest.json").read_text())
    (broken / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(InputError, match="format 99, expected 4"):
        forecast.load(broken)
    (broken / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="is no JSON"):
        forecast.load(broken)
    with pytest.raises(InputError, match="holds no forecast"):
        forecast.load(tmp_path)


def test_a_folder_is_replaced_whole_or_not_at_all(packaged, packaged_folder, tmp_path, monkeypatch):
    target = tmp_path / "target"
    shutil.copytree(packaged_folder, target)
    (target / "note.txt").write_text("an old file")
    before = sorted(p.name for p in target.iterdir())

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(xr.Dataset, "dump_to_store", fail)
        with pytest.raises(KeyboardInterrupt):
            forecasting.save(packaged, target)
    assert sorted(p.name for p in target.iterdir()) == before
    assert [p.name for p in tmp_path.iterdir()] == ["target"]
    forecasting.save(packaged, target)
    assert not (target / "note.txt").exists()


def test_assumed_silence_is_kept_and_said_everywhere(lenient, tmp_path):
    day, record = "2026-11-05", load_record()
    result = forecasting.run(origin=day, settings=SHORT, assume_silence=True)
    told = silence_of(record, date.fromisoformat(day)).as_json()
    assert told["complete_until"] == "2026-10-06"
    assert told["days"] == 30
    assert result.manifest["assumed_silence"] == told
    sentence = assumption(result.manifest)
    assert "2026-10-06" in sentence
    assert str(result).startswith(sentence)
    forecasting.save(result, tmp_path / "late")
    again = forecasting.load(tmp_path / "late")
    assert again.manifest["assumed_silence"] == told
    assert again.record.complete_until == date(2026, 10, 6)
    assert printed(screen(again.tables, again.manifest, again.diagnostics)).startswith(sentence)
    assert sentence in " ".join(plots.scenarios(again).get_supxlabel().split())
    with pytest.raises(InputError, match="2026-11-05 lies 30 days after"):
        forecast.update(again, {})
    watched = printed(watch_screen(forecast.watch(again, most=1)))
    assert watched.startswith(sentence)
    supposed = forecast.whatif(again, levers=["proactive_compliance"])
    assert printed(whatif_screen(supposed)).startswith(sentence)
    assert notes_of(supposed.manifest, supposed.suppositions)["assumed_silence"].startswith(sentence)


def printed(parts):
    console = Console(width=400, no_color=True)
    with console.capture() as capture:
        console.print(parts)
    return capture.get()


def test_a_forecast_of_another_record_is_replaced_only_when_asked(packaged, packaged_folder, tmp_path):
    other = replace(packaged, manifest={**packaged.manifest, "record_fingerprint": "0" * 64})
    target = shutil.copytree(packaged_folder, tmp_path / "target")
    before = (target / "manifest.json").read_bytes()
    with pytest.raises(InputError, match="holds a result of another record"):
        forecasting.save(other, target)
    assert (target / "manifest.json").read_bytes() == before
    forecasting.save(other, target, overwrite=True)
    assert (target / "manifest.json").read_bytes() != before


def test_a_folder_of_something_else_is_not_replaced(packaged, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="holds no forecast"):
        forecasting.save(packaged, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "precious"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_default_draws_converge_at_three_seeds(compiled, seed):
    """Default draws must pass the gate whatever the seed."""
    made = forecasting.run(origin="2026-02-03", settings=Settings(seed=seed), compiled=compiled)
    assert made.diagnostics["converged"]


def test_a_record_of_proceedings_and_events_alone_is_enough(tmp_path, lenient):
    """Without users and fines some parameters have no elements: nothing may stumble over them."""
    full = load_record()
    bare = {n: getattr(full, n).iloc[:0] for n in ("fines", "users", "turnover", "valuations", "moderation", "caps")}
    result = forecasting.run(record=replace(full, **bare), settings=SHORT)
    assert result.tree["posterior"].sizes["service"] == 0
    forecasting.save(result, tmp_path / "bare")
    again = forecasting.load(tmp_path / "bare")
    assert again.summary["mean"].notna().any()
    later = forecast.update(again, {}, origin="2026-10-13", assume_silence=True)
    assert later.manifest["origin"] == "2026-10-13"
