"""What a record refuses, and the place and the words with which it says so."""

import csv

import numpy as np
import pandas as pd
import pytest

from forecast.files import InputError
from forecast.record import load_record, save_record, validate_record
from forecast.record_checks import cell_text

TINY = {
    "proceedings": """
case_id,matter_id,provider,provider_group,service,authority,authority_class,jurisdiction,instrument,subject,opened_on,closed_on,observed_until,source_url
c1,m1,A,A,a,Court,criminal,FR,criminal,,2024-01-10,2024-12-20,,
c2,m1,A,A,a,Commission,commission_dsa,EU,DSA,"two
lines",2024-03-01,,2024-06-30,
""",
    "events": """
event_id,case_id,date,published_on,type,scope,amount_eur,detail,source_url,source2_url,confidence,supersedes
e1,c1,2024-01-10,2024-02-01,opened,,,,,,high,
e2,c1,2024-05-01,2024-05-01,interim_measures,specific,,,,,low,
e3,c1,2024-12-20,2024-12-23,fine,,5e6,,,,,
e4,c2,2024-02-01,2024-02-01,information_request,,,,,,,
e5,c2,2024-03-01,2024-03-01,opened,,,,,,,e4
""",
    "fines": """
decision_id,event_id,decided_on,published_on,company_group,service,authority,jurisdiction,instrument,amount_eur,amount_original,currency,legal_cap_fraction,turnover_eur,turnover_year,opened_on,outcome,outcome_on,amount_after_eur,source_url,turnover_source_url,confidence
d1,e3,2024-12-20,2024-12-23,A,a,Court,FR,criminal,5000000,,EUR,0.04,1e9,2023,2024-01-10,reduced,2025-11-02,1000000,,,
d2,,2023-05-05,2023-05-05,B,b,DPA,FR,GDPR,7,,EUR,,,,,final,,7,,,
""",
    "users": """
provider_group,service,scope,series_id,period_start,period_end,monthly_active_millions,published_on,definition,source_url,confidence
A,a,EU,s,2023-01-01,2023-06-30,10.5,2023-08-17,,,
A,a,EU,s,2023-07-01,2023-12-31,11,2024-02-17,,,
""",
    "turnover": """
company_group,year,turnover_eur,turnover_low_eur,turnover_high_eur,published_on,source_url,confidence
A,2022,900,800,1000,2023-04-30,,
A,2023,1000,1000,1000,2024-04-30,,
""",
    "caps": "\ninstrument,jurisdiction,legal_cap_fraction,note\nDSA,EU,0.06,\ncriminal,FR,,\n",
    "valuations": """
kind,company_group,date,published_on,value_usd_bn,change_fraction,window,n,what,source_url,confidence
event_study,some,2023-01-01,2023-01-02,,-0.01,one day,20,,,
""",
}


@pytest.fixture
def tiny(tmp_path):
    for name, text in TINY.items():
        (tmp_path / f"{name}.csv").write_text(text.lstrip("\n"), encoding="utf-8")
    return tmp_path


def edit(folder, table, row, column, value):
    """Set one cell; ``row`` counts from the header, which is 1 (no tiny cell before it spans lines)."""
    path = folder / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    rows[row - 1][rows[0].index(column)] = value
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def problems_of(folder):
    with pytest.raises(InputError) as caught:
        load_record(folder)
    return [(problem.where, problem.what) for problem in caught.value.problems]


CELLS = [
    ("events", 3, "case_id", "c11", "'c11' is no case_id of proceedings (did you mean 'c1'?)"),
    ("fines", 2, "event_id", "e33", "'e33' is no event_id of events (did you mean 'e3'?)"),
    ("events", 2, "supersedes", "e9", "'e9' is no event_id of events"),
    ("events", 2, "supersedes", "e1", "is the event itself"),
    ("events", 4, "type", "fin", "(did you mean 'fine'?)"),
    ("events", 3, "scope", "specfic", "(did you mean 'specific'?)"),
    ("events", 3, "scope", "", "must not be empty on an event of type 'interim_measures'"),
    ("events", 2, "scope", "person", "'person' stands on an event of type 'opened'"),
    ("events", 2, "amount_eur", "5", "'5' stands on an event of type 'opened'"),
    ("proceedings", 2, "authority_class", "criminals", "(did you mean 'criminal'?)"),
    ("fines", 2, "outcome", "lost", "'lost' is not one of upheld, reduced"),
    ("caps", 2, "legal_cap_fraction", "0", "'0' is not a fraction above 0 and at most 1"),
    ("fines", 2, "legal_cap_fraction", "4", "'4' is not a fraction above 0 and at most 1"),
    ("events", 2, "date", "2026-02-30", "'2026-02-30' is not a day"),
    ("events", 2, "date", "10/01/2024", "written YYYY-MM-DD"),
    ("users", 2, "period_end", "2023-6-30", "written YYYY-MM-DD"),
    ("turnover", 2, "published_on", "1989-12-31", "from 1990-01-01"),
    ("events", 3, "date", "2023-12-31", "lies before opened_on 2024-01-10"),
    ("events", 2, "published_on", "2024-01-09", "lies before date 2024-01-10"),
    ("proceedings", 2, "closed_on", "2024-01-09", "lies before opened_on 2024-01-10"),
    (
        "proceedings",
        3,
        "observed_until",
        "2024-02-29",
        "2024-02-29 lies before an event of the proceeding, on 2024-03-01",
    ),
    ("proceedings", 3, "observed_until", "2024-12-24", "2024-12-24 lies after complete_until 2024-12-23 of the record"),
    ("proceedings", 3, "observed_until", "2024-13-24", "'2024-13-24' is not a day"),
    ("proceedings", 3, "observed_until", "later", "written YYYY-MM-DD"),
    ("events", 6, "type", "formal_opning", "(did you mean 'formal_opening'?)"),
    ("fines", 3, "published_on", "2023-05-04", "lies before decided_on 2023-05-05"),
    ("fines", 3, "outcome_on", "2023-05-04", "lies before decided_on 2023-05-05"),
    ("users", 3, "published_on", "2023-06-30", "lies before period_start 2023-07-01"),
    ("fines", 3, "amount_eur", "-7", "'-7' is not a finite number, 0 or more"),
    ("events", 4, "amount_eur", "inf", "'inf' is not a finite number"),
    ("events", 4, "amount_eur", "1e999", "'1e999' is not a finite number"),
    ("events", 4, "amount_eur", "nan", "'nan' is not a finite number"),
    ("events", 4, "amount_eur", "NA", "'NA' is not a finite number"),
    ("events", 4, "amount_eur", "5 m", "'5 m' is not a finite number"),
    ("turnover", 2, "year", "2022.5", "whole year"),
    ("turnover", 2, "turnover_eur", "1001", "1001 lies outside its range, 800 to 1000"),
    ("turnover", 2, "turnover_eur", "799", "799 lies outside its range, 800 to 1000"),
    ("proceedings", 3, "case_id", "c1", "stands twice: case_id 'c1'"),
    ("fines", 3, "decision_id", "d1", "stands twice: decision_id 'd1'"),
    ("turnover", 3, "year", "2022", "stands twice: company_group 'A', year '2022'"),
    ("proceedings", 2, "provider_group", " ", "must not be empty"),
    ("proceedings", 2, "opened_on", "", "must not be empty; a day"),
    ("events", 2, "event_id", "", "must not be empty"),
    ("events", 2, "type", "", "must not be empty; one of"),
    ("events", 2, "type", "{event_id.__class__}", "'{event_id.__class__}' is not one of"),
]


@pytest.mark.parametrize("case", CELLS, ids=lambda case: f"{case[0]}-{case[2]}-{case[3]}")
def test_a_bad_cell_is_named_with_its_place(tiny, case):
    table, row, column, value, message = case
    edit(tiny, table, row, column, value)
    found = [what for where, what in problems_of(tiny) if where.startswith(f"{table}.csv row {row}, column ")]
    assert any(message in what for what in found), problems_of(tiny)


def test_an_event_after_the_closing_is_refused_unless_it_may_follow(tiny):
    edit(tiny, "events", 4, "date", "2024-12-21")
    [(where, what)] = problems_of(tiny)
    assert where == "events.csv row 4, column date"
    assert what.startswith("fine on 2024-12-21 lies after closed_on 2024-12-20 of its proceeding; only appeal_filed")
    edit(tiny, "events", 4, "type", "lifted")
    edit(tiny, "events", 4, "amount_eur", "")
    assert load_record(tiny).events["type"].eq("lifted").any()


def test_an_action_plan_may_follow_the_closing_and_no_opening_comes_before_the_first_day(tiny):
    edit(tiny, "events", 4, "date", "2024-12-21")
    edit(tiny, "events", 4, "amount_eur", "")
    edit(tiny, "events", 4, "type", "action_plan_accepted")
    assert load_record(tiny).events["type"].eq("action_plan_accepted").any()
    edit(tiny, "events", 5, "type", "formal_opening")
    [(where, what)] = problems_of(tiny)
    assert where == "events.csv row 5, column date"
    assert what.startswith("formal_opening on 2024-02-01 lies before opened_on 2024-03-01 of its proceeding")


def test_rows_are_lines_of_the_file_and_all_files_report_together(tiny):
    with (tiny / "proceedings.csv").open("a", encoding="utf-8") as stream:
        stream.write("\nc3,,A,A,a,Court,criminal,FR,criminal,,2024-01-10,,,\nc4,short\n")
    edit(tiny, "users", 3, "series_id", "")
    (tiny / "turnover.csv").write_bytes(b"company_group,year\nCaf\xe9,2022\n")
    (tiny / "caps.csv").write_text("instrumnt,jurisdiction,legal_cap_fraction,note\n", encoding="utf-8")
    found = problems_of(tiny)
    assert [where for where, _ in found] == [
        "proceedings.csv row 7",
        "proceedings.csv row 6, column matter_id",
        "users.csv row 3, column series_id",
        "turnover.csv row 2",
        "caps.csv row 1, column instrumnt",
        "caps.csv row 1, column instrument",
    ]
    messages = dict(found)
    assert messages["proceedings.csv row 7"] == "2 fields where the header has 14"
    assert messages["turnover.csv row 2"].startswith("is not UTF-8 text: byte 0xe9 at offset 22")
    assert messages["caps.csv row 1, column instrumnt"] == "unknown column (did you mean 'instrument'?)"
    assert messages["caps.csv row 1, column instrument"] == "the column is missing"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("events.csv", b"", "is empty"),
        ("users.csv", b"\xef\xbb\xbf\n", "is empty"),
        ("events.csv", TINY["events"].split("\n")[1].encode(), "has a header but no rows"),
        ("evnets.csv", b"a\n1\n", "is no table of a record (did you mean 'events.csv'?)"),
        ("Users.parquet", b"", "(did you mean 'users.parquet'?)"),
        ("users.parquet", b"", "users.csv is there too"),
        ("moderation.parquet", b"PAR1", "is not a Parquet file that can be read"),
        ("caps.csv", b"note,note\n1,2\n", "the column stands twice"),
        ("caps.csv", b'note\n"open', "cannot be read as CSV"),
        ("caps.csv", "note\n".encode("utf-16"), "is not UTF-8 text: byte 0xff at offset 0"),
    ],
)
def test_a_bad_file_is_named(tiny, name, content, message):
    (tiny / name).write_bytes(content)
    assert any(where.startswith(name) and message in what for where, what in problems_of(tiny))


def test_missing_tables_and_folders_are_named(tiny):
    (tiny / "caps.csv").unlink()
    assert load_record(tiny).caps.dtypes["legal_cap_fraction"] == "float64"
    (tiny / "events.csv").unlink()
    assert problems_of(tiny) == [("events.csv", "neither it nor events.parquet is in the folder")]
    assert "is not a folder" in problems_of(tiny / "nowhere")[0][1]


def test_texts_are_kept_as_they_stand_and_nothing_is_run(tiny):
    before = load_record(tiny)
    for row, value in enumerate(("NA", "null", "=1+cmd|' /C calc'!A0", 'a "b",\r\nc', "{0.__class__}"), start=2):
        edit(tiny, "events", row, "detail", value)
    odd = load_record(tiny)
    assert set(odd.events["detail"]) == {"NA", "null", "=1+cmd|' /C calc'!A0", 'a "b",\r\nc', "{0.__class__}"}
    assert odd != before
    save_record(odd, tiny / "out")
    assert load_record(tiny / "out") == odd


def test_byte_order_mark_line_ends_and_row_order_change_nothing(tiny):
    before = load_record(tiny)
    header, *rows = TINY["events"].strip().split("\n")
    shuffled = "\r\n".join([header, *rows[::-1], ""]).replace("5e6", "5000000.0")
    (tiny / "events.csv").write_bytes(b"\xef\xbb\xbf" + shuffled.encode())
    assert load_record(tiny) == before
    pd.testing.assert_frame_equal(load_record(tiny).events, before.events)


def test_parquet_rows_are_counted_from_one(tiny):
    frame = load_record(tiny).events.assign(amount_eur=[np.nan, np.nan, np.nan, np.nan, np.inf])
    (tiny / "events.csv").unlink()
    frame.to_parquet(tiny / "events.parquet")
    assert problems_of(tiny)[0] == (
        "events.parquet row 5, column amount_eur",
        "'inf' is not a finite number, 0 or more",
    )


def test_a_record_in_memory_is_checked_like_a_folder(tiny):
    record = load_record(tiny)
    validate_record(record)
    record.events.loc[4, "published_on"] = pd.Timestamp("2020-01-01")
    with pytest.raises(InputError, match="events row 5, column published_on: published_on 2020-01-01 lies before"):
        validate_record(record)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.2e9, "1200000000"), (0.06, "0.06"), (-0.57, "-0.57"), (1e300, "1e+300"), (None, ""), (np.nan, "")],
)
def test_numbers_have_one_text(value, text):
    assert cell_text(value) == text
