"""Simulated courses against closed forms: competing hazards, statements with a tempo, closings, openings, stages."""

from functools import cache

import numpy as np
import pytest
from scipy import stats

from forecast.projection.drivers import Hazards, Kinds, Law, Start
from forecast.projection.paths import simulate_paths
from forecast.regime import load_regime

N = 20_000
regime = cache(load_regime)


def families():
    return list(regime().family_names)


def hazards(n=N, level=-50.0, **by_family):
    """Return hazards of one kind of proceeding: ``level`` everywhere but in the named families; no other effects."""
    f = len(families())
    levels = np.full((n, 1, f), level)
    for name, rate in by_family.items():
        levels[:, 0, families().index(name.replace("_at_", "."))] = np.log(rate)
    return Hazards(
        level=levels,
        stage=np.zeros((n, len(regime().stage_names), f)),
        age=np.zeros((n, f)),
        law=np.zeros((n, len(regime().rules))),
        multiplier=np.ones((n, f, 1)),
        tempo=np.ones(n),
        closing=np.zeros(n),
        opening=np.zeros((n, 2)),
    )


def kinds(name="consumer"):
    c = regime().class_names.index(name)
    return Kinds(*(np.array([x]) for x in (c, 0, regime().first_stage(name), 0)), np.array([1.0]))


def start(proceedings=1, ends=None, name="consumer", elapsed=0.0, **other):
    p = np.zeros(proceedings)
    f = len(families())
    return Start(
        kind=p.astype(np.int64),
        age=p + other.get("age", 3.0),
        in_stage=p + 1.0,
        stage=np.full(proceedings, regime().first_stage(name)),
        marks=p.astype(np.int64),
        is_open=np.ones(proceedings, dtype=bool),
        happened=np.zeros(f, dtype=bool),
        elapsed=elapsed,
        ends=np.zeros((f, 1)) if ends is None else ends,
        raised_until=other.get("raised_until", 0.0),
    )


def run(h, s, months=24.0, k=None, law=None, seed=1):
    seeds = np.random.default_rng(seed).integers(0, 2**32, len(h.tempo), dtype=np.uint64)
    return simulate_paths(h, s, k or kinds(), law or Law.of(regime()), regime().rule_table, months, seeds)


def test_competing_hazards_are_exponential_and_shared_in_proportion():
    paths = run(hazards(request=0.02, search=0.06), start(2))
    first = paths.first[:, [families().index("request"), families().index("search")]]
    soonest = first.min(axis=1)
    came = soonest[np.isfinite(soonest)]
    truncated = stats.truncexpon(24 * 2 * 0.08, scale=1 / (2 * 0.08))
    assert stats.kstest(came, truncated.cdf).pvalue > 1e-4
    assert np.isfinite(soonest).mean() == pytest.approx(1 - np.exp(-24 * 0.16), abs=0.01)
    assert (first[:, 1] < first[:, 0]).mean() == pytest.approx(0.75, abs=0.02)
    counts = np.bincount(paths.path[paths.family == families().index("search")], minlength=N)
    assert counts.mean() == pytest.approx(24 * 2 * 0.06, rel=0.02)
    assert counts.var() == pytest.approx(counts.mean(), rel=0.05)


def test_a_stated_family_follows_its_tempo_and_the_compensator_has_the_same_mean():
    """With tempo Gamma(k, k) the first event has come by the end with probability 1 - (1 + A / k)^-k."""
    k, f = 3.0, families().index("search")
    ends = np.zeros((len(families()), 2))
    ends[f] = (6.0, 24.0)
    h = hazards(search=0.05)
    multiplier = np.ones((N, len(families()), 2))
    multiplier[:, f] = (0.5, 3.0)
    h = h._replace(multiplier=multiplier, tempo=np.random.default_rng(3).gamma(k, 1 / k, N))
    paths = run(h, start(2, ends), 30.0)
    first = paths.first[:, f]
    total = 2 * 0.05 * np.cumsum([0.5 * 6, 3.0 * 18])
    for month, a, interval in ((6.0, total[0], 1), (24.0, total[1], 2)):
        expected = 1 - (1 + a / k) ** -k
        assert (first <= month).mean() == pytest.approx(expected, abs=0.012)
        assert paths.compensator[:, f, :interval].sum(axis=1).mean() == pytest.approx(expected, abs=0.012)
    later = paths.time[(paths.family == f)] > np.repeat(first, np.bincount(paths.path[paths.family == f], minlength=N))
    assert later.any()  # later events come at the reference hazard


def test_intervals_count_from_the_brief_and_not_from_now():
    f = families().index("search")
    ends = np.zeros((len(families()), 2))
    ends[f] = (6.0, 24.0)
    multiplier = np.ones((N, len(families()), 2))
    multiplier[:, f] = (10.0, 1.0)
    paths = run(hazards(search=0.02)._replace(multiplier=multiplier), start(1, ends, elapsed=4.0), 2.0)
    assert (paths.first[:, f] <= 2.0).mean() == pytest.approx(1 - np.exp(-10 * 0.02 * 2), abs=0.012)


def test_an_event_moves_the_stage_and_the_stages_effect_applies():
    h = hazards(findings=0.2, fine=0.01)
    stage = h.stage.copy()
    stage[:, regime().stage_names.index("after_findings"), families().index("fine")] = np.log(30.0)
    paths = run(h._replace(stage=stage), start(1), 12.0)
    findings, fine = (paths.first[:, families().index(name)] for name in ("findings", "fine"))
    before = np.minimum(findings, 12.0).sum()
    since = paths.time[paths.family == families().index("fine")]
    owner = paths.path[paths.family == families().index("fine")]
    early = since < findings[owner]
    assert early.sum() == pytest.approx(0.01 * before, abs=5 * np.sqrt(0.01 * before))
    # A decision is a stage of its own: of fines after findings only first ones are at 30 times the hazard.
    at_risk = (np.minimum(np.where(fine > findings, fine, 12.0), 12.0) - np.minimum(findings, 12.0))[
        fine > findings
    ].sum()
    first_late = ((fine > findings) & np.isfinite(fine)).sum()
    assert first_late == pytest.approx(0.3 * at_risk, rel=0.05)


def test_closings_end_a_proceeding_and_the_last_one_the_matter():
    paths = run(hazards(closure=0.1, request=0.5), start(2), 60.0)
    closure = paths.first_in(2)[:, :, families().index("closure")]
    assert np.isfinite(closure).mean() == pytest.approx(1 - np.exp(-6), abs=0.01)
    requests = paths.family == families().index("request")
    assert (paths.time[requests] < closure[paths.path[requests], paths.proceeding[requests]]).all()
    assert np.array_equal(paths.all_closed, np.where(np.isfinite(closure).all(axis=1), closure.max(axis=1), np.inf))


def test_a_decision_closes_with_its_probability():
    h = hazards(fine=0.2)
    paths = run(h._replace(closing=np.full(N, 0.3)), start(1), 48.0)
    fines = np.bincount(paths.path, minlength=N)
    came = fines > 0
    assert fines[came].max() > 1
    one = (paths.all_closed <= 48.0)[came].sum() / fines.sum()
    assert one == pytest.approx(0.3, abs=0.01)


def test_new_proceedings_open_and_are_followed():
    h = hazards(request=0.1)
    rates = np.tile([0.05, 0.2], (N, 1))
    paths = run(h._replace(opening=rates), start(1, raised_until=10.0), 30.0)
    expected = 10 * 0.2 + 20 * 0.05
    counts = np.bincount(paths.new_path, minlength=N)
    assert counts.mean() == pytest.approx(expected, rel=0.03)
    assert counts.var() == pytest.approx(expected, rel=0.06)
    lived = (30.0 - paths.new_time).sum()
    theirs = (paths.proceeding >= 1).sum()
    assert theirs == pytest.approx(0.1 * lived, rel=0.03)


def test_an_escalation_raises_the_rate_of_openings():
    h = hazards(search=0.05)
    law = Law.of(regime(), ("search",), 12.0)
    paths = run(h._replace(opening=np.tile([0.0, 0.3], (N, 1))), start(1), 24.0, law=law)
    first = paths.first_in(1)[:, 0, families().index("search")]
    assert (paths.new_time > first[paths.new_path] - 1e-9).all()


def test_rules_hold_where_the_regime_says_so():
    """A Commission file that was not formally opened: everything but requests at a twentieth."""
    h, rule = (
        hazards(findings=0.2, request=0.2),
        [r.name for r in regime().rules].index("Commission file not formally opened"),
    )
    law = h.law.copy()
    law[:, rule] = np.log(0.05)
    closed, opened = start(1, name="commission_dsa"), start(1, name="commission_dsa")
    opened = opened._replace(marks=np.array([1 << regime().mark_names.index("formally_opened")]))
    k = kinds("commission_dsa")
    for where, factor in ((closed, 0.05), (opened, 1.0)):
        paths = run(h._replace(law=law), where, 5.0, k=k)
        first = paths.first[:, families().index("findings")]
        assert (first <= 5.0).mean() == pytest.approx(1 - np.exp(-0.2 * factor * 5), abs=0.012)
        requests = paths.first[:, families().index("request")]
        assert (requests <= 5.0).mean() == pytest.approx(1 - np.exp(-1.0), abs=0.012)


def test_age_enters_by_bands_and_stops_to_change():
    h = hazards(search=0.01)
    h = h._replace(age=np.full_like(h.age, 1.0))
    paths = run(h, start(1, age=0.0), 60.0)
    grid = np.arange(0, 60, 0.01) + 0.005
    expected = (0.01 * np.exp(regime().time.log_age(grid)) * 0.01).sum()
    assert len(paths.path) / N == pytest.approx(expected, rel=0.03)


def test_the_same_seeds_give_the_same_courses_whatever_their_order():
    h, seeds = hazards(200, request=0.1, fine=0.05), np.arange(200, dtype=np.uint64)
    law = Law.of(regime())
    one = simulate_paths(h, start(2), kinds(), law, regime().rule_table, 24.0, seeds)
    back = np.arange(200)[::-1]
    two = simulate_paths(h.take(back), start(2), kinds(), law, regime().rule_table, 24.0, seeds[back])
    assert np.array_equal(one.first, two.first[back])
