"""Joint draws: what must hold of any forecast, against its own arithmetic and against SciPy."""

import numpy as np
import pytest
from scipy import stats
from worlds import HORIZONS

from forecast.inference import gather, prior_draws
from forecast.outcomes import (
    choose_scenarios,
    fine_left,
    imagine,
    inside_weights,
    outside_weights,
    resolve,
)
from forecast.penalties import appeals, waits
from forecast.record import load_record
from forecast.resolution import RESOLUTIONS
from forecast.specification import load_specification
from forecast.summaries import resolution_table, statement_table, targets
from forecast.vocabulary import FAMILIES, SCENARIOS
from forecast.watchlist import both_views, event_probabilities, first_events, focal_statute, next_fines

N = 4000


@pytest.fixture(scope="module", params=["share_of_ceiling", "eur"])
def future(request):
    spec, record = load_specification(), load_record()
    spec = spec if request.param == "share_of_ceiling" else spec.with_reading("eur")
    draws = prior_draws(gather(spec, record, spec.as_of), N, seed=7)
    law = focal_statute(draws, record)
    return imagine(draws, law.ceilings, law.instruments, np.random.default_rng(8))


@pytest.fixture(scope="module")
def drawn(future):
    return targets(future)


def test_without_news_inside_weights_are_the_brief_exactly(future):
    assert np.array_equal(inside_weights(future.draws), np.tile([0.40, 0.45, 0.15], (N, 1)))
    assert np.bincount(future.scenario).tolist() == [0.40 * N, 0.45 * N, 0.15 * N]


def test_weights_are_probabilities(future):
    outside = outside_weights(future.draws)
    assert outside.sum(axis=1) == pytest.approx(np.ones(N))
    assert (outside >= 0).all()


def test_systematic_choice_keeps_each_draws_own_weights():
    rng = np.random.default_rng(1)
    weights = rng.dirichlet([1, 2, 3], 20_000)
    chosen = np.eye(3)[choose_scenarios(weights, rng)]
    assert chosen.mean(axis=0) == pytest.approx(weights.mean(axis=0), abs=2e-3)
    for s in range(3):  # chosen given weight is right too, not only on average
        heavy = weights[:, s] > np.quantile(weights[:, s], 0.8)
        error = np.sqrt(0.25 / heavy.sum())
        assert chosen[heavy, s].mean() == pytest.approx(weights[heavy, s].mean(), abs=4 * error)


def test_no_fine_exceeds_its_ceiling(future):
    ceiling = future.turnover[future.fine_path] * future.ceilings[future.fine_proceeding]
    assert (future.fine_amount <= ceiling * (1 + 1e-12)).all()
    assert (future.fine_amount > 0).all()


def test_left_never_exceeds_imposed(future, drawn):
    left, imposed = drawn["fine_left"].values, drawn["fine_imposed"].values
    assert (left <= imposed + 1e-6).all()
    assert (left >= -1e-6).all()
    assert (drawn["fine_largest"].values <= imposed + 1e-6)[imposed > 0].all()
    assert np.array_equal(np.isnan(drawn["fine_largest"].values), imposed == 0)
    assert np.array_equal(fine_left(future), left)


def test_probabilities_rise_with_the_horizon_and_resolutions_sum_to_one(drawn):
    for name in (n for n in drawn if n.startswith("event:")):
        assert (np.diff(drawn[name].values, axis=1) >= 0).all()
    total = sum(drawn[f"resolved_scenario:{r}"].values for r in RESOLUTIONS)
    assert np.array_equal(total, np.ones((N, len(HORIZONS))))
    assert not drawn["resolved_scenario:pending"].values[:, -1].any()


def test_total_cost_is_the_sum_of_its_parts(future, drawn):
    impacts = future.draws.evidence.specification.impacts
    half = impacts.half_life.value
    grid = np.linspace(0, 60, 60_001)
    felt = 1 - 2 ** (-grid / half)
    full_spending = drawn["moderation_spending"].values[:, -1] / felt[-1]
    full_attrition = drawn["user_attrition"].values[:, -1] / felt[-1]
    for j, horizon in enumerate(HORIZONS):
        years = np.trapezoid(felt[grid <= horizon], grid[grid <= horizon]) / 12
        expected = drawn["fine_left"].values[:, j] + (full_spending + full_attrition * future.advertising) * years
        assert drawn["total_cost"].values[:, j] == pytest.approx(expected, rel=1e-4)


def test_stated_impact_ranges_hold_in_the_prior(future, drawn):
    impacts = future.draws.evidence.specification.impacts
    felt = 1 - 2 ** (-60 / impacts.half_life.value)
    for s, scenario in enumerate(SCENARIOS):
        own = future.scenario == s
        stated = impacts.attrition[scenario]
        values = drawn["user_attrition"].values[own, -1] / felt
        below = stats.binom(own.sum(), 0.05).interval(0.9999)
        assert below[0] <= (values < stated.low).sum() <= below[1]
        assert below[0] <= (values > stated.high).sum() <= below[1]


def test_stated_fine_ranges_hold_in_the_prior(future):
    fines = future.draws.evidence.specification.fines
    ceiling = future.turnover[future.fine_path] * future.ceilings[future.fine_proceeding]
    for s, scenario in enumerate(SCENARIOS):
        own = future.scenario[future.fine_path] == s
        if fines.reading == "share_of_ceiling":
            stated, values = fines.share[scenario], (future.fine_amount / ceiling)[own]
            low, high = stats.binom(len(values), 0.05).interval(0.9999)
            assert low <= (values < stated.low).sum() <= high
            assert low <= (values > stated.high).sum() <= high
        else:  # cut off at each one's ceiling
            stated = np.log([fines.eur[scenario].low, fines.eur[scenario].high])
            law = stats.norm(stated.mean(), np.ptp(stated) / 2 / stats.norm.ppf(0.95))
            below = law.cdf(np.log(future.fine_amount[own])) / law.cdf(np.log(ceiling[own]))
            assert stats.kstest(below, "uniform").pvalue > 1e-4


def test_statements_are_kept_net(future, drawn):
    table = statement_table(future, drawn, np.random.default_rng(3))
    z = (table["net"] - table["stated"]) / np.sqrt(table["stated"] * (1 - table["stated"]) / N)
    assert z.abs().max() < 4.5
    assert (z**2).mean() < 2


def test_every_scenario_resolves_as_itself(future, drawn):
    if future.draws.evidence.specification.fines.reading == "share_of_ceiling":
        assert (np.diag(resolution_table(drawn)[list(SCENARIOS)]) >= 0.8).all()


def test_resolution_rule_by_hand(future):
    answer = resolve(future)
    first = future.paths.first_any
    rng = np.random.default_rng(4)
    for i in rng.integers(0, N, 300):
        for j, horizon in enumerate(HORIZONS):
            seen = {f: first[i, k] <= horizon for k, f in enumerate(FAMILIES)}
            own = (future.fine_path == i) & (future.fine_time <= horizon)
            scopes = future.order_scope[(future.order_path == i) & (future.order_time <= horizon)]
            if seen["suspension"] or 2 in scopes or (seen["executive"] and seen["fine"]):
                expected = "crackdown"
            elif future.fine_amount[own].sum() >= 100e6 or 1 in scopes:
                expected = "significant"
            elif horizon == HORIZONS[-1] or any(seen[f] for f in ("fine", "order", "executive", "commitments")):
                expected = "limited"
            else:
                expected = "limited" if future.paths.all_closed[i] <= horizon else "pending"
            assert RESOLUTIONS[answer[i, j]] == expected


def test_waits_have_the_stated_hazard():
    rates = np.tile([0.01, 0.05, 0.02], (100_000, 1))
    drawn = waits(rates, [0.0, 12.0, 36.0], np.random.default_rng(5))
    for t, hazard in ((6, 0.06), (12, 0.12), (24, 0.12 + 0.6), (48, 0.12 + 1.2 + 0.24)):
        assert (drawn > t).mean() == pytest.approx(np.exp(-hazard), abs=4 * 0.5 / np.sqrt(len(drawn)))


def test_appeals_have_the_drawn_probability_and_outcomes(future):
    n = 100_000
    rng = np.random.default_rng(6)
    path = rng.integers(0, N, n)
    drawn = appeals(future.draws, path, np.zeros(n), np.ones(n), rng)
    flat = future.draws.flat
    assert np.isfinite(drawn["filed"]).mean() == pytest.approx(flat["appeal_probability"][path].mean(), abs=0.007)
    outcomes = flat["ruling_outcome"][path].mean(axis=0)
    assert (drawn["left"] == 1).mean() == pytest.approx(outcomes[0], abs=0.007)
    assert (drawn["left"] == 0).mean() == pytest.approx(outcomes[2], abs=0.007)
    assert (drawn["ruled"] >= drawn["filed"]).all()


def test_watch_list_covers_every_open_proceeding(future):
    record = load_record().as_of(future.draws.evidence.specification.as_of)
    rng = np.random.default_rng(9)
    events, fines = event_probabilities(future, rng), next_fines(future, record, rng)
    known_open = set(record.proceedings.loc[record.proceedings["closed_on"].isna(), "case_id"])
    assert set(events["case_id"]) == set(fines["case_id"]) == known_open
    wide = events.pivot_table(index=["case_id", "family"], columns="window_months", values="probability")
    assert (np.diff(wide.to_numpy(), axis=1) >= 0).all()
    empty = fines["q50"].isna()
    assert (fines.loc[empty, "reason"].str.contains("no turnover|only")).all()
    assert (np.diff(fines.loc[~empty, ["q05", "q25", "q50", "q75", "q95"]].to_numpy(), axis=1) >= 0).all()


def test_the_watch_list_says_which_view_each_row_is_of(future):
    """Focal rows are the analyst's; what the outside view says of them is what it would say of any other proceeding."""
    events = event_probabilities(future, np.random.default_rng(9))
    draws, x = future.draws, future.draws.evidence.exposure
    focal = events["matter_id"] == x.matters[0]
    assert focal.any()
    assert (events.loc[focal, "view"] == "inside").all()
    assert (events.loc[~focal, "view"] == "outside").all()
    assert (events.loc[~focal, "probability"] == events.loc[~focal, "outside_probability"]).all()
    assert (events.loc[~focal, "mcse"] == events.loc[~focal, "outside_mcse"]).all()
    rows = [int(row) for row in np.flatnonzero(x.is_open[: x.n_focal])]
    other = next(first_events(draws, rows, 12, np.random.default_rng(77)))
    table = events.loc[focal].set_index(["case_id", "family", "window_months"])
    gaps = []
    for row in rows:
        for k, family in enumerate(FAMILIES):
            own = table.loc[(x.cases[row], family, 12)]
            again = (other[row][:, k] <= 12).mean()
            gaps.append((own["outside_probability"] - again) / max(own["outside_mcse"], 1 / len(draws)))
    assert np.abs(gaps).max() < 6
    assert np.mean(np.square(gaps)) < 3
    apart = (table["probability"] - table["outside_probability"]).abs()
    assert apart.max() > 0.05  # both views differ: to leave the view unsaid would mislead


def test_the_outside_view_of_the_focal_matter_moves_no_other_number(future):
    one, two = (event_probabilities(future, np.random.default_rng(9)) for _ in range(2))
    assert one.equals(two)
    x, rng = future.draws.evidence.exposure, np.random.default_rng(9)
    others = [int(row) for row in np.flatnonzero(x.is_open) if row >= x.n_focal]
    first = next(first_events(future.draws, others, 12, rng))
    rows = one.loc[(one["case_id"] == x.cases[others[0]]) & (one["window_months"] == 12)]
    assert rows["probability"].to_numpy() == pytest.approx((first[others[0]] <= 12).mean(axis=0))


def test_a_proceeding_of_the_matter_stands_in_both_views(future):
    events = event_probabilities(future, np.random.default_rng(9))
    both = both_views(events)
    inside = events.loc[events["view"] == "inside"]
    assert len(both) == len(events) + len(inside)
    case = inside["case_id"].iloc[0]
    for view, column in (("inside", "probability"), ("outside", "outside_probability")):
        rows = both.loc[(both["case_id"] == case) & (both["view"] == view)]
        assert rows["probability"].to_numpy() == pytest.approx(inside.loc[inside["case_id"] == case, column].to_numpy())


def test_the_same_seed_gives_the_same_future():
    spec, record = load_specification(), load_record()
    draws = prior_draws(gather(spec, record, spec.as_of), 200, seed=7)
    law = focal_statute(draws, record)
    one, two = (targets(imagine(draws, law.ceilings, law.instruments, np.random.default_rng(8))) for _ in range(2))
    assert one.identical(two)


def test_before_the_brief_only_the_outside_view_exists():
    spec, record = load_specification(), load_record()
    early = gather(spec, record, spec.as_of.replace(year=2025))
    draws = prior_draws(early, 500, seed=7)
    law = focal_statute(draws, record.as_of(early.exposure.origin))
    drawn = targets(imagine(draws, law.ceilings, law.instruments, np.random.default_rng(8)))
    assert not early.exposure.inside
    assert "user_attrition" not in drawn
    assert "fine_imposed" in drawn
