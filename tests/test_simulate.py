"""Worlds against closed forms, against the record that they would leave, and against the forecast's own simulation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from worlds import HORIZONS, brief, case, event, load_record, load_specification, world

from forecast.files import InputError
from forecast.inference import Draws, Evidence, gather
from forecast.outcomes import imagine
from forecast.record import load_record as load_folder
from forecast.record import save_record, validate_record
from forecast.simulate import design_of, draw_world, evidence_of, to_record, true_targets
from forecast.simulate.design import Row
from forecast.simulate.figures import lasting, union
from forecast.simulate.futures import _resolved
from forecast.simulate.story import Event, Level, Standing, cell_of, live
from forecast.simulate.worlds import draw_truth
from forecast.summaries import targets
from forecast.vocabulary import DAYS_PER_MONTH, FAMILIES

FINDINGS, FINE, CLOSURE = (FAMILIES.index(name) for name in ("findings", "fine", "closure"))
DAY = 1 / DAYS_PER_MONTH


@pytest.fixture(scope="module")
def design():
    return design_of(load_specification(), load_record())


@pytest.fixture(scope="module", params=[(12, 1), (31, 2), (60, 3)], ids=["12 months", "31 months", "60 months"])
def drawn(request, design):
    months, seed = request.param
    return draw_world(design, months, seed)


def standing(index=0, opened=0.0, stage=0):
    row = Row(f"c{index}", 0, 0, 0, "P", opened, opened, stage, True, False, (), 0.06, -1)
    return Standing(index, row)


def rates(**by_family):
    """Return hazards of one proceeding that are the same in every cell."""
    hazards = np.zeros((1, len(FAMILIES), 9))
    for name, rate in by_family.items():
        hazards[:, FAMILIES.index(name)] = rate
    return hazards


def plain():
    return Level(np.ones(len(FAMILIES)))


def test_constant_hazards_give_poisson_counts_and_exponential_waits():
    rng, counts, waits = np.random.default_rng(1), [], []
    for _ in range(1500):
        events = live([standing()], rates(request=0.3, search=0.1), plain(), 0.0, 0.0, 20.0, rng)
        counts.append([sum(FAMILIES[e.family] == name for e in events) for name in ("request", "search")])
        waits += [events[0].time] if events else []
    counts = np.array(counts)
    for column, mean in zip(counts.T, (6.0, 2.0), strict=True):
        assert column.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 1500))
        assert column.var() == pytest.approx(mean, rel=0.15)
    assert abs(np.corrcoef(counts.T)[0, 1]) < 0.11
    assert stats.kstest(waits, stats.expon(scale=1 / 0.4).cdf).pvalue > 1e-3


def test_phases_and_stages_move_as_the_clock_and_the_events_say():
    assert cell_of(0.0, 0) == (0, 6.0)
    assert cell_of(6.0, 1) == (4, 18.0)
    assert cell_of(5.0, 2) == (2, 1.0)
    assert cell_of(24.0, 0) == (6, np.inf)
    hazards = np.zeros((1, len(FAMILIES), 9))
    hazards[0, FINDINGS, 3] = 5.0  # findings in the second phase alone, before findings
    hazards[0, FINE, 4] = 5.0  # then a fine in the same phase
    ended, rng = [], np.random.default_rng(2)
    for _ in range(400):
        one = standing()
        events = live([one], hazards, plain(), 0.4, 0.0, 24.0, rng)
        assert [(e.family, e.cell) for e in events] == [(FINDINGS, 3), (FINE, 4)]
        assert 6.0 < events[0].time < events[1].time
        ended.append(np.isfinite(one.closed))
        assert one.closed in (np.inf, events[1].time)
    assert np.mean(ended) == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / 400))


def test_first_stated_events_come_at_the_stated_probability_and_later_ones_at_the_usual_hazard():
    hazards, rng = rates(findings=0.05), np.random.default_rng(3)
    probability, usual = (0.4, 0.7), 3.0  # within 6 months, and of the rest within 6 to 24
    steps = [
        (end, -np.log(1 - p) / (0.05 * length)) for end, length, p in zip((6, 24), (6, 18), probability, strict=True)
    ]
    first, later = [], []
    for _ in range(3000):
        level = Level(np.full(len(FAMILIES), usual), {FINDINGS: steps})
        events = live([standing()], hazards, level, 0.0, 0.0, 24.0, rng)
        first.append(events[0].time if events else np.inf)
        later.append((len(events) - 1, 24 - events[0].time) if events else (0, 0.0))
    within = np.array([np.mean(np.array(first) <= h) for h in (6, 24)])
    assert within == pytest.approx([0.4, 0.4 + 0.6 * 0.7], abs=0.036)
    many, months = np.sum(later, axis=0)
    assert many / months == pytest.approx(0.15, rel=4 / np.sqrt(many))


def test_nothing_happens_before_entry_or_after_closing(drawn):
    for e in drawn.events:
        row = drawn.design.rows[e.row]
        assert row.is_observed
        assert row.entered < e.time <= drawn.closed[e.row]
        assert e.time <= drawn.months or e.row < drawn.design.exposure.n_focal


def test_a_world_is_its_seed(design):
    one, two, other = (draw_world(design, 12, seed) for seed in (5, 5, 6))
    assert one.events == two.events
    assert one.figures.users.tobytes() == two.figures.users.tobytes()
    assert true_targets(one, np.random.default_rng(1)).keys() == true_targets(two, np.random.default_rng(1)).keys()
    assert one.events != other.events


def test_the_record_of_a_world_is_valid_and_can_be_read_again(drawn, tmp_path):
    record = to_record(drawn)
    validate_record(record)
    save_record(record, tmp_path / "record")
    assert load_folder(tmp_path / "record") == record


def test_what_gather_reads_from_the_record_is_the_evidence_up_to_the_rounding_of_days(drawn):
    exact, figures = evidence_of(drawn, drawn.months)
    read = gather(drawn.design.specification, to_record(drawn), exact.origin, drawn.design.record)
    rounded, logged = read.exposure, read.observations
    assert rounded.cases == exact.cases
    assert rounded.elapsed == pytest.approx(drawn.months, abs=1e-9)
    for name in ("is_open", "stage", "happened", "row_matter", "row_class", "row_provider", "group_family"):
        assert np.array_equal(getattr(rounded, name), getattr(exact, name)), name
    assert rounded.age == pytest.approx(exact.age)
    assert rounded.stated_months == pytest.approx(exact.stated_months)
    pairs = sorted(zip(exact.event_row, exact.event_family, strict=True))
    assert pairs == sorted(zip(rounded.event_row, rounded.event_family, strict=True))
    news = sorted(zip(exact.news_row, exact.news_family, exact.news_group, strict=True))
    read_news = sorted(zip(rounded.news_row, rounded.news_family, rounded.news_group, strict=True))
    assert sum(a != b for a, b in zip(news, read_news, strict=True)) <= 1  # two on one day may swap places
    counts = np.bincount(exact.event_row, minlength=len(exact.cases)) + 2
    assert (np.abs(rounded.months - exact.months).sum(axis=1) <= 2 * counts * DAY).all()
    for name in ("news_months", "first_months"):
        total = getattr(exact, name).sum()
        assert getattr(rounded, name).sum() == pytest.approx(total, abs=exact.news_months.shape[1] * 2 * DAY * 99)
    for name in ("size", "bare_size", "kept", "turnover", "turnover_sd", "new_fine_amount", "new_fine_ceiling"):
        assert np.sort(getattr(logged, name)) == pytest.approx(np.sort(getattr(figures, name))), name
    assert (logged.appealed, logged.closed) == (figures.appealed, figures.closed)
    assert logged.outcomes.tolist() == figures.outcomes.tolist()
    assert logged.ruling_months == pytest.approx(figures.ruling_months, abs=2.5)
    assert logged.opening_months == pytest.approx(figures.opening_months, abs=0.2)
    assert logged.resolved_fine_total == pytest.approx(figures.resolved_fine_total)
    assert (logged.resolved_families, logged.resolved_order_scopes) == (
        figures.resolved_families,
        figures.resolved_order_scopes,
    )
    order = [np.lexsort(u[:, [0, 2]].round(6).T) for u in (logged.users, figures.users)]
    assert logged.users[order[0]] == pytest.approx(figures.users[order[1]], abs=0.03)


def test_rounding_to_days_hardly_moves_the_likelihood(drawn):
    spec = drawn.design.specification
    truth = {name: np.asarray(values)[None] for name, values in drawn.truth.items()}
    exact = Draws(Evidence(spec, *evidence_of(drawn, drawn.months)), truth)
    read = gather(spec, to_record(drawn), exact.evidence.exposure.origin, drawn.design.record)
    sums = [
        d.matters.history + d.effects["log_weight"][:, None]
        for d in (exact, Draws(replace(read, observations=exact.evidence.observations), truth))
    ]
    apart = np.abs(sums[0] - sums[1])
    assert np.median(apart) < 0.02
    assert np.quantile(apart, 0.95) < 0.35  # an event that a day moves over a phase's boundary has another hazard


def small(matters=1, **other):
    """Return the design of matters that all opened on the brief's day, with the packaged numbers."""
    cases = [case(f"c{i}", "2026-02-03", matter=f"m{i}", provider_group="X") for i in range(matters)]
    events = [event(f"c{i}", "2026-02-03", "opened") for i in range(matters)]
    return design_of(brief("m0", **other), world(proceedings=cases, events=events))


def test_truths_are_distributed_as_the_forecast_of_one_who_knows_the_parameters():
    """The story's loop and its targets against ``paths`` and ``summaries``, at one set of parameters."""
    design, n = small(), 2500
    truth = draw_truth(design, np.random.default_rng(11))
    drawn = [draw_world(design, DAY, [4, i], truth) for i in range(n)]
    drawn = [one for one in drawn if not any(e.time <= DAY for e in one.events)]
    rng = np.random.default_rng(5)
    known = [true_targets(one, rng) for one in drawn]
    flat = {name: np.repeat(np.asarray(values)[None], n, axis=0) for name, values in truth.items()}
    draws = Draws(Evidence(design.specification, *evidence_of(drawn[0], drawn[0].months)), flat)
    future = targets(imagine(draws, np.array([0.06]), np.array([-1]), rng))
    assert {*future.data_vars} - {"scenario"} == {*known[0]}
    for name, target in future.items():
        if name == "scenario":
            continue
        said = np.nan_to_num(target.values, nan=0.0 if name == "fine_largest" else np.inf)
        came = np.array([one[name] for one in known])
        for j in range(len(HORIZONS)):
            assert stats.ks_2samp(said[:, j], came[:, j]).pvalue > 1e-4, (name, HORIZONS[j])


def test_counts_of_a_matters_history_are_negative_binomial_in_its_class():
    design = small(2)
    truth = draw_truth(design, np.random.default_rng(12)) | {"log_shape": np.array(np.log(2.0))}
    months, by_class = 24.0, {}
    for i in range(1500):
        one = draw_world(design, months, [6, i], truth)
        own = [e for e in one.events if e.row == 1]
        first = own[0].time if own else np.inf
        by_class.setdefault(int(one.classes[1]), []).append(min(first, 6.0))
    shares = np.exp(one.effects["log_weight"])
    for s, first in by_class.items():
        assert len(first) / 1500 == pytest.approx(shares[s], abs=4 * np.sqrt(shares[s] / 1500))
        hazard = (
            np.exp(one.effects["log_rate"] + one.effects["authority"][1] + one.effects["pace"][0])
            * np.exp(one.effects["loading"] * one.effects["severity"][s])
        ).sum()  # all of the first phase before findings, with frailty: P(T > t) = (1 + hazard t / 2)^-2
        silent = (1 + hazard * 6.0 / 2) ** -2
        assert np.mean(np.array(first) >= 6.0) == pytest.approx(silent, abs=4 * np.sqrt(0.25 / len(first)))


def test_users_drift_with_heavy_tails_and_the_attrition_that_has_accrued(design):
    truth = draw_truth(design, np.random.default_rng(13))
    residuals = []
    for i in range(40):
        one = draw_world(design, 30, [7, i], truth)
        x = evidence_of(one, one.months)[1].users
        assert (x[:, 5] == 1).sum() == 5
        lost, half = one.effects["attrition"][one.scenario], design.specification.impacts.half_life.value
        assert x[x[:, 5] == 1][-1, 4] == pytest.approx(1 - 2 ** (-22.858 / half), abs=1e-3)
        felt = np.log((1 - lost * x[:, 4]) / (1 - lost * x[:, 3]))
        drift = one.effects["drift"][x[:, 2].astype(int)] * x[:, 1]
        residuals += list((x[:, 0] - drift - felt) / np.sqrt(x[:, 1]) / np.exp(truth["log_user_noise"]))
    assert stats.kstest(residuals, stats.t(4).cdf).pvalue > 1e-3


def test_openings_come_at_the_usual_and_the_raised_rate(design):
    truth = draw_truth(design, np.random.default_rng(14)) | {
        "log_opening_rate": np.log(0.2), "log_raised": np.log(3.0), "log_opening_shape": np.log(4.0),
    }  # fmt: skip
    counts, expected = np.zeros(2), np.zeros(2)
    for i in range(150):
        one = draw_world(design, 12, [8, i], truth)
        o = evidence_of(one, one.months)[1]
        counts += o.opening_count.sum(axis=0)
        expected += (o.opening_months * one.figures.propensity[:, None]).sum(axis=0) * [0.2, 0.6]
    assert counts == pytest.approx(expected, abs=4 * np.sqrt(expected.max()))
    assert (counts > 500).all()


def test_no_fine_exceeds_its_ceiling_and_what_is_left_no_fine(design):
    for i in range(60):
        one = draw_world(design, 24, [9, i])
        most = np.exp(one.truth["log_turnover"])
        assert all(0 < amount <= design.rows[e.row].cap * most for e, amount in one.figures.amount.items())
        found = true_targets(one, np.random.default_rng(i))
        assert (found["fine_left"] <= found["fine_imposed"] + 1e-6).all()
        assert (found["fine_largest"] <= found["fine_imposed"] + 1e-6).all()
        assert (np.diff(found["fine_imposed"]) >= 0).all()
        for name, values in found.items():
            if name.startswith("event:"):
                assert (np.diff(values) >= 0).all(), name
        names = [name for name in found if name.startswith("resolved_scenario:")]
        assert np.array_equal(sum(found[name] for name in names), np.ones(len(HORIZONS)))


def happening(one, closed, *events):
    """Return a world of which these (months, family) alone are known of the focal matter's first proceeding."""
    own = tuple(Event(when, 0, FAMILIES.index(name), 0) for when, name in events)
    n_focal = one.design.exposure.n_focal
    others = tuple(e for e in one.events if e.row >= n_focal)
    figures = replace(
        one.figures,
        amount={e: 90e6 for e in own if FAMILIES[e.family] == "fine"},
        scope={e: 1 for e in own if FAMILIES[e.family] == "order"},
    )
    closing = np.where(np.arange(len(one.closed)) < n_focal, closed, one.closed)
    return replace(one, events=(*own, *others), figures=figures, closed=closing)


@pytest.mark.parametrize(
    ("closed", "events", "answer"),
    [
        (np.inf, [], "pending"),
        (np.inf, [(2.0, "request"), (3.0, "findings")], "pending"),
        (5.0, [(5.0, "closure")], "limited"),
        (np.inf, [(5.0, "fine")], "limited"),
        (np.inf, [(5.0, "fine"), (9.0, "fine")], "significant"),
        (np.inf, [(5.0, "order")], "significant"),
        (np.inf, [(5.0, "executive")], "limited"),
        (np.inf, [(5.0, "executive"), (7.0, "fine")], "crackdown"),
        (np.inf, [(5.0, "suspension")], "crackdown"),
        (np.inf, [(11.0, "suspension")], "pending"),
    ],
)
def test_the_rule_answers_by_what_has_happened_until_then(design, closed, events, answer):
    one = happening(draw_world(design, 12, 1), closed, *events)
    assert _resolved(one, 10.0, is_last=False) == answer
    assert _resolved(one, 10.0, is_last=True) == ("limited" if answer == "pending" else answer)


def test_worlds_without_an_open_proceeding_at_the_brief_are_drawn_anew_whole():
    hazards = load_specification().hazards
    quick = hazards.rates | {"closure": hazards.rates["closure"].model_copy(update={"low": 0.2, "high": 0.6})}
    spec = brief("m0", hazards=hazards.model_copy(update={"rates": quick}))
    record = world(proceedings=[case("c0", "2025-08-03", matter="m0")], events=[event("c0", "2025-08-03", "opened")])
    drawn = [draw_world(design_of(spec, record), 6, i) for i in range(20)]
    assert sum(one.redrawn for one in drawn) > 10
    assert all(one.closed[0] > 0 for one in drawn)


def test_a_proceeding_first_seen_with_its_decision_never_lives_but_counts_as_closed_or_not():
    record = world(
        proceedings=[case("c0", "2026-01-03", matter="m0"), case("c1", "2025-01-03", matter="m1")],
        events=[event("c0", "2026-01-03", "opened"), event("c1", "2025-06-03", "fine", amount_eur=1e6)],
    )
    design = design_of(brief("m0"), record)
    truth = draw_truth(design, np.random.default_rng(1)) | {"closing_probability": np.array(0.3)}
    closed = []
    for i in range(300):
        one = draw_world(design, 6, [2, i], truth)
        assert not any(e.row == 1 for e in one.events)
        closed.append(np.isfinite(one.closed[1]))
        yes, total = evidence_of(one, one.months)[1].closed
        assert yes >= closed[-1]
        assert total >= 1
    assert np.mean(closed) == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 300))


def test_a_brief_that_leans_on_the_record_makes_no_worlds():
    spec = load_specification()
    half = spec.model_copy(update={"pooling": spec.pooling.model_copy(update={"value": 0.5})})
    with pytest.raises(InputError, match=r"pooling: 0\.5"):
        design_of(half, load_record())


def test_spans_join_where_they_touch():
    joined = union([(5.0, 7.0), (0.0, 2.0), (1.0, 3.0), (3.0, 4.0)])
    assert joined == [(0.0, 4.0), (5.0, 7.0)]
    assert lasting(joined, 1.0, 6.0) == 4.0
    assert union([]) == []
