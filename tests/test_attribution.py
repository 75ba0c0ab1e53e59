"""Steps that sum to the whole change; every point against plain arithmetic; what cannot be explained."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from worlds import event, with_rows

import forecast
from forecast.attribution.bridge import Bridge
from forecast.attribution.explaining import _pool
from forecast.attribution.pool import Pool, focal_log_likelihood, log_density, log_prior
from forecast.attribution.steps import reported
from forecast.attribution.valuation import error, labels, rank, value
from forecast.attribution.way import days_of, elsewhere_news, evidence_at, focal_news, points
from forecast.files import InputError
from forecast.inference import prior_draws
from forecast.model.figures import log_figures
from forecast.record import load_record
from forecast.vocabulary import SCENARIOS
from forecast.weight_of_evidence import weight_of_evidence

SINCE, UNTIL = date(2026, 2, 3), date(2026, 4, 20)
NEWS = [
    event("ec-dsa-x-grok-2026", "2026-03-03", "preliminary_findings"),
    event("fr-crim-x-2025", "2026-03-30", "charged"),
    event("ec-dsa-tiktok-2024a", "2026-04-10", "fine", amount_eur=200_000_000),
    event("ec-dsa-meta-2024b", "2026-04-20", "closed_no_action"),
]
"""Hypothetical events: for tests alone."""


@pytest.fixture(scope="module")
def grown(packaged):
    """The packaged forecast, as if made in April with all of the news: its record and manifest alone are of April."""
    cases = packaged.record.proceedings.copy()
    cases.loc[cases["case_id"] == "ec-dsa-meta-2024b", "closed_on"] = pd.Timestamp("2026-04-20")
    old = replace(packaged.record, proceedings=cases, as_of_date=None, complete_until=UNTIL)
    record = with_rows(old, events=NEWS).as_of(UNTIL)
    return replace(packaged, record=record, manifest={**packaged.manifest, "origin": str(UNTIL)})


@pytest.fixture(scope="module")
def pool(grown):
    """Draws of the prior: any draws will do for an identity."""
    evidence = evidence_at(grown, UNTIL, grown.record)
    flat = dict(prior_draws(evidence, 60, 1).flat)
    return Pool(flat, Bridge(np.zeros((1, 60)), np.array([60])), ("fine_left", "event:fine"), 3)


@pytest.fixture(scope="module")
def way(packaged, grown, pool):
    return list(points(packaged, grown, pool))


def test_steps_are_days_with_events_and_the_silence_between_them(packaged, grown):
    told = [(kind, name, str(day), inside) for kind, name, day, inside in days_of(packaged, grown)]
    assert told == [
        ("silence", "silence until 2026-03-02", "2026-03-02", True),
        ("event", "2026-03-03 ec-dsa-x-grok-2026 preliminary_findings", "2026-03-03", True),
        ("silence", "silence until 2026-03-29", "2026-03-29", True),
        ("event", "2026-03-30 fr-crim-x-2025 charged", "2026-03-30", True),
        ("silence", "silence until 2026-04-20", "2026-04-20", True),
    ]
    assert list(elsewhere_news(grown, packaged.record)["type"]) == ["fine", "closed_no_action"]


def test_an_event_comes_when_it_becomes_known():
    """An order to retain documents, public on 8 January, is of a proceeding that nobody knew of until the 26th."""
    record, spec = load_record(), forecast.load_specification()
    late = type("Late", (), {"record": record.as_of("2026-02-03"), "specification": spec})
    days = focal_news(late, date(2025, 12, 31))
    known = {name: day for day, rows in days.items() for name in rows["event_id"]}
    assert known["ec-dsa-x-grok-2026-e01"] == date(2026, 1, 26)
    assert known["fr-crim-x-2025-e07"] == date(2026, 2, 3)


def test_the_way_runs_over_the_matter_then_elsewhere(way):
    assert [point.kind for point in way] == ["start", *["silence", "event"] * 2, "silence", "elsewhere"]


def test_the_ends_have_the_density_of_the_two_records(packaged, grown, pool, way):
    for point, record, day in ((way[0], packaged.record, SINCE), (way[-1], grown.record, UNTIL)):
        draws = pool.draws(evidence_at(packaged, day, grown.record, of=record))
        assert point.log_density == pytest.approx(log_density(draws), rel=1e-10)


@pytest.mark.parametrize("number", [1, 2, 4, 5])
def test_a_point_between_is_the_focal_matter_then_and_everything_else_as_it_was(packaged, grown, pool, way, number):
    """By the matters' terms of two whole records: the likelihood of the focal matter alone is not used."""
    spec, day = packaged.specification, [None, "2026-03-02", "2026-03-03", None, "2026-03-30", "2026-04-20"][number]
    was = pool.draws(evidence_at(packaged, SINCE, grown.record))
    now = pool.draws(evidence_at(grown, date.fromisoformat(day), grown.record))
    of = [draws.evidence.hazards.matters.index(spec.matter) for draws in (was, now)]
    elsewhere = was.by_matter.sum(axis=1) - was.by_matter[:, of[0]]
    news = logsumexp(now.log_news + now.evidence.log_pi, axis=1)
    figures = sum(log_figures(was.flat, was.effects, was.evidence.observations).values())
    expected = log_prior(was) + elsewhere + figures + now.by_matter[:, of[1]] + news
    assert way[number].log_density == pytest.approx(expected, rel=1e-10)


def test_the_focal_matter_s_own_cells_give_its_term(packaged, pool, grown):
    draws = pool.draws(evidence_at(grown, UNTIL, grown.record))
    place = draws.evidence.hazards.matters.index(packaged.specification.matter)
    expected = draws.by_matter[:, place] + draws.log_likelihoods["news"]
    assert focal_log_likelihood(draws) == pytest.approx(expected, rel=1e-10)


def test_figures_wait_for_the_end(way):
    last, base, end = way[5].evidence.observations, way[0].evidence.observations, way[-1].evidence.observations
    assert np.array_equal(last.opening_months, base.opening_months)
    assert end.opening_months.sum() > base.opening_months.sum()
    assert last.unappealed_fines == end.unappealed_fines != base.unappealed_fines


def test_values_are_moments_and_their_errors_those_of_block_means(packaged):
    names = ["fine_left", "event:fine", "user_attrition"]
    n = packaged.outcomes.sizes["draw"]
    bridge = Bridge(np.zeros((1, n)), np.array([n]))
    chances = {view: np.tile([0.5, 0.3, 0.2], (n, 1)) for view in ("view", "outside")}
    found = value(chances, rank(packaged.outcomes, names), bridge.weights(np.zeros(n)))
    told = labels(packaged.outcomes, names).assign(value=found[0], se=error(found))
    told = told.set_index(["target", "horizon_months", "statistic"]).loc[names]
    summary = packaged.summary.query("scenario == 'all'").set_index(["target", "horizon_months"])
    for (target, horizon, statistic), row in told.iterrows():
        expected = float(summary.loc[(target, horizon), statistic])
        assert row["value"] == pytest.approx(expected, rel=0.02, abs=1e-6), (target, horizon, statistic)
    values = packaged.outcomes["user_attrition"].values[:, 2]
    blocks = values.reshape(20, -1).mean(axis=1)
    assert told.at[("user_attrition", 60, "mean"), "se"] == pytest.approx(blocks.std(ddof=1) / np.sqrt(20))
    assert found[:, 3:6] == pytest.approx(np.log(found[:, :3] / (1 - found[:, :3])))


@pytest.fixture(scope="module")
def month(packaged):
    later = forecast.update(packaged, {"events": pd.DataFrame(NEWS[:2])})
    return packaged, later, forecast.explain(packaged, later)


def test_bars_sum_to_the_whole_in_every_quantity(month):
    _, _, found = month
    keys = ["target", "scenario", "horizon_months", "statistic"]
    total = found.table.groupby(keys)["change"].sum(min_count=1)
    ends = found.table.groupby(keys)[["before", "after"]].first()
    known = total.notna() & ends.notna().all(axis=1)
    assert known.sum() > 200
    size = ends.abs().max(axis=1)[known].clip(lower=1)
    assert ((total - (ends["after"] - ends["before"]))[known].abs() / size).max() < 1e-9


def test_the_scenarios_steps_are_those_of_the_weight_of_evidence(month):
    """There the reference class knows everything from the start, here it learns: the steps differ by little."""
    before, after, found = month
    draws = _pool(before, after).draws(evidence_at(after, date(2026, 3, 30), after.record))
    told = weight_of_evidence(draws.take(np.arange(len(draws) // 2, len(draws))), after.record)
    for scenario in SCENARIOS:
        bars = found.of("view", scenario, statistic="probability").query("kind in ['silence', 'event']")
        steps = told.loc[told["scenario"] == scenario]
        assert list(bars["kind"]) == list(steps["kind"])
        reached = found.of("view", scenario)["before"].iloc[0] + bars["change"].cumsum()
        assert reached.to_numpy() == pytest.approx(steps["probability"].to_numpy(), abs=0.02)


def test_ends_are_the_reported_numbers(month):
    before, after, found = month
    bars = found.of("view", "crackdown", statistic="probability")
    assert bars["before"].iloc[0] == pytest.approx(0.15)
    assert bars["after"].iloc[0] == pytest.approx(
        after.scenarios.query("view == 'inside' and scenario == 'crackdown'")["probability"].item()
    )
    fines = found.of("fine_left", horizon=60, statistic="q50")
    row = before.summary.query("target == 'fine_left' and horizon_months == 60 and scenario == 'all'")
    assert fines["before"].iloc[0] == row["q50"].item()


def test_the_error_bar_is_small_and_the_findings_are_the_news(month):
    _, _, found = month
    assert not found.checks["failures"]
    assert found.checks["largest_error"] < found.checks["error_limit"] < 7
    bars = found.of("view", "crackdown", statistic="probability").set_index("bar")["change"]
    assert bars["2026-03-03 ec-dsa-x-grok-2026 preliminary_findings"] > 0.03
    assert bars["2026-03-30 fr-crim-x-2025 charged"] > 0.03
    assert bars["silence until 2026-03-29"] < 0
    assert found.leading(1)[0] in bars.index


def test_a_quantity_is_found_by_little_and_unknown_ones_are_named(month):
    _, _, found = month
    bars = found.of("view", "crackdown")
    assert set(bars["statistic"]) == {"probability"}
    fines = found.of("fine_left")
    assert set(zip(fines["horizon_months"], fines["statistic"], strict=True)) == {(60, "mean")}
    with pytest.raises(InputError, match="target 'fines': is not among the quantities; one of view, outside"):
        found.of("fines")
    with pytest.raises(InputError, match=r"scenario 'all': .* one of limited, significant, crackdown"):
        found.of("view")
    with pytest.raises(InputError, match=r"statistic 'q50': .* one of mean"):
        found.of("event:fine", statistic="q50")


def test_merged_bars_keep_the_sum(month):
    _, _, found = month
    bars = found.of("view", "limited", statistic="log_odds")
    fewer = found.merged(bars, 0)
    assert "4 other steps" in set(fewer["bar"])
    assert fewer["change"].sum() == pytest.approx(bars["change"].sum())


def test_a_correction_comes_on_the_day_on_which_it_was_published(packaged):
    old = packaged.record.events.set_index("event_id")
    name = old.index[(old["case_id"] == "fr-crim-x-2025") & (old["type"] == "search")][0]
    moved = {"case_id": "fr-crim-x-2025", "date": "2025-06-20", "published_on": "2026-02-20", "type": "search"}
    later = forecast.update(packaged, {"events": pd.DataFrame([moved | {"supersedes": name}])})
    found = forecast.explain(packaged, later)
    bars = found.of("outside", "crackdown", statistic="probability").set_index("bar")["change"]
    assert abs(bars["2026-02-20 fr-crim-x-2025 search (correction)"]) > 1e-4  # it falls into another phase
    assert found.events["bar"].tolist() == ["2026-02-20 fr-crim-x-2025 search (correction)"]
    assert not found.checks["failures"]  # the way ends where the later forecast stands, to a millionth of a nat


def test_rows_that_were_missed_are_corrections_of_the_past(packaged, grown, pool):
    """A row that was public by the first origin comes before everything else, in the figures of that day."""
    missed = event("fr-crim-x-2025", "2026-01-10", "summons", event_id="missed")
    late = with_rows(replace(packaged.record, as_of_date=None), events=[missed]).as_of(SINCE)
    same_day = replace(packaged, record=late)
    told = list(points(packaged, same_day, pool))
    assert [point.kind for point in told] == ["start", "corrections"]
    draws = pool.draws(evidence_at(same_day, SINCE, late))
    assert told[-1].log_density == pytest.approx(log_density(draws), rel=1e-10)


@pytest.mark.slow
def test_other_priors_have_a_bar_of_their_own(packaged, month):
    stated = packaged.specification.scenarios
    likely = {"limited": 0.3, "significant": 0.45, "crackdown": 0.25}
    changed = {s: stated[s].model_copy(update={"probability": stated[s].probability.model_copy(update={"value": p})})
               for s, p in likely.items()}  # fmt: skip
    spec = packaged.specification.model_copy(update={"scenarios": stated.model_copy(update=changed)})
    other = forecast.run(spec, packaged.record)
    found = forecast.explain(packaged, other)
    bars = found.of("view", "crackdown", statistic="probability").set_index("kind")["change"]
    assert bars["priors"] == pytest.approx(0.10, abs=1e-6)
    assert bars.drop("priors").abs().max() < 1e-6


def test_what_cannot_be_compared_is_refused(packaged, month):
    _, later, _ = month
    with pytest.raises(InputError, match=r"2026-02-03 lies before 2026-03-30: swap them"):
        forecast.explain(later, packaged)
    fewer = type(later)(**{**vars(later), "record": packaged.record.as_of("2026-01-01")})
    with pytest.raises(InputError, match="of the first is missing from the second"):
        forecast.explain(packaged, fewer)


def test_an_explanation_is_saved_whole(month, tmp_path):
    _, _, found = month
    forecast.save_explanation(found, tmp_path / "why")
    again = pd.read_csv(tmp_path / "why" / "explanation.csv")
    assert len(again) == len(found.table)
    assert again["change"].to_numpy() == pytest.approx(found.table["change"].to_numpy(), rel=1e-8, nan_ok=True)
    names = {"explanation.csv", "events.csv", "about.json", "waterfall.png", "waterfall.svg"}
    assert {p.name for p in (tmp_path / "why").iterdir()} == names
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no explanation"):
        forecast.save_explanation(found, tmp_path / "other")


@pytest.mark.slow
def test_from_before_the_brief_to_after_it(packaged):
    early = forecast.run(origin="2026-01-20")
    found = forecast.explain(early, packaged)
    assert not found.checks["failures"]
    bars = found.of("view", "crackdown", statistic="probability")
    assert bars["change"].sum() == pytest.approx(bars["after"].iloc[0] - bars["before"].iloc[0])
    moved = bars.set_index("bar")["change"]
    raid = next(name for name in moved.index if name.startswith("2026-02-03 fr-crim-x-2025 search"))
    assert moved[raid] > 0.01  # the raid, in the outside view
    assert moved["the brief"] < -0.1  # it knows the raid already


def test_names_of_the_scenarios_are_the_house_s(month):
    _, _, found = month
    shown = found.table.loc[found.table["target"] == "view", "scenario"]
    assert list(dict.fromkeys(shown)) == list(SCENARIOS)
    assert list(dict.fromkeys(found.table["kind"])) == ["silence", "event", "elsewhere", "error"]


def test_reported_errors_are_those_of_the_tables(packaged):
    told = labels(packaged.outcomes, ["fine_left"])
    values, errors = reported(packaged, told)
    own = packaged.scenarios.query("view == 'outside'").set_index("scenario")
    place = told.index[(told["target"] == "outside") & (told["statistic"] == "log_odds")]
    p = own["probability"].to_numpy()
    assert values[place] == pytest.approx(np.log(p / (1 - p)))
    assert errors[place] == pytest.approx(own["mcse"].to_numpy() / (p * (1 - p)))
