"""The record: what it holds, what it refuses and where, and what of it was public on a day."""

import csv
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.files import InputError
from forecast.record import APPEAL_DEADLINE_DAYS, Record, load_record, save_record, validate_record

DATA = Path(forecast.__file__).parent / "data"
TABLES = ["proceedings", "events", "fines", "users", "valuations", "moderation", "turnover", "caps"]
TABLES += ["designated_services"]
QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]
DAYS = pd.date_range("2014-06-01", "2026-10-06", freq="199D").strftime("%Y-%m-%d").tolist()
DAYS += ["2024-08-25", "2024-08-26", "2025-02-07", "2025-12-05", "2026-01-20", "2026-02-03"]
DAYS += ["2026-05-07", "2026-07-15", "2026-10-05", "2026-10-06"]


@pytest.fixture(scope="module")
def record():
    return load_record()


def frames_equal(one: Record, other: Record):
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def test_packaged_record_has_the_documented_size(record):
    sizes = {"proceedings": 158, "events": 364, "fines": 143, "users": 125, "valuations": 49, "moderation": 20}
    sizes |= {"turnover": 134, "caps": 21, "designated_services": 26}
    assert {name: len(getattr(record, name)) for name in TABLES} == sizes
    assert record.proceedings["matter_id"].nunique() == 110
    assert record.proceedings["closed_on"].isna().sum() == 95
    dtypes = {str(kind) for name in TABLES for kind in getattr(record, name).dtypes}
    assert dtypes == {"str", "float64", "datetime64[us]"}
    assert not any(getattr(record, name).select_dtypes("str").isna().any(axis=None) for name in TABLES)
    assert "110 matters, 158 proceedings (95 open, 63 closed), 364 events from 2014-11-15 to 2026-10-06" in str(record)
    assert record.fingerprint[:12] in repr(record)


@pytest.mark.parametrize(
    ("instruments", "n", "expected"),
    [
        (["GDPR", "UK GDPR"], 26, [0.0012, 0.0044, 0.0262, 0.0727, 0.2557]),
        (["ePrivacy"], 9, [0.0026, 0.0070, 0.0346, 0.0469, 0.1517]),
        (["EU antitrust"], 7, [0.0547, 0.0776, 0.129, 0.306, 0.404]),
        (None, 69, [0.0007, 0.0043, 0.0156, 0.0639, 0.3076]),
    ],
)
def test_fines_as_share_of_their_ceiling(record, instruments, n, expected):
    fines = record.fines[record.fines["amount_eur"] >= 1e6]
    fines = fines[fines["instrument"].isin(instruments)] if instruments else fines
    share = (fines["amount_eur"] / fines["legal_cap_fraction"] / fines["turnover_eur"]).dropna()
    assert len(share) == n
    assert np.allclose(share.quantile(QUANTILES), expected, atol=6e-4 if n in (7, 69) else 6e-5)


def test_durations_appeals_and_user_changes(record):
    fines = record.fines[record.fines["amount_eur"] >= 1e6]
    years = ((fines["decided_on"] - fines["opened_on"]).dt.days / 365.25).dropna()
    assert len(years) == 94
    assert np.allclose(years.quantile(QUANTILES), [0.58, 1.02, 2.02, 3.23, 5.69], atol=0.006)
    counts = record.fines["outcome"].value_counts()
    assert [counts[o] for o in ("upheld", "reduced", "annulled", "under_appeal")] == [13, 5, 6, 33]
    ruled = record.fines[record.fines["outcome"].isin(["upheld", "reduced", "annulled"])]
    kept = ruled["amount_after_eur"] / ruled["amount_eur"]
    assert kept.fillna(0).mean() == pytest.approx(0.606, abs=0.005)  # one upheld amount is not recorded
    users = record.users[~record.users["series_id"].str.contains("double-counted")]
    users = users.sort_values(["series_id", "period_end"])
    halves = users.groupby("series_id")["period_end"].diff().dt.days / 182.625
    change = (np.log(users["monthly_active_millions"]).groupby(users["series_id"]).diff() / halves).dropna()
    assert len(change) == 47
    assert np.allclose(change.quantile(QUANTILES), [-0.129, 0.0, 0.019, 0.059, 0.1127], atol=6e-4)


@cache
def plain_rows(name):
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def known_by(day):
    """Return the known cases with their public closing, by loops over the plain text of the files."""
    closings = {}
    events = plain_rows("events")
    for case in plain_rows("proceedings"):
        mine = [event for event in events if event["case_id"] == case["case_id"]]
        if not any(e["date"] >= case["opened_on"] and e["published_on"] <= day for e in mine):
            continue
        last = [e["published_on"] for e in mine if e["date"] == case["closed_on"] and e["type"] != "opened"]
        closed = case["closed_on"] and case["closed_on"] <= day and (not last or min(last) <= day)
        closings[case["case_id"]] = case["closed_on"] if closed else ""
    return closings


@pytest.mark.parametrize("day", DAYS)
def test_as_of_shows_what_was_public_and_nothing_else(record, day):
    cut, expected = record.as_of(day), known_by(day)
    closed = cut.proceedings["closed_on"].dt.strftime("%Y-%m-%d").fillna("")
    assert dict(zip(cut.proceedings["case_id"], closed, strict=True)) == expected
    shown = [e["event_id"] for e in plain_rows("events") if e["published_on"] <= day and e["case_id"] in expected]
    assert sorted(cut.events["event_id"]) == sorted(shown)
    for name in set(TABLES) - {"caps"}:
        days = getattr(cut, name).select_dtypes("datetime64[us]")
        assert not (days > pd.Timestamp(day)).any(axis=None), name
    for name in ("fines", "users", "valuations", "moderation", "turnover"):
        assert len(getattr(cut, name)) == sum(row["published_on"] <= day for row in plain_rows(name))
    assert set(cut.fines["event_id"]) <= {"", *cut.events["event_id"]}
    assert cut.caps is record.caps


@pytest.mark.parametrize("day", DAYS[::3])
def test_outcomes_of_fines_as_of_a_day(record, day):
    cut = record.as_of(day).fines.set_index("decision_id")
    for row in plain_rows("fines"):
        if row["published_on"] > day:
            continue
        outcome, days = row["outcome"], date.fromisoformat(day) - date.fromisoformat(row["published_on"])
        if row["outcome_on"] > day:
            outcome = "under_appeal"
        elif not row["outcome_on"] and row["outcome"] in ("upheld", "reduced", "annulled"):
            outcome = "unknown"
        if (not row["outcome_on"] or row["outcome_on"] > day) and days <= timedelta(APPEAL_DEADLINE_DAYS):
            outcome = "unknown"
        seen = cut.loc[row["decision_id"]]
        assert seen["outcome"] == outcome
        if outcome == row["outcome"] and row["amount_after_eur"] and outcome != "unknown":
            assert seen["amount_after_eur"] == float(row["amount_after_eur"])
        else:
            assert np.isnan(seen["amount_after_eur"]) or row["outcome"] == outcome == "unknown"


@pytest.mark.parametrize(
    ("case", "hidden_on", "shown_on"),
    [
        ("fr-crim-telegram-2024", "2024-08-25", "2024-08-26"),
        ("fr-crim-x-2025", "2025-02-06", "2025-02-07"),
        ("ec-dsa-x-grok-2026", "2026-01-20", "2026-01-26"),
    ],
)
def test_a_case_stays_hidden_until_it_is_public(record, case, hidden_on, shown_on):
    for day, visible in ((hidden_on, False), (shown_on, True)):
        cut = record.as_of(day)
        assert (case in set(cut.proceedings["case_id"])) == visible == (case in set(cut.events["case_id"]))


@pytest.mark.parametrize("day", ["2020-01-01", "2024-08-25", "2025-12-31"])
def test_rows_published_later_change_nothing(record, day):
    past = {
        name: frame[frame["published_on"] <= day]
        for name in TABLES
        if "published_on" in (frame := getattr(record, name))
    }
    assert replace(record, **past).as_of(day).fingerprint == record.as_of(day).fingerprint
    later = record.events.tail(1).assign(event_id="new", case_id=record.as_of(day).proceedings["case_id"].iat[0])
    grown = replace(record, events=pd.concat([record.events, later], ignore_index=True))
    assert grown != record
    assert grown.as_of(day) == record.as_of(day)


def test_closings_without_and_with_a_late_event(record):
    case = record.proceedings["case_id"] == "fr-crim-telegram-2024"
    closed = record.proceedings["closed_on"].mask(case, pd.Timestamp("2025-11-10"))
    ended = replace(record, proceedings=record.proceedings.assign(closed_on=closed))
    late = (record.events["case_id"] == "fr-crim-telegram-2024") & (record.events["type"] == "lifted")
    published = record.events["published_on"].mask(late, record.events["published_on"] + pd.Timedelta(days=9))
    secret = replace(ended, events=record.events.assign(published_on=published))
    silent = replace(ended, events=record.events[record.events["date"] != "2025-11-10"])
    for changed, first in ((ended, "2025-11-10"), (secret, "2025-11-19"), (silent, "2025-11-10")):
        for day in pd.date_range("2025-11-08", "2025-11-21"):
            known = changed.as_of(day).proceedings.set_index("case_id")["closed_on"]
            assert pd.notna(known["fr-crim-telegram-2024"]) == (day >= pd.Timestamp(first))


def test_services_end_when_their_end_has_come(record):
    for day, ended in (("2025-05-26", 0), ("2025-05-27", 1)):
        assert record.as_of(day).designated_services["ended_on"].notna().sum() == ended
    assert len(record.as_of("2023-12-19").designated_services) < 26


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2024-08-26", "2025-02-07"),
        ("2021-03-01", "2026-07-15"),
        ("2026-07-01", "2026-09-20"),
        ("2026-10-01", "2027-01-01"),
    ],
)
def test_cuts_compose_to_the_earlier_day(record, one, other):
    for first, second in ((one, other), (other, one), (one, one)):
        twice = record.as_of(first).as_of(second)
        assert twice.as_of_date == date.fromisoformat(one)
        assert twice.complete_until == date.fromisoformat(one)
        assert twice == record.as_of(one)
        frames_equal(twice, record.as_of(one))


def test_a_day_has_many_forms_and_nonsense_is_refused(record):
    day = date(2025, 2, 7)
    for form in ("2025-02-07", datetime(2025, 2, 7, 23, 59), pd.Timestamp(day)):
        assert record.as_of(form).as_of_date == day
        assert type(record.as_of(form).as_of_date) is date
    nothing = record.as_of("2000-01-01")
    assert nothing.proceedings.empty
    assert nothing.as_of("1999-01-01") == record.as_of("1999-01-01") != nothing
    validate_record(nothing)
    assert "0 proceedings" in repr(nothing)
    for form in ("2025-02-30", "20250207", "2025-W06-2", "tomorrow", "", None, pd.NaT, 20250207):
        with pytest.raises(InputError, match="is not a day"):
            record.as_of(form)


@pytest.mark.parametrize(
    "day", [None, "2016-06-08", "2019-09-12", "2024-08-26", "2025-07-08", "2026-01-20", "2026-08-05"]
)
def test_saved_and_loaded_records_are_equal(record, tmp_path, day):
    kept = record.as_of(day) if day else record
    save_record(kept, tmp_path / "record")
    again = load_record(tmp_path / "record")
    assert again == kept
    assert again.fingerprint == kept.fingerprint
    assert again.complete_until == kept.complete_until
    assert again.title == kept.title != ""
    frames_equal(again, kept)


def test_order_of_rows_and_format_of_files_change_nothing(record, tmp_path):
    for name in TABLES:
        getattr(record, name)[::-1].to_parquet(tmp_path / f"{name}.parquet")
    frames_equal(load_record(tmp_path), record)
    shuffled = replace(record, events=record.events.sample(frac=1, random_state=1))
    assert shuffled == record
    assert hash(shuffled) == hash(record)
    assert replace(record, events=record.events[1:]) != record
    assert record != "record"


def test_save_replaces_a_record_but_nothing_else(record, tmp_path):
    folder = tmp_path / "record"
    shutil.copytree(DATA, folder)
    save_record(record.as_of("2020-01-01"), folder)
    assert load_record(folder) == record.as_of("2020-01-01")
    (folder / "thesis.txt").write_text("mine", encoding="utf-8")
    for target, message in ((folder, r"holds 'thesis.txt'"), (folder / "thesis.txt", "is a file")):
        with pytest.raises(InputError, match=message):
            save_record(record, target)
    with pytest.raises(InputError, match="without proceedings"):
        save_record(record.as_of("2000-01-01"), tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["record"]


def test_loading_a_valid_record_imports_no_heavy_library():
    code = "import sys, forecast.record as r; r.load_record(); print({*sys.modules} & {'pymc', 'pandera'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
