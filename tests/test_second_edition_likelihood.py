"""Cells of person-time, hazards and news of the focal matter: brute force over days, and properties."""

from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import numpy as np
import oracles
import pandas as pd
import pytest
from statements import AS_OF, random_courses, stated
from worlds import case, event, load_record, with_news, with_rows, world

from forecast.evidence.gathering import gather_hazards
from forecast.model.focal import news_terms
from forecast.model.hazards import log_hazards
from forecast.model.priors import draw_priors, hazard_priors, statement_priors
from forecast.regime import load_regime

STATED = ("findings", "executive", "fine", "order.extensive", "order.filtering", "suspension", "commitments")
FEW = ("request", "findings", "fine", "order.specific", "suspension")
"""Families of which hand-made news holds events, too."""

regime = cache(load_regime)


def said(seed, families=STATED, **other):
    return stated(regime(), random_courses(families, np.random.default_rng(seed)), **other)


def parameters(seed, statements=None):
    priors = hazard_priors(regime()) | (statement_priors(statements) if statements else {})
    return {name: values[0] for name, values in draw_priors(priors, 1, np.random.default_rng(seed)).items()}


def reference(record, origin, values, statements=None):
    """Return the log-likelihood of the reference class by the core."""
    cells = gather_hazards(record, regime(), origin, statements).cells
    log_h = log_hazards(values, cells.covariates, regime())
    return float(np.sum(cells.count * log_h - cells.months * np.exp(log_h)))


def news(record, origin, values, statements, correction=None):
    """Return the log-likelihood of the news by scenario, by the core."""
    evidence = gather_hazards(record, regime(), origin, statements)
    correction = np.ones(statements.location.shape) if correction is None else correction
    return news_terms(values, evidence.news, statements, correction, regime()).log_likelihood


@cache
def tangled():
    """Return a record in which everything happens that the rules of evidence speak of.

    Beside `NEWS`: a joining proceeding whose entry is an event of a stated family, two stated families on one day, one
    family in two proceedings on one day, a correction, an event that became public late, one against a person, and
    proceedings that nobody watched to the end.
    """
    record = with_rows(
        with_news(),
        proceedings=[case("it-x", "2026-07-20", matter="x-eu-2026", authority="CPC Italy", authority_class="consumer")],
        events=[
            event("it-x", "2026-07-20", "compliance_order", scope="extensive"),
            event("it-x", "2026-09-01", "compliance_order", scope="specific"),
            event("it-x", "2026-09-01", "compliance_order", scope="person"),
            event("es-x", "2026-11-05", "fine"),
            event("es-x", "2026-11-05", "preliminary_findings"),
            event("ie-dsa-x-2025", "2026-11-05", "fine"),
            event("ec-dsa-x-grok-2026", "2026-03-10", "interim_measures", scope="filtering", published="2026-08-30"),
            event("ec-dsa-x-grok-2026", "2026-10-02", "information_request"),
            {"case_id": "ec-dsa-x-grok-2026", "date": "2026-09-28", "type": "information_request", "event_id": "wrong"}
            | {"published_on": "2026-09-29"},
            event(
                "ec-dsa-x-grok-2026", "2026-09-29", "information_request", supersedes="wrong", published="2026-10-01"
            ),
        ],
    )
    days = pd.Series(pd.NaT, index=record.proceedings.index, dtype="datetime64[us]")
    watched = {"fr-crim-x-2025": "2026-09-30", "ec-dma-apple-2024a": "2025-06-01", "it-x": "2027-01-31"}
    for name, day in watched.items():
        days[record.proceedings["case_id"] == name] = pd.Timestamp(day)
    return replace(record, proceedings=record.proceedings.assign(observed_until=days))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("origin", [date(2024, 6, 30), AS_OF, date(2026, 10, 6)])
def test_the_reference_class_is_the_sum_over_all_days(origin, seed):
    values = parameters(seed)
    by_days = oracles.reference_log_likelihood(load_record(), regime(), origin, oracles.Hazard(values, regime()))
    assert reference(load_record(), origin, values) == pytest.approx(by_days, rel=1e-10)


@pytest.mark.parametrize(
    ("record", "origin", "families", "seed"),
    [
        (load_record, AS_OF, STATED, 1),
        (load_record, date(2026, 10, 6), STATED, 2),
        (with_news, date(2026, 6, 15), STATED, 3),
        (with_news, date(2027, 7, 31), FEW, 4),
        (tangled, date(2026, 11, 5), FEW, 5),
        (tangled, date(2027, 7, 31), STATED, 6),
        (tangled, date(2033, 1, 1), (*FEW, "order.filtering", "order.extensive"), 7),
    ],
)
def test_reference_class_and_news_are_brute_force(record, origin, families, seed):
    statements = said(seed, families, tempo=1.5 + seed / 2)
    values, rng = parameters(seed, statements), np.random.default_rng(seed)
    correction, hazard = rng.uniform(0.5, 2, statements.location.shape), oracles.Hazard(values, regime())
    by_days = oracles.reference_log_likelihood(record(), regime(), origin, hazard, statements)
    assert reference(record(), origin, values, statements) == pytest.approx(by_days, rel=1e-10)
    by_quadrature = oracles.news_log_likelihood(record(), regime(), origin, hazard, statements, values, correction)
    assert news(record(), origin, values, statements, correction) == pytest.approx(by_quadrature, rel=1e-9, abs=1e-10)


def test_the_hand_made_news_has_what_it_is_for():
    statements = said(1, FEW)
    evidence = gather_hazards(tangled(), regime(), date(2033, 1, 1), statements)
    assert evidence.news.came.sum() == 4  # no suspension
    reasons = {
        u.event_id.rsplit("-", 1)[0]: u.reason for u in evidence.unused if u.event_id.startswith(("es-x", "it-x"))
    }
    assert set(reasons) == {"es-x", "it-x"}
    own = [evidence.lives[i] for i in evidence.focal]
    assert len({c.day for e in own for c in e.counted}) < sum(len(e.counted) for e in own)  # a day in two proceedings


def test_no_news_on_the_day_of_the_brief():
    statements = said(8)
    evidence = gather_hazards(load_record(), regime(), AS_OF, statements)
    assert evidence.news.is_empty
    assert news(load_record(), AS_OF, parameters(1, statements), statements) == pytest.approx(0, abs=1e-12)
    assert gather_hazards(load_record(), regime(), AS_OF - timedelta(days=1), statements).news is None


def test_the_order_of_rows_is_irrelevant():
    statements, origin = said(9, FEW), date(2027, 7, 31)
    values, record = parameters(2, statements), tangled()
    rng = np.random.default_rng(1)
    mixed = replace(
        record,
        events=record.events.iloc[rng.permutation(len(record.events))].reset_index(drop=True),
        proceedings=record.proceedings.iloc[rng.permutation(len(record.proceedings))].reset_index(drop=True),
    )
    assert not mixed.events.equals(record.events)
    one, other = (gather_hazards(r, regime(), origin, statements) for r in (record, mixed))
    assert np.array_equal(one.cells.covariates.table, other.cells.covariates.table)
    assert np.array_equal(one.cells.count, other.cells.count)
    assert one.cells.months == pytest.approx(other.cells.months, rel=1e-12)
    assert news(mixed, origin, values, statements) == pytest.approx(news(record, origin, values, statements), rel=1e-12)


def test_a_row_that_is_published_after_the_origin_changes_nothing():
    statements, origin = said(10, FEW), date(2026, 10, 6)
    values = parameters(3, statements)
    late = with_rows(
        with_news(),
        proceedings=[case("pl-x", "2026-05-01", matter="x-eu-2026", authority_class="consumer")],
        events=[
            event("ie-dsa-x-2025", "2026-04-01", "suspension", published="2026-10-07"),
            event("ec-dsa-x-grok-2026", "2026-02-02", "preliminary_findings", published="2026-10-07"),
            event("pl-x", "2026-05-01", "opened", published="2026-10-07"),
        ],
    )
    for function in (reference, news):
        before, after = (function(r, origin, values, statements) for r in (with_news(), late))
        assert np.array_equal(before, after)
        day_later = function(late, origin + timedelta(days=1), values, statements)
        assert not np.allclose(day_later, before, rtol=1e-3)  # which shows that the rows would have mattered


@pytest.mark.parametrize("origin", [date(2026, 11, 5), date(2027, 7, 31)])
def test_a_second_row_of_one_day_changes_no_odds(origin):
    statements = said(11, ("fine", "suspension"))
    values = parameters(4, statements)
    first = with_rows(load_record(), events=[event("ie-dsa-x-2025", "2026-11-05", "fine")])
    second = with_rows(first, events=[event("ie-dsa-x-2025", "2026-11-05", "information_request")])
    for function in (reference, news):
        assert np.array_equal(function(first, origin, values, statements), function(second, origin, values, statements))
    assert np.ptp(news(first, origin, values, statements)) > 0.01


def test_a_second_row_of_a_stated_family_changes_no_odds_on_its_day():
    """Later on it ends the silence of its family, which has happened: that is all that it does."""
    statements, day = said(12, ("request", "fine")), date(2026, 11, 5)
    values = parameters(5, statements)
    first = with_rows(load_record(), events=[event("ie-dsa-x-2025", "2026-11-05", "fine")])
    second = with_rows(first, events=[event("ie-dsa-x-2025", "2026-11-05", "information_request")])
    assert np.array_equal(news(first, day, values, statements), news(second, day, values, statements))
    later = day + timedelta(days=100)
    one, other = (gather_hazards(r, regime(), later, statements).news for r in (first, second))
    assert np.array_equal(one.came.sum(axis=0), other.came.sum(axis=0))
    of_fine = [g for g, group in enumerate(statements.groups) if regime().family_names[group.family] == "fine"]
    assert one.lived[:, of_fine].sum(axis=0) == pytest.approx(other.lived[:, of_fine].sum(axis=0), rel=1e-12)
    assert other.lived.sum() < one.lived.sum()


def test_the_entry_of_a_joining_proceeding_carries_nothing():
    statements, day = said(13), date(2026, 7, 20)
    values = parameters(6, statements)
    joined = with_rows(
        load_record(),
        proceedings=[case("it-x", "2026-07-20", matter="x-eu-2026", authority_class="consumer")],
        events=[
            event("it-x", "2026-07-20", "compliance_order", scope="extensive"),
            event("it-x", "2026-07-20", "suspension"),
        ],
    )
    for function in (reference, news):
        assert np.array_equal(
            function(load_record(), day, values, statements), function(joined, day, values, statements)
        )
    evidence = gather_hazards(joined, regime(), day + timedelta(days=30), statements)
    assert evidence.news.came.sum() == 0
    assert evidence.cells.count.sum() == gather_hazards(load_record(), regime(), day, statements).cells.count.sum()


def test_joint_silence_lies_between_the_most_telling_family_and_the_product():
    """For families that the one scenario makes likelier than the other, all of them, and at moderate probabilities.

    It cannot hold at any: a family that is nearly certain in both scenarios tells of a slow tempo by its silence, and
    so takes away from what the silence of another one tells.
    """
    courses = {
        name: [[0.02 * (i + 1), 0.06 * (i + 1), 0.1 * (i + 1)], [0.05 * (i + 1), 0.15 * (i + 1), 0.17 * (i + 1)]]
        for i, name in enumerate(("findings", "fine", "order.extensive", "suspension", "commitments"))
    }
    origin, values = date(2026, 10, 6), parameters(7)

    def log_factor(names):
        statements = stated(regime(), {n: courses[n] for n in names}, pi=(0.5, 0.5))
        errors = {name: np.zeros(prior.loc.shape) for name, prior in statement_priors(statements).items()}
        few, many = news(load_record(), origin, values | errors, statements)
        return few - many

    single = [log_factor([name]) for name in courses]
    assert min(single) > 0
    joint = log_factor(list(courses))
    assert max(single) < joint < sum(single) - 0.005


def test_a_slow_tempo_explains_the_silence_of_a_near_certain_family():
    """The counterexample that `test_joint_silence...` speaks of."""
    courses = {"findings": [[0.90, 0.96, 0.99], [0.901, 0.961, 0.991]], "fine": [[0.01, 0.05, 0.1], [0.7, 0.8, 0.9]]}
    origin, values = date(2027, 2, 3), parameters(7)

    def log_factor(names):
        statements = stated(regime(), {n: courses[n] for n in names}, pi=(0.5, 0.5), error=1e-6)
        errors = {name: np.zeros(prior.loc.shape) for name, prior in statement_priors(statements).items()}
        few, many = news(load_record(), origin, values | errors, statements)
        return few - many

    assert 0 < log_factor(list(courses)) < log_factor(["fine"])


def test_one_proceeding_by_hand():
    """One proceeding, three months of silence and one event: months, count and covariates by hand."""
    record = world(
        proceedings=[case("a", "2025-01-01")],
        events=[event("a", "2025-01-01", "opened"), event("a", "2025-04-02", "information_request")],
    )
    origin = date(2025, 4, 2)
    evidence = gather_hazards(record, regime(), origin)
    assert evidence.cells.months.sum(axis=0) == pytest.approx(91 / oracles.MONTH)
    values = {name: np.zeros(prior.loc.shape) for name, prior in hazard_priors(regime()).items()}
    values["rate"] = np.full(len(regime().families), np.log(0.01))
    expected = np.log(0.01) - 15 * 0.01 * 91 / oracles.MONTH
    assert reference(record, origin, values) == pytest.approx(expected, rel=1e-12)
