"""Bars that sum to the whole; every subset against plain arithmetic on the whole record; what cannot be explained."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from worlds import event, with_rows

import forecast
from forecast.attribution import explaining
from forecast.attribution.bridge import Bridge, effective
from forecast.attribution.game import Game, Pool, log_density, put_forward
from forecast.attribution.shapley import exact
from forecast.attribution.steps import reported
from forecast.attribution.subsets import Growth
from forecast.attribution.valuation import error, labels, rank, value
from forecast.files import InputError
from forecast.inference import gather, prior_draws
from forecast.outcomes import inside_weights
from forecast.record import load_record
from forecast.vocabulary import FAMILIES, SCENARIOS

SINCE, UNTIL = date(2026, 2, 3), date(2026, 4, 20)
NEWS = [
    event("ec-dsa-x-grok-2026", "2026-03-03", "preliminary_findings"),
    event("fr-crim-x-2025", "2026-03-30", "charged"),
    event("ec-dsa-tiktok-2024a", "2026-04-10", "fine", amount_eur=200_000_000),
    event("ec-dsa-meta-2024b", "2026-04-20", "closed_no_action"),
]
"""Hypothetical events: for tests alone."""


@pytest.fixture(scope="module")
def growth():
    old = load_record().as_of(SINCE)
    cases = old.proceedings.copy()
    cases.loc[cases["case_id"] == "ec-dsa-meta-2024b", "closed_on"] = pd.Timestamp("2026-04-20")
    return Growth(old, with_rows(replace(old, proceedings=cases, as_of_date=None), events=NEWS).as_of(UNTIL), SINCE)


@pytest.fixture(scope="module")
def pool(growth):
    """Draws of the prior: any draws will do for an identity."""
    spec = forecast.load_specification()
    evidence = gather(spec, growth.new, UNTIL)
    flat = dict(prior_draws(evidence, 400, 1).flat)
    names = ("fine_left", "event:fine", "fine_largest", "openings_member_states")
    density = log_density(Pool(flat, Bridge(np.zeros((1, 400)), np.array([400])), growth.new, names, 3).draws(evidence))
    return Pool(flat, Bridge(density[None], np.array([400])), growth.new, names, 3)


@pytest.fixture(scope="module")
def game(growth, pool):
    return Game(forecast.load_specification(), growth, pool, UNTIL, UNTIL, growth.newcomers)


def test_new_events_are_found_in_order(growth):
    assert [n.label for n in growth.newcomers] == [f"{e['date']} {e['case_id']} {e['type']}" for e in NEWS]


def test_all_newcomers_give_the_new_record_and_none_the_old(growth):
    public = growth.public(UNTIL)
    assert growth.without((), public) == growth.new
    none = growth.without(growth.newcomers, growth.public(SINCE))
    assert none.as_of(SINCE) == growth.old
    assert none.proceedings.set_index("case_id").at["ec-dsa-meta-2024b", "closed_on"] is pd.NaT
    kept = growth.without(growth.newcomers[:3], public)
    assert str(kept.proceedings.set_index("case_id").at["ec-dsa-meta-2024b", "closed_on"].date()) == "2026-04-20"


@pytest.mark.parametrize("subset", [(), (0,), (1, 2), (2,), (3,), (0, 3), (0, 1, 2, 3)])
def test_a_subset_is_worth_what_the_whole_record_says(game, growth, pool, subset):
    """The sum over matters, with shared parts kept, against one likelihood of one record."""
    absent = [n for i, n in enumerate(growth.newcomers) if i not in subset]
    record = growth.without(absent, growth.public(UNTIL))
    draws = pool.draws(gather(game.specification, record, UNTIL, wider=growth.new))
    assert game.log_density(frozenset(subset)) == pytest.approx(log_density(draws), rel=1e-10)
    weight = softmax(log_density(draws) - log_density(pool.draws(gather(game.specification, growth.new, UNTIL))))
    assert game.value(frozenset(subset))[0, :3] == pytest.approx(weight @ inside_weights(draws), rel=1e-8)
    assert game.effective(frozenset(subset)) == pytest.approx(effective(weight), rel=1e-6)


def test_shapley_values_of_events_close(game):
    shares = exact(4, game.value)
    whole = game.value(frozenset(range(4))) - game.value(frozenset())
    assert shares.sum(axis=0) == pytest.approx(whole, abs=1e-6, nan_ok=True)


def test_events_elsewhere_leave_the_focal_matter_s_course_alone(game, growth):
    """Another matter's closing changes the weights of draws, not what the focal matter is in any of them."""
    assert [growth.newcomers[i].case for i in game._own if growth.newcomers[i].matter == "x-eu-2026"] == [
        "ec-dsa-x-grok-2026",
        "fr-crim-x-2025",
    ]
    one, two = game.value(frozenset({0})), game.value(frozenset({0, 3}))
    assert not np.array_equal(one, two)


def test_the_clock_ages_proceedings_and_sees_nothing(growth, pool):
    spec = forecast.load_specification()
    evidence = gather(spec, growth.old, SINCE)
    ahead = put_forward(evidence, UNTIL)
    months = (UNTIL - SINCE).days / 30.4375
    assert ahead.exposure.age == pytest.approx(evidence.exposure.age + months)
    assert ahead.exposure.elapsed == pytest.approx(months)
    assert np.array_equal(ahead.exposure.months, evidence.exposure.months)
    later = gather(spec, growth.old, UNTIL)
    assert ahead.observations.unappealed_fines == pytest.approx(later.observations.unappealed_fines)
    assert ahead.observations.opening_raised_left == pytest.approx(later.observations.opening_raised_left)
    clock = Game(spec, growth, pool, SINCE, SINCE, moved=UNTIL).value(frozenset())
    start = Game(spec, growth, pool, SINCE, SINCE).value(frozenset())
    assert clock[:, :6] == pytest.approx(start[:, :6])
    assert not np.allclose(clock[0, 12:], start[0, 12:], equal_nan=True)


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
    for column in ("order_free", "arrival"):
        total = found.table.groupby(keys)[column].sum(min_count=1)
        ends = found.table.groupby(keys)[["before", "after"]].first()
        known = total.notna() & ends.notna().all(axis=1)
        assert known.sum() > 200
        size = ends.abs().max(axis=1)[known].clip(lower=1)
        assert ((total - (ends["after"] - ends["before"]))[known].abs() / size).max() < 1e-9


def test_order_of_arrival_alone_values_few_subsets_and_gives_the_same_bars(month, caplog):
    before, after, found = month
    caplog.set_level("INFO", "forecast")
    quick = forecast.explain(before, after, order_free=False)
    assert not any("subsets" in line for line in caplog.messages)
    own = quick.table["kind"] == "event"
    assert quick.table.loc[own, "order_free"].isna().all()
    assert quick.table.loc[~own, "order_free"].equals(found.table.loc[~own, "order_free"])
    assert quick.table["arrival"].equals(found.table["arrival"])
    bars = quick.merged(quick.of("view", "limited", statistic="log_odds"), 0)
    assert bars["arrival"].sum() == pytest.approx(bars["after"].iloc[0] - bars["before"].iloc[0])
    assert quick.leading(2)


def test_seconds_of_all_subsets_follow_from_those_of_the_order_of_arrival():
    game = object.__new__(Game)
    game._own = [0, 2]
    assert game.seconds([]) == 0
    assert game.seconds([3.0, 0.5, 3.0, 0.5]) == pytest.approx(2**2 * 2.5 + 2**4 * 0.5)
    game._own = list(range(20))
    assert game.seconds([1.0] * 20) == pytest.approx(2 * 12 * 20)  # orders, each forwards and backwards


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
    bars = found.of("view", "crackdown", statistic="probability").set_index("bar")["order_free"]
    assert bars["2026-03-03 ec-dsa-x-grok-2026 preliminary_findings"] > 0.03
    assert bars["2026-03-30 fr-crim-x-2025 charged"] > 0.03
    assert bars["silence until 2026-03-30"] < 0
    assert bars["the clock, to 2026-03-30"] == pytest.approx(0, abs=1e-12)
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
    assert "2 other events" in set(fewer["bar"])
    assert fewer["order_free"].sum() == pytest.approx(bars["order_free"].sum())


def test_order_of_arrival_and_order_free_differ_by_what_events_share(month):
    _, _, found = month
    events = found.of("view", "crackdown", statistic="log_odds").query("kind == 'event'")
    assert events["arrival"].sum() == pytest.approx(events["order_free"].sum())
    assert (events["arrival"] - events["order_free"]).abs().max() > 1e-4


def test_corrections_have_a_bar_of_their_own(packaged):
    old = packaged.record.events.set_index("event_id")
    name = old.index[(old["case_id"] == "fr-crim-x-2025") & (old["type"] == "search")][0]
    moved = {"case_id": "fr-crim-x-2025", "date": "2025-06-20", "published_on": "2026-02-20", "type": "search"}
    later = forecast.update(packaged, {"events": pd.DataFrame([moved | {"supersedes": name}])})
    found = forecast.explain(packaged, later)
    kinds = found.of("outside", "crackdown", statistic="probability").set_index("kind")["order_free"]
    assert "event" not in kinds.index
    assert abs(kinds["corrections"]) > 1e-4  # the search falls into another phase of the investigation
    assert not found.events.shape[0]
    assert not found.checks["failures"]  # the way ends where the later forecast stands, to a millionth of a nat


def test_a_correction_of_a_correction_is_no_news_and_puts_history_right(packaged):
    old = packaged.record.events.set_index("event_id")
    name = old.index[(old["case_id"] == "fr-crim-x-2025") & (old["type"] == "search")][0]
    chain = [
        event("fr-crim-x-2025", "2026-02-02", "search", published="2026-02-20", event_id="c1", supersedes=name),
        event(
            "fr-crim-x-2025", "2026-02-01", "executive_charged", published="2026-02-24", event_id="c2", supersedes="c1"
        ),
    ]
    record = forecast.append(packaged.record, {"events": pd.DataFrame(chain)})
    evidence = gather(packaged.specification, record, date(2026, 3, 2))
    assert not len(evidence.exposure.news_row)
    families = {
        FAMILIES[f] for f in evidence.exposure.event_family[evidence.exposure.event_row < evidence.exposure.n_focal]
    }
    assert "executive" in families
    growth = Growth(packaged.record, record.as_of("2026-03-02"), SINCE)
    assert not growth.newcomers
    then = growth.without((), growth.public(SINCE)).as_of(SINCE).in_force().events
    assert set(then.loc[then["event_id"].isin([name, "c1", "c2"]), "event_id"]) == {"c2"}


def test_events_that_matter_only_together_are_simulated_together(packaged):
    """A fine, then two appeals against it: each appeal matters only once the fine is there."""
    case = "ec-dsa-x-grok-2026"
    news = [event(case, "2026-05-10", "fine", amount_eur=5e7), event(case, "2026-05-20", "appeal_filed")]
    news += [event(case, "2026-05-25", "appeal_filed")]
    record = with_rows(replace(packaged.record, as_of_date=None), events=news).as_of("2026-05-30")
    growth = Growth(packaged.record, record, SINCE)
    evidence = gather(packaged.specification, record, date(2026, 5, 30))
    flat = dict(prior_draws(evidence, 100, 1).flat)
    pool = Pool(flat, Bridge(np.zeros((1, 100)), np.array([100])), record, ("event:appeal",), 3)
    game = Game(packaged.specification, growth, pool, date(2026, 5, 30), date(2026, 5, 30), growth.newcomers)
    assert game._watched == [0, 1, 2]


@pytest.mark.slow
def test_other_priors_have_a_bar_of_their_own(packaged, month):
    stated = packaged.specification.scenarios
    likely = {"limited": 0.3, "significant": 0.45, "crackdown": 0.25}
    changed = {s: stated[s].model_copy(update={"probability": stated[s].probability.model_copy(update={"value": p})})
               for s, p in likely.items()}  # fmt: skip
    spec = packaged.specification.model_copy(update={"scenarios": stated.model_copy(update=changed)})
    other = forecast.run(spec, packaged.record)
    found = forecast.explain(packaged, other)
    bars = found.of("view", "crackdown", statistic="probability").set_index("kind")["order_free"]
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
    assert again["order_free"].to_numpy() == pytest.approx(found.table["order_free"].to_numpy(), rel=1e-8, nan_ok=True)
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
    assert bars["order_free"].sum() == pytest.approx(bars["after"].iloc[0] - bars["before"].iloc[0])
    moved = bars.set_index("bar")["order_free"]
    assert moved["2026-02-03 fr-crim-x-2025 search"] > 0.01  # the raid, in the outside view
    assert moved["the brief"] < -0.1  # it knows the raid already


def test_names_of_the_scenarios_are_the_house_s(month):
    _, _, found = month
    shown = found.table.loc[found.table["target"] == "view", "scenario"]
    assert list(dict.fromkeys(shown)) == list(SCENARIOS)
    assert list(dict.fromkeys(found.table["kind"])) == ["clock", "silence", "figures", "event", "error"]


def test_reported_errors_are_those_of_the_tables(packaged):
    told = labels(packaged.outcomes, ["fine_left"])
    values, errors = reported(packaged, told)
    own = packaged.scenarios.query("view == 'outside'").set_index("scenario")
    place = told.index[(told["target"] == "outside") & (told["statistic"] == "log_odds")]
    p = own["probability"].to_numpy()
    assert values[place] == pytest.approx(np.log(p / (1 - p)))
    assert errors[place] == pytest.approx(own["mcse"].to_numpy() / (p * (1 - p)))


def test_unreachable_steps_are_fitted(packaged, monkeypatch, caplog):
    """With a higher bar for effective draws the model is fitted between, and the bars still close."""
    later = forecast.update(packaged, {}, "2026-03-03", assume_silence=True)
    caplog.set_level("INFO", "forecast")
    monkeypatch.setattr(explaining, "MIN_ESS", 9500)
    monkeypatch.setattr(explaining, "MOST_FITS", 1)
    found = forecast.explain(packaged, later)
    assert any(line.startswith("Fitting between the two (") for line in caplog.messages)
    assert found.checks["fits"] == 3
    bars = found.of("view", "significant", statistic="probability")
    assert bars["order_free"].sum() == pytest.approx(bars["after"].iloc[0] - bars["before"].iloc[0])
