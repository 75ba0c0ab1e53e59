"""Forecasts at past dates: the same numbers as said then, nothing of what came later, and a watch that notices."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import HORIZONS, brief, case, event, load_record, load_specification, rows, with_news, with_rows

import forecast
from forecast import replaying
from forecast.cli.shell import exit_code
from forecast.files import InputError
from forecast.forecasting import conclude, fit
from forecast.gathered import gather
from forecast.inference import Compiled, NotConvergedError, Posterior, Settings
from forecast.leaks import LeakError, require_no_leak
from forecast.model.build import model_data
from forecast.plots import look
from forecast.record import Record
from forecast.replaying import origins, replay, to_dataset
from forecast.specification import load_specification as read_specification
from forecast.vocabulary import SCENARIOS

BRIEF = date(2026, 2, 3)
MIDDLE = date(2025, 6, 3)
SHORT = Settings(draws=60, tune=150, chains=2, seed=5)
NOTHING_ELSE = "9999D"
"""A step that hits no day between start and end."""


@pytest.fixture(scope="module")
def compiled():
    """One model for the origins before the brief, one for those from it on."""
    spec, record = load_specification(), load_record()
    return {day >= BRIEF: Compiled(gather(spec, record, day, record.as_of(BRIEF))) for day in (MIDDLE, BRIEF)}


@pytest.fixture
def lenient(monkeypatch):
    """Short runs do not pass the gate; these tests compare numbers that few draws give as well as many."""
    monkeypatch.setattr(Posterior, "require_convergence", lambda self: None)


@pytest.fixture
def never_compiled(monkeypatch):
    """Whatever is refused here is refused before anything costs time."""

    def refuse(evidence):
        raise AssertionError("compiled")

    monkeypatch.setattr(replaying, "Compiled", refuse)


@pytest.fixture(scope="module")
def small(compiled):
    """Origins on 20 December, 20 January and 3 February."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Posterior, "require_convergence", lambda self: None)
        return short(compiled, "2025-12-20", every="1M")


@pytest.fixture(scope="module")
def middle(compiled):
    """Origins on 3 June 2025 and 3 February 2026."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Posterior, "require_convergence", lambda self: None)
        return short(compiled, MIDDLE)


def short(compiled, start, end=BRIEF, every=NOTHING_ELSE, **other):
    return replay(start=start, end=end, every=every, settings=SHORT, compiled=compiled, **other)


def at(trajectory, day):
    table = trajectory.table
    return table[table["origin_date"] == str(day)].reset_index(drop=True)


# Dates


@pytest.mark.parametrize(
    ("start", "end", "every", "expected"),
    [
        ("2025-01-31", "2025-05-02", "1M", ["01-31", "02-28", "03-31", "04-30", "05-02"]),
        ("2024-08-31", "2025-08-31", "6M", ["2024-08-31", "2025-02-28", "2025-08-31"]),
        ("2023-11-30", "2024-03-01", "3M", ["2023-11-30", "2024-02-29", "2024-03-01"]),
        ("2025-02-03", "2025-02-24", "2W", ["02-03", "02-17", "02-24"]),
        ("2025-02-03", "2025-02-23", "10D", ["02-03", "02-13", "02-23"]),
        ("2025-02-03", "2025-02-03", "1D", ["02-03"]),
        ("2025-02-03", "2025-02-04", "9999M", ["02-03", "02-04"]),
    ],
)
def test_origins_are_counted_from_the_start_and_end_at_the_end(start, end, every, expected):
    assert [str(day)[-len(expected[0]) :] for day in origins(start, end, every)] == expected


@given(st.dates(date(2015, 1, 1), date(2024, 1, 1)), st.integers(0, 2000), st.integers(1, 400), st.sampled_from("DWM"))
@settings(max_examples=60, deadline=None)
def test_origins_never_drift(start, length, step, unit):
    end = start + timedelta(days=length)
    days = origins(start, end, f"{step}{unit}")
    assert (days[0], days[-1]) == (start, end) or start == end
    assert days == sorted(set(days))
    for n, day in enumerate(days[:-1]):
        if unit == "M":
            assert (day.year - start.year) * 12 + day.month - start.month == n * step
            assert day.day == start.day or (day + timedelta(days=1)).day == 1
        else:
            assert (day - start).days == n * step * (7 if unit == "W" else 1)


@pytest.mark.parametrize("every", ["1Y", "0M", "M", "1.5M", "-1M", "1m", " 1M", "1M ", "", "10000D", "monthly", "1 M"])
def test_a_step_that_is_none_is_refused(every):
    with pytest.raises(InputError, match=r"every: .* is no step; expected a number of days, weeks or months"):
        origins("2025-02-03", "2026-02-03", every)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2025-02-03", "2025-02-02", "end: 2025-02-02 lies before the start, 2025-02-03"),
        ("2025-02-30", "2025-03-02", "2025-02-30"),
        ("soon", "2025-03-02", "'soon' is not a day"),
        ("1989-01-01", "2025-03-02", "start: 1989-01-01 lies outside 1990-01-01 to 2099-12-31"),
        ("2025-01-01", "2100-01-01", "end: 2100-01-01 lies outside"),
        ("2023-12-17", "2024-03-02", "nothing is public about 'x-eu-2026' by 2023-12-17; start on 2023-12-18 or later"),
        ("2015-01-01", "2016-01-01", "start on 2023-12-18 or later"),
    ],
)
def test_dates_that_cannot_be_replayed_are_refused(start, end, words, never_compiled):
    with pytest.raises(InputError, match=words):
        replay(start=start, end=end)


def test_a_matter_or_a_time_that_the_record_does_not_cover_is_refused(never_compiled):
    with pytest.raises(InputError, match="holds nothing about the matter 'nobody'"):
        replay(brief("nobody"), start="2025-02-03", end="2026-02-03")
    cut = load_record().as_of("2025-06-03")
    with pytest.raises(InputError, match="2026-02-03 lies 245 days after 2025-06-03, to which the record is complete"):
        replay(record=cut, start="2025-02-03", end="2026-02-03")


# Numbers


def test_the_last_origin_says_what_a_forecast_there_says(packaged, compiled):
    """Coordinates coincide there: the same draws, thus the same numbers to the last digit that is kept."""
    table = replay(start=BRIEF, end=BRIEF, compiled=compiled).table
    weights = table[table["target"] == "scenario"].set_index(["view", "scenario"])
    said = packaged.scenarios.set_index(["view", "scenario"])
    assert list(weights.index) == list(said.index)
    assert weights["value"].tolist() == pytest.approx(said["probability"].tolist(), rel=1e-9, abs=1e-12)
    assert weights["mcse"].tolist() == pytest.approx(said["mcse"].tolist(), rel=1e-9, abs=1e-12)
    own = table[table["target"] != "scenario"].replace({"statistic": {"probability": "mean"}})
    wide = own.pivot(index=["target", "horizon_months"], columns="statistic", values="value")
    summary = packaged.summary.query("scenario == 'all'").set_index(["target", "horizon_months"])
    assert set(wide.index) == set(summary.index)
    summary = summary.loc[wide.index]
    assert wide["mean"].to_numpy() == pytest.approx(summary["mean"].to_numpy(), rel=1e-9, nan_ok=True)
    amounts = summary["unit"] != "probability"
    for quantile in ("q05", "q50", "q95"):
        was = summary.loc[amounts, quantile].to_numpy()
        assert wide.loc[amounts, quantile].to_numpy() == pytest.approx(was, rel=1e-9, abs=1e-12, nan_ok=True)
    errors = own[own["statistic"] == "mean"].set_index(["target", "horizon_months"])["mcse"].loc[wide.index]
    assert errors.to_numpy() == pytest.approx(summary["mcse_mean"].to_numpy(), rel=1e-9, nan_ok=True)


def test_an_earlier_origin_says_what_a_forecast_with_these_coordinates_says(compiled, middle, lenient):
    spec, record = load_specification(), load_record()
    evidence = gather(spec, record, MIDDLE, record.as_of(BRIEF))  # from the whole record: the cut is ``gather``'s own
    said = conclude(fit(compiled[False], evidence, record, SHORT), record.as_of(MIDDLE)).tables
    table = at(middle, MIDDLE)
    weights = table[table["target"] == "scenario"]
    assert weights["value"].tolist() == said["scenarios"]["probability"].tolist()
    means = table[(table["target"] != "scenario") & table["statistic"].isin(["mean", "probability"])]
    expected = said["summary"].query("scenario == 'all'")
    assert means["target"].tolist() == expected["target"].tolist()
    np.testing.assert_array_equal(means["value"], expected["mean"])


def test_other_origins_beside_it_change_nothing(small, compiled, lenient):
    assert small.table["origin_date"].unique().tolist() == ["2025-12-20", "2026-01-20", "2026-02-03"]
    pd.testing.assert_frame_equal(at(short(compiled, "2025-12-20"), "2025-12-20"), at(small, "2025-12-20"))


@pytest.mark.slow
def test_wider_coordinates_change_no_more_than_the_luck_of_the_draws(compiled):
    day = date(2024, 6, 3)
    table = at(replay(start=day, end=BRIEF, every=NOTHING_ELSE, compiled=compiled), day)
    table = table[table["statistic"].isin(["mean", "probability"])]
    result = forecast.run(origin=day)
    one = table[table["target"] != "scenario"].set_index(["target", "horizon_months"])
    two = result.summary.query("scenario == 'all'").set_index(["target", "horizon_months"])
    off = (one["value"] - two["mean"]) / np.hypot(one["mcse"], two["mcse_mean"]).clip(lower=1e-12)
    assert off.notna().sum() > 50
    assert (off.abs() > 3).mean() < 0.05
    three, four = table[table["target"] == "scenario"], result.scenarios
    assert np.abs((three["value"] - four["probability"]) / np.hypot(three["mcse"], four["mcse"])).max() < 4


def test_the_table_is_long_complete_and_says_what_is_known(small):
    table = small.table
    columns = "origin_date view target horizon_months scenario statistic value mcse unit interval"
    assert list(table.columns) == columns.split()
    before = table["origin_date"] < "2026-02-03"
    assert set(table.loc[before, "view"]) == {"outside", "base_rate", "resolved_60m"}
    assert set(table.loc[~before, "view"]) == {"brief", "inside", "outside", "base_rate", "resolved_60m"}
    weights = table[table["target"] == "scenario"]
    assert weights.groupby(["origin_date", "view"])["value"].sum().to_numpy() == pytest.approx(1)
    own = table[table["target"] != "scenario"]
    assert set(own.loc[before, "view"]) == {"outside"}
    assert set(own.loc[~before, "view"]) == {"inside"}
    assert set(own["horizon_months"]) == set(HORIZONS)
    assert not own.duplicated(["origin_date", "target", "horizon_months", "statistic"]).any()
    quantities = own.groupby(own["unit"] == "probability")["statistic"].unique().map(set)
    assert quantities[True] == {"probability"}
    assert quantities[False] == {"mean", "q05", "q50", "q95"}
    assert (table["interval"] != "").equals(table["statistic"].isin(["q05", "q95"]))
    assert set(table["interval"]) == {"", "eti 0.90"}
    assert set(weights["scenario"]) == set(SCENARIOS)
    assert set(own["scenario"]) == {"all"}
    assert "valuation_impact" not in set(own.loc[before, "target"])


def test_events_stand_at_the_origin_that_first_knew_them(small):
    events = small.events
    log = load_record().events
    fresh = log[(log["published_on"] > "2025-12-20") & (log["published_on"] <= "2026-02-03")]
    assert set(events["event_id"]) >= set(fresh["event_id"])
    assert not events["event_id"].duplicated().any()
    where = events.set_index("event_id")["origin_date"]
    assert where["fr-crim-x-2025-e05"] == "2026-01-20"  # public on 2 January
    assert where["fr-crim-x-2025-e07"] == "2026-02-03"  # the search, on the last day itself
    # An order to retain documents, public on 8 January, belongs to a proceeding that nobody knew of until the 26th.
    assert where["ec-dsa-x-grok-2026-e01"] == "2026-02-03"
    assert events.set_index("event_id").loc["fr-crim-x-2025-e07", "is_focal"]
    assert set(events.loc[events["is_focal"], "matter_id"]) == {"x-eu-2026"}


def test_a_correction_is_news_and_what_it_corrects_is_not():
    spec, old = load_specification(), load_record().events.set_index("event_id").loc["fr-crim-x-2025-e05"]
    again = event("fr-crim-x-2025", str(old["date"].date()), "extended", "2026-01-15", supersedes="fr-crim-x-2025-e05")
    record = with_rows(load_record(), events=[again])
    known = [replaying._seen(spec, record, day, record) for day in (date(2025, 12, 20), BRIEF)]
    names = set(replaying._became_public("x-eu-2026", known)["event_id"])
    assert f"fr-crim-x-2025-t{len(load_record().events):03d}" in names
    assert "fr-crim-x-2025-e05" not in names


def test_pooling_holds_at_every_origin_after_the_brief(compiled, lenient):
    """The analyst's numbers are pooled at the brief's date, in the coordinates of the last origin."""
    early = read_specification().with_reading("outside_pool_half").model_copy(update={"as_of": MIDDLE})
    record, wider = load_record(), load_record().as_of(BRIEF)
    one = replaying._seen(early, record, date(2025, 10, 3), wider)
    pooled = fit(compiled[True], one.evidence, one.record, SHORT, wider).evidence.pi
    assert pooled.sum() == pytest.approx(1)
    assert not np.allclose(pooled, [0.40, 0.45, 0.15], atol=0.01)


def test_draws_that_do_not_pass_the_gate_are_refused_with_their_origin(compiled):
    with pytest.raises(NotConvergedError, match=r"not converged: origin 2025-06-03: .*--draws"):
        short(compiled, MIDDLE)


# Leaks


LATER = "2026-01-15"
FUTURE = {
    "proceedings": [case("zz-late", LATER)],
    "events": [event("fr-crim-x-2025", LATER, "summons", event_id="zz-event")],
    "fines": [{"decision_id": "zz-fine", "decided_on": LATER, "published_on": LATER, "amount_eur": 5e6}],
    "users": [
        {"series_id": "zz", "period_start": "2025-01-01", "period_end": "2025-03-31", "published_on": LATER}
        | {"monthly_active_millions": 3}
    ],
    "turnover": [{"year": 2024, "turnover_eur": 1e9, "published_on": LATER}],
    "valuations": [
        {"kind": "fund_mark", "company_group": "X", "date": "2025-01-01", "published_on": LATER, "value_usd_bn": 20}
    ],
    "moderation": [{"company_group": "X", "year": 2024, "staff": 9, "published_on": LATER}],
    "designated_services": [{"service": "zz", "provider_group": "P", "designated_on": LATER}],
}
"""One row of each kind of table that is public too late for an origin in June 2025."""
NAMED = {
    "proceedings": ["zz-late"],
    "events": ["zz-event"],
    "fines": ["zz-fine"],
    "users": ["zz", "2025-01-01", "2025-03-31"],
    "turnover": ["P", "2024"],
    "valuations": ["2025-01-01", "X"],
    "moderation": ["X", "2024"],
    "designated_services": ["zz", "2026-01-15"],
}
"""What tells that row from others in its table."""


@pytest.fixture(autouse=True)
def plain_rows(monkeypatch):
    """Rows of the two tables for which ``worlds`` has no defaults."""
    monkeypatch.setitem(pytest.importorskip("worlds").DEFAULTS, "valuations", {})
    monkeypatch.setitem(pytest.importorskip("worlds").DEFAULTS, "moderation", {})


@pytest.mark.parametrize("name", FUTURE)
def test_one_late_row_of_any_table_is_named(name):
    whole = load_record()
    cut, late = whole.as_of(MIDDLE), rows(name, FUTURE[name])
    slipped = replace(cut, **{name: pd.concat([getattr(cut, name), late], ignore_index=True)})
    with pytest.raises(LeakError) as caught:
        require_no_leak(slipped, with_rows(whole, **({name: FUTURE[name]} if name != "proceedings" else {})), MIDDLE)
    text = str(caught.value)
    assert text.startswith(f"{name}, row {len(getattr(cut, name))} (")
    assert "is 2026-01-15; nothing after the origin, 2025-06-03, may be known there" in text
    assert all(words in text.partition("):")[0] for words in NAMED[name])


class Careless(Record):
    """A record that forgets to cut one of its tables."""

    forgotten = ""

    def as_of(self, day):
        return replace(super().as_of(day), **{self.forgotten: getattr(self, self.forgotten)})


@pytest.mark.parametrize("name", [n for n in FUTURE if n != "designated_services"])
def test_a_cut_that_forgets_a_table_stops_the_replay(name, never_compiled, monkeypatch):
    monkeypatch.setattr(Careless, "forgotten", name)
    careless = Careless(**vars(load_record()))
    with pytest.raises(LeakError, match=rf"{name}, .* is 202[456]-.*; nothing after the origin, 2024-02-03"):
        replay(record=careless, start="2024-02-03", end="2026-02-03", every="1M")


def test_a_cut_that_cuts_nothing_stops_the_replay(never_compiled, monkeypatch):
    monkeypatch.setattr(Record, "as_of", lambda self, day: self)
    with pytest.raises(LeakError) as caught:
        replay(start="2025-02-03", end="2026-02-03")
    assert {str(p).split(",")[0] for p in caught.value.problems} == set(FUTURE)


def changed(record, table, name, **cells):
    frame = getattr(record, table).copy()
    row = frame.iloc[:, 0] == name
    assert row.sum() == 1
    for column, value in cells.items():
        frame.loc[row, column] = value
    return replace(record, **{table: frame})


def test_what_a_row_tells_of_later_ones_is_named():
    """Closings, rulings and names of events that were not public, though every day in the row was."""
    whole, middle = load_record(), pd.Timestamp(MIDDLE)
    cut = whole.as_of(MIDDLE)
    pending = whole.fines[(whole.fines["outcome_on"] > middle) & (whole.fines["published_on"] < middle)].iloc[0]
    name, day = pending["decision_id"], f"{pending['outcome_on']:%Y-%m-%d}"
    undated = cut.fines.loc[cut.fines["outcome"] == "under_appeal", "decision_id"].iloc[0]
    late = with_rows(whole, events=[event("ie-gdpr-x-2025", "2025-06-01", "extended", "2025-08-01")])
    ended = changed(late, "proceedings", "ie-gdpr-x-2025", closed_on=pd.Timestamp("2025-06-01"))
    unheard = replace(cut, events=cut.events[cut.events["case_id"] != "ie-gdpr-x-2025"])
    case_ = changed(ended.as_of(MIDDLE), "proceedings", "ie-gdpr-x-2025", closed_on=pd.Timestamp("2025-06-01"))
    own = cut.events["event_id"].iloc[-1]
    for slipped, full, words in (
        (changed(cut, "fines", name, outcome=pending["outcome"]), whole, f"fines, {name}: outcome .* is of {day}"),
        (changed(cut, "fines", name, amount_after_eur=1.0), whole, f"fines, {name}: outcome .* is of {day}"),
        (changed(cut, "fines", undated, outcome="upheld"), whole, f"fines, {undated}: outcome 'upheld' has no day"),
        (changed(cut, "fines", name, turnover_year=2026.0), whole, "turnover_year is 2026"),
        (
            changed(cut, "fines", name, event_id="ec-dsa-x-2023-e06"),
            whole,
            "'ec-dsa-x-2023-e06' was published on 2025-12",
        ),
        (changed(cut, "events", own, supersedes="fr-crim-x-2025-e02"), whole, "e02' was published on 2025-07-11"),
        (changed(cut, "events", own, case_id="ie-dsa-x-2025"), whole, "case_id 'ie-dsa-x-2025' is not public by then"),
        (unheard, whole, "ie-gdpr-x-2025: its first event was published on 2025-04-11"),
        (case_, ended, "proceedings, ie-gdpr-x-2025: closed_on was announced on 2025-08-01"),
    ):
        with pytest.raises(LeakError, match=words):
            require_no_leak(slipped, full, MIDDLE)


@pytest.mark.parametrize("news", [False, True])
def test_a_true_cut_gives_no_alarm(news):
    whole = with_news() if news else load_record()
    for day in pd.date_range("2015-01-05", "2027-07-31", freq="123D"):
        require_no_leak(whole.as_of(day.date()), whole, day.date())


# What comes later changes nothing


def tampered(record, day):
    """Return the record with all that became public after ``day`` altered, some of it dropped, and more added."""
    end = pd.Timestamp(day)
    frames = {}
    for name, columns in {
        "fines": {"amount_eur": 7.0, "turnover_eur": 0.3},
        "users": {"monthly_active_millions": 0.5},
        "turnover": {"turnover_eur": 4.0, "turnover_low_eur": 4.0, "turnover_high_eur": 4.0},
    }.items():
        frame = getattr(record, name).copy()
        for column, factor in columns.items():
            frame.loc[frame["published_on"] > end, column] *= factor
        frames[name] = frame
    events = record.events
    gone = (events["published_on"] > end) & events["type"].isin(["extended", "search"])
    frames["fines"]["event_id"] = frames["fines"]["event_id"].where(
        ~frames["fines"]["event_id"].isin(events[gone]["event_id"]), ""
    )
    frames["fines"].loc[frames["fines"]["outcome_on"] > end, "outcome"] = "annulled"
    more = {
        "events": [
            event("ec-dsa-x-2023", str(day), "preliminary_findings", "2025-09-01"),  # of the day itself, told later
            event("ec-dsa-x-2023", "2025-08-01", "suspension"),
        ],
    }
    return with_rows(replace(record, **frames, events=events[~gone].reset_index(drop=True)), **more)


def test_what_becomes_public_after_an_origin_changes_no_number_there(middle, compiled, lenient):
    one, two = middle, short(compiled, MIDDLE, record=tampered(load_record(), MIDDLE))
    pd.testing.assert_frame_equal(at(one, MIDDLE), at(two, MIDDLE), check_exact=True)
    last = at(one, BRIEF)["value"].to_numpy(), at(two, BRIEF)["value"].to_numpy()
    assert not np.allclose(*last, equal_nan=True)  # the same changes count once they are public


LATER_DAYS = st.dates(MIDDLE + timedelta(days=1), BRIEF)
OPEN = ["ec-dsa-x-2023", "fr-crim-x-2025", "ec-dsa-tiktok-2024a", "uk-osa-4chan-2025"]
KINDS = ["summons", "extended", "charged", "information_request", "fine", "suspension", "preliminary_findings"]


@st.composite
def later_rows(draw):
    days = st.tuples(st.dates(date(2025, 8, 1), BRIEF), LATER_DAYS).filter(lambda pair: pair[0] <= pair[1])
    told = [
        event(name, str(day), kind, str(published), **({"amount_eur": 1e7} if kind == "fine" else {}))
        for (day, published), name, kind in draw(
            st.lists(st.tuples(days, st.sampled_from(OPEN), st.sampled_from(KINDS)), min_size=1, max_size=5)
        )
    ]
    figures = draw(st.lists(st.tuples(LATER_DAYS, st.floats(0.1, 900)), max_size=3, unique_by=lambda pair: pair[0]))
    users = [
        {"provider_group": "X", "service": "X", "series_id": "x-eu-total", "period_start": "2024-01-01"}
        | {"period_end": f"2024-02-{i + 1:02d}", "monthly_active_millions": n, "published_on": str(day)}
        for i, (day, n) in enumerate(figures)
    ]
    return {"events": told, "users": users}


@given(later_rows())
@settings(max_examples=12, deadline=None)
def test_nothing_public_later_reaches_the_model(later):
    spec, record = load_specification(), load_record()
    wider, more = record.as_of(BRIEF), with_rows(record, **later)
    one = replaying._seen(spec, record, MIDDLE, wider).evidence
    two = replaying._seen(spec, more, MIDDLE, more.as_of(BRIEF)).evidence
    assert one.coords == two.coords
    data = [model_data(e) for e in (one, two)]
    assert list(data[0]) == list(data[1])
    for name, values in data[0].items():
        np.testing.assert_array_equal(values, data[1][name], err_msg=name)
    for name, value in vars(one.observations).items():
        np.testing.assert_array_equal(value, getattr(two.observations, name), err_msg=name)
    assert one.focal == two.focal


# The folder, and the command


def test_the_folder_holds_the_numbers_their_units_and_their_source(small, tmp_path):
    forecast.save_trajectory(small, tmp_path / "out")
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names >= {"trajectory.csv", "events.csv", "trajectory.nc", "trajectory.png", "trajectory.svg", "priors.yaml"}
    table = pd.read_csv(tmp_path / "out/trajectory.csv", keep_default_na=False, na_values=[""])
    assert table["value"].to_numpy() == pytest.approx(small.table["value"].to_numpy(), rel=1e-9, nan_ok=True)
    assert len(pd.read_csv(tmp_path / "out/events.csv")) == len(small.events)
    with xr.open_dataset(tmp_path / "out/trajectory.nc") as data:
        assert data.attrs["priors_fingerprint"] == load_specification().fingerprint
        assert data.attrs["record_fingerprint"] == load_record().as_of(BRIEF).fingerprint
        assert data.attrs["settings_draws"] == 60
        assert data.attrs["version_pymc"]
        assert (data.attrs["start"], data.attrs["end"], data.attrs["every"]) == ("2025-12-20", "2026-02-03", "1M")
        assert data["value"].dims == ("origin_date", "target", "horizon", "statistic")
        assert data["scenario_probability"].dims == ("origin_date", "view", "scenario")
        assert all("units" in data[name].attrs for name in data.data_vars)
        for _, row in small.table.iterrows():
            if row["target"] == "scenario":
                place = {"origin_date": row["origin_date"], "view": row["view"], "scenario": row["scenario"]}
                assert float(data["scenario_probability"].sel(place)) == row["value"]
                continue
            statistic = "mean" if row["statistic"] == "probability" else row["statistic"]
            place = {"origin_date": row["origin_date"], "target": row["target"], "horizon": row["horizon_months"]}
            place["statistic"] = statistic
            assert np.array_equal(float(data["value"].sel(place)), row["value"], equal_nan=True)
            assert str(data["unit"].sel(target=row["target"]).values) == row["unit"]
        before = data["scenario_probability"].sel(view="inside", origin_date="2025-12-20")
        assert before.isnull().all()
    assert forecast.load_record(tmp_path / "out/record") == load_record().as_of(BRIEF)
    assert repr(small) == "<Trajectory of x-eu-2026 from 2025-12-20 to 2026-02-03, every 1M>"
    assert to_dataset(small).identical(to_dataset(small))


def test_a_folder_is_replaced_whole_or_not_at_all(small, tmp_path, monkeypatch):
    target = tmp_path / "out"
    forecast.save_trajectory(small, target)
    (target / "old.txt").write_text("old")

    def full(picture, path, form):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(look, "save_as", full)
        with pytest.raises(InputError, match="cannot be written: No space left on device"):
            forecast.save_trajectory(small, target)
    assert (target / "old.txt").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    forecast.save_trajectory(small, target)
    assert not (target / "old.txt").exists()


def test_what_is_no_trajectory_is_not_replaced(small, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty and holds no trajectory"):
        forecast.save_trajectory(small, tmp_path / "mine")
    (tmp_path / "mine" / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="is or lies in the folder of a forecast"):
        forecast.save_trajectory(small, tmp_path / "mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        forecast.save_trajectory(small, tmp_path / "file")
    with pytest.raises(InputError, match=r"cannot be written: .*file is no folder"):
        forecast.save_trajectory(small, tmp_path / "file" / "out")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "2026-02-03", "--to", "2025-02-03"], "end: 2025-02-03 lies before the start, 2026-02-03"),
        (["--from", "2025-02-03", "--to", "2026-02-03", "--every", "fortnight"], "'fortnight' is no step"),
        (["--from", "2020-01-01", "--to", "2026-02-03"], "start on 2023-12-18 or later"),
        (["--from", "2025-02-03", "--to", "2026-02-03", "--out", "FILE/out"], "cannot be written"),
        (["--from", "2025-02-03"], "--to"),
        (["--from", "2025-02-03", "--to", "2026-02-03", "--priors", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_bad_requests_exit_with_one(arguments, words, tmp_path, capsys, monkeypatch, never_compiled):
    (tmp_path / "file").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert exit_code(["replay", *(a.replace("FILE", str(tmp_path / "file")) for a in arguments)]) == 1
    assert words in " ".join(capsys.readouterr().err.split())
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_command_prints_and_writes(tmp_path, capsys, monkeypatch, compiled):
    monkeypatch.setattr(replaying, "Compiled", lambda evidence: compiled[evidence.inside])
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    assert exit_code(["replay", "--from", "2026-01-03", "--to", "2026-02-03", "--draws", "1000", "--seed", "3"]) == 0
    told = capsys.readouterr()
    printed = " ".join(told.out.split())
    assert "The brief is of 2026-02-03: before it there is only the outside view." in printed
    assert "x-eu-2026, origins 2026-01-03 to 2026-02-03, every 1M" in printed
    assert "2026-02-03 inside 0.400 0.450 0.150" in printed
    assert "Origin 2026-01-03 done, 1 of 2" in told.err
    assert {p.name for p in (tmp_path / "outputs/x-eu-2026/replay-2026-01-03-2026-02-03").iterdir()} >= {
        "trajectory.nc",
        "record",
    }
    (line,) = [one for one in told.out.splitlines() if one.startswith("2026-02-03")]
    assert line.split()[-1] == "6"  # focal events that became public in January and on 3 February


def test_draws_that_do_not_pass_the_gate_exit_with_two(tmp_path, capsys, monkeypatch, compiled):
    monkeypatch.setattr(replaying, "Compiled", lambda evidence: compiled[evidence.inside])
    short_run = ["--draws", "20", "--tune", "50", "--chains", "2", "--out", str(tmp_path / "out")]
    assert exit_code(["replay", "--from", "2026-02-03", "--to", "2026-02-03", *short_run]) == 2
    assert "not converged: origin 2026-02-03" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
