"""The ledger: what is issued, how it resolves and scores, and that no edit, kill or rival writer harms it unseen."""

import csv
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from pyarrow.parquet import ParquetFile
from scipy.integrate import quad
from worlds import HORIZONS, brief, case, event, load_record, unfitted, world

from forecast import forecasting
from forecast.cli.shell import exit_code
from forecast.files import InputError, fingerprint
from forecast.folders import with_labels
from forecast.inference import Settings
from forecast.ledger import TamperedError, issue, open_ledger, packaged_ledger, resolve, score_ledger
from forecast.ledger.chain import NOTHING, Draft, Entry, _canonical, _text, append
from forecast.ledger.durable import put_new
from forecast.ledger.frozen import stated_probability
from forecast.ledger.log import Log, deadline
from forecast.ledger.rules import NEEDS, RULES, answer, problem_of
from forecast.ledger.tables import COLUMNS, LEVELS, Question, newest, parquet, pmf, resolved_rows, standing
from forecast.plots import save_scores, track_record
from forecast.record import save_record
from forecast.scores import smoothed_share
from forecast.summaries import TARGET_FAMILIES, resolution_table, summary_table
from forecast.vocabulary import FAMILY_TYPES, SCENARIOS, WINDOWS, family_of

ORIGIN = date(2025, 1, 31)
N = 400
SOON = datetime(2025, 2, 1, 9, tzinfo=UTC)
LATE = datetime(2026, 11, 1, tzinfo=UTC)
CASES = [
    case("a1", "2024-01-10", matter="m"),
    case("a2", "2024-03-01", matter="m"),
    case("b1", "2024-02-01"),
    case("c1", "2024-02-05", provider="Q", provider_group="Q"),
    case("d1", "2025-03-03", provider="Q", provider_group="Q"),
    case("e1", "2025-04-04", matter="m"),
]
BEFORE = [
    event("a1", "2024-01-10", "opened"),
    event("a2", "2024-03-01", "opened"),
    event("b1", "2024-02-01", "opened"),
    event("c1", "2024-02-05", "opened"),
    event("a1", "2024-06-01", "preliminary_findings"),
    event("c1", "2024-07-01", "information_request"),
    event("c1", "2024-09-01", "fine", amount_eur=5e6),
]
AFTER = [
    event("b1", "2025-02-20", "preliminary_findings"),
    event("d1", "2025-03-03", "opened"),
    event("a1", "2025-03-10", "fine", amount_eur=120e6),
    event("e1", "2025-04-04", "opened"),
    event("a2", "2025-08-20", "information_request"),
    event("a1", "2025-09-01", "appeal_filed"),
    event("b1", "2026-03-01", "compliance_order", scope="specific"),
]
SERVICES = [{"service": s, "provider_group": s, "designated_on": "2023-04-25"} for s in ("P", "Q")]
FIGURES = {
    "designated_services": SERVICES,
    "turnover": [{"company_group": "P", "year": 2023, "turnover_eur": 4e9, "published_on": "2024-04-30"}],
    "users": [
        {"series_id": "x-eu-total", "period_start": a, "period_end": b, "monthly_active_millions": n, "published_on": p}
        for a, b, n, p in (
            ("2024-02-01", "2024-07-31", 100, "2024-08-17"),
            ("2025-02-01", "2025-07-31", 96, "2025-08-17"),
        )
    ],
}


def small(events=None, cases=None, **other):
    """Return the small record; ``events`` are those after the origin."""
    if events is None and cases is None and not other:
        return plain()
    return world(proceedings=cases or CASES, events=[*BEFORE, *(events or AFTER)], **{**FIGURES, **other})


@cache
def plain():
    return small(AFTER)


def about_m(**other):
    return brief("m", as_of=other.pop("as_of", ORIGIN), provider_group="P", **other)


FLAGS = (*TARGET_FAMILIES, "all_closed", "appeal", "appeal_of_old_fine")
CLASSES = (*SCENARIOS, "pending")
IMPACTS = ("valuation_impact", "valuation_change", "user_attrition", "moderation_spending", "cost:moderation",
           "cost:advertising", "total_cost")  # fmt: skip


def outcomes(rng, names=()):
    """Return joint draws of every target of a forecast, random but of the right shape, units and missing values."""
    share = np.array([0.2, 0.5, 0.7])
    columns = {}
    for family in FLAGS:
        came = rng.random((N, 1)) < share
        columns[f"event:{family}"] = ("probability", came.astype(float))
        columns[f"months_to:{family}"] = ("months, given the event", np.where(came, rng.uniform(0, 6, (N, 3)), np.nan))
    answers = rng.integers(0, 4, (N, 3))
    answers[:, -1] %= 3
    for i, name in enumerate(CLASSES):
        columns[f"resolved_scenario:{name}"] = ("probability", (answers == i).astype(float))
    units = {"fine_imposed_share": "share of turnover", "fine_left_share": "share of turnover"}
    units |= {"fine_largest": "EUR, given a fine", "moderation_spending": "EUR a year", "total_cost": "EUR"}
    units |= {"valuation_impact": "fraction", "valuation_change": "fraction", "user_attrition": "fraction"}
    units |= {"cost:moderation": "EUR", "cost:advertising": "EUR"}
    units |= {"openings_member_states": "count", "openings_other_platforms": "count"}
    for name in ("fine_imposed", "fine_left", *units, *names):
        columns[name] = (units.get(name, "EUR"), rng.gamma(2.0, 1e7, (N, 3)))
    data = {k: (("draw", "horizon"), v, {"units": unit}) for k, (unit, v) in columns.items()}
    data["scenario"] = (("draw",), np.arange(N) % 3, {"labels": ", ".join(SCENARIOS)})
    return xr.Dataset(data, {"horizon": list(HORIZONS)}, {"matter": "m"})


def forecast_of(seed=1, origin=ORIGIN, spec=None, record=None, names=()):
    """Return a forecast with made-up numbers, as complete as a real one, without sampling."""
    rng, spec = np.random.default_rng(seed), spec or about_m()
    known = (record or small()).as_of(origin)
    inside = origin >= spec.as_of
    drawn = outcomes(rng, names)
    if not inside:
        drawn = drawn.drop_vars(IMPACTS)
    watched = [("a1", "m"), ("a2", "m"), ("b1", "b1")]
    events = [
        (str(origin), c, m, "inside" if inside and m == "m" else "outside", family, w, rng.integers(0, 60) / N, 0.01)
        for (c, m), w, family in itertools.product(watched, WINDOWS, FAMILY_TYPES)
    ]
    views = {"outside": (0.2, 0.5, 0.3), "resolved_60m": (0.2, 0.5, 0.3)} | (
        {"brief": (0.4, 0.45, 0.15), "inside": (0.3, 0.4, 0.3)} if inside else {}
    )
    scenarios = [(str(origin), v, s, p, 0.0) for v, ps in views.items() for s, p in zip(SCENARIOS, ps, strict=True)]
    sizes = np.sort(rng.gamma(2.0, 1e7, (2, 5)), axis=1)
    whole = whole_of(origin, spec, record or small())
    tables = {
        **whole.tables,
        "summary": summary_table(drawn, str(origin), 1),
        "resolution": resolution_table(drawn).reset_index(),
        "event_probabilities": pd.DataFrame(
            events,
            columns=["origin_date", "case_id", "matter_id", "view", "family", "window_months", "probability", "mcse"],
        ).assign(outside_probability=lambda x: x["probability"], outside_mcse=lambda x: x["mcse"]),
        "scenarios": pd.DataFrame(scenarios, columns=["origin_date", "view", "scenario", "probability", "mcse"]),
        "next_fines": pd.DataFrame(
            [
                (str(origin), "a1", *sizes[0], "made up"),
                (str(origin), "a2", *[np.nan] * 5, "no turnover of P in the record"),
                (str(origin), "b1", *sizes[1], "made up"),
            ],
            columns=["origin_date", "case_id", "q05", "q25", "q50", "q75", "q95", "reason"],
        ),
    }
    return replace(
        whole,
        record=known,
        outcomes=drawn,
        prior_outcomes=outcomes(np.random.default_rng(99), names) if inside else xr.Dataset(),
        tables={name: with_labels(table, spec.labels) for name, table in tables.items()},
    )


WHOLE = {}


def whole_of(origin, spec, record):
    """Return a forecast from draws of the prior, once for each origin, prior file and record."""
    key = origin, spec.fingerprint, record.fingerprint
    if key not in WHOLE:
        posterior = unfitted(spec, record, origin, Settings(draws=N // 2, tune=10, chains=2, seed=1))
        WHOLE[key] = forecasting.conclude(posterior, record.as_of(origin))
    return WHOLE[key]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders of made-up forecasts of one origin: two that differ in their numbers alone."""
    place = tmp_path_factory.mktemp("made")
    for seed in (1, 2):
        forecasting.save(forecast_of(seed), place / f"f{seed}")
    forecasting.save(forecast_of(3, date(2025, 3, 31), record=small()), place / "later")
    return place


def at(moment):
    return lambda: moment


@pytest.fixture(scope="module")
def template(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("template") / "ledger"
    issue(made / "f1", folder, clock=at(SOON))
    issue(made / "f2", folder, clock=at(SOON))
    resolve(folder, small(), as_of="2025-03-15", clock=at(LATE))
    resolve(folder, small(), as_of="2025-08-20", clock=at(LATE))
    return folder


@pytest.fixture
def begun(template, tmp_path):
    """A ledger of four entries: two forecasts, and what was known of them twice."""
    return shutil.copytree(template, tmp_path / "ledger")


# Rules: a small record and hand-worked answers


def rule(name, months=6, after=ORIGIN, grace=0, **more):
    return {"rule": name, "after": str(after), "until": str(deadline(after, months)), "grace_days": grace, **more}


def said(what, known_on, record=None):
    got = answer(what, Log.of(record or small(), date.fromisoformat(known_on)))
    return got.status, got.outcome or got.value


def test_a_month_is_30_and_7_16_days_and_a_deadline_is_its_last_whole_day():
    days = {months: (deadline(ORIGIN, months) - ORIGIN).days for months in (3, 6, 9, 12, 24, 60)}
    assert days == {3: 91, 6: 182, 9: 273, 12: 365, 24: 730, 60: 1826}


def test_yes_is_known_early_and_no_only_after_the_deadline_with_its_grace():
    fine = rule("event", family="fine", cases=["a1", "a2"])  # until 2025-08-01
    assert said(fine, "2025-03-09") == said(fine, "2025-03-09") == ("open", pytest.approx(math.nan, nan_ok=True))
    assert said(fine, "2025-03-10") == ("early", "yes")
    assert said(fine, "2025-07-31") == ("early", "yes")
    assert said(fine, "2025-08-01") == ("resolved", "yes")
    order = rule("event", family="order", cases=["b1"])
    assert said(order, "2025-07-31")[0] == "open"
    assert said(order, "2025-08-01") == ("resolved", "no")
    assert said(rule("event", family="order", cases=["b1"], grace=30), "2025-08-30")[0] == "open"
    assert said(rule("event", family="order", cases=["b1"], grace=30), "2025-08-31") == ("resolved", "no")


def test_days_of_events_count_after_the_origin_and_on_the_deadline_and_publication_when_it_comes():
    def on(day, published=""):
        record = small([*AFTER, event("b1", day, "suspension", published=published)])
        return said(rule("event", family="suspension", cases=["b1"]), "2025-09-30", record)

    assert on("2025-01-31") == ("resolved", "no")  # on the day of the origin: known or not, it is the past
    assert on("2025-02-01") == ("resolved", "yes")
    assert on("2025-08-01") == ("resolved", "yes")
    assert on("2025-08-02") == ("resolved", "no")
    assert on("2025-03-01", "2025-12-01") == ("resolved", "no")  # published later: a new version then


def test_an_order_against_a_person_is_no_operational_order():
    events = [event("b1", "2025-03-01", "compliance_order", scope="person")]
    assert said(rule("event", family="order", cases=["b1"]), "2025-08-20", small([*AFTER, *events])) == (
        "resolved",
        "no",
    )


def test_amounts_are_summed_divided_and_reduced_by_rulings_known_in_time():
    fines = [
        {"decision_id": "D", "event_id": "a1-t009", "decided_on": "2025-03-10", "published_on": "2025-03-10"}
        | {"amount_eur": 120e6, "outcome": "reduced", "outcome_on": "2025-07-01", "amount_after_eur": 90e6}
    ]
    events = [*AFTER, event("a2", "2025-06-01", "periodic_penalty", amount_eur=30e6)]
    record = small(events, fines=fines)
    both = {"cases": ["a1", "a2"], "turnover_eur": None}
    assert said(rule("fine_sum", left=False, **both), "2025-08-20", record) == ("resolved", 150e6)
    assert said(rule("fine_sum", left=True, **both), "2025-08-20", record) == ("resolved", 120e6)
    assert said(rule("fine_sum", 4, left=True, **both), "2025-08-20", record) == ("resolved", 150e6)  # by 2025-06-01
    assert said(rule("fine_sum", 3, left=True, **both), "2025-08-20", record) == ("resolved", 120e6)  # by 2025-05-02
    shares = both | {"turnover_eur": 4e9}
    assert said(rule("fine_sum", left=False, **shares), "2025-08-20", record) == ("resolved", 150e6 / 4e9)
    assert said(rule("largest_fine", cases=["a1", "a2"]), "2025-08-20", record) == ("resolved", 120e6)
    assert said(rule("largest_fine", cases=["b1"]), "2025-08-20", record)[0] == "void"
    assert said(rule("largest_fine", cases=["b1"]), "2025-07-20", record)[0] == "open"
    assert said(rule("fine_sum", left=False, **both), "2025-07-31", record)[0] == "open"  # more may come


def test_a_fine_of_unknown_amount_leaves_the_sum_unanswered_not_small():
    record = small([*AFTER, event("a2", "2025-06-01", "fine")])
    got = answer(rule("fine_sum", left=False, cases=["a1", "a2"], turnover_eur=None), Log.of(record, date(2025, 8, 20)))
    assert got.status == "unanswered"
    assert got.evidence == ("a2-t014",)
    assert said(rule("first_fine", 60, cases=["a2"]), "2025-08-20", record)[0] == "unanswered"


def test_the_next_fine_is_known_at_once_and_void_when_none_can_come():
    assert said(rule("first_fine", 60, cases=["a1"]), "2025-03-10") == ("resolved", 120e6)
    assert said(rule("first_fine", 60, cases=["b1"]), "2026-03-01")[0] == "open"
    assert said(rule("first_fine", 6, cases=["b1"]), "2025-08-20")[0] == "void"
    closed = [c | {"closed_on": "2025-05-05"} if c["case_id"] == "b1" else c for c in CASES]
    record = small([e for e in AFTER if e["date"] != "2026-03-01"], closed)
    assert said(rule("first_fine", 60, cases=["b1"]), "2025-08-20", record)[0] == "void"
    assert said(rule("all_closed", cases=["b1"]), "2025-05-05", record) == ("early", "yes")
    assert said(rule("all_closed", cases=["a1", "b1"]), "2025-08-20", record) == ("resolved", "no")
    months = (date(2025, 5, 5) - ORIGIN).days / 30.4375
    assert said(rule("months_to", family="all_closed", cases=["b1"]), "2025-08-20", record) == ("resolved", months)


def test_dates_are_months_since_the_origin_and_void_without_the_event():
    fine = rule("months_to", family="fine", cases=["a1"])
    assert said(fine, "2025-08-20") == ("resolved", pytest.approx(38 / 30.4375))
    assert said(fine, "2025-04-20")[0] == "early"
    assert said(rule("months_to", family="fine", cases=["b1"]), "2025-08-20")[0] == "void"
    appeal = rule("months_to", 9, family="appeal", cases=["a1"])
    assert said(appeal, "2025-12-31") == ("resolved", pytest.approx(213 / 30.4375))


def test_openings_are_those_against_the_named_providers_in_the_window():
    assert said(rule("openings", providers=["P"]), "2025-08-20") == ("resolved", 1.0)
    assert said(rule("openings", providers=["Q"]), "2025-08-20") == ("resolved", 1.0)
    assert said(rule("openings", 1, providers=["Q"]), "2025-08-20") == ("resolved", 0.0)  # until 2025-03-02
    assert said(rule("openings", providers=["P", "Q"]), "2025-05-20")[0] == "open"


def test_users_resolve_by_the_count_that_covers_the_day_and_are_void_when_none_is_ever_published():
    users = {"series": "x-eu-total", "base_millions": 100.0}
    assert said(rule("user_change", 5, **users), "2025-08-20") == ("resolved", pytest.approx(0.04))
    assert said(rule("user_change", 5, **users), "2025-08-10")[0] == "open"
    assert said(rule("user_change", 9, **users), "2026-03-01")[0] == "open"
    later = small([*AFTER, event("b1", "2026-11-30", "extended")])
    assert said(rule("user_change", 9, **users), "2026-11-30", later)[0] == "void"  # a year after 2025-10-31


CLAUSES = {
    "severe_families": ["suspension", "order.filtering"],
    "severe_together": ["executive", "fine"],
    "serious_families": ["order.extensive"],
    "serious_fines": 100e6,
}
OLD_CLAUSES = {
    "severe_families": ["suspension"],
    "severe_scopes": ["filtering"],
    "severe_together": ["executive", "fine"],
    "serious_scopes": ["extensive"],
    "serious_fines": 100e6,
}
"""As version 0.1 wrote them."""


@pytest.mark.parametrize(
    ("events", "so_far", "last"),
    [
        ([], "pending", "limited"),
        ([event("a1", "2025-03-10", "fine", amount_eur=99e6)], "limited", "limited"),
        ([event("a1", "2025-03-10", "fine", amount_eur=99e6), event("e1", "2025-04-05", "fine", amount_eur=1e6)],
         "significant", "significant"),
        ([event("a2", "2025-03-10", "compliance_order", scope="extensive")], "significant", "significant"),
        ([event("a2", "2025-03-10", "compliance_order", scope="filtering")], "crackdown", "crackdown"),
        ([event("a2", "2025-03-10", "executive_charged")], "limited", "limited"),
        ([event("a1", "2025-03-10", "executive_charged"), event("a1", "2025-04-10", "fine", amount_eur=1e6)],
         "crackdown", "crackdown"),
        ([event("a2", "2025-03-10", "executive_charged"), event("a1", "2025-04-10", "fine", amount_eur=1e8)],
         "crackdown", "crackdown"),
        ([event("a2", "2025-03-10", "preliminary_findings")], "pending", "limited"),
        ([event("b1", "2025-03-10", "suspension")], "pending", "limited"),
        ([event("a1", "2025-08-02", "suspension")], "pending", "limited"),
    ],
)  # fmt: skip
def test_the_class_is_that_of_the_prior_files_rule(events, so_far, last):
    record = small([event("e1", "2025-04-04", "opened"), *events, event("b1", "2025-09-09", "extended")],
                   [c for c in CASES if c["case_id"] != "d1"])  # fmt: skip
    own = {"matter": "m", "cases": ["a1", "a2"]}
    for clauses in (CLAUSES, OLD_CLAUSES):
        for is_last, expected in ((False, so_far), (True, last)):
            what = rule("class", is_last=is_last, clauses=clauses, **own)
            assert said(what, "2025-09-09", record) == ("resolved", expected)
            early = said(what, "2025-07-31", record)
            assert early[0] == ("early" if expected == "crackdown" else "open")


def test_a_charge_and_a_small_fine_elsewhere_were_together_in_rules_of_version_0_1_alone():
    events = [event("a2", "2025-03-10", "executive_charged"), event("a1", "2025-04-10", "fine", amount_eur=1e6)]
    record = small([event("e1", "2025-04-04", "opened"), *events, event("b1", "2025-09-09", "extended")],
                   [c for c in CASES if c["case_id"] != "d1"])  # fmt: skip
    for clauses, expected in ((CLAUSES, "limited"), (OLD_CLAUSES, "crackdown")):
        what = rule("class", matter="m", cases=["a1", "a2"], clauses=clauses, is_last=True)
        assert said(what, "2025-09-09", record) == ("resolved", expected)


def unseen(after, *cases):
    """Return the small record of which some proceedings were looked at up to a day alone."""
    record = small()
    table = record.proceedings
    days = table["observed_until"].mask(table["case_id"].isin(cases), pd.Timestamp(after))
    return replace(record, proceedings=table.assign(observed_until=days))


def test_where_nobody_looked_there_is_no_answer():
    """Until a proceeding was looked at up to the deadline a target is pending, whatever the record's last day."""
    seen = unseen("2025-07-31", "a2")
    quiet = rule("event", family="suspension", cases=["a2"])  # until 2025-08-01
    assert said(quiet, "2025-12-31", seen)[0] == "open"
    assert said(quiet, "2025-12-31", unseen("2025-08-01", "a2")) == ("resolved", "no")
    came = rule("event", family="fine", cases=["a1", "a2"])
    assert said(came, "2025-12-31", seen) == ("early", "yes")
    assert said(came, "2025-12-31") == ("resolved", "yes")
    own = {"matter": "m", "clauses": CLAUSES, "is_last": False}
    assert said(rule("class", cases=["a1"], **own), "2025-12-31", seen)[0] == "open"
    assert said(rule("class", cases=["a1"], **own), "2025-12-31") == ("resolved", "significant")
    fines = {"left": False, "turnover_eur": None}
    assert said(rule("fine_sum", cases=["a1", "a2"], **fines), "2025-12-31", seen)[0] == "open"
    assert said(rule("fine_sum", cases=["a1"], **fines), "2025-12-31", seen) == ("resolved", 120e6)
    assert said(rule("months_to", family="search", cases=["a2"]), "2025-12-31", seen)[0] == "open"
    assert said(rule("largest_fine", cases=["a2"]), "2025-12-31", seen)[0] == "open"
    assert said(rule("first_fine", cases=["a2"]), "2025-12-31", seen)[0] == "open"
    assert said(rule("all_closed", cases=["a2"]), "2025-12-31", seen)[0] == "open"


def test_appeals_of_old_fines_and_of_new_ones_are_told_apart():
    """By the latest fine of the proceeding before the appeal; without one an appeal is against no fine."""
    events = [
        event("c1", "2025-02-10", "appeal_filed"), event("c1", "2025-05-01", "fine", amount_eur=1e6),
        event("b1", "2025-03-01", "appeal_filed"), *AFTER,
    ]  # fmt: skip
    record = small(events)

    def when(family, *cases, months=12):
        return said(rule("event", months, family=family, cases=list(cases)), "2026-03-01", record)

    assert when("appeal_of_old_fine", "c1") == ("resolved", "yes")
    assert when("appeal_of_new_fine", "c1") == ("resolved", "no")
    assert when("appeal_of_new_fine", "a1") == ("resolved", "yes")
    assert when("appeal_of_old_fine", "a1") == ("resolved", "no")
    for family in ("appeal_of_old_fine", "appeal_of_new_fine"):
        assert when(family, "b1") == ("resolved", "no")
    assert when("appeal", "b1") == ("resolved", "yes")


def test_closing_everything_open_at_the_origin_makes_a_pending_matter_limited():
    closed = [c | {"closed_on": "2025-05-05"} if c["case_id"] in ("a1", "a2") else c for c in CASES]
    record = small([event("e1", "2025-04-04", "opened"), event("b1", "2025-09-09", "extended")],
                   [c for c in closed if c["case_id"] != "d1"])  # fmt: skip
    own = {"matter": "m", "cases": ["a1", "a2"], "clauses": CLAUSES, "is_last": False}
    assert said(rule("class", **own), "2025-09-09", record) == ("resolved", "limited")
    assert said(rule("class", **own | {"cases": ["a1", "a2", "e1"]}), "2025-09-09", record) == ("resolved", "pending")


def test_rules_agree_with_a_plain_reading_of_the_packaged_log():
    """Every family, open window and proceeding of the real record, against loops over the CSV file."""
    path = Path(forecasting.__file__).parent / "data" / "events.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        log = list(csv.DictReader(stream))
    corrected = {row["supersedes"] for row in log}
    log = [row for row in log if row["event_id"] not in corrected and row["published_on"] <= "2026-02-03"]
    record, origin = load_record(), date(2025, 2, 3)
    known = Log.of(record, date(2026, 2, 3))
    answers = {"yes": 0, "no": 0}
    for name, months, family in itertools.product(known.record.proceedings["case_id"], WINDOWS, FAMILY_TYPES):
        got = answer(rule("event", months, origin, family=family, cases=[name]), known)
        last = origin + timedelta(days=int(months * 365.25 / 12))
        came = any(
            row["case_id"] == name
            and family_of(row["type"], row["scope"]) == family
            and str(origin) < row["date"] <= str(last)
            for row in log
        )
        assert got[:2] == ("resolved", "yes" if came else "no")
        answers[got.outcome] += 1
    assert answers["yes"] > 100


def test_an_unusable_rule_is_named():
    whole = rule("event", family="fine", cases=["a1"])
    assert problem_of(whole) == ""
    assert "no resolution rule" in problem_of({"rule": None})
    assert problem_of({k: v for k, v in whole.items() if k != "cases"}) == "its rule 'event' lacks cases"
    assert "window is empty" in problem_of(whole | {"until": whole["after"]})
    assert RULES.keys() == NEEDS.keys()


# Issuing


def rows_of(folder, place):
    files = [folder / entry.file(place) for entry in open_ledger(folder).of("issue")]
    return pd.concat([ParquetFile(file).read().to_pandas(date_as_object=False) for file in files])


def test_what_is_issued_is_what_the_forecast_says(made, tmp_path):
    folder = tmp_path / "ledger"
    entry = issue(made / "f1", folder, clock=at(SOON))
    own, numbers = forecast_of(1), rows_of(folder, "forecasts")
    assert list(numbers.columns) == list(COLUMNS["forecasts"])
    assert set(numbers["origin_date"].dt.date) == {ORIGIN}
    by = numbers.set_index(["model_id", "target", "horizon", "location", "output_type_id"])["value"]
    for j, horizon in enumerate(HORIZONS):
        fines = own.outcomes["event:fine"].values[:, j]
        assert by["forecast", "event:fine", horizon, "m", "yes"] == smoothed_share(fines.sum(), N)
        for level in LEVELS:
            expected = np.quantile(own.outcomes["fine_imposed"].values[:, j], level)
            assert by["forecast", "fine_imposed", horizon, "m", f"{level:g}"] == expected
        dated = own.outcomes["months_to:fine"].values[:, j]
        if (~np.isnan(dated)).sum() >= 100:
            assert by["forecast", "months_to:fine", horizon, "m", "0.5"] == np.nanmedian(dated)
    watched = own.tables["event_probabilities"]
    for row in watched.itertuples():
        place = ("forecast", f"event_in_proceeding:{row.family}", row.window_months, row.case_id, "yes")
        assert by[place] == pytest.approx((row.probability * N + 0.5) / (N + 1), abs=1e-9)
    assert by["inside", "resolved_scenario", 60, "m", "crackdown"] == 0.3
    assert by["brief", "resolved_scenario", 60, "m", "significant"] == 0.45
    assert by["forecast", "next_fine", 60, "b1", "0.95"] == pytest.approx(own.tables["next_fines"]["q95"][2], rel=1e-9)
    sums = numbers.loc[numbers["output_type"] == "pmf"].groupby(["model_id", "target", "horizon", "location"])["value"]
    assert np.allclose(sums.sum(), 1)
    told = {(skip["target"], skip["horizon"]): skip["reason"] for skip in entry.body["not_issued"]}
    assert told["next_fine", 60] == "no turnover of P in the record"
    assert "fewer than 100 draws" in told["months_to:fine", 6]


def test_every_target_has_a_rule_that_can_be_checked(made, tmp_path):
    folder = tmp_path / "ledger"
    issue(made / "f1", folder, grace_days=14, clock=at(SOON))
    targets, numbers = rows_of(folder, "targets"), rows_of(folder, "forecasts")
    key = ["target", "horizon", "location"]
    assert set(map(tuple, numbers[key].to_numpy())) == set(map(tuple, targets[key].to_numpy()))
    assert not targets.duplicated(key).any()
    rules = {tuple(k): json.loads(r) for *k, r in targets[[*key, "rule"]].itertuples(index=False)}
    assert not any(problem_of(r) for r in rules.values())
    assert {r["grace_days"] for r in rules.values()} == {14}
    assert {k[0] for k, r in rules.items() if r["rule"] == "manual"} == {
        "valuation_impact", "valuation_change", "moderation_spending", "cost:moderation", "cost:advertising",
        "total_cost"}  # fmt: skip
    assert rules["event:fine", 6, "m"]["cases"] == ["a1", "a2"]  # open at the origin: of these the forecast speaks
    assert rules["event_in_proceeding:fine", 6, "b1"]["cases"] == ["b1"]
    called = {
        name: (rules[f"event:{name}", 6, "m"]["rule"], rules[f"event:{name}", 6, "m"].get("family")) for name in FLAGS
    }
    assert called == {name: ("event", name) for name in TARGET_FAMILIES} | {
        "dropped": ("event", "closure"), "all_closed": ("all_closed", None), "appeal": ("event", "appeal_of_new_fine"),
        "appeal_of_old_fine": ("event", "appeal_of_old_fine")}  # fmt: skip
    assert rules["fine_left_share", 24, "m"] | {"left": True, "turnover_eur": 4e9, "turnover_year": 2023} == (
        rules["fine_left_share", 24, "m"])  # fmt: skip
    assert rules["user_attrition", 6, "m"]["base_millions"] == 100
    assert rules["openings_other_platforms", 6, "m"]["providers"] == ["Q"]


def test_a_target_without_a_rule_refuses_the_whole_forecast(tmp_path):
    forecasting.save(forecast_of(1, names=("popularity", "mood")), tmp_path / "odd")
    with pytest.raises(InputError) as error:
        issue(tmp_path / "odd", tmp_path / "ledger")
    assert {p.where for p in error.value.problems} == {
        f"target {name}, {h} months" for name in ("popularity", "mood") for h in HORIZONS}  # fmt: skip
    assert not (tmp_path / "ledger").exists()


def test_the_same_forecast_gives_the_same_bytes(made, tmp_path):
    for name in ("one", "two"):
        issue(made / "f1", tmp_path / name, clock=at(SOON))
    trees = [
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()}
        for n in ("one", "two")
    ]
    assert trees[0] == trees[1]
    assert len(trees[0]) == 3


def test_a_forecast_is_issued_once_and_bad_places_are_refused(made, tmp_path):
    folder = tmp_path / "ledger"
    issue(made / "f1", folder, clock=at(SOON))
    copy = shutil.copytree(made / "f1", tmp_path / "copy")
    with pytest.raises(InputError, match="was issued before: entry 1 of 2025-02-01T09:00:00Z"):
        issue(copy, folder)
    with pytest.raises(InputError, match="holds no forecast"):
        issue(tmp_path, folder)
    with pytest.raises(InputError, match="is not empty and holds no ledger"):
        issue(made / "f2", made)
    with pytest.raises(InputError, match="lies in the folder of a forecast"):
        issue(made / "f2", made / "f1" / "ledger")
    with pytest.raises(InputError, match="whole number"):
        issue(made / "f2", folder, grace_days=-1)
    (copy / "summary.csv").write_text("target\n")
    with pytest.raises(InputError, match="was changed since"):
        issue(copy, folder)
    for read in (open_ledger, resolve, score_ledger):
        with pytest.raises(InputError, match="holds no ledger"):
            read(tmp_path / "nothing")
    assert len(open_ledger(folder).entries) == 1


def test_lateness_is_written_down(made, tmp_path):
    soon = issue(made / "f1", tmp_path / "soon", clock=at(SOON)).body
    late = issue(made / "f1", tmp_path / "late", clock=at(LATE)).body
    assert (soon["days_after_origin"], soon["targets_past_deadline"]) == (1, 0)
    assert late["days_after_origin"] == (LATE.date() - ORIGIN).days
    until = rows_of(tmp_path / "late", "targets")["until"].dt.date
    assert late["targets_past_deadline"] == (until < LATE.date()).sum() > 100


def test_no_probability_is_zero_or_one_however_the_draws_fell():
    rows = pmf("forecast", Question("t", 6, "l", "l", "probability", "pmf", {}), {"yes": 0, "no": 999})
    assert [row.value for row in rows] == [0.0005, 0.9995]


# What is frozen beside a forecast


def test_the_brief_is_the_statements_mixed_and_their_hazard_in_between():
    spec = about_m()
    for stated in spec.statements.families.values():
        for j, statement in enumerate(stated.limited):
            mixed = sum(spec.scenarios[s].probability.value * stated[s][j].value for s in SCENARIOS)
            assert stated_probability(spec, stated, 0, statement.within) == pytest.approx(mixed, abs=1e-14)
    fine = spec.statements.families["fine"]

    def hazard(t, scenario):
        within = [0.0, *(s.within for s in fine[scenario])]
        reached = [0.0, *(-math.log(1 - s.value) for s in fine[scenario])]
        k = min(int(np.searchsorted(within, t, side="right")), len(within) - 1)
        return (reached[k] - reached[k - 1]) / (within[k] - within[k - 1])

    expected = 0.0
    for scenario in SCENARIOS:
        total = quad(hazard, 4, 70, args=(scenario,), points=[6, 24, 60])[0]
        expected += spec.scenarios[scenario].probability.value * (1 - math.exp(-total))
    assert stated_probability(spec, fine, 4, 70) == pytest.approx(expected, abs=1e-10)


def test_baselines_and_brief_are_frozen_where_they_have_something_to_say(made, tmp_path):
    folder = tmp_path / "ledger"
    issue(made / "f1", folder, clock=at(SOON))
    numbers = rows_of(folder, "forecasts")
    by = numbers.set_index(["model_id", "target", "horizon", "location", "output_type_id"])["value"].sort_index()
    spec = about_m()
    fine = spec.statements.families["fine"]
    assert by["brief", "event:fine", 24, "m", "yes"] == pytest.approx(stated_probability(spec, fine, 0, 24))
    prior = outcomes(np.random.default_rng(99))["total_cost"].values[:, 1]
    assert by["brief", "total_cost", 24, "m", "0.25"] == np.quantile(prior, 0.25)
    for name in ("pooled", "by_class", "incidence"):
        alone = [by[name, "event_in_proceeding:fine", 6, c, "yes"] for c in ("a1", "a2")]
        assert by[name, "event:fine", 6, "m", "yes"] == pytest.approx(1 - (1 - alone[0]) * (1 - alone[1]))
        assert (name, "event:appeal", 6, "m", "yes") not in by.index
    assert {"brief", "pooled"} <= set(numbers.loc[numbers["target"] == "event:fine", "model_id"])


def test_the_brief_says_nothing_before_its_date_nor_of_a_second_first_event(tmp_path):
    early = forecast_of(5, spec=about_m(as_of=date(2025, 12, 1)))
    later = forecast_of(5, date(2025, 3, 31))
    for name, forecast in (("early", early), ("later", later)):
        forecasting.save(forecast, tmp_path / name)
        issue(tmp_path / name, tmp_path / f"{name}-ledger", clock=at(LATE))
    assert "brief" not in set(rows_of(tmp_path / "early-ledger", "forecasts")["model_id"])
    of_brief = rows_of(tmp_path / "later-ledger", "forecasts").query("model_id == 'brief'")
    assert "event:findings" in set(of_brief["target"])
    assert "event:fine" not in set(of_brief["target"])  # one came on 2025-03-10
    assert "total_cost" not in set(of_brief["target"])  # the prior speaks of other deadlines


# Resolving


def version_of(folder, target, horizon=6, location="m", entry=1):
    rows = newest(open_ledger(folder))
    own = rows.loc[(rows["target"] == target) & (rows["horizon"] == horizon) & (rows["location"] == location)]
    own = own.loc[own["entry"] == entry]
    return own.iloc[0] if len(own) else None


def test_resolving_again_with_the_same_record_changes_nothing(begun):
    head = open_ledger(begun).head
    again = resolve(begun, small(), as_of="2025-08-20")
    assert again.entry is None
    assert again.changes.empty
    assert open_ledger(begun).head == head


def test_only_what_changed_is_entered_and_old_versions_stay(begun):
    ledger = open_ledger(begun)
    first, second = (pd.read_parquet(begun / e.file("resolutions")) for e in ledger.of("resolution"))
    key = ["entry", "target", "horizon", "location"]
    assert first["version"].eq(1).all()
    fine = second.loc[(second["target"] == "event:fine") & (second["horizon"] == 6) & (second["entry"] == 1)].iloc[0]
    assert (fine["version"], fine["old_status"], fine["status"], fine["change"]) == (2, "early", "resolved", "deadline")
    both = first.merge(second, on=key, suffixes=("_1", "_2"))
    assert len(both)
    assert ((both["status_1"] != both["status_2"]) | (both["outcome_1"] != both["outcome_2"])).all()
    assert (both["status_1"] == both["old_status_2"]).all()
    assert version_of(begun, "event:order").outcome == "no"
    assert version_of(begun, "event:order", 24) is None


def test_a_correction_withdraws_reopens_and_is_named(begun):
    wrong = [
        *AFTER,
        event("a1", "2025-03-10", "preliminary_findings", published="2025-10-01", supersedes="a1-t009"),
    ]
    found = resolve(begun, small(wrong), as_of="2025-10-01", clock=at(LATE))
    fine, early = version_of(begun, "event:fine"), version_of(begun, "event:fine", 24)
    assert (fine.version, fine.old_outcome, fine.outcome, fine.change) == (3, "yes", "no", "correction")
    assert (early.version, early.old_status, early.status, early.change) == (2, "early", "open", "reopened")
    amount = version_of(begun, "fine_imposed")
    assert (amount.old_value, amount.value, amount.change) == (120e6, 0.0, "correction")
    assert version_of(begun, "event:findings").outcome == "yes"
    assert version_of(begun, "event:findings").change == "late publication"
    assert version_of(begun, "next_fine", 60, "a1").status == "open"
    assert len(found.changes) == found.entry.body["changes"]
    standing_now = standing(open_ledger(begun)).set_index(["entry", "target", "horizon", "location"])["status"]
    assert standing_now[1, "event:fine", 24, "m"] == "open"


def test_a_ruling_changes_what_is_left_and_not_what_was_imposed(begun):
    fines = [
        {"decision_id": "D", "event_id": "a1-t009", "decided_on": "2025-03-10", "published_on": "2025-03-10"}
        | {"amount_eur": 120e6, "outcome": "annulled", "outcome_on": "2025-07-30", "amount_after_eur": 0}
    ]
    found = resolve(begun, small(fines=fines), as_of="2025-09-01", clock=at(LATE))
    left = version_of(begun, "fine_left")
    assert (left.old_value, left.value, left.change) == (120e6, 0.0, "ruling")
    assert "annulled 2025-07-30" in left.evidence
    assert version_of(begun, "fine_imposed").version == 1
    assert set(found.changes.loc[found.changes["version"] > 1, "change"]) <= {"ruling", "deadline"}


def test_a_late_publication_is_a_new_version(begun):
    late = [*AFTER, event("b1", "2025-07-30", "suspension", published="2025-09-15")]
    resolve(begun, small(late), as_of="2025-09-15", clock=at(LATE))
    now = version_of(begun, "event_in_proceeding:suspension", 6, "b1")
    assert (now.version, now.old_outcome, now.outcome, now.change) == (2, "no", "yes", "late publication")


def test_a_record_that_is_not_the_right_one_is_refused(begun, made, tmp_path):
    head = open_ledger(begun).head
    with pytest.raises(InputError, match="lies after the record's last complete day, 2026-03-01"):
        resolve(begun, small(), as_of="2026-03-02")
    with pytest.raises(InputError, match="older than this forecast: it is read as of 2025-01-30"):
        resolve(begun, small(), as_of="2025-01-30")
    with pytest.raises(InputError, match="knew the record as of 2025-08-20; this one is read as of 2025-08-19"):
        resolve(begun, small(), as_of="2025-08-19")
    with pytest.raises(InputError, match=r"asks about 3 proceedings that are not in the record: a1, a2, b1"):
        resolve(begun, load_record())
    with pytest.raises(InputError, match="is not a day"):
        resolve(begun, small(), as_of="tomorrow")
    assert open_ledger(begun).head == head


def test_a_record_that_was_cut_is_known_up_to_its_cut(made, tmp_path):
    issue(made / "f1", tmp_path / "ledger", clock=at(SOON))
    assert resolve(tmp_path / "ledger", small().as_of("2025-08-25")).known_on == date(2025, 8, 25)
    assert version_of(tmp_path / "ledger", "event:order").outcome == "no"


ANSWERS = "origin_date,target,horizon,location,value,source\n"


def test_answers_by_hand_have_sources_stay_and_can_be_taken_back(begun, tmp_path):
    file = tmp_path / "answers.csv"
    assert version_of(begun, "valuation_change").status == "unanswered"
    file.write_text(
        ANSWERS + "2025-01-31,valuation_change,6,m,-0.25,Fund report\n2025-01-31,total_cost,6,m,void,no figures\n"
    )
    found = resolve(begun, small(), as_of="2025-08-20", answers=file, clock=at(LATE))
    assert len(found.changes) == 4  # two forecasts asked the same
    now = version_of(begun, "valuation_change", entry=2)
    assert (now.status, now.value, now.change, now.evidence) == ("resolved", -0.25, "by hand", "Fund report")
    assert version_of(begun, "total_cost").status == "void"
    assert resolve(begun, small(), as_of="2025-08-20", answers=file, clock=at(LATE)).entry is None
    resolve(begun, small(), as_of="2026-03-01", clock=at(LATE))
    assert version_of(begun, "valuation_change").value == -0.25
    file.write_text(ANSWERS + "2025-01-31,valuation_change,6,m,open,the report was wrong\n")
    resolve(begun, small(), as_of="2026-03-01", answers=file, clock=at(LATE))
    assert version_of(begun, "valuation_change").status == "unanswered"
    assert version_of(begun, "valuation_change").version == 3


def test_every_mistake_in_a_file_of_answers_is_named_at_once(begun, tmp_path):
    head, file = open_ledger(begun).head, tmp_path / "answers.csv"
    rows = [
        "2025-01-31,valuation_chang,6,m,0.1,x",
        "2025-01-30,valuation_change,6,m,0.1,x",
        "2025-01-31,valuation_change,7,m,0.1,x",
        "2025-01-31,valuation_change,6,n,0.1,x",
        "2025-01-31,valuation_change,6,m,-1.5,x",
        "2025-01-31,moderation_spending,6,m,-1,",
        "2025-01-31,event:fine,6,m,1,x",
        "2025-01-31,total_cost,60,m,1e9,x",
        "2025-01-31,valuation_change,6,m,0.1,again",
        "2025-01-31,total_cost,6,m,nan,x",
    ]
    file.write_text(ANSWERS + "\n".join(rows) + "\n")
    with pytest.raises(InputError) as error:
        resolve(begun, small(), as_of="2025-08-20", answers=file, clock=at(LATE))
    told = [str(p).removeprefix("answers.csv ") for p in error.value.problems]
    for start, words in (
        ("row 2, column target", "did you mean 'valuation_change'"),
        ("row 3, column origin_date", "'2025-01-30' was not issued: expected one of 2025-01-31"),
        ("row 4, column horizon", "expected one of 24, 6, 60"),
        ("row 5, column location", "'n' was not issued: expected one of m"),
        ("row 6, column value", "no number of -1 or more"),
        ("row 7, column source", "must not be empty"),
        ("row 7, column value", "no number of 0 or more"),
        ("row 8, column target", "resolves by the record (rule 'event')"),
        ("row 9, column horizon", "its deadline is 2030-01-31"),
        ("row 10, column target", "answered twice"),
        ("row 11, column value", "'nan' is no number"),
    ):
        assert any(line.startswith(start) and words in line for line in told), (start, told)
    assert len(told) == 11
    file.write_text("origin,target\n")
    with pytest.raises(InputError, match="the column is missing"):
        resolve(begun, small(), as_of="2025-08-20", answers=file)
    with pytest.raises(InputError, match="is no file"):
        resolve(begun, small(), as_of="2025-08-20", answers=tmp_path / "none.csv")
    assert open_ledger(begun).head == head


# Scoring


BY_HAND = {"rule": "manual", "after": "2025-01-31", "until": "2025-08-01", "grace_days": 0, "needs": "a figure"}


def hand_ledger(folder, rows, questions, results, issued_on="2025-02-01"):
    """Write a ledger of exactly these numbers, targets and results, through the chain itself."""
    place = [
        parquet("forecasts", [(m, ORIGIN, *rest) for m, *rest in rows], ORIGIN),
        parquet("targets", [(ORIGIN, *q, date(2025, 8, 1), json.dumps(BY_HAND)) for q in questions], ORIGIN),
    ]
    body = {"issued_on": issued_on, "origin_date": str(ORIGIN), "forecast_sha256": ""}
    append(folder, lambda ledger, now: Draft("issue", body, dict(place)), at(SOON))
    nothing = ("open", "", math.nan, "first", "", "", date(2025, 8, 20))
    made = [(1, ORIGIN, *key, 1, status, outcome, value, *nothing[:3], "first", "", evidence, date(2025, 8, 20))
            for *key, status, outcome, value, evidence in results]  # fmt: skip
    append(
        folder,
        lambda ledger, now: Draft("resolution", {"known_on": "2025-08-20"}, dict([parquet("resolutions", made)])),
    )


def test_scores_are_those_of_hand_worked_numbers(tmp_path):
    rows = [
        *(("forecast", "event:fine", 6, "m", "pmf", k, p) for k, p in (("yes", 0.3), ("no", 0.7))),
        *(("pooled", "event:fine", 6, "m", "pmf", k, p) for k, p in (("yes", 0.1), ("no", 0.9))),
        *(("forecast", "resolved_scenario", 6, "m", "pmf", k, p)
          for k, p in (("limited", 0.2), ("significant", 0.4), ("crackdown", 0.3), ("pending", 0.1))),
        *(("forecast", "fine_imposed", 6, "m", "quantile", k, v)
          for k, v in (("0.25", 1e6), ("0.5", 3e6), ("0.75", 8e6))),
        *(("forecast", "next_fine", 60, "a1", "quantile", k, v) for k, v in (("0.1", 1.0), ("0.9", math.e**4))),
        *(("forecast", "event:order", 24, "m", "pmf", k, p) for k, p in (("yes", 0.9), ("no", 0.1))),
    ]  # fmt: skip
    questions = [
        ("event:fine", 6, "m", "m", "probability", "pmf"),
        ("resolved_scenario", 6, "m", "m", "class", "pmf"),
        ("fine_imposed", 6, "m", "m", "EUR", "quantile"),
        ("next_fine", 60, "a1", "m", "EUR, given a fine", "quantile"),
        ("event:order", 24, "m", "m", "probability", "pmf"),
        ("event:order", 6, "m", "m", "probability", "pmf"),
        ("fine_largest", 6, "m", "m", "EUR, given a fine", "quantile"),
    ]
    results = [
        ("event:fine", 6, "m", "resolved", "yes", math.nan, "a1-e2"),
        ("resolved_scenario", 6, "m", "resolved", "significant", math.nan, ""),
        ("fine_imposed", 6, "m", "resolved", "", 6e6, ""),
        ("next_fine", 60, "a1", "resolved", "", math.e, ""),
        ("event:order", 24, "m", "early", "yes", math.nan, ""),
        ("fine_largest", 6, "m", "void", "", math.nan, ""),
    ]
    hand_ledger(tmp_path / "ledger", rows, questions, results)
    scores = score_ledger(tmp_path / "ledger")
    by = scores.table.set_index(["model_id", "target"])
    assert by.loc[("forecast", "event:fine"), "log_score"] == pytest.approx(-math.log(0.3))
    assert by.loc[("forecast", "event:fine"), "ranked_score"] == pytest.approx(0.49)
    assert by.loc[("pooled", "event:fine"), "ranked_score"] == pytest.approx(0.81)
    # pending 0.1, limited 0.3, significant 0.7, crackdown 1: against 0, 0, 1, 1
    assert by.loc[("forecast", "resolved_scenario"), "ranked_score"] == pytest.approx(0.01 + 0.09 + 0.09)
    assert by.loc[("forecast", "resolved_scenario"), "log_score"] == pytest.approx(-math.log(0.4))
    # 2/3 (0.25 x 5 + 0.5 x 3 + 0.25 x 2) million
    assert by.loc[("forecast", "fine_imposed"), "crps"] == pytest.approx(2 / 3 * 3.25e6)
    # logarithms 0 and 4 against 1: 0.1 x 1 + 0.1 x 3
    assert by.loc[("forecast", "next_fine"), "crps"] == pytest.approx(0.4)
    assert ("forecast", "event:order") not in by.index  # early: not before its time has come
    counts = scores.counts.set_index("group")
    assert counts.loc["events of the matter"].to_dict() == {
        "issued": 3, "open": 1, "early": 1, "resolved": 1, "void": 0, "unanswered": 0}  # fmt: skip
    assert counts.loc["fine_largest", "void"] == 1
    skill = scores.skill.set_index(["group", "score", "baseline"])
    row = skill.loc[("events of the matter", "log_score", "pooled")]
    assert row["difference"] == pytest.approx(-math.log(0.3) + math.log(0.1))
    assert (row["targets"], row["yes"], row["events"], row["matters"]) == (1, 1, 1, 1)
    assert math.isnan(row["low"])  # one matter has no band
    assert set(scores.skill["timing"]) == {"in time"}


def twelve_matters(folder):
    """Write a ledger of twelve matters, two windows each; return the forecast's loss over the baseline's by matter."""
    rows, questions, results = [], [], []
    for i in range(12):
        m = f"m{i}"
        for months, (model, p) in itertools.product((3, 6), (("forecast", 0.2 + 0.05 * i), ("pooled", 0.5))):
            place = ("event_in_proceeding:fine", months, m)
            rows += [(model, *place, "pmf", k, v) for k, v in (("yes", p), ("no", 1 - p))]
        for months in (3, 6):
            place = ("event_in_proceeding:fine", months, m)
            questions.append((*place, m, "probability", "pmf"))
            results.append((*place, "resolved", "yes" if i % 3 else "no", math.nan, m))
    hand_ledger(folder, rows, questions, results)
    loss = np.array([-math.log(0.2 + 0.05 * i if i % 3 else 0.8 - 0.05 * i) for i in range(12)])
    return loss + math.log(0.5)


def test_bands_come_from_resampling_matters_with_all_their_targets(tmp_path):
    gain = twelve_matters(tmp_path / "ledger")
    got = score_ledger(tmp_path / "ledger", seed=7).skill.set_index("score").loc["log_score"]
    assert got["difference"] == pytest.approx(gain.mean())
    assert (got["matters"], got["targets"], got["events"], got["yes"]) == (12, 24, 8, 16)
    # By the central limit theorem, the matters counted once: the two windows of a matter are no two cases
    half = 1.645 * gain.std() / math.sqrt(12)
    assert (got["high"] - got["low"]) / 2 == pytest.approx(half, rel=0.1)


def test_the_figure_shows_the_numbers_of_the_tables(tmp_path, begun, made):
    gain = twelve_matters(tmp_path / "twelve")
    scores = score_ledger(tmp_path / "twelve")
    picture = track_record(scores)
    row = scores.skill.set_index("score").loc["log_score"]
    marks = [line for line in picture.axes[1].lines if line.get_gid() == "gain:pooled"]
    assert marks[0].get_xdata()[0] == pytest.approx(100 * gain.mean() / math.log(2))
    assert marks[0].get_markerfacecolor() != "white"
    band = picture.axes[1].collections[0].get_segments()[0][:, 0]
    assert band == pytest.approx(100 * row[["low", "high"]].to_numpy(float) / math.log(2))
    few = track_record(score_ledger(begun))
    assert {line.get_markerfacecolor() for line in few.axes[1].lines if line.get_gid()} == {"white"}
    assert not few.axes[1].collections
    counts = score_ledger(begun).counts
    shares = [bar.get_width() for bar in few.axes[0].patches if bar.get_gid() == "status:open"]
    assert shares == pytest.approx((counts["open"] / counts["issued"]).to_numpy(float))
    issue(made / "f1", tmp_path / "fresh", clock=at(SOON))
    nothing = track_record(score_ledger(tmp_path / "fresh"))
    assert "nothing resolved yet" in [text.get_text() for text in nothing.axes[1].texts]


def test_two_forecasts_of_one_origin_are_scored_each_once(begun):
    """They bring the very same targets, so one file of targets serves both entries."""
    ledger = open_ledger(begun)
    one, two = (entry.file("targets") for entry in ledger.of("issue"))
    assert one == two
    rows = resolved_rows(ledger)
    assert not rows.duplicated(["entry", "model_id", "target", "horizon", "location", "output_type_id"]).any()
    assert set(rows["entry"]) == {1, 2}
    counted = standing(ledger)
    assert len(counted) == sum(entry.body["targets"] for entry in ledger.of("issue"))
    scores = score_ledger(begun)
    assert scores.counts["issued"].sum() == len(counted)
    assert scores.counts[["open", "early", "resolved", "void", "unanswered"]].to_numpy().sum() == len(counted)


def test_scores_are_recomputed_and_never_kept(begun):
    before = score_ledger(begun)
    wrong = [*AFTER, event("a1", "2025-03-10", "preliminary_findings", published="2025-10-01", supersedes="a1-t009")]
    resolve(begun, small(wrong), as_of="2025-10-01", clock=at(LATE))
    after = score_ledger(begun)
    key = ["entry", "model_id", "target", "horizon", "location"]
    both = before.table.merge(after.table, on=key, suffixes=("_1", "_2")).query("target == 'event:fine'")
    yes, no = np.exp(-both["log_score_1"]), np.exp(-both["log_score_2"])
    assert len(both)
    assert np.allclose(yes + no, 1)
    pd.testing.assert_frame_equal(after.table, score_ledger(begun).table)


def test_scores_are_written_as_a_folder_of_their_own(begun, tmp_path):
    scores = score_ledger(begun)
    save_scores(scores, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "scores.csv", "skill.csv", "counts.csv", "about.json", "track_record.png", "track_record.svg"}  # fmt: skip
    assert len(pd.read_csv(tmp_path / "out" / "scores.csv")) == len(scores.table)
    assert json.loads((tmp_path / "out" / "about.json").read_text())["head"] == open_ledger(begun).head


def test_odd_names_of_folders_are_no_patterns(made, tmp_path):
    folder = tmp_path / "a [1]*?" / "ledger"
    issue(made / "f1", folder, clock=at(SOON))
    resolve(folder, small(), as_of="2025-08-20", clock=at(LATE))
    assert score_ledger(folder).counts["resolved"].sum() > 50


# The chain: what was edited, removed, inserted or reordered is found and named


def rehash(path, **changes):
    """Change an entry as a forger would: with its own hash put right."""
    said = json.loads(path.read_text())
    entry = Entry(**{k: v for k, v in said.items() if k != "format"} | changes)
    path.write_bytes(_text(replace(entry, sha256=fingerprint(_canonical(entry)))))


def edit_number(folder):
    path = next((folder / "forecasts").rglob("*.parquet"))
    table = pd.read_parquet(path)
    table.loc[0, "value"] = 0.99
    table.to_parquet(path)
    return path


def edit_resolution(folder):
    path = max((folder / "resolutions").iterdir(), key=lambda p: p.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    return path


def edit_entry(folder):
    path = folder / "entries" / "000002.json"
    path.write_text(path.read_text().replace('"issued_on": "2025-02-01"', '"issued_on": "2025-01-01"'))
    return path


def edit_newest(folder):
    path = folder / "entries" / "000004.json"
    path.write_text(path.read_text().replace("2025-08-20", "2025-08-21"))
    return path


def edit_spaces(folder):
    path = folder / "entries" / "000003.json"
    path.write_text(path.read_text().replace('"index": 3', '"index":  3'))
    return path


def forge_entry(folder):
    rehash(folder / "entries" / "000002.json", time="2025-01-01T00:00:00Z")
    return folder / "entries" / "000003.json"  # which expected another one before it


def delete_middle(folder):
    path = folder / "entries" / "000002.json"
    path.unlink()
    return path


def delete_and_close_the_gap(folder):
    (folder / "entries" / "000002.json").unlink()
    for n in (3, 4):
        (folder / "entries" / f"00000{n}.json").rename(folder / "entries" / f"00000{n - 1}.json")
    return folder / "entries" / "000002.json"


def swap(folder):
    one, two, aside = (folder / "entries" / name for name in ("000002.json", "000003.json", "aside"))
    one.rename(aside)
    two.rename(one)
    aside.rename(two)
    return one


def insert(folder):
    entries = folder / "entries"
    for n in (4, 3, 2):
        (entries / f"00000{n}.json").rename(entries / f"00000{n + 1}.json")
    shutil.copy(entries / "000003.json", entries / "000002.json")
    return entries / "000003.json"


def insert_stranger(folder):
    path = folder / "entries" / "000002b.json"
    shutil.copy(folder / "entries" / "000002.json", path)
    return path


def scramble(folder):
    path = folder / "entries" / "000001.json"
    path.write_text("{")
    return path


def lose_file(folder):
    path = next((folder / "targets").rglob("*.parquet"))
    path.unlink()
    return path


TAMPERINGS = [
    edit_number, edit_resolution, edit_entry, edit_newest, edit_spaces, forge_entry, delete_middle,
    delete_and_close_the_gap, swap, insert, insert_stranger, scramble, lose_file,
]  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda f: f.__name__)
def test_tampering_is_found_and_named_first(begun, tamper):
    was = {p.name: json.loads(p.read_text())["sha256"] for p in (begun / "entries").iterdir()}
    path = tamper(begun)
    for use in (open_ledger, score_ledger, lambda ledger: resolve(ledger, small())):
        with pytest.raises(TamperedError) as error:
            use(begun)
        assert error.value.problems[0].where == str(path)
    what = error.value.problems[0].what
    if tamper not in (insert_stranger, insert, swap, delete_and_close_the_gap):
        assert "expected" in what or "SHA-256" in what
    if tamper in (forge_entry, delete_middle, scramble):
        assert was["000001.json" if tamper is scramble else "000002.json"] in what
    if tamper is swap:
        assert {p.where for p in error.value.problems} >= {str(begun / "entries" / f"00000{n}.json") for n in (2, 3)}


def test_hashes_expected_and_found_are_told(begun):
    sums = {name: found for entry in open_ledger(begun).entries for name, found in entry.files.items()}
    path = edit_number(begun)
    expected = sums[path.relative_to(begun).as_posix()]
    with pytest.raises(TamperedError, match=f"with SHA-256 {expected}, found [0-9a-f]{{64}}"):
        open_ledger(begun)


def test_a_lost_tail_is_found_by_the_head_alone(begun):
    heads = [entry.sha256 for entry in open_ledger(begun).entries]
    assert all(open_ledger(begun, expect=head).head == heads[-1] for head in (*heads, heads[1][:12].upper()))
    (begun / "entries" / "000004.json").unlink()
    assert open_ledger(begun, expect=heads[2]).head == heads[2]  # the chain alone cannot know
    for use in (open_ledger, score_ledger):
        with pytest.raises(TamperedError, match=f"none of the 3 entries has the SHA-256 {heads[3]}"):
            use(begun, expect=heads[3])
    with pytest.raises(InputError, match="8 to 64 hexadecimal digits"):
        open_ledger(begun, expect="head")


def test_an_entry_of_another_version_is_refused_as_such(begun):
    path = begun / "entries" / "000002.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(InputError, match="is of format 2; format 1 was expected"):
        open_ledger(begun)


def test_strays_count_for_nothing_and_are_told(begun):
    head, counts = open_ledger(begun).head, score_ledger(begun).counts
    stray = begun / "forecasts" / "origin_date=2025-01-31" / "0123456789abcdef.parquet"
    shutil.copy(next((begun / "forecasts").rglob("*.parquet")), stray)
    (begun / "entries" / ".000005.json.abc").write_text("{")
    ledger = open_ledger(begun)
    assert ledger.head == head
    assert set(ledger.strays) == {stray.relative_to(begun).as_posix(), "entries/.000005.json.abc"}
    pd.testing.assert_frame_equal(score_ledger(begun).counts, counts)


def test_the_first_entry_follows_nothing(begun):
    ledger = open_ledger(begun)
    assert ledger.entries[0].previous == NOTHING
    assert [e.previous for e in ledger.entries[1:]] == [e.sha256 for e in ledger.entries[:-1]]
    assert [e.index for e in ledger.entries] == [1, 2, 3, 4]
    assert repr(ledger).endswith(f"2 issues, 2 resolutions, head {ledger.head[:12]}>")


def test_of_two_writers_of_one_number_one_wins(tmp_path):
    assert put_new(tmp_path / "x", b"one")
    assert not put_new(tmp_path / "x", b"two")
    assert (tmp_path / "x").read_bytes() == b"one"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_who_comes_second_builds_on_the_first(tmp_path):
    """Another process enters something between this one's reading and its writing: it is asked again."""
    seen = []

    def build(ledger, now):
        seen.append(ledger.head)
        if len(seen) == 1:
            append(tmp_path / "l", lambda other, then: who("rival"), at(SOON))
        return who("this")

    def who(name):
        nothing = dict([parquet("resolutions", [])])
        return Draft("resolution", {"who": name, "known_on": "2025-02-01"}, nothing)

    append(tmp_path / "l", build, at(SOON))
    ledger = open_ledger(tmp_path / "l")
    assert [entry.body["who"] for entry in ledger.entries] == ["rival", "this"]
    assert seen == [NOTHING, ledger.entries[0].sha256]


# Kills and rivals, with real processes

KILLER = """
import os, pathlib, signal, sys
import forecast.ledger, duckdb, pyarrow.parquet
from datetime import UTC, datetime
from forecast.record import load_record

from forecast.ledger import issuing

kind, folder, argument, stride = *sys.argv[1:4], int(sys.argv[4])
clock = lambda: datetime(2025, 9, 1, tzinfo=UTC)
if kind == "issue":  # read once: what is to be killed is the writing
    loaded = issuing.load(argument)
    material = issuing.material(loaded, 0)
    issuing.load, issuing.material = lambda folder: loaded, lambda forecast, grace: material
else:
    record = load_record(argument)

def act():
    if kind == "issue":
        forecast.ledger.issue(argument, folder, clock=clock)
    else:
        forecast.ledger.resolve(folder, record, as_of="2025-08-20", clock=clock)

def dies_at(moment):
    left = [moment]
    def tick():
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    def around(function):
        def called(*arguments, **named):
            tick()
            done = function(*arguments, **named)
            tick()
            return done
        return called
    for name in ("fsync", "replace", "link", "mkdir", "unlink"):
        setattr(os, name, around(getattr(os, name)))
    opened = pathlib.Path.open
    def half(self, mode="r", *arguments, **named):
        stream = opened(self, mode, *arguments, **named)
        if mode != "xb":
            return stream
        tick()
        written = stream.write
        class Half:
            def __enter__(self): return self
            def __exit__(self, *error): stream.close()
            def write(self, content):
                written(content[: len(content) // 2]); stream.flush(); tick()
                written(content[len(content) // 2 :])
            def __getattr__(self, name): return getattr(stream, name)
        return Half()
    pathlib.Path.open = half

moment = 1 - stride
while True:
    moment += stride
    print(moment, flush=True)
    if sys.stdin.readline().strip() != "go":
        break
    child = os.fork()
    if child == 0:
        dies_at(moment)
        act()
        os._exit(0)
    print("killed" if os.WIFSIGNALED(os.waitpid(child, 0)[1]) else "done", flush=True)
"""


def killed_everywhere(kind, argument, start, place, stride):
    """Run an action that dies at its first moment, a later one, and so on; yield the ledger that each death leaves."""
    place.mkdir()
    folder = place / "ledger"
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLER, kind, str(folder), str(argument), str(stride)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    ) as driver:  # fmt: skip
        while driver.stdout.readline():
            shutil.rmtree(folder, ignore_errors=True)
            if start is not None:
                shutil.copytree(start, folder)
            driver.stdin.write("go\n")
            driver.stdin.flush()
            ended = driver.stdout.readline().strip()
            yield folder, ended == "done"
            if ended == "done":
                driver.stdin.close()
                break
            assert ended == "killed"


def state(folder):
    ledger = open_ledger(folder)
    named = {name for entry in ledger.entries for name in entry.files}
    return [(e.index, e.sha256) for e in ledger.entries], {name: (folder / name).read_bytes() for name in named}


def check_kills(kind, argument, act, start, place, stride=1):
    """After every death the ledger is the old one or the new one, and the action done again gives the new one."""
    place.mkdir()
    old = state(start) if start is not None else ([], {})
    clean = place / "clean"
    if start is not None:
        shutil.copytree(start, clean)
    act(clean)
    new, seen, moments = state(clean), [], 0
    for folder, done in killed_everywhere(kind, argument, start, place / "killed", stride):
        try:
            got = state(folder)
        except TamperedError:
            raise
        except InputError:  # nothing was entered yet
            got = ([], {})
        assert got in (old, new)
        seen.append(got == new)
        moments += not done
        if moments % 10 == 5 and not seen[-1]:
            act(folder)
            assert state(folder) == new
        assert done <= seen[-1]
    assert seen == sorted(seen)  # once it is in, it stays in
    assert 2 <= sum(seen) < len(seen) - 5  # deaths before and after the entry was there
    return moments


NOON = at(datetime(2025, 9, 1, tzinfo=UTC))


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
def test_killed_at_any_moment_an_issue_is_in_whole_or_not_at_all(made, template, tmp_path, is_first):
    folder, start = made / "later", None if is_first else template
    moments = check_kills(
        "issue", folder, lambda f: issue(folder, f, clock=NOON), start, tmp_path / "place", 1 + bool(start)
    )
    assert moments >= 15


def test_killed_at_any_moment_a_resolution_is_in_whole_or_not_at_all(made, tmp_path):
    start, record = tmp_path / "start", tmp_path / "record"
    issue(made / "f1", start, clock=at(SOON))
    save_record(small(), record)
    check_kills(
        "resolve", record, lambda f: resolve(f, record, as_of="2025-08-20", clock=NOON), start, tmp_path / "place", 3
    )


RIVALS = """
import os, sys
import forecast.ledger, pyarrow.parquet
from forecast.files import InputError

ledger, *folders = sys.argv[1:]
gate, opener = os.pipe()
children = []
for folder in folders:
    answer, teller = os.pipe()
    if os.fork() == 0:
        os.close(opener)
        os.read(gate, 1)  # all wait here, and go when the gate is closed
        try:
            forecast.ledger.issue(folder, ledger)
            os.write(teller, b"issued")
        except InputError as error:
            os.write(teller, str(error).encode())
        os._exit(0)
    os.close(teller)
    children.append(answer)
os.close(opener)
for answer in children:
    print(os.read(answer, 10000).decode())
    assert os.wait()[1] == 0
"""


def race(folders, ledger):
    """Let processes issue these folders into one ledger, all at once; return what each has to say."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RIVALS, str(ledger), *map(str, folders)],
        capture_output=True, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_processes_that_issue_at_once_get_in_once_each_and_lose_nothing(made, tmp_path):
    *others, one, two = race([made / "f2", made / "later", made / "f1", made / "f1"], tmp_path / "ledger")
    assert others == ["issued", "issued"]
    assert "issued" in (one, two)
    assert "was issued before: entry" in one + two
    ledger = open_ledger(tmp_path / "ledger")
    assert [entry.index for entry in ledger.entries] == [1, 2, 3]
    assert len({entry.body["forecast_sha256"] for entry in ledger.entries}) == 3
    assert not ledger.strays


# The command line, and a real forecast


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run a command as the shell would, in an empty folder, and return what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0):
        got = exit_code([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert got == code, printed.err
        return printed.out + printed.err

    return run


def test_the_commands_in_a_row(made, tmp_path, command):
    save_record(small(), tmp_path / "record")
    out = command("issue", made / "f1")
    head = open_ledger(tmp_path / "ledger").head
    assert head in out
    assert "Not issued: " in out
    assert "holds the same numbers" in command("issue", made / "f1", code=1)
    assert "nothing resolved yet" in command("score")
    out = command("resolve", "--record", "record", "--as-of", "2025-08-20")
    assert "new versions" in out
    assert "event:fine" in out
    assert "nothing was entered" in command("resolve", "--record", "record", "--as-of", "2025-08-20")
    out = command("score", "--expect", head, "--out", "out")
    for words in ("Only 2 matters have anything resolved: this proves nothing.", "unanswered", "pooled", "(too few)"):
        assert words in out
    assert (tmp_path / "out" / "scores.csv").is_file()
    assert "none of the 2 entries has" in command("score", "--expect", "f" * 64, code=1)
    edit_number(tmp_path / "ledger")
    out = command("score", code=1)
    assert "was edited" in out
    assert "000002" not in out
    assert "holds no ledger" in command("resolve", "elsewhere", code=1)


# The track record that comes with the package


FIRST = "5b248906a8aa4f42e481857c1f0bf97a9841577c78f5b219c13999df6e34b028"
"""The entry that version 0.1.0 wrote."""


@pytest.fixture(scope="module")
def track(tmp_path_factory):
    """Return a copy of the packaged ledger's first entry, resolved by the packaged record."""
    folder = tmp_path_factory.mktemp("track") / "ledger"
    shutil.copytree(packaged_ledger(), folder)
    for path in (folder / "entries").iterdir():
        if path.name != "000001.json":
            path.unlink()
    resolve(folder, clock=at(LATE))
    return folder


def test_the_packaged_track_record_loads_as_version_0_1_wrote_it():
    """Its format, its names of targets and its clauses must be read for ever."""
    first = open_ledger(packaged_ledger()).entries[0]
    assert first.sha256 == FIRST
    assert (first.body["targets"], first.body["origin_date"]) == (2585, "2026-02-03")
    targets = standing(open_ledger(packaged_ledger(), until=1))
    assert len(targets) == 2585
    closing = json.loads(targets.loc[targets["target"] == "event:closure", "rule"].iloc[0])
    assert closing["rule"] == "all_closed"
    rule_of_class = targets.loc[targets["target"] == "resolved_scenario", "rule"].iloc[0]
    assert json.loads(rule_of_class)["clauses"] == OLD_CLAUSES


def test_the_track_record_resolves_and_beats_its_baselines_as_far_as_anybody_looked(track):
    scores = score_ledger(track)
    stands = scores.counts.set_index("group").loc["events in proceedings"]
    assert stands["issued"] == 2464
    assert (stands["resolved"], stands["early"], stands["open"]) == (825, 50, 1589)
    rows = scores.skill.query("group == 'events in proceedings' and score == 'log_score'").set_index("baseline")
    assert set(rows["timing"]) == {"late"}
    assert set(zip(rows["targets"], rows["matters"], rows["yes"], rows["events"], strict=True)) == {(825, 39, 24, 19)}
    expected = {"by_class": 0.067, "pooled": 0.148, "incidence": 0.219}
    assert rows["skill"].to_dict() == pytest.approx(expected, abs=0.001)
    assert (rows["skill_low"] < rows["skill"]).all()
    assert rows.loc["by_class", "skill_low"] < 0 < rows.loc["pooled", "skill_low"]
    resolved = standing(open_ledger(track)).query("status == 'resolved' and outcome == 'no'")
    seen = load_record().proceedings.set_index("case_id")["observed_until"]
    for row in resolved.itertuples():
        assert all(seen[case] >= row.until for case in json.loads(row.rule)["cases"])


def test_a_hindcast_is_called_one_wherever_it_is_shown(track, command):
    said = "Entry 1 is a hindcast: issued late, 297 days after its origin, from a model frozen early"
    assert score_ledger(track).about["remarks"][0].startswith(said)
    assert said in " ".join(command("score", track).split())
    assert said in " ".join(command("resolve", track).split())
    caption = track_record(score_ledger(track)).get_supxlabel()
    assert said in " ".join(caption.split())


def test_the_packaged_ledger_is_read_by_name_and_added_to_as_a_copy(tmp_path, command):
    before = {p: p.read_bytes() for p in packaged_ledger().rglob("*") if p.is_file()}
    assert "2,585" in command("score", "track-record", "--until", "1")
    assert not (tmp_path / "track-record").exists()
    command("resolve", "track-record")
    own = open_ledger(tmp_path / "track-record")
    assert own.entries[0].sha256 == FIRST
    assert own.of("resolution")
    assert {p: p.read_bytes() for p in packaged_ledger().rglob("*") if p.is_file()} == before


def test_todays_forecast_follows_the_track_record(packaged_folder, track, tmp_path):
    """A forecast of another format, with other targets, in the same ledger; both resolve and score."""
    folder = shutil.copytree(track, tmp_path / "ledger")
    number = len(open_ledger(folder).entries) + 1
    assert issue(packaged_folder, folder, clock=at(LATE)).index == number
    resolve(folder, clock=at(LATE))
    rows = standing(open_ledger(folder)).query("entry == @number")
    of = rows.set_index(["target", "horizon", "location"])["status"]
    assert {"event:dropped", "event:all_closed", "event:appeal_of_old_fine"} <= set(rows["target"])
    assert of["event_in_proceeding:fine", 3, "fr-crim-x-2025"] == "resolved"
    assert set(score_ledger(folder).table["entry"]) == {1, number}


def test_a_real_forecast_is_issued_whole(packaged_folder, packaged, tmp_path):
    entry = issue(packaged_folder, tmp_path / "ledger")
    targets, numbers = rows_of(tmp_path / "ledger", "targets"), rows_of(tmp_path / "ledger", "forecasts")
    skipped = {(s["target"], s["horizon"], s["location"]) for s in entry.body["not_issued"]}
    issued = set(map(tuple, targets[["target", "horizon", "location"]].to_numpy())) | skipped
    summary = packaged.tables["summary"]
    for target, horizon in summary[["target", "horizon_months"]].drop_duplicates().itertuples(index=False):
        named = target.partition(":")[0] if target.startswith("resolved_scenario") else target
        assert (named, horizon, "x-eu-2026") in issued
    own = numbers.query("model_id == 'forecast' and location == 'x-eu-2026'")
    by = own.set_index(["target", "horizon", "output_type_id"])["value"]
    means = summary.query("scenario == 'all' and unit == 'probability' and target == 'event:fine'")
    for row in means.itertuples():
        assert by["event:fine", row.horizon_months, "yes"] == pytest.approx(row.mean, abs=1 / 4800)
    median = summary.query("scenario == 'all' and target == 'total_cost'").set_index("horizon_months")["q50"]
    assert by["total_cost", 24, "0.5"] == pytest.approx(median[24], rel=1e-9)
    assert {"brief", "inside", "outside", "pooled", "by_class", "incidence", "forecast"} == set(numbers["model_id"])
    known = resolve(tmp_path / "ledger", as_of="2026-02-03")
    assert known.entry is None  # nothing is known of days after the origin
    scores = score_ledger(tmp_path / "ledger")
    assert scores.table.empty
    assert scores.counts["open"].sum() == entry.body["targets"]
