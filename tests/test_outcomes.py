"""Joint draws: what must hold of any forecast, against its own arithmetic and against SciPy."""

import numpy as np
import pytest
from scipy import stats
from worlds import HORIZONS

from forecast.inference import brief_draws, gather
from forecast.outcomes import choose_scenarios, fine_left, imagine, inside_weights, resolve
from forecast.penalties import CONCENTRATION, _split, appeal_probability, appeals, waits
from forecast.record import load_record
from forecast.resolution import RESOLUTIONS, base_rate, clauses_of
from forecast.specification import load_specification
from forecast.summaries import resolution_table, targets
from forecast.vocabulary import FAMILIES, SCENARIOS
from forecast.watchlist import both_views, event_probabilities, first_events, next_fines

N = 4000


@pytest.fixture(scope="module", params=["share_of_ceiling", "eur"])
def future(request):
    spec, record = load_specification(), load_record()
    spec = spec if request.param == "share_of_ceiling" else spec.with_reading("eur")
    draws = brief_draws(gather(spec, record, spec.as_of), N, seed=7)
    return imagine(draws, np.random.default_rng(8))


def open_rows(draws, focal):
    lives = draws.evidence.hazards.lives
    return [i for i, life in enumerate(lives) if life.at_risk and (i in draws.evidence.hazards.focal) == focal]


@pytest.fixture(scope="module")
def drawn(future):
    return targets(future)


def test_without_news_inside_weights_are_the_brief_exactly(future):
    assert np.array_equal(inside_weights(future.draws), np.tile([0.40, 0.45, 0.15], (N, 1)))
    assert np.bincount(future.scenario).tolist() == [0.40 * N, 0.45 * N, 0.15 * N]


def test_the_outside_view_has_no_scenarios_but_classes(future):
    outside = imagine(future.draws, np.random.default_rng(5), outside=True)
    assert outside.view == "outside"
    assert np.array_equal(outside.scenario, resolve(outside)[:, -1])
    assert set(np.unique(outside.scenario)) <= {0, 1, 2}


def test_systematic_choice_keeps_each_draws_own_weights():
    rng = np.random.default_rng(1)
    weights = rng.dirichlet([1, 2, 3], 20_000)
    chosen = np.eye(3)[choose_scenarios(weights, rng)]
    assert chosen.mean(axis=0) == pytest.approx(weights.mean(axis=0), abs=2e-3)
    for s in range(3):  # chosen given weight is right too, not only on average
        heavy = weights[:, s] > np.quantile(weights[:, s], 0.8)
        error = np.sqrt(0.25 / heavy.sum())
        assert chosen[heavy, s].mean() == pytest.approx(weights[heavy, s].mean(), abs=4 * error)


def test_no_fine_exceeds_a_ceiling_that_the_law_sets(future):
    statute, focal = future.draws.evidence.statute, len(future.draws.evidence.focal)
    old = future.fine_proceeding < focal
    ceiling = statute.ceilings[future.fine_proceeding[old]] * future.turnover[future.fine_path[old]]
    limited = ~np.isnan(ceiling)
    assert limited.any()
    assert (~limited).any()  # a criminal fine has no share of the turnover for a ceiling
    assert (future.fine_amount[old][limited] <= ceiling[limited] * (1 + 1e-9)).all()
    assert (future.fine_amount >= 0).all()


def test_the_split_keeps_the_sum_below_every_ceiling():
    rng, n = np.random.default_rng(3), 2000
    path = np.sort(rng.integers(0, n, 5 * n))
    room, rest = rng.lognormal(3, 1, len(path)), rng.lognormal(4, 1, n)
    room[rng.random(len(path)) < 0.2] = np.inf
    amount = _split(rest[path], rng.gamma(CONCENTRATION, size=len(path)), room, path, n)
    total, capacity = np.bincount(path, amount, n), np.bincount(path, room, n)
    assert (amount <= room * (1 + 1e-12)).all()
    known = np.bincount(path, minlength=n) > 0
    assert total[known] == pytest.approx(np.minimum(rest, capacity)[known], rel=1e-4)


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


def test_total_cost_is_the_sum_of_its_parts(drawn):
    parts = drawn["fine_left"] + drawn["cost:moderation"] + drawn["cost:advertising"]
    assert drawn["total_cost"].values == pytest.approx(parts.values)
    assert (np.diff(drawn["cost:moderation"].values, axis=1) >= 0).all()


def test_impacts_are_nothing_until_an_event_sets_them_off(future, drawn):
    stated = future.draws.evidence.specification.impacts.set_off
    for impact, target in (("attrition", "user_attrition"), ("moderation_spending", "moderation_spending")):
        own = [FAMILIES.index(f) for f in getattr(stated, impact)]
        first = future.paths.first[:, own].min(axis=1)
        for j, horizon in enumerate(HORIZONS):
            assert not drawn[target].values[first > horizon, j].any()
            assert (drawn[target].values[first < horizon - 1, j] > 0).all()


def test_spending_accrues_as_integrated_by_hand(future, drawn):
    stated = future.draws.evidence.specification.impacts
    half, grid = stated.half_life.value, np.linspace(0, 60, 6001)
    first, fully = future.paths.first, drawn["moderation_spending"].values[:, -1]
    for i in np.flatnonzero(fully > 0)[:40]:
        felt = np.zeros(len(grid))
        for family, share in stated.set_off.moderation_spending.items():
            since = np.maximum(grid - first[i, FAMILIES.index(family)], 0)
            felt += share.value * (1 - 2 ** (-since / half))
        felt = np.minimum(felt, 1)
        expected = fully[i] / felt[-1] * np.trapezoid(felt, grid) / 12
        assert drawn["cost:moderation"].values[i, -1] == pytest.approx(expected, rel=0.02)


def test_a_suspension_costs_more_than_none_in_the_same_scenario(future, drawn):
    suspended = drawn["event:suspension"].values[:, -1] > 0
    for s in range(3):
        own = future.scenario == s
        if (own & suspended).sum() > 30:
            cost = drawn["total_cost"].values[:, -1]
            assert cost[own & suspended].mean() > cost[own & ~suspended].mean()


def test_stated_ranges_of_sums_of_fines_hold(future):
    """Of courses with a fine, 5 % of the sums lie below the scenario's range, and none far above."""
    spec = future.draws.evidence.specification
    total = np.bincount(future.fine_path, future.fine_amount, N)
    fined = np.bincount(future.fine_path, minlength=N) > 0
    for s, scenario in enumerate(SCENARIOS):
        own = fined & (future.scenario == s)
        if spec.fines.reading == "share_of_ceiling":
            stated, values = spec.fines.share[scenario], total / (future.turnover * spec.fines.ceiling.value)
        else:
            stated, values = spec.fines.eur[scenario], total
        low, high = stats.binom(own.sum(), 0.05).interval(0.9999)
        below = (values[own] < stated.low).sum()
        above = (values[own] > stated.high).sum()
        if spec.fines.reading == "share_of_ceiling":
            assert low <= below <= high * 1.5  # where ceilings leave too little room, sums fall short
        assert above <= high


def test_every_scenario_resolves_as_itself(future, drawn):
    if future.draws.evidence.specification.fines.reading == "share_of_ceiling":
        assert (np.diag(resolution_table(drawn)[list(SCENARIOS)]) >= 0.8).all()


def test_resolution_rule_by_hand(future):
    answer, first, paths = resolve(future), future.paths.first, future.paths
    rng = np.random.default_rng(4)
    for i in rng.integers(0, N, 300):
        for j, horizon in enumerate(HORIZONS):
            seen = {f: first[i, k] <= horizon for k, f in enumerate(FAMILIES)}
            own = (future.fine_path == i) & (future.fine_time <= horizon)
            charged = (paths.path == i) & (paths.family == FAMILIES.index("executive")) & (paths.time <= horizon)
            beside = set(paths.proceeding[charged]) & set(future.fine_proceeding[own])
            large = (future.fine_amount[own] >= 100e6).any()
            if (
                seen["suspension"]
                or seen["order.filtering"]
                or (seen["executive"] and seen["fine"] and (beside or large))
            ):
                expected = "crackdown"
            elif future.fine_amount[own].sum() >= 100e6 or seen["order.extensive"]:
                expected = "significant"
            elif horizon == HORIZONS[-1] or any(
                seen[f] for f in ("fine", "order.specific", "executive", "commitments")
            ):
                expected = "limited"
            else:
                expected = "limited" if future.paths.all_closed[i] <= horizon else "pending"
            assert RESOLUTIONS[answer[i, j]] == expected


def test_the_base_rate_is_the_rules_answer_for_other_resolved_matters():
    spec, known = load_specification(), load_record().as_of("2026-02-03").in_force()
    counts = base_rate(known, clauses_of(spec.resolution), spec.matter)
    assert set(counts) == set(SCENARIOS)
    decided = known.events.loc[known.events["type"].isin(["fine", "commitments_accepted", "suspension"]), "case_id"]
    matters = known.proceedings.set_index("case_id")["matter_id"]
    assert sum(counts.values()) >= matters[decided.unique()].nunique() - 1
    large = known.events.loc[(known.events["type"] == "fine") & (known.events["amount_eur"] >= 100e6), "case_id"]
    severe = known.events.loc[known.events["type"] == "suspension", "case_id"]
    least = set(matters[large.unique()]) - set(matters[severe.unique()]) - {spec.matter}
    assert counts["significant"] + counts["crackdown"] >= len(least)


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
    every = np.arange(N)
    assert appeal_probability(future.draws, every, np.full(N, 5e8)).mean() > flat["appeal_probability"].mean() + 0.1
    outcomes = flat["ruling_outcome"][path].mean(axis=0)
    assert (drawn["left"] == 1).mean() == pytest.approx(outcomes[0], abs=0.007)
    assert (drawn["left"] == 0).mean() == pytest.approx(outcomes[2], abs=0.007)
    assert (drawn["ruled"] >= drawn["filed"]).all()


def test_watch_list_covers_every_open_proceeding(future):
    record = load_record().as_of(future.draws.evidence.specification.as_of)
    rng = np.random.default_rng(9)
    events, fines = event_probabilities(future, rng), next_fines(future, record, rng)
    known_open = {life.case_id for life in future.draws.evidence.hazards.lives if life.at_risk}
    assert set(events["case_id"]) == set(fines["case_id"]) == known_open
    wide = events.pivot_table(index=["case_id", "family"], columns="window_months", values="probability")
    assert (np.diff(wide.to_numpy(), axis=1) >= 0).all()
    empty = fines["q50"].isna()
    assert (fines.loc[empty, "reason"].str.contains("no turnover|only")).all()
    assert (np.diff(fines.loc[~empty, ["q05", "q25", "q50", "q75", "q95"]].to_numpy(), axis=1) >= 0).all()


def test_the_watch_list_says_which_view_each_row_is_of(future):
    """Focal rows are the analyst's; what the outside view says of them is what it would say of any other proceeding."""
    events = event_probabilities(future, np.random.default_rng(9))
    draws, lives = future.draws, future.draws.evidence.hazards.lives
    focal = events["matter_id"] == draws.evidence.specification.matter
    assert focal.any()
    assert (events.loc[focal, "view"] == "inside").all()
    assert (events.loc[~focal, "view"] == "outside").all()
    assert (events.loc[~focal, "probability"] == events.loc[~focal, "outside_probability"]).all()
    assert (events.loc[~focal, "mcse"] == events.loc[~focal, "outside_mcse"]).all()
    rows = open_rows(draws, focal=True)
    other = next(first_events(draws, rows, 12, np.random.default_rng(77)))
    table = events.loc[focal].set_index(["case_id", "family", "window_months"])
    gaps = []
    for row in rows:
        for k, family in enumerate(FAMILIES):
            own = table.loc[(lives[row].case_id, family, 12)]
            again = (other[row][:, k] <= 12).mean()
            gaps.append((own["outside_probability"] - again) / max(own["outside_mcse"], 1 / len(draws)))
    assert np.abs(gaps).max() < 6
    assert np.mean(np.square(gaps)) < 4  # both are simulated: 2 in the mean
    apart = (table["probability"] - table["outside_probability"]).abs()
    assert apart.max() > 0.05  # both views differ: to leave the view unsaid would mislead


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
    draws = brief_draws(gather(spec, record, spec.as_of), 200, seed=7)
    one, two = (targets(imagine(draws, np.random.default_rng(8))) for _ in range(2))
    assert one.identical(two)


def test_before_the_brief_only_the_outside_view_exists():
    spec, record = load_specification(), load_record()
    early = gather(spec, record, spec.as_of.replace(year=2025))
    draws = brief_draws(early, 500, seed=7)
    drawn = targets(imagine(draws, np.random.default_rng(8)))
    assert not early.inside
    assert "user_attrition" not in drawn
    assert "fine_imposed" in drawn


def test_a_judicial_investigation_makes_charges_likelier_in_both_views_and_every_scenario():
    """The same draws of everything, with and without an investigation on the last day, scenario by scenario."""
    from worlds import event, with_rows  # noqa: PLC0415

    spec, record = load_specification(), load_record()
    supposed = with_rows(record, events=[event("fr-crim-x-2025", "2026-02-04", "judicial_investigation")])
    before, after = (gather(spec, known, spec.as_of.replace(day=4)) for known in (record, supposed))
    draws = brief_draws(before, 2000, seed=3)
    executive = FAMILIES.index("executive")
    for scenario in (0, 1, 2, None):
        chosen = None if scenario is None else np.full(2000, scenario)
        chance = []
        for evidence in (before, after):
            own = type(draws)(evidence, draws.flat)
            future = imagine(own, np.random.default_rng(9), scenario=chosen, outside=chosen is None)
            chance.append((future.paths.first[:, executive] <= 24).mean())
        assert chance[1] > chance[0] + (0.01 if scenario != 0 else 0.0), scenario
