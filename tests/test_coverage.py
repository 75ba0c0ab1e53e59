"""Where a record needs a look: rates, expected events and order against a count by hand; the command."""

import csv
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from worlds import brief, case, event, load_record, rows, world

import forecast
from forecast.cli.shell import exit_code
from forecast.exports.sheets import guard
from forecast.files import InputError
from forecast.record import save_record
from forecast.unseen import event_rates

DATA = Path(forecast.__file__).parent / "data"
MONTH = 365.25 / 12


def days(one: str, other: str) -> int:
    return (date.fromisoformat(other) - date.fromisoformat(one)).days


def small(**looked: str):
    """One class with three proceedings, another with none that was observed for any time; complete to 2024-12-31."""
    record = world(
        proceedings=[
            case("a", "2024-01-01"),
            case("b", "2024-01-01", "2024-07-01"),
            case("c", "2024-02-01", matter="focal"),
            case("d", "2024-12-31", authority_class="consumer"),
        ],
        events=[
            event("a", "2023-12-01", "information_request"),  # before the proceeding: not counted
            event("a", "2024-01-05", "formal_opening"),  # entry
            event("a", "2024-03-01", "search"),
            event("a", "2024-03-01", "hearing"),
            event("b", "2024-01-01", "opened"),
            event("b", "2024-07-01", "fine", amount_eur=1),
            event("b", "2024-09-01", "appeal_filed"),  # after the closing: not counted
            event("c", "2024-02-01", "opened"),
            event("c", "2024-04-01", "summons", event_id="old"),
            event("c", "2024-04-01", "no_show", event_id="new", supersedes="old"),  # a correction counts once
            event("d", "2024-12-31", "opened"),
        ],
    )
    given = record.proceedings["case_id"].map(looked).astype("datetime64[us]")
    return replace(record, proceedings=record.proceedings.assign(observed_until=given))


def test_rates_are_events_over_months_and_a_class_without_history_takes_the_pooled_one():
    rates = event_rates(small(a="2024-06-01", c="2024-05-01").in_force())
    months = (
        days("2024-01-05", "2024-06-01") + days("2024-01-01", "2024-07-01") + days("2024-02-01", "2024-05-01")
    ) / MONTH
    pooled = 4 / months
    assert rates == pytest.approx({"commission_dsa": (4 + 12 * pooled) / (months + 12), "consumer": pooled})


def test_the_order_is_by_expected_unseen_events_and_the_focal_matter_counts_twice():
    record = small(a="2024-06-01", c="2024-08-01")
    table = forecast.coverage(record)
    assert list(table["case_id"]) == ["a", "c", "d"]
    assert list(table["unexamined_days"]) == [days("2024-06-01", "2024-12-31"), days("2024-08-01", "2024-12-31"), 0]
    rate = event_rates(record.in_force())["commission_dsa"]
    assert table["unseen_events"].tolist() == pytest.approx([213 / MONTH * rate, 152 / MONTH * rate, 0])
    assert table["value"].tolist() == table["unseen_events"].tolist()
    assert not table["focal"].any()
    assert table["last_event"].dt.strftime("%Y-%m-%d").tolist() == ["2024-03-01", "2024-04-01", "2024-12-31"]
    assert table.loc[1, "last_type"] == "no_show"
    focal = forecast.coverage(record, brief("focal"))
    assert list(focal["case_id"]) == ["c", "a", "d"]
    assert focal["value"].tolist() == pytest.approx([304 / MONTH * rate, 213 / MONTH * rate, 0])
    assert focal["focal"].tolist() == [True, False, False]


def test_of_equal_ones_the_longest_unseen_comes_first_and_then_the_name():
    nothing = world(
        proceedings=[case(n, "2024-01-01") for n in ("x", "y", "v")],
        events=[*(event(n, "2024-01-01", "opened") for n in ("x", "y", "v"))],
    )
    later = replace(nothing, complete_until=date(2024, 3, 1))
    table = forecast.coverage(later)
    assert list(table["case_id"]) == ["v", "x", "y"]
    assert table["unseen_events"].tolist() == [0, 0, 0]
    assert table["unexamined_days"].tolist() == [60, 60, 60]


def test_a_proceeding_without_events_and_a_record_without_open_ones_are_no_trouble():
    record = small(a="2024-06-01")
    lonely = replace(
        record,
        proceedings=pd.concat([record.proceedings, rows("proceedings", [case("e", "2024-05-01")])], ignore_index=True),
    )
    table = forecast.coverage(lonely).set_index("case_id")
    assert pd.isna(table.at["e", "last_event"])
    assert table.at["e", "last_type"] == ""
    closed = record.proceedings.assign(closed_on=pd.Timestamp("2024-12-31"))
    empty = forecast.coverage(replace(record, proceedings=closed))
    assert empty.empty
    assert list(empty) == list(table.reset_index())


def test_packaged_rows_against_the_plain_file():
    with (DATA / "proceedings.csv").open(encoding="utf-8", newline="") as stream:
        looked = {
            r["case_id"]: r["observed_until"] or "2026-10-06" for r in csv.DictReader(stream) if not r["closed_on"]
        }
    table = forecast.coverage(specification="x-paris-2026")
    assert dict(zip(table["case_id"], table["unexamined_days"], strict=True)) == {
        case_: days(day, "2026-10-06") for case_, day in looked.items()
    }
    assert table["case_id"].iat[0] == "fr-crim-x-2025"
    assert table["focal"].sum() == (table["matter_id"] == "x-eu-2026").sum() > 0
    assert (table["value"].diff().dropna() <= 0).all()
    again = forecast.coverage(DATA)
    assert set(again["case_id"]) == set(table["case_id"])


def test_a_bad_record_and_a_bad_prior_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        forecast.coverage(tmp_path / "none")
    with pytest.raises(InputError, match="no-such"):
        forecast.coverage(small(), tmp_path / "no-such.yaml")


def test_the_command_prints_and_writes_every_row(tmp_path, capsys):
    out = tmp_path / "coverage.csv"
    assert exit_code(["coverage", "--priors", "x-paris-2026", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "95 open proceedings, record complete until 2026-10-06; 94 last looked at before" in told
    assert "fr-crim-x-2025 * 2026-05-07 2026-06-25 103 0.35" in " ".join(told.split())
    assert "75 proceedings more: --all." in told
    assert max(map(len, told.split("Written")[0].splitlines())) <= 80
    written = pd.read_csv(out, keep_default_na=False)
    table = forecast.coverage(specification="x-paris-2026")
    assert list(written["case_id"]) == list(table["case_id"])
    assert list(written["observed_until"]) == list(table["observed_until"].dt.strftime("%Y-%m-%d"))
    assert written["value"].tolist() == pytest.approx(table["value"].tolist(), rel=1e-15)
    assert exit_code(["coverage", "--all"]) == 0
    assert "--all" not in capsys.readouterr().out


def test_the_command_refuses_where_it_cannot_write_and_guards_spreadsheets(tmp_path, capsys):
    formula = "=1+1"
    record = small()
    odd = replace(record, proceedings=record.proceedings.assign(provider=formula))
    save_record(odd, tmp_path / "record")
    line = ["coverage", "--record", str(tmp_path / "record"), "--out"]
    assert exit_code([*line, str(tmp_path / "t.csv")]) == 0
    assert set(pd.read_csv(tmp_path / "t.csv")["provider"]) == {guard(formula)} == {"'=1+1"}
    (tmp_path / "folder").mkdir()
    assert exit_code([*line, str(tmp_path / "folder")]) == 1
    assert "is a folder; expected a file to write" in capsys.readouterr().err
    assert not list((tmp_path / "folder").iterdir())
    assert load_record().complete_until == date(2026, 10, 6)
