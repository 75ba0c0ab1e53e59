"""What the prior file alone says: the analyst's own numbers come back, in seconds, without the sampler."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import ks_2samp
from worlds import load_record, load_specification

import forecast
from forecast.cli.checking import checked, record_among
from forecast.files import InputError
from forecast.prior_check import check_brief
from forecast.replication import by_class_and_family
from forecast.resolution import CLEAR
from forecast.specification import packaged_priors
from forecast.vocabulary import SCENARIOS


@pytest.fixture(scope="module")
def prior():
    return forecast.prior_forecast(load_specification(), load_record(), seed=3)


def test_scenarios_are_the_briefs(prior):
    share = np.bincount(prior.outcomes["scenario"].values, minlength=3) / prior.outcomes.sizes["draw"]
    assert share == pytest.approx([0.40, 0.45, 0.15], abs=2e-4)


def test_statements_come_back(prior):
    """Gross, as the analyst states them: closings, stages and new proceedings included."""
    table = prior.tables["statements"]
    stated = [
        s for course in prior.specification.statements.families.values() for _, own in course.items() for s in own
    ]
    assert len(table) == len(stated)
    off = (table["simulated"] - table["stated"]) / table["mcse"]
    assert off.abs().max() < 4
    assert (off**2).mean() < 2


def test_sums_of_fines_of_a_scenario_have_the_stated_range(prior):
    """Of the sums where fines come, 5 % lie below the range and 5 % above it: within 4 Monte Carlo errors and 0.01."""
    spec, outcomes = prior.specification, prior.outcomes.sel(horizon=60)
    latent = outcomes["scenario"].values
    for s, name in enumerate(SCENARIOS):
        sums = outcomes["fine_imposed_share"].values[latent == s] / spec.fines.ceiling.value
        sums = sums[sums > 0]
        near = 0.01 + 4 * np.sqrt(0.05 * 0.95 / len(sums))
        assert (sums < spec.fines.share[name].low).mean() == pytest.approx(0.05, abs=near)
        assert (sums > spec.fines.share[name].high).mean() == pytest.approx(0.05, abs=near)


def test_impacts_that_are_set_off_in_full_have_the_stated_range(prior):
    """A suspension sets off all of the attrition; of one in the first two years 94 % or more is felt after five."""
    spec, outcomes = prior.specification, prior.outcomes.sel(horizon=60)
    stated, half = spec.impacts.attrition.crackdown, spec.impacts.half_life.value
    assert spec.impacts.set_off.attrition["suspension"].value == 1
    early = outcomes["months_to:suspension"].values <= 24
    drawn = outcomes["user_attrition"].values[early & (outcomes["scenario"].values == SCENARIOS.index("crackdown"))]
    low, high = np.quantile(drawn, (0.05, 0.95))
    least = 1 - 2 ** (-36 / half)
    assert len(drawn) > 150
    assert least * stated.low * 0.75 < low < stated.low * 1.3
    assert least * stated.high * 0.85 < high < stated.high * 1.15


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


# The rule that a scenario resolves as itself, as ``forecast validate`` checks it


@pytest.fixture
def contradictory(tmp_path):
    """The file on TikTok with a crackdown in which hardly anything is suspended."""
    text = (packaged_priors() / "tiktok-commission-2026.yaml").read_text(encoding="utf-8")
    path = tmp_path / "tiktok.yaml"
    for old, new in (("value: 0.2,", "value: 0.05,"), ("value: 0.8,", "value: 0.25,"), ("value: 0.97,", "value: 0.5,")):
        head, _, tail = text.rpartition(f"{old} unit: probability, reading: the class is one of suspension")
        text = f"{head}{new} unit: probability, reading: seldom{tail}"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["x-paris-2026", "tiktok-commission-2026"])
def test_every_scenario_of_the_packaged_files_resolves_as_itself(name):
    first, shares, *rest = checked(packaged_priors() / f"{name}.yaml", None)
    spec = load_specification(name)
    assert first.startswith("prior file on ")
    assert shares.startswith(f"each scenario resolves as itself, by the prior alone: {spec.labels['limited']} ")
    assert all(label in shares for label in spec.labels.values())
    families = spec.statements.families
    assert len(rest) == 3 + 1 + 3 + 1 + 3 * len(families)
    for family in families:
        assert sum(line.startswith(f"  {family}, given '") for line in rest) == 3
    check = check_brief(spec, load_record())
    assert (np.diag(check.resolution) >= CLEAR).all()
    assert check.resolution.sum(axis=1).to_numpy() == pytest.approx(1)
    assert ((check.statements["simulated"] - check.statements["stated"]).abs() / check.statements["mcse"]).max() < 4
    assert check.fines[["below", "above"]].to_numpy() == pytest.approx(0.05, abs=0.025)


def test_the_check_agrees_with_the_forecast_of_the_prior(prior):
    table, drawn = check_brief(load_specification(), load_record(), seed=3).resolution, prior.tables["prior_resolution"]
    seen = np.bincount(prior.outcomes["scenario"].values, minlength=3)
    for s, name in enumerate(SCENARIOS):
        share = table.at[name, name]
        assert abs(drawn.at[s, name] - share) < 4 * np.sqrt(share * (1 - share) * (1 / seen[s] + 1 / 4800))


def test_a_sum_of_fines_above_the_ceilings_of_the_law_is_refused(tmp_path):
    """Twenty billion euros at the least, where the ceiling of the one open proceeding is 6 % of about 145 bn."""
    text = (packaged_priors() / "tiktok-commission-2026.yaml").read_text(encoding="utf-8")
    text = text.replace("reading: share_of_ceiling", "reading: eur").replace(
        "low: 500.0e+6, high: 4.0e+9", "low: 20.0e+9, high: 40.0e+9"
    )
    path = tmp_path / "tiktok.yaml"
    path.write_text(text[: text.index("readings:")], encoding="utf-8")
    with pytest.raises(InputError) as caught:
        checked(path, None)
    (problem,) = caught.value.problems
    line = 1 + text[: text.index("low: 20.0e+9")].count("\n")
    assert problem.where == f"tiktok.yaml line {line}, fines.eur.crackdown.low"
    assert problem.what.startswith("20 bn EUR cannot be reached: where fines come, ")
    assert "the law's ceilings cut them off; their median is " in problem.what


def test_a_scenario_that_does_not_resolve_as_itself_is_refused_or_gives_its_reason(contradictory):
    text = contradictory.read_text(encoding="utf-8")
    line = 1 + text.split("\n").index("resolution:")
    with pytest.raises(InputError) as caught:
        checked(contradictory, None)
    (problem,) = caught.value.problems
    assert problem.where == f"tiktok.yaml line {line}, resolution"
    assert (
        "of 'Service restricted' resolves as 'Service restricted', expected 80 % or more: mend the statements"
        in problem.what
    )
    contradictory.write_text(text.replace("resolution:", "resolution:\n  reason: a test", 1), encoding="utf-8")
    lines = checked(contradictory, None)
    assert "Service restricted " in lines[1]
    assert "below 80 %, for this reason: a test" in lines


def test_a_matter_that_the_record_does_not_know_is_said_to_be_unchecked(contradictory):
    text = contradictory.read_text(encoding="utf-8")
    contradictory.write_text(text.replace("matter: ec-dsa-tiktok-2024a", "matter: other"), encoding="utf-8")
    _, said = checked(contradictory, None)
    assert said.startswith("not checked: whether the scenarios resolve as themselves; nothing is public about")


def test_one_table_is_checked_alone(tmp_path):
    head = "case_id,date,published_on,type\n"
    path = tmp_path / "new.csv"
    path.write_text(f"{head}case,2026-03-03,2026-03-03,summons\n", encoding="utf-8")
    first, *rest = checked(path, None)
    assert first == "1 rows of events, checked alone"
    assert "case_id (in proceedings)" in rest[0]
    assert rest[-1].startswith("left out, as only an addition to a record may: event_id")
    path.write_text(f"{head}case,2026-03-04,2026-03-03,sumons\ncase,2026-02-30,2026-03-03,search\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        checked(path, None)
    text = str(caught.value)
    for words in ("row 2, column published_on", "did you mean 'summons'?", "row 3, column date", "2026-02-30"):
        assert words in text
    assert "is no case_id" not in text
    for name in ("events", "proceedings", "fines"):
        source = packaged_priors().parent / f"forecast/data/{name}.csv"
        assert checked(source, None)[0].endswith(f"rows of {name}, checked alone")
    assert record_among([path, source.parent]) == source.parent
