"""Reweighting against a known answer and against a new fit; what is refused, and what a certificate says."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from arviz_stats.base import array_stats
from rich.console import Console
from scipy import stats
from scipy.signal import lfilter
from worlds import event

import forecast
from forecast import forecasting
from forecast.files import InputError, whole_folder
from forecast.inference import gather
from forecast.monte_carlo import convergence
from forecast.outcomes import inside_weights
from forecast.terminal.evidence import update_screen
from forecast.updating import median_errors, resampled, reweight, smoothed, stored, total_log_likelihood, update
from forecast.vocabulary import SCENARIOS

FINDINGS = [event("ec-dsa-x-grok-2026", "2026-03-03", "preliminary_findings")]
"""A hypothetical event: for tests alone."""


def settings_of(result):
    names = ("draws", "tune", "chains", "seed")
    return forecast.Settings(**{k: int(result.tree.attrs[f"settings_{k}"]) for k in names})


@pytest.fixture(scope="module")
def old(packaged):
    correction = packaged.tree["constant_data"]["correction"].values
    evidence = gather(packaged.specification, packaged.record, date(2026, 2, 3), correction=correction)
    return stored(evidence, settings_of(packaged), packaged.tree, packaged.posterior_summary)


def at(packaged, day, rows=(), **tables):
    added = {"events": pd.DataFrame(list(rows))} if rows else {}
    until = date.fromisoformat(day)
    record = forecast.append(packaged.record, {**tables, **added}, complete_until=until)
    correction = packaged.tree["constant_data"]["correction"].values
    return gather(packaged.specification, record, until, correction=correction)


def test_smoothed_weights_move_a_normal_to_its_new_mean():
    x = np.random.default_rng(3).normal(size=20_000)
    log_weight, k_hat = smoothed(stats.norm.logpdf(x, 0.5) - stats.norm.logpdf(x))
    weight = np.exp(log_weight)
    assert weight.sum() == pytest.approx(1)
    assert weight @ x == pytest.approx(0.5, abs=0.03)
    assert weight @ (x - 0.5) ** 2 == pytest.approx(1, abs=0.05)
    assert k_hat < 0.5


def test_a_shift_beyond_the_draws_is_noticed():
    x = np.random.default_rng(3).normal(size=4_000)
    assert smoothed(stats.norm.logpdf(x, 4, 0.3) - stats.norm.logpdf(x))[1] > 0.7


def test_each_row_stands_as_often_as_its_weight_says():
    rng = np.random.default_rng(4)
    weight = rng.dirichlet(np.full(500, 0.3))
    rows = resampled(weight, rng)
    counts = np.bincount(rows, minlength=500)
    assert (np.abs(counts - 500 * weight) < 1 + 1e-9).all()
    assert (np.diff(rows) >= 0).all()


def test_draws_resampled_in_their_order_tell_what_the_weights_cost():
    """Many slow chains with weights of their own: the error of a mean against the one that its ESS foretells."""
    rng, rho, n = np.random.default_rng(5), 0.7, 500
    x = lfilter([np.sqrt(1 - rho**2)], [1, -rho], rng.normal(size=(300, 4, n + 100)), axis=-1)[..., 100:]
    weight = rng.lognormal(0, 1.2, x.shape)
    weight /= weight.sum(axis=(1, 2), keepdims=True)
    found = [one.ravel()[resampled(w.ravel(), rng)].reshape(4, n) for one, w in zip(x, weight, strict=True)]
    told = convergence(np.array(found), mixing=False)
    true = ((weight * x).sum(axis=(1, 2)) ** 2).mean()  # the variance of the weighted mean: the true mean is zero
    assert np.median(told["mcse_mean"]) ** 2 == pytest.approx(true, rel=0.25)
    assert np.median(told["ess_bulk"]) == pytest.approx(1 / true, rel=0.25)
    chain, cost = 4 * n * (1 - rho) / (1 + rho), 1 / (4 * n * (weight**2).sum(axis=(1, 2)).mean())
    assert 1 / true > 1.5 * chain * cost  # the product of both losses would be far too small


def test_reweighted_draws_have_the_r_hat_of_their_chains_and_an_ess_of_their_own(packaged, old):
    new, certificate = reweight(old, at(packaged, "2026-03-03", FINDINGS))
    assert new.diagnostics["r_hat"].equals(old.r_hat.reindex(new.diagnostics.index))
    assert old.diagnostics["ess_bulk"].to_numpy() == pytest.approx(
        packaged.posterior_summary["ess_bulk"], rel=1e-5
    )  # draws are kept rounded
    for name in ("trend", "size_mean"):
        ess = array_stats.ess(new.raw[name], chain_axis=0, draw_axis=1, method="bulk")
        assert new.diagnostics.loc[name, "ess_bulk"] == pytest.approx(ess, rel=1e-6)
    assert new.diagnostics["ess_bulk"].median() == pytest.approx(certificate.ess, rel=0.35)


def test_a_saved_forecast_gives_back_the_likelihood_that_it_was_sampled_with(packaged, old):
    kept = packaged.tree["log_likelihood_sums"].to_dataset()
    total = sum(kept[name] for name in ("events", "news", "user_change", "fine_size", "turnover", "openings"))
    assert total_log_likelihood(old.draws) == pytest.approx(total.values.ravel(), rel=1e-9)


def test_without_new_evidence_nothing_moves(packaged, old):
    same, certificate = reweight(old, old.evidence)
    assert certificate.k_hat == 0
    assert certificate.ess == pytest.approx(len(old.draws))
    for name, values in same.raw.items():
        assert np.array_equal(values, old.raw[name]), name
    assert inside_weights(same.draws).mean(axis=0) == pytest.approx([0.40, 0.45, 0.15])


@pytest.fixture(scope="module")
def both(packaged):
    rows = {"events": pd.DataFrame(FINDINGS)}
    return update(packaged, rows), update(packaged, rows, refit=True)


def test_reweighting_agrees_with_a_new_fit(both):
    quick, anew = both
    assert quick.diagnostics["update"]["method"] == "reweighted"
    assert anew.diagnostics["update"]["method"] == "refitted"
    assert quick.manifest["origin"] == anew.manifest["origin"] == "2026-03-03"
    assert quick.manifest["record_fingerprint"] == anew.manifest["record_fingerprint"]
    a, b = (x.scenarios.set_index(["view", "scenario"]) for x in both)
    off = (a["probability"] - b["probability"]) / np.hypot(a["mcse"], b["mcse"]).clip(lower=1e-12)
    moved = off.loc[["inside", "outside"]]
    assert moved.abs().max() < 4.5
    assert (a["probability"]["inside"] - a["probability"]["brief"]).abs().max() > 0.05  # findings are news
    one, two = (x.posterior_summary.set_index("parameter") for x in both)
    z = (one["mean"] - two["mean"]) / np.hypot(one["mcse_mean"], two["mcse_mean"])
    assert (z.abs() > 3).mean() < 0.02
    assert z.abs().max() < 5.5


def test_targets_agree_too(both):
    one, two = (x.summary.query("scenario == 'all'").set_index(["target", "horizon_months"]) for x in both)
    known = one["mcse_mean"].notna() & (one["mcse_mean"] + two["mcse_mean"] > 0)
    off = (one["mean"] - two["mean"])[known] / np.hypot(one["mcse_mean"], two["mcse_mean"])[known]
    assert len(off) > 50
    assert (off.abs() > 3).mean() < 0.05
    assert off.abs().max() < 5


def test_a_year_in_which_nothing_happens_anywhere_is_too_much_for_weights(packaged, old):
    """No event in 56 open proceedings in a year would be astonishing: the stored draws hardly reach there."""
    _, certificate = reweight(old, at(packaged, "2027-02-03"))
    assert certificate.failures
    assert "k-hat" in " ".join(certificate.failures)


def test_a_new_service_comes_from_its_prior(packaged, old):
    figures = [
        {"provider_group": "Newcomer", "service": "New", "scope": "EU", "series_id": "new-eu"}
        | {"period_start": a, "period_end": b, "monthly_active_millions": n, "published_on": "2026-02-10"}
        for a, b, n in (("2025-01-01", "2025-06-30", 20.0), ("2025-07-01", "2025-12-31", 21.0))
    ]
    evidence = at(packaged, "2026-02-17", users=pd.DataFrame(figures))
    new, certificate = reweight(old, evidence)
    assert not certificate.failures
    assert new.raw["drift_score"].shape[-1] == old.raw["drift_score"].shape[-1] + 1
    assert new.diagnostics.index.is_unique
    assert "drift_score[New]" in new.diagnostics.index
    assert abs(new.raw["drift_score"][..., evidence.coords["service"].index("New")].mean()) < 1.5


def test_losses_of_one_update_count_in_the_next(packaged, old):
    evidence = at(packaged, "2026-03-03", FINDINGS)
    _, alone = reweight(old, evidence)
    _, after = reweight(old, evidence, 0.5)
    assert after.ess == pytest.approx(alone.ess / 2)
    assert after.scenario_error["limited"] == pytest.approx(alone.scenario_error["limited"] * np.sqrt(2))


def test_the_error_of_a_median_is_that_of_independent_draws():
    """Against the spread of the median over many sets of draws whose law is known."""
    rng = np.random.default_rng(9)
    sets = rng.lognormal(1, 0.7, (400, 2_000))
    draws = xr.Dataset(
        {
            "fine_left": xr.Variable(("draw", "horizon"), sets[0][:, None], {"units": "EUR"}),
            "event:fine": xr.Variable(("draw", "horizon"), (sets[0] > 2)[:, None] * 1.0, {"units": "probability"}),
        },
        coords={"horizon": [60]},
    )
    found = median_errors(draws, 2_000)
    assert set(found) == {"fine_left"}
    assert found["fine_left"]["60"] == pytest.approx(np.median(sets, axis=1).std(ddof=1), rel=0.25)
    assert median_errors(draws, 500)["fine_left"]["60"] == pytest.approx(2 * found["fine_left"]["60"])


def test_both_forecasts_are_printed_side_by_side_with_the_silence_taken(packaged, both):
    console = Console(width=80, no_color=True)
    with console.capture() as capture:
        console.print(update_screen(packaged, both[0]))
    lines = capture.get().splitlines()
    rows = {" ".join(line.split()[:2]): line for line in lines}
    old, new = (x.scenarios.set_index(["view", "scenario"])["probability"] for x in (packaged, both[0]))
    before, after = (one["inside", "crackdown"] for one in (old, new))
    assert f" {before:.0%} ".replace("%", " %") in rows["inside Broader"]
    assert rows["inside Broader"].rstrip().endswith(f"{100 * (after - before):+.1f}")
    medians = [
        x.summary.query("scenario == 'all' and target == 'fine_left' and horizon_months == 60").iloc[0]
        for x in (packaged, both[0])
    ]
    for row in medians:
        middle, low, high = (f"{row[q] * 1e-6:,.0f}" for q in ("q50", "q05", "q95"))
        assert f"{middle} [{low}, {high}]" in rows["fine_left, m"]
    assert rows["event:findings 24"].count("%") == 2
    assert any(line.startswith("resolved as Broader crackdown") for line in lines)
    with console.capture() as capture:
        console.print(update_screen(packaged, both[0], full=True))
    assert "± Monte Carlo errors" in " ".join(capture.get().split())
    text = " ".join(" ".join(lines).split())
    told = both[0].diagnostics["update"]
    assert f"{told['silent_days']:,}" in text
    assert both[0].manifest["assumed_silence"] is None


def test_the_certificate_is_kept_with_every_error(both):
    told = both[0].diagnostics["update"]
    assert set(told["scenario_error"]) == set(SCENARIOS)
    assert {"fine_left", "total_cost", "user_attrition"} <= set(told["median_error"])
    assert 0 < told["median_error"]["fine_left"]["60"] < 3e7
    assert "median_error" not in both[1].diagnostics["update"]


def test_two_updates_at_once_leave_a_whole_folder(packaged_folder, tmp_path):
    """Both write to one place: the last one's folder stands there, whole, and the old forecast is untouched."""
    before = {p: p.read_bytes() for p in packaged_folder.rglob("*") if p.is_file()}
    lines = []
    for day in ("2026-02-10", "2026-02-17"):
        (tmp_path / f"{day}.csv").write_text(f"case_id,date,published_on,type\nfr-crim-x-2025,{day},{day},summons\n")
        command = [sys.executable, "-m", "forecast", "update", str(packaged_folder)]
        lines.append([*command, "--events", str(tmp_path / f"{day}.csv"), "--out", str(tmp_path / "out")])
    running = [subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for line in lines]
    errors = [one.communicate()[1] for one in running]
    assert [one.returncode for one in running] == [0, 0], errors
    again = forecast.load(tmp_path / "out")
    assert again.manifest["origin"] in ("2026-02-10", "2026-02-17")
    assert again.record.events["date"].max() == pd.Timestamp(again.manifest["origin"])
    assert {p: p.read_bytes() for p in packaged_folder.rglob("*") if p.is_file()} == before
    assert {p.name for p in tmp_path.iterdir()} == {"out", "2026-02-10.csv", "2026-02-17.csv"}


def test_an_interrupted_update_leaves_what_was_there(packaged, packaged_folder, tmp_path, monkeypatch):
    shutil.copytree(packaged_folder, tmp_path / "old")
    before = {p: p.read_bytes() for p in (tmp_path / "old").rglob("*") if p.is_file()}
    result = update(packaged, {}, "2026-02-10", assume_silence=True)

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(forecasting, "seal", interrupted)
    with pytest.raises(KeyboardInterrupt):
        forecast.save(result, tmp_path / "old", overwrite=True)
    assert {p: p.read_bytes() for p in (tmp_path / "old").rglob("*") if p.is_file()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["old"]


def test_a_folder_whose_priors_were_edited_or_of_another_version_is_refused(packaged_folder, tmp_path):
    for name, words in (("priors.yaml", "was changed since the forecast was saved"), ("manifest.json", "format")):
        folder = tmp_path / name
        shutil.copytree(packaged_folder, folder)
        text = (folder / name).read_text()
        edited = text.replace('"format": 4', '"format": 1') if name == "manifest.json" else text + "# edited\n"
        (folder / name).write_text(edited)
        with pytest.raises(InputError, match=words):
            forecast.load(folder)


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        ([event("nobody", "2026-03-01", "search")], {}, "'nobody' is no case_id"),
        ([event("fr-crim-x-2025", "2026-02-03", "search")], {}, "is there already"),
        ([event("fr-crim-x-2025", "2026-01-30", "summons")], {}, "add it as a late discovery"),
        (FINDINGS, {"origin": "2026-01-01"}, "lies before the forecast's own"),
        (FINDINGS, {"origin": "2026-02-20"}, "published 2026-03-03: becomes public after the new origin, 2026-02-20"),
        (FINDINGS, {"origin": "soon"}, "is not a day"),
    ],
)
def test_bad_additions_are_refused(packaged, rows, options, words):
    with pytest.raises(InputError, match=words):
        update(packaged, {"events": pd.DataFrame(rows)}, **options)


def test_old_figures_are_late_discoveries_too(packaged):
    figure = {"company_group": "X", "year": 2001, "turnover_eur": 3e9, "published_on": "2020-03-01"}
    with pytest.raises(InputError, match="turnover, 'X' published 2020-03-01: was public by the forecast's origin"):
        update(packaged, {"turnover": pd.DataFrame([figure])})


def test_a_late_discovery_is_admitted_when_it_is_called_one(packaged):
    rows = {"events": pd.DataFrame([event("uk-osa-4chan-2025", "2026-01-30", "information_request")])}
    result = update(packaged, rows, late=True)
    assert result.manifest["origin"] == "2026-02-03"
    assert len(result.record.events) == len(packaged.record.events) + 1


def test_the_updated_forecast_is_a_forecast_and_needs_no_sampler(packaged_folder, tmp_path):
    (tmp_path / "new.csv").write_text(
        "case_id,date,published_on,type\nec-dsa-x-grok-2026,2026-03-03,2026-03-03,preliminary_findings\n"
    )
    code = (
        "import sys, forecast; old = forecast.load(sys.argv[1]); "
        "new = forecast.update(old, {'events': sys.argv[2]}); forecast.save(new, sys.argv[3]); "
        "print([m for m in ('pymc', 'pytensor', 'nutpie', 'arviz_stats', 'distributed') if m in sys.modules])"
    )
    out = tmp_path / "new"
    places = (packaged_folder, tmp_path / "new.csv", out)
    done = subprocess.run([sys.executable, "-c", code, *map(str, places)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    again = forecast.load(out)
    assert again.diagnostics["update"]["method"] == "reweighted"
    assert again.scenarios.query("view == 'inside'")["probability"].sum() == pytest.approx(1)
    assert again.tree["log_likelihood"]["matters"].shape[:2] == (4, 1200)
    assert list(SCENARIOS) == list(again.resolution["latent"])


def test_many_writers_of_one_folder_leave_one_of_theirs(tmp_path):
    """Sixteen threads replace one folder over and over: it is always one writer's, whole, and nothing is left over."""

    def write(name):
        for _ in range(20):
            with whole_folder(tmp_path / "out") as scratch:
                for part in "ab":
                    (scratch / part).write_text(name)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, map(str, range(16))))
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    parts = [(tmp_path / "out" / part).read_text() for part in "ab"]
    assert parts[0] == parts[1]
