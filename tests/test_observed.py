"""To which day a record is complete, and to which day each proceeding was looked at: defaults, cuts, files, errors."""

import csv
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from forecast.courses import course
from test_record_checks import edit, problems_of, tiny
from worlds import case, event, world

import forecast
from forecast.record import Record, load_record, save_record, validate_record

__all__ = ["tiny"]

DATA = Path(forecast.__file__).parent / "data"


def observed(record: Record) -> dict[str, str]:
    """Return ``observed_until`` of each proceeding as text."""
    days = record.proceedings["observed_until"].dt.strftime("%Y-%m-%d")
    return dict(zip(record.proceedings["case_id"], days, strict=True))


def plain(name: str) -> list[dict]:
    with (DATA / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def about(folder: Path, text: str) -> None:
    (folder / "about.yaml").write_text(text, encoding="utf-8")


def test_the_packaged_record_is_canonical_text():
    record, cases = load_record(), plain("proceedings.csv")
    assert record.complete_until == date(2026, 10, 6)
    assert str(record.complete_until) == max(e["published_on"] for e in plain("events.csv"))
    assert "2014 to October 2026" in record.title
    assert observed(record) == {c["case_id"]: c["observed_until"] or "2026-10-06" for c in cases}
    assert {c["observed_until"] for c in cases if c["closed_on"]} == {""}
    assert observed(record)["fr-crim-x-2025"] == "2026-06-25"
    assert observed(record)["ie-gdpr-x-2026"] == "2026-10-02"


def test_saving_the_packaged_record_changes_no_table(tmp_path):
    save_record(load_record(), tmp_path / "record")
    for path in DATA.glob("*.csv"):
        assert (tmp_path / "record" / path.name).read_bytes() == path.read_bytes()
    said = [line for line in (DATA / "about.yaml").read_text().splitlines() if not line.startswith("#")]
    assert (tmp_path / "record/about.yaml").read_text().splitlines() == said


@pytest.mark.parametrize("day", ["2025-12-31", "2026-06-24", "2026-07-15", "2026-09-20", "2026-10-06", "2027-03-01"])
def test_a_cut_cuts_what_was_looked_at(day):
    """By loops over the plain file: the earlier of the two days; a closing that is not public yet is no closing."""
    record, cut = load_record(), load_record().as_of(day)
    assert cut.complete_until == min(date.fromisoformat(day), record.complete_until)
    for row in plain("proceedings.csv"):
        if row["case_id"] in observed(cut):
            given = row["observed_until"] or "2026-10-06"
            assert observed(cut)[row["case_id"]] == min(given, day)
    again = cut.as_of("2026-08-01")
    assert again == record.as_of(min(day, "2026-08-01"))


def test_without_about_the_last_publication_is_the_end(tiny):
    record = load_record(tiny)
    assert record.complete_until == date(2024, 12, 23)
    assert record.title == ""
    assert observed(record) == {"c1": "2024-12-23", "c2": "2024-06-30"}
    edit(tiny, "proceedings", 3, "observed_until", "")
    assert observed(load_record(tiny))["c2"] == "2024-12-23"


def test_a_table_without_the_column_is_complete_to_the_end(tiny):
    cells = pd.read_csv(tiny / "proceedings.csv", dtype=str, keep_default_na=False)
    cells.drop(columns="observed_until").to_csv(tiny / "proceedings.csv", index=False)
    about(tiny, "complete_until: 2025-03-01\n")
    assert set(observed(load_record(tiny)).values()) == {"2025-03-01"}


def test_of_a_closed_proceeding_it_says_nothing(tiny):
    before = load_record(tiny)
    edit(tiny, "proceedings", 2, "observed_until", "2024-12-21")
    assert load_record(tiny) == before


def test_the_fingerprint_depends_on_both_days_and_not_on_the_title(tiny):
    plain_record = load_record(tiny)
    about(tiny, "title: Mine\ncomplete_until: 2024-12-23\n")
    assert load_record(tiny) == plain_record
    assert load_record(tiny).title == "Mine"
    about(tiny, "complete_until: 2024-12-24\n")
    assert load_record(tiny) != plain_record
    (tiny / "about.yaml").unlink()
    edit(tiny, "proceedings", 3, "observed_until", "2024-07-01")
    assert load_record(tiny) != plain_record


def test_files_in_any_form_give_both_days_back(tiny, tmp_path):
    about(tiny, "title: 'Fälle: \"alle\"'\ncomplete_until: 2025-01-31\n")
    record = load_record(tiny)
    save_record(record, tmp_path / "saved")
    again = load_record(tmp_path / "saved")
    assert again == record
    assert again.title == 'Fälle: "alle"'
    shutil.copytree(tmp_path / "saved", tmp_path / "parquet")
    (tmp_path / "parquet/proceedings.csv").unlink()
    record.proceedings.to_parquet(tmp_path / "parquet/proceedings.parquet")
    assert load_record(tmp_path / "parquet") == record


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("complete_untl: 2025-01-01\n", "about.yaml line 1, complete_untl", "(did you mean 'complete_until'?)"),
        ("\ncomplete_until: soon\n", "about.yaml line 2, complete_until", "expected a date such as 2026-02-03"),
        ("complete_until: 2025-02-30\n", "about.yaml line 1, complete_until", "'2025-02-30' cannot be read"),
        ("complete_until: 1889-01-01\n", "about.yaml line 1, complete_until", "expected a day from 1990-01-01 to 2099"),
        ("complete_until: 2025-01-01 10:00:00\n", "about.yaml line 1, complete_until", "expected a date"),
        ("title: [a]\n", "about.yaml line 1, title", "expected text, not a list"),
        ('title: "a\\nb"\n', "about.yaml line 1, title", "expected text in one line"),
        ("title: ''\n", "about.yaml line 1, title", "expected some text"),
        ("title: a\ntitle: b\n", "about.yaml line 2, title", "duplicate key 'title', first on line 1"),
        ("- a\n", "about.yaml line 1", "expected a mapping of keys to values at the top"),
        ("", "about.yaml", "is empty"),
        ("title: a\ncomplete_until: 2024-12-22\n", "about.yaml line 2, complete_until",
         "2024-12-22 lies before the last published event, 'e3' of 2024-12-23; that day or a later one was expected"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_about_is_named_with_its_line(tiny, text, where, what):
    about(tiny, text)
    edit(tiny, "events", 2, "confidence", "sure")  # what is wrong elsewhere is named beside it
    found = problems_of(tiny)
    assert any(place == where and what in told for place, told in found), found
    assert any(place == "events.csv row 2, column confidence" for place, _ in found)


def test_an_end_that_cannot_be_read_is_the_only_thing_named(tiny):
    about(tiny, "complete_until: 2024-02-30\n")
    assert [where for where, _ in problems_of(tiny)] == ["about.yaml line 1, complete_until"]
    about(tiny, "complete_until: 2024-01-01\n")  # before the days on which proceedings were looked at, too
    assert [where for where, _ in problems_of(tiny)] == ["about.yaml line 1, complete_until"]


def test_a_record_in_memory_is_checked_too(tiny):
    record = load_record(tiny)
    for changed, told in (
        (
            replace(record, complete_until=date(2024, 12, 1)),
            "complete_until: 2024-12-01 lies before the last published",
        ),
        (
            _with_day(record, "2024-02-01"),
            "proceedings row 2, column observed_until: observed_until 2024-02-01 lies before",
        ),
        (_with_day(record, "2025-02-01"), "observed_until 2025-02-01 lies after complete_until 2024-12-23"),
    ):
        with pytest.raises(forecast.InputError, match=told):
            validate_record(changed)


def _with_day(record: Record, day: str) -> Record:
    days = record.proceedings["observed_until"].mask(record.proceedings["case_id"] == "c2", pd.Timestamp(day))
    return replace(record, proceedings=record.proceedings.assign(observed_until=days))


def test_time_at_risk_ends_where_nobody_looked_any_more():
    record = world(
        proceedings=[case("a", "2024-01-01"), case("b", "2024-01-01", "2024-08-01")],
        events=[
            event("a", "2024-01-01", "opened"),
            event("b", "2024-01-01", "opened"),
            event("b", "2024-08-01", "withdrawn"),
            event("b", "2024-12-31", "appeal_filed"),
        ],
    )
    short = replace(record, proceedings=record.proceedings.assign(observed_until=pd.Timestamp("2024-05-01")))
    for day, months_a, months_b in (
        ("2024-04-01", 91, 91),
        ("2024-07-01", 121, 182),
        ("2024-12-31", 121, 213),
        ("2025-01-01", 366, 213),  # after complete_until silence is assumed, or the day is refused before
    ):
        known = short.as_of(day)
        for name, days in (("a", months_a), ("b", months_b)):
            segments = course(known, name, date.fromisoformat(day)).segments
            assert sum(s.end - s.start for s in segments) == pytest.approx(days / 30.4375)
