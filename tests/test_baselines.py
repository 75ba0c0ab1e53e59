"""Plain forecasts against numbers worked by hand, brute force, and other ways to the same curve."""

from datetime import date

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import nbinom, norm
from scipy.stats import t as student
from worlds import case, event, load_record, rows, with_rows, world

from forecast.baselines import (
    BASELINES,
    QUANTILES,
    TARGETS,
    Curve,
    Pair,
    _strength,
    fine_sizes,
    fit_baselines,
    lives_of,
)
from forecast.regime import load_regime
from forecast.vocabulary import DAYS_PER_MONTH, FAMILIES

ORIGIN = date(2025, 1, 1)
REGIME = load_regime()


def months(a: str, b: str) -> float:
    return (date.fromisoformat(b) - date.fromisoformat(a)).days / DAYS_PER_MONTH


@pytest.fixture(scope="module")
def small():
    """Four proceedings of two classes: one closed by a fine, one closed without a word, two open."""
    return world(
        proceedings=[
            case("fined", "2023-01-01", "2024-01-01"),
            case("dropped", "2023-07-01", "2024-07-01"),
            case("quiet", "2024-01-01"),
            case("busy", "2023-01-01", authority_class="criminal"),
            case("later", "2024-11-01"),
        ],
        events=[
            event("fined", "2023-01-01", "opened"),
            event("fined", "2023-05-01", "information_request"),
            event("fined", "2024-01-01", "fine", amount_eur=1_000_000),
            event("dropped", "2023-07-01", "opened"),
            event("quiet", "2024-01-01", "opened"),
            event("busy", "2023-01-01", "opened"),
            event("busy", "2023-04-01", "information_request"),
            event("busy", "2023-04-01", "retention_order"),
            event("busy", "2024-04-01", "information_request"),
            event("busy", "2024-05-01", "compliance_order", scope="person"),
            event("later", "2024-11-01", "opened", published="2025-02-01"),
            event("quiet", "2024-12-01", "information_request", published="2025-03-01"),
        ],
    )


@pytest.fixture(scope="module")
def fitted(small):
    return fit_baselines(small, ORIGIN, REGIME)


def test_lives_are_what_was_public(small, fitted):
    assert set(fitted.lives) == {"fined", "dropped", "quiet", "busy"}
    assert fitted.lives["quiet"].ages("request") == []
    assert len(lives_of(small, date(2025, 4, 1), REGIME)["quiet"].ages("request")) == 1
    busy = fitted.lives["busy"]
    assert busy.ages("request") == pytest.approx(
        [months("2023-01-01", "2023-04-01"), months("2023-01-01", "2024-04-01")]
    )
    assert busy.ages("order") == []
    assert fitted.lives["fined"].is_closed_without("request")
    assert not fitted.lives["fined"].is_closed_without("fine")
    assert not fitted.lives["fined"].is_closed_without("decision")
    assert fitted.lives["dropped"].is_closed_without("decision")


def test_pooled_rates_by_hand(fitted):
    lived = sum(
        months(*span)
        for span in (("2023-01-01", "2024-01-01"), ("2023-07-01", "2024-07-01"), ("2024-01-01", "2025-01-01"))
    ) + months("2023-01-01", "2025-01-01")
    assert fitted.rates["request"].pooled == pytest.approx((3.5 / lived, 2.5 / lived))
    assert fitted.rates["fine"].pooled == pytest.approx((1.5 / lived, 1.5 / lived))
    assert fitted.rates["decision"].pooled == pytest.approx((1.5 / lived, 1.5 / lived))
    assert fitted.rates["order"].pooled == pytest.approx((0.5 / lived, 2.5 / lived))
    a, b = fitted.rates["request"].pooled
    assert fitted.within("pooled", "request", "quiet", 6.0) == pytest.approx(a / (a + b) * (1 - np.exp(-6 * (a + b))))


def test_competing_hazards_by_quadrature():
    pair = Pair(0.05, 0.02)
    came, _ = quad(lambda t: 0.05 * np.exp(-0.07 * t), 0, 9)
    assert pair.within(np.array([0.0, 9.0])) == pytest.approx([0.0, came])
    assert pair.within(np.array(1e6)) == pytest.approx(5 / 7)


def test_class_rates_by_hand(fitted):
    a = fitted.strength
    criminal, dsa = months("2023-01-01", "2025-01-01"), 3 * months("2024-01-01", "2025-01-01")
    pool = fitted.rates["request"].pooled.event
    by_class = fitted.rates["request"].by_class
    assert by_class["criminal"].event == pytest.approx((a + 2) / (a / pool + criminal))
    assert by_class["commission_dsa"].event == pytest.approx((a + 1) / (a / pool + dsa), rel=0.01)  # a leap day
    assert min(pool, by_class["criminal"].event) <= pool <= by_class["criminal"].event
    assert fitted.within("by_class", "request", "busy", 6) > fitted.within("by_class", "request", "quiet", 6)


def test_strength_maximises_the_negative_binomial_likelihood():
    rng = np.random.default_rng(1)
    rates, exposed = rng.uniform(0.005, 0.05, 6), rng.uniform(50, 400, 7)
    mean = exposed[:, None] * rates
    counts = rng.poisson(mean * rng.gamma(1.5, 1 / 1.5, mean.shape)).astype(float)
    shapes = np.geomspace(0.05, 50, 2000)
    likelihood = [nbinom.logpmf(counts, a, a / (a + mean)).sum() for a in shapes]
    assert _strength(counts, exposed, rates) == pytest.approx(shapes[int(np.argmax(likelihood))], rel=0.01)


def test_strength_is_great_where_classes_are_alike_and_small_where_they_are_not():
    rates, exposed = np.full(5, 0.1), np.full(6, 100.0)
    alike = np.full((6, 5), 10.0)
    apart = np.where(np.arange(6)[:, None] < 3, 0.0, 20.0) * np.ones(5)
    assert _strength(alike, exposed, rates) > 1e3
    assert _strength(apart, exposed, rates) < 1


def aalen_johansen(gaps: list[tuple[float, int]]) -> dict[float, tuple[float, float]]:
    """Incidence of causes 1 and 2 by each time, from the definition."""
    left, found, by = 1.0, (0.0, 0.0), {}
    for time in sorted({gap for gap, _ in gaps}):
        risk = sum(gap >= time for gap, _ in gaps)
        died = [sum(gap == time and cause == k for gap, cause in gaps) for k in (1, 2)]
        found = (found[0] + left * died[0] / risk, found[1] + left * died[1] / risk)
        left *= 1 - sum(died) / risk
        by[time] = found
    return by


def test_incidence_is_aalen_johansen_of_all_gaps(fitted):
    curve = fitted.rates["request"].incidence
    gaps = [
        (months("2023-01-01", "2023-05-01"), 1), (months("2023-05-01", "2024-01-01"), 2),
        (months("2023-07-01", "2024-07-01"), 2), (months("2024-01-01", "2025-01-01"), 0),
        (months("2023-01-01", "2023-04-01"), 1), (months("2023-04-01", "2024-04-01"), 1),
        (months("2024-04-01", "2025-01-01"), 0),
    ]  # fmt: skip
    by_hand = aalen_johansen(gaps)
    assert curve.times == pytest.approx(list(by_hand))
    assert curve.event == pytest.approx([one for one, _ in by_hand.values()])
    assert curve.closing == pytest.approx([two for _, two in by_hand.values()])


def test_incidence_is_given_what_was_lived(fitted):
    """Busy had its last request nine months ago: three of seven gaps outlived that, two ended in three more months."""
    rates = fitted.rates["request"]
    lived = months("2024-04-01", "2025-01-01")
    then = lived + 3.5
    curve = aalen_johansen([
        (months("2023-01-01", "2023-05-01"), 1), (months("2023-05-01", "2024-01-01"), 2),
        (months("2023-07-01", "2024-07-01"), 2), (months("2024-01-01", "2025-01-01"), 0),
        (months("2023-01-01", "2023-04-01"), 1), (months("2023-04-01", "2024-04-01"), 1), (lived, 0),
    ])  # fmt: skip
    at = lambda t: max((time, found) for time, found in curve.items() if time <= t)[1]  # noqa: E731
    left, last = 1 - sum(at(lived)), max(curve)
    tail = (1 - sum(at(last))) * rates.pooled.within(np.array(then - last))
    conditional = (at(then)[0] - at(lived)[0] + tail) / left
    expected = (3 * conditional + rates.pooled.within(np.array(3.5))) / 4
    assert fitted.within("incidence", "request", "busy", 3.5) == pytest.approx(float(expected))


def test_beyond_all_gaps_the_pooled_hazard_remains():
    pair = Pair(0.04, 0.01)
    curve = Curve(np.array([2.0, 5.0]), np.array([0.5, 0.5]), np.array([0.0, 0.0]), np.array([2.0, 5.0]))
    assert curve.within(np.array([6.0]), 5.0, pair) == pytest.approx(pair.within(np.array([6.0])))
    # at 3 one of two gaps is left, which was cut at 5: then pooled; and one observation of the pooled hazard
    expected = (pair.within(np.array([4.0])) + pair.within(np.array([6.0]))) / 2
    assert curve.within(np.array([6.0]), 3.0, pair) == pytest.approx(expected)


def test_all_probabilities_are_probabilities_and_grow_with_time():
    record = load_record()
    fitted = fit_baselines(record, date(2025, 8, 3), REGIME)
    grid = np.linspace(0, 60, 61)
    for name in BASELINES:
        for target in TARGETS:
            for case_id in fitted.lives:
                p = fitted.within(name, target, case_id, grid)
                assert p[0] == 0
                assert (np.diff(p) >= -1e-12).all()
                assert 0 < p[3] < p[-1] < 1 + 1e-12


def test_waits_are_the_quantiles_of_the_probabilities(fitted):
    for name in BASELINES:
        waits = fitted.waits(name, "decision", "quiet", 18.0)
        assert len(waits) == QUANTILES
        assert (np.diff(waits[np.isfinite(waits)]) >= 0).all()
        for t in (2.0, 7.5, 18.0):
            assert (waits <= t).mean() == pytest.approx(float(fitted.within(name, "decision", "quiet", t)), abs=2e-3)
    a, b = fitted.rates["decision"].pooled
    first = -np.log1p(-0.0005 * (a + b) / a) / (a + b)
    assert fitted.waits("pooled", "decision", "quiet", 18.0)[0] == pytest.approx(first, abs=18 / 2000)


def test_nothing_after_the_origin_counts(small):
    then = fit_baselines(small, ORIGIN, REGIME)
    known = fit_baselines(small.as_of(ORIGIN), ORIGIN, REGIME)
    for target in TARGETS:
        assert then.rates[target].pooled == known.rates[target].pooled
        np.testing.assert_array_equal(then.rates[target].incidence.gaps, known.rates[target].incidence.gaps)


def test_a_day_before_anything_happened_has_forecasts():
    record = world(proceedings=[case("new", "2025-01-01")], events=[event("new", "2025-01-01", "opened")])
    fitted = fit_baselines(record, ORIGIN, REGIME)
    for name in BASELINES:
        assert 0 < fitted.within(name, "fine", "new", 6.0) < 1
    assert set(FAMILIES) < set(TARGETS)


def fines(*entries) -> list[dict]:
    return [
        {"decision_id": f"d{i}", "decided_on": "2024-01-01", "published_on": "2024-01-01", "amount_eur": amount}
        | ({"turnover_eur": turnover, "turnover_year": 2023} if turnover else {})
        | ({"legal_cap_fraction": cap} if cap else {})
        | {"instrument": name}
        for i, (name, amount, turnover, cap) in enumerate(entries)
    ]


PAST = [("DSA", 1e6, 1e9, 0.06), ("DSA", 4e6, 1e9, 0.06), ("GDPR", 4e7, 1e10, 0.04), ("GDPR", 9e7, 1e10, 0.04)]
PAST += [("GDPR", 2e7, None, None), ("DSA", 0, 1e9, 0.06)]


@pytest.fixture(scope="module")
def fined():
    """Five past fines of two instruments, one more of nothing; a firm with a turnover, one without."""
    return world(
        proceedings=[case("rich", "2024-01-01"), case("unknown", "2024-01-01", provider_group="Q", provider="Q")],
        events=[event("rich", "2024-01-01", "opened"), event("unknown", "2024-01-01", "opened")],
        fines=fines(*PAST),
        turnover=[{"year": 2023, "turnover_eur": 5e9, "published_on": "2024-01-01", "company_group": "P"}],
        caps=[{"instrument": "DSA", "legal_cap_fraction": 0.06}],
    )


def test_pooled_sizes_are_the_predictive_t(fined):
    logs = np.log([amount for _, amount, *_ in PAST if amount])
    expected = student(4, logs.mean(), logs.std(ddof=1) * np.sqrt(1.2)).ppf([0.0005, 0.5005])
    got = fine_sizes(fined, "rich")["pooled"]
    assert got[[0, 500]] == pytest.approx(expected)


def test_sizes_by_instrument_by_hand(fined):
    dsa, gdpr = np.log([1e6, 4e6]), np.log([4e7, 9e7, 2e7])
    everything = np.concatenate([dsa, gdpr])
    within = (((dsa - dsa.mean()) ** 2).sum() + ((gdpr - gdpr.mean()) ** 2).sum()) / 3
    spread = 2 * (dsa.mean() - everything.mean()) ** 2 + 3 * (gdpr.mean() - everything.mean()) ** 2
    between = (spread - within) / (5 - (4 + 9) / 5)
    trust = np.array([1 / (between + within / 2), 1 / (between + within / 3)])
    centre = (trust * [dsa.mean(), gdpr.mean()]).sum() / trust.sum()
    weight = between / (between + within / 2)
    loc, scale = weight * dsa.mean() + (1 - weight) * centre, np.sqrt(within + (1 - weight) * between)
    assert fine_sizes(fined, "rich")["by_class"] == pytest.approx(
        loc + scale * norm.ppf((np.arange(1000) + 0.5) / 1000)
    )


def test_sizes_like_past_shares_of_the_ceiling(fined):
    shares = np.array([1e6 / 6e7, 4e6 / 6e7, 4e7 / 4e8, 9e7 / 4e8])
    assert np.exp(fine_sizes(fined, "rich")["incidence"]) == pytest.approx(np.sort(shares) * 0.06 * 5e9)
    assert np.exp(fine_sizes(fined, "unknown")["incidence"]) == pytest.approx(sorted(a for _, a, *_ in PAST if a))


def test_a_record_without_fines_has_no_sizes(small):
    assert all(len(values) == 0 for values in fine_sizes(small.as_of(ORIGIN), "quiet").values())


def test_without_a_ceiling_shares_of_turnover_count(fined):
    bare = with_rows(
        fined,
        proceedings=[case("bare", "2024-01-01", instrument="criminal law")],
        events=[event("bare", "2024-01-01", "opened")],
    )
    shares = np.array([1e6 / 1e9, 4e6 / 1e9, 4e7 / 1e10, 9e7 / 1e10])
    assert np.exp(fine_sizes(bare, "bare")["incidence"]) == pytest.approx(np.sort(shares) * 5e9)
    assert rows("fines", fines(*PAST))["amount_eur"].gt(0).sum() == 5
