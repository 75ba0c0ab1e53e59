"""Adding to a record: old rows stay as they are, new ones are checked with them, and every mistake is named."""

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from worlds import DEFAULTS, case, event, load_record, world

from forecast.additions import append
from forecast.files import InputError
from forecast.record import load_record as read_record
from forecast.record import save_record
from forecast.record_tables import TABLES

NEW = "case_id,date,published_on,type,amount_eur,scope\n"


@pytest.fixture
def record():
    return world(
        proceedings=[case("a", "2024-01-01"), case("b", "2024-02-01", "2025-02-01")],
        events=[
            event("a", "2024-01-01", "opened", event_id="a-e01"),
            event("a", "2024-05-01", "search", event_id="a-e02"),
            event("a", "2024-09-01", "fine", event_id="a-x", amount_eur=90_000_000),
            event("b", "2024-02-01", "opened", event_id="b-e01"),
            event("b", "2025-02-01", "closed_no_action", event_id="b-e02"),
        ],
    )


def added(tmp_path, record, **texts):
    files = {}
    for name, text in texts.items():
        files[name] = tmp_path / f"new-{name}.csv"
        files[name].write_text(text)
    return append(record, files)


def told(tmp_path, record, **texts):
    with pytest.raises(InputError) as caught:
        added(tmp_path, record, **texts)
    return [str(problem) for problem in caught.value.problems]


def test_new_rows_stand_beside_the_old_ones(record, tmp_path):
    before = record.fingerprint
    more = added(
        tmp_path,
        record,
        events=NEW + "a,2025-03-01,2025-03-02,preliminary_findings,,\nc,2025-04-01,2025-04-01,opened,,\n",
        proceedings=",".join(TABLES["proceedings"].columns) + "\nc,m,P,P,,A,consumer,IT,consumer law,,2025-04-01,,,\n",
    )
    assert record.fingerprint == before
    assert list(more.proceedings["case_id"]) == ["a", "b", "c"]
    assert set(record.events["event_id"]) < set(more.events["event_id"])
    kept = more.events[more.events["event_id"].isin(record.events["event_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, record.events.sort_values(["date", "event_id"]).reset_index(drop=True))
    assert set(more.events["event_id"]) - set(record.events["event_id"]) == {"a-e03", "c-e01"}
    assert more.as_of_date is None
    assert more.complete_until == date(2025, 4, 1)
    save_record(more, tmp_path / "saved")
    assert read_record(tmp_path / "saved") == more


def test_it_equals_a_record_that_held_everything_at_once():
    full = load_record()
    early = full.events["published_on"] < "2025-06-01"
    part = full.as_of(date(2025, 5, 31))
    late = full.events[~full.events["event_id"].isin(part.events["event_id"])]
    assert early.any()
    whole = append(full.as_of(date(2099, 1, 1)), {"events": late.iloc[:0]})
    assert whole == full.as_of(date(2099, 1, 1))


def test_a_correction_names_what_it_replaces(record, tmp_path):
    more = added(
        tmp_path,
        record,
        events="event_id,supersedes," + NEW + "a-fix,a-x,a,2024-09-01,2025-01-10,fine,80000000,\n",
    )
    assert set(more.in_force().events["event_id"]) == set(more.events["event_id"]) - {"a-x"}
    lines = told(tmp_path, record, events="event_id,supersedes," + NEW + "a-fix,a-zz,a,2024-09-01,2025-01-10,fine,1,\n")
    assert lines == ["new-events.csv row 2, column supersedes: 'a-zz' is no event_id of events"]


def test_what_is_there_already_is_refused_however_it_is_written(record, tmp_path):
    text = (
        NEW + "a,2024-05-01,2024-05-03,search,,\na,2024-09-01,2024-09-01,fine,9e7,\na,2024-09-01,2024-09-01,fine,8e7,\n"
    )
    assert told(tmp_path, record, events=text) == [
        "new-events.csv row 2, column case_id: search on 2024-05-01 is there already, as 'a-e02'",
        "new-events.csv row 3, column case_id: fine on 2024-09-01 is there already, as 'a-x'",
    ]


def test_an_id_stands_once(record, tmp_path):
    (line,) = told(tmp_path, record, events="event_id," + NEW + "a-x,a,2025-09-01,2025-09-01,search,,\n")
    assert line == "new-events.csv row 2, column event_id: stands twice: event_id 'a-x'"


def test_every_mistake_is_named_at_once(record, tmp_path):
    lines = told(
        tmp_path,
        record,
        events=NEW + "zz,2025-03-01,2025-03-01,serch,,\na,2025-13-01,2025-03-01,search,,\n",
        proceedings="case_id,provider\na,Q\n",
    )
    text = "\n".join(lines)
    assert "new-proceedings.csv row 2, column provider: 'a' is on record with 'P'" in text
    assert "'zz' is no case_id of proceedings" in text
    assert "did you mean 'search'" in text
    assert "column date: '2025-13-01'" in text


def test_an_unknown_column_is_named(record, tmp_path):
    (line,) = told(tmp_path, record, events=NEW.replace("scope", "scoop") + "a,2025-03-01,2025-03-01,search,,\n")
    assert line == "new-events.csv row 1, column scoop: unknown column (did you mean 'scope'?)"


def test_a_proceeding_is_closed_by_filling_its_day(record, tmp_path):
    closing = NEW + "a,2025-06-01,2025-06-01,closed_no_action,,\n"
    more = added(tmp_path, record, events=closing, proceedings="case_id,closed_on\na,2025-06-01\n")
    assert more.proceedings.set_index("case_id").at["a", "closed_on"] == pd.Timestamp("2025-06-01")
    assert record.proceedings.set_index("case_id")["closed_on"].isna()["a"]
    assert more.as_of("2025-05-31").proceedings.set_index("case_id")["closed_on"].isna()["a"]
    (line,) = told(tmp_path, record, proceedings="case_id,closed_on\nb,2025-03-01\n")
    assert "'b' is on record with '2025-02-01': only an empty closed_on can be filled" in line
    lines = told(tmp_path, record, proceedings="case_id,closed_on\na,2024-03-01\n")
    assert len(lines) == 2
    assert all("lies after closed_on 2024-03-01 of its proceeding" in line for line in lines)


def test_a_missing_file_and_an_unknown_table_are_named(record, tmp_path):
    with pytest.raises(InputError) as caught:
        append(record, {"events": tmp_path / "none.csv", "event": tmp_path / "none.csv"})
    text = str(caught.value)
    assert "none.csv: is no file; rows of events were expected" in text
    assert "event: is no table; one of proceedings, events" in text


def test_frames_may_be_added_too(record):
    more = append(record, {"events": pd.DataFrame([event("a", "2025-07-01", "summons")])})
    assert more.events["type"].tolist().count("summons") == 1


def observed(record):
    days = record.proceedings["observed_until"].dt.strftime("%Y-%m-%d")
    return dict(zip(record.proceedings["case_id"], days, strict=True))


@pytest.fixture
def two():
    """Two open proceedings, complete until the publication of the last event, 2024-06-01; b is looked at no longer."""
    record = world(
        proceedings=[case("a", "2024-01-01"), case("b", "2024-01-01"), case("z", "2024-01-01", "2024-06-01")],
        events=[
            event("a", "2024-01-01", "opened"),
            event("b", "2024-01-01", "opened"),
            event("z", "2024-01-01", "opened"),
            event("z", "2024-06-01", "withdrawn"),
        ],
    )
    earlier = record.proceedings["observed_until"].mask(
        record.proceedings["case_id"] == "b", pd.Timestamp("2024-03-01")
    )
    return replace(record, proceedings=record.proceedings.assign(observed_until=earlier))


def test_an_event_moves_what_was_looked_at_in_its_own_proceeding_alone(two, tmp_path):
    assert observed(two) == {"a": "2024-06-01", "b": "2024-03-01", "z": "2024-06-01"}
    for row, until, expected in (
        ("b,2024-05-01,2024-07-15,search,,", date(2024, 7, 15), {"a": "2024-06-01", "b": "2024-05-01"}),
        ("b,2024-02-01,2024-02-01,search,,", date(2024, 6, 1), {"a": "2024-06-01", "b": "2024-03-01"}),
        ("a,2024-08-01,2024-08-01,search,,", date(2024, 8, 1), {"a": "2024-08-01", "b": "2024-03-01"}),
        ("z,2024-08-01,2024-08-02,appeal_filed,,", date(2024, 8, 2), {"a": "2024-06-01", "b": "2024-03-01"}),
    ):
        more = added(tmp_path, two, events=NEW + row + "\n")
        assert more.complete_until == until
        assert observed(more) == expected | {"z": str(until)}
        save_record(more, tmp_path / "saved")
        assert read_record(tmp_path / "saved") == more


def test_a_row_says_that_a_proceeding_was_looked_at_again(two, tmp_path):
    more = added(tmp_path, two, proceedings="case_id,observed_until\nb,2024-09-01\n")
    assert more.complete_until == date(2024, 9, 1)
    assert observed(more) == {"a": "2024-06-01", "b": "2024-09-01", "z": "2024-09-01"}
    with_event = added(
        tmp_path,
        two,
        proceedings="case_id,observed_until\nb,2024-09-01\n",
        events=NEW + "b,2024-08-01,2024-08-01,search,,\n",
    )
    assert observed(with_event)["b"] == "2024-09-01"


def test_all_open_proceedings_were_looked_at_where_that_is_said(two, tmp_path):
    files = {"proceedings": tmp_path / "p.csv"}
    files["proceedings"].write_text("case_id,observed_until\nb,2024-08-01\n")
    for given, day, b in (({}, "2024-10-01", "2024-10-01"), (files, date(2024, 10, 1), "2024-08-01")):
        more = append(two, given, day)
        assert more.complete_until == date(2024, 10, 1)
        assert observed(more) == {"a": "2024-10-01", "b": b, "z": "2024-10-01"}
    assert append(two, {}, two.complete_until).complete_until == two.complete_until
    assert observed(append(two, {})) == observed(two)


def test_days_that_do_not_fit_are_named(two, tmp_path):
    assert told(tmp_path, two, proceedings="case_id,observed_until\na,2024-05-31\n") == [
        "new-proceedings.csv row 2, column observed_until: 'a' is on record with '2024-06-01': only a later "
        "observed_until can be given"
    ]
    assert told(tmp_path, two, proceedings="case_id,observed_until\nb,soon\n") == [
        "new-proceedings.csv row 2, column observed_until: 'soon' is not a day from 1990-01-01 to 2099-12-31, written "
        "YYYY-MM-DD"
    ]
    (line,) = told(
        tmp_path,
        two,
        proceedings="case_id,observed_until\na,2024-07-01\n",
        events=NEW + "a,2024-08-01,2024-08-01,search,,\n",
    )
    assert "row 2, column observed_until: observed_until 2024-07-01 lies before an event of the proceeding" in line
    rows = pd.DataFrame([event("a", "2024-08-01", "search")])
    for day, words in (
        ("2024-05-01", "complete_until: 2024-05-01 lies before 2024-06-01, to which the record is complete already"),
        ("2024-07-01", "complete_until: 2024-07-01 lies before the last published event, 'a-e01' of 2024-08-01"),
        ("2024-02-30", "is not a day of the calendar"),
    ):
        with pytest.raises(InputError, match=words):
            append(two, {"events": rows}, day)


def test_a_new_proceeding_was_looked_at_until_its_last_event(two):
    rows = {
        "proceedings": pd.DataFrame([case("c", "2024-02-01") | DEFAULTS["proceedings"]]),
        "events": pd.DataFrame([event("c", "2024-02-01", "opened"), event("c", "2024-04-01", "search")]),
    }
    assert observed(append(two, rows))["c"] == "2024-04-01"
    assert observed(append(two, rows, "2024-07-01"))["c"] == "2024-07-01"
