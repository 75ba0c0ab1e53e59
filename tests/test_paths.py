"""Simulated paths against what is known in closed form, and against the analyst's statements."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import expon, gamma, kstest, poisson
from worlds import AS_OF, load_record, load_specification

from forecast.exposure import CELLS, build_exposure
from forecast.likelihood import base_hazards, first_hazards, row_effects, tilts
from forecast.observations import observe
from forecast.parameters import constants, coordinates, draw_prior, effects, parameters
from forecast.paths import Hazards, Start, simulate_paths
from forecast.vocabulary import FAMILIES, SCENARIOS, STAGES

K = {family: i for i, family in enumerate(FAMILIES)}
N = 20_000


def hazards(rates: dict[str, float] | np.ndarray, n: int = N, proceedings: int = 1, **other) -> Hazards:
    """Return constant hazards per month by family (or family by cell), and nothing else that moves."""
    base = np.zeros((len(FAMILIES), CELLS))
    if isinstance(rates, dict):
        for family, rate in rates.items():
            base[K[family]] = rate
    else:
        base = rates
    plain = {
        "base": np.broadcast_to(base, (n, *base.shape)).copy(),
        "effect": np.ones((n, proceedings, len(FAMILIES))),
        "tilt": np.ones((n, len(FAMILIES))),
        "frailty": np.ones(n),
        "multiplier": np.zeros((n, len(FAMILIES), 1)),
        "ends": np.zeros((len(FAMILIES), 1)),
        "closing": np.zeros(n),
        "opening": np.zeros((n, 2)),
        "raising": np.zeros(len(FAMILIES), dtype=bool),
        "raised_months": 12.0,
    }
    return Hazards(**{**plain, **other})


def start(proceedings: int = 1, **other) -> Start:
    plain = {
        "age": np.zeros(proceedings),
        "stage": np.zeros(proceedings, dtype=int),
        "is_open": np.ones(proceedings, dtype=bool),
        "happened": np.zeros(len(FAMILIES), dtype=bool),
        "elapsed": 0.0,
        "raised_until": 0.0,
    }
    return Start(**{**plain, **other})


def run(h: Hazards, s: Start | None = None, horizon: float = 60.0, seed: int = 1, **other):
    return simulate_paths(h, s or start(), horizon, np.random.default_rng(seed), **other)


def close(share: np.ndarray, expected, n: int = N):
    """Assert that shares of ``n`` paths agree with probabilities, within 4 standard errors."""
    expected = np.asarray(expected)
    error = np.sqrt(np.maximum(expected * (1 - expected), 1e-12) / n)
    assert np.all(np.abs(share - expected) < 4 * error + 1e-12), (share, expected)


def test_one_family_is_exponential():
    paths = run(hazards({"search": 0.05}), horizon=1e4)
    assert kstest(paths.first[:, 0, K["search"]], expon(scale=20).cdf).pvalue > 1e-3
    assert np.isinf(paths.first[:, 0, K["summons"]]).all()


def test_events_of_one_family_are_poisson():
    paths = run(hazards({"search": 0.05}))
    counts = np.bincount(np.bincount(paths.path, minlength=N), minlength=12)[:12] / N
    close(counts, poisson(3.0).pmf(np.arange(12)))
    assert np.all((paths.time > 0) & (paths.time <= 60))


def test_frailty_effect_and_tilt_multiply():
    h = hazards({"search": 0.01}, proceedings=2)
    h.effect[:, 1], h.tilt[:], h.frailty[:] = 3.0, 2.0, 1.5
    counts = np.bincount(run(h, start(2)).proceeding, minlength=2) / N
    assert counts == pytest.approx([60 * 0.03, 60 * 0.09], rel=0.02)


def test_competing_risks():
    rates = {"search": 0.02, "summons": 0.03, "closure": 0.05}
    paths = run(hazards(rates), horizon=12)
    closed = paths.first[:, 0, K["closure"]]
    close(np.isfinite(closed).mean(), 1 - np.exp(-0.6))
    assert np.array_equal(closed, paths.all_closed)
    first = paths.first[:, 0].min(axis=1)
    for family, rate in rates.items():
        share = np.mean((paths.first[:, 0, K[family]] == first) & np.isfinite(first))
        close(share, rate / 0.1 * (1 - np.exp(-1.2)))
        before = np.isfinite(paths.first[:, 0, K[family]]).mean()
        total = rate + rates["closure"] * (family != "closure")
        close(before, rate / total * (1 - np.exp(-12 * total)))  # nothing happens in a closed proceeding
    late = paths.time > closed[paths.path]
    assert not late.any()


def test_phases_by_hand():
    base = np.zeros((len(FAMILIES), CELLS))
    base[K["search"]] = np.repeat([0.1, 0.02, 0.005], len(STAGES))
    for age in (0.0, 3.0, 6.0, 20.0, 24.0, 40.0):
        first = run(hazards(base), start(age=np.array([age]))).first[:, 0, K["search"]]
        for t in (1.0, 4.0, 10.0, 30.0, 59.0):
            lived = [
                np.clip(age + t, low, high) - np.clip(age, low, high) for low, high in ((0, 6), (6, 24), (24, 1e9))
            ]
            close(np.mean(first <= t), 1 - np.exp(-np.dot(lived, [0.1, 0.02, 0.005])))


def test_stages_as_a_markov_chain():
    """Findings, then a fine that may close: states before, after findings, after a decision and open, closed."""
    base = np.zeros((len(FAMILIES), CELLS))
    by_stage = {"findings": [0.08, 0.08, 0.08], "fine": [0.01, 0.06, 0.02], "closure": [0.01, 0.02, 0.03]}
    for family, rates in by_stage.items():
        base[K[family]] = np.tile(rates, 3)
    rate = np.zeros((4, 4))
    p = 0.3
    for s in range(3):
        rate[s, max(s, 1)] += by_stage["findings"][s]
        rate[s, 2] += (1 - p) * by_stage["fine"][s]
        rate[s, 3] += p * by_stage["fine"][s] + by_stage["closure"][s]
        rate[s, s] -= rate[s].sum()
    rate[1, 1], rate[2, 2] = -rate[1, 2:].sum(), -rate[2, 3]
    for horizon in (6.0, 24.0, 60.0):
        paths = run(hazards(base, closing=np.full(N, p)), horizon=horizon)
        closed = paths.all_closed <= horizon
        fined = np.isfinite(paths.first[:, 0, K["fine"]])
        found = np.isfinite(paths.first[:, 0, K["findings"]])
        states = np.array([~closed & ~fined & ~found, ~closed & ~fined & found, ~closed & fined, closed]).mean(axis=1)
        close(states, expm(rate * horizon)[0])


def test_commitments_move_the_stage_and_may_close():
    paths = run(hazards({"commitments": 0.1}, closing=np.ones(N)), horizon=24)
    close(np.mean(paths.all_closed <= 24), 1 - np.exp(-2.4))
    assert np.bincount(paths.path).max() == 1


def test_a_closed_proceeding_stays_silent():
    h = hazards({"search": 0.05}, proceedings=2)
    paths = run(h, start(2, is_open=np.array([True, False])))
    assert set(paths.proceeding) == {0}


def test_all_closed_is_the_last_closing():
    paths = run(hazards({"closure": 0.03}, proceedings=3), start(3))
    last = paths.first[:, :, K["closure"]].max(axis=1)
    assert np.array_equal(paths.all_closed, last)
    close(np.mean(last <= 60), (1 - np.exp(-1.8)) ** 3)


def test_openings_are_poisson():
    opening = np.tile([0.05, 0.2], (N, 1))
    paths = run(hazards({}, opening=opening), start(raised_until=10.0))
    counts = np.bincount(paths.opening_path, minlength=N)
    close(np.bincount(counts, minlength=12)[:12] / N, poisson(0.2 * 10 + 0.05 * 50).pmf(np.arange(12)))
    assert np.mean(paths.opening_time < 10) == pytest.approx(2 / 4.5, abs=0.01)


def test_openings_are_raised_by_events():
    raising = np.array([f == "search" for f in FAMILIES])
    h = hazards({"search": 0.02, "summons": 0.5}, opening=np.tile([0.0, 0.1], (N, 1)), raising=raising)
    paths = run(h)
    by_path: dict[int, list[float]] = {}
    for path, t in zip(paths.path[paths.family == K["search"]], paths.time[paths.family == K["search"]], strict=True):
        by_path.setdefault(path, []).append(t)
    for path, t in zip(paths.opening_path[:3000], paths.opening_time[:3000], strict=True):
        assert any(0 < t - day <= 12 for day in by_path[path])
    length = sum(union(days) for days in by_path.values())
    assert len(paths.opening_time) / length == pytest.approx(0.1, rel=0.03)


def union(days: list[float]) -> float:
    total, reached = 0.0, 0.0
    for day in sorted(days):
        total += max(0.0, min(day + 12, 60) - max(day, reached))
        reached = max(reached, min(day + 12, 60))
    return total


def test_same_seed_same_paths():
    h = hazards({"search": 0.05, "closure": 0.01}, n=200)
    one, two, other = run(h, seed=3), run(h, seed=3), run(h, seed=4)
    for name in ("first", "path", "time", "family", "all_closed"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert not np.array_equal(one.first, other.first)


def test_a_happened_family_is_back_at_its_reference_hazard():
    multiplier, ends = np.zeros((N, len(FAMILIES), 1)), np.zeros((len(FAMILIES), 1))
    multiplier[:, K["fine"]], ends[K["fine"]] = 4.0, 60.0
    h = hazards({"fine": 0.02}, multiplier=multiplier, ends=ends)
    h.tilt[:] = 0.5
    happened = np.array([f == "fine" for f in FAMILIES])
    close(np.mean(run(h, start(happened=happened), 12).first_any[:, K["fine"]] <= 12), 1 - np.exp(-0.12))
    paths = run(h, horizon=12)
    close(np.mean(paths.first_any[:, K["fine"]] <= 12), 1 - np.exp(-0.96))
    after = np.sum(12 - np.minimum(paths.first_any[:, K["fine"]], 12))
    again = len(paths.path) - np.isfinite(paths.first_any[:, K["fine"]]).sum()
    assert again / after == pytest.approx(0.01, rel=0.1)


def test_elapsed_time_chooses_the_interval():
    multiplier, ends = np.zeros((N, len(FAMILIES), 2)), np.zeros((len(FAMILIES), 2))
    multiplier[:, K["fine"]], ends[K["fine"]] = [1.0, 3.0], [6.0, 24.0]
    for elapsed in (0.0, 4.0, 6.0, 30.0):
        h = hazards({"fine": 0.02}, multiplier=multiplier, ends=ends)
        first = run(h, start(elapsed=elapsed), 20).first_any[:, K["fine"]]
        early = np.clip(6 - elapsed, 0, 10)
        close(np.mean(first <= 10), 1 - np.exp(-0.02 * (early + 3 * (10 - early))))  # the last one persists


# The analyst's statements: with stages frozen and nothing closing, simulation gives back what was said.


def stated_world(n: int, seed: int):
    """Return the focal matter at the brief, its effects at one random point, and statements without errors."""
    spec = load_specification()
    x = build_exposure(load_record(), spec, AS_OF)
    fixed = constants(spec, x)
    table = parameters(spec, coordinates(x, observe(load_record(), spec, AS_OF)))
    rng = np.random.default_rng(seed)
    raw = draw_prior(table, 1, rng)
    sure = replace(fixed, statement_sd=0.0, statement_loc=stated_logits(spec))
    return spec, x, effects(raw, sure), rng.gamma(2.0, 0.5, n)


def stated_logits(spec) -> np.ndarray:
    """Return logit Q of every statement, from the file's cumulative probabilities."""
    rows = []
    for family in FAMILIES:
        course = spec.statements.families.get(family)
        for k in range(len(course.limited) if course else 0):
            values = [[0.0, *(p.value for p in course[s])] for s in SCENARIOS]
            q = np.array([(v[k + 1] - v[k]) / (1 - v[k]) for v in values])
            rows.append(np.log(q / (1 - q)))
    return np.array(rows)


def ends_of(x) -> np.ndarray:
    most = max(g.interval for g in x.groups) + 1
    ends = np.zeros((len(FAMILIES), most))
    for g in x.groups:
        ends[K[g.family], g.interval] = g.end
    return ends


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("s", range(len(SCENARIOS)))
def test_statements_come_back(s, seed):
    n = 10_000
    spec, x, effect, frailty = stated_world(n, seed)
    base, own = base_hazards(effect), row_effects(effect, x)[:, : x.n_focal]
    _, of_group = first_hazards(effect, x, base, own)
    multiplier = np.zeros((1, len(FAMILIES), ends_of(x).shape[1]))
    for g, group in enumerate(x.groups):
        multiplier[0, K[group.family], group.interval] = of_group[0, g, s]
    base[:, [k for f, k in K.items() if f not in spec.statements.families]] = 0.0  # the others change nothing
    repeat = {
        "base": base,
        "effect": own,
        "multiplier": multiplier,
        "tilt": np.minimum(tilts(effect)[:, :, s], 1.0),
    }
    h = hazards({}, n, x.n_focal, ends=ends_of(x), frailty=frailty, closing=np.ones(n),
                **{k: np.repeat(v, n, axis=0) for k, v in repeat.items()})  # fmt: skip
    begin = Start(x.age[: x.n_focal], x.stage[: x.n_focal], x.is_open[: x.n_focal], x.happened, 0.0, 0.0)
    paths = run(h, begin, 60.0, seed, frozen=True)
    for family, course in spec.statements.families.items():
        first, previous = paths.first_any[:, K[family]], 0.0
        waiting = np.ones(n, dtype=bool)
        for statement in course[SCENARIOS[s]]:
            close(np.mean(first <= statement.within), statement.value, n)
            step = (statement.value - previous) / (1 - previous)
            close(np.mean(first[waiting] <= statement.within), step, waiting.sum())
            waiting, previous = first > statement.within, statement.value
    assert np.all(np.diff([np.mean(paths.first_any <= t, axis=0) for t in (6, 12, 24, 60)], axis=0) >= 0)


def test_frailty_gives_gamma_mixed_counts():
    frailty = np.random.default_rng(8).gamma(2.0, 0.5, N)
    paths = run(hazards({"search": 0.05}, frailty=frailty))
    none = np.mean(np.bincount(paths.path, minlength=N) == 0)
    assert none == pytest.approx(
        gamma(2.0, scale=0.5).expect(lambda f: np.exp(-3 * f)), abs=4 * np.sqrt(0.16 * 0.84 / N)
    )
