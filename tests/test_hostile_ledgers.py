"""Ledgers that are damaged though every hash fits: the entry is named, and what came before it stays readable."""

import json
import math
import os
import shutil
import time
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from forecast.cli.shell import exit_code
from forecast.files import InputError, fingerprint
from forecast.ledger import TamperedError, open_ledger, score_ledger
from forecast.ledger.chain import Draft, Entry, _canonical, _text, append
from forecast.ledger.tables import parquet

ORIGIN = date(2025, 1, 31)
RULE = {
    "rule": "event",
    "after": "2025-01-31",
    "until": "2025-08-01",
    "grace_days": 0,
    "family": "fine",
    "cases": ["a"],
}
TARGET = ("event:fine", 6, "m", "m", "probability", "pmf")


def issued(p=0.3, rule=RULE, target=TARGET, text=None):
    """Return the draft of an entry that issues one target."""
    numbers = [("forecast", ORIGIN, *target[:3], "pmf", name, value) for name, value in (("yes", p), ("no", 1 - p))]
    said = json.dumps(rule) if text is None else text
    files = [
        parquet("forecasts", numbers, ORIGIN),
        parquet("targets", [(ORIGIN, *target, date(2025, 8, 1), said)], ORIGIN),
    ]
    body = {"issued_on": "2025-02-01", "origin_date": str(ORIGIN), "forecast_sha256": f"{p}"}
    return Draft("issue", body, dict(files))


def resolved(**changes):
    row = {
        "entry": 1, "origin_date": ORIGIN, "target": TARGET[0], "horizon": 6, "location": "m", "version": 1,
        "status": "resolved", "outcome": "yes", "value": math.nan, "old_status": "open", "old_outcome": "",
        "old_value": math.nan, "change": "first", "reason": "", "evidence": "e1", "known_on": date(2025, 8, 20),
    }  # fmt: skip
    files = dict([parquet("resolutions", [tuple((row | changes).values())])])
    return Draft("resolution", {"known_on": "2025-08-20"}, files)


@pytest.fixture
def ledger(tmp_path):
    folder = tmp_path / "ledger"
    for draft in (issued(0.3), resolved()):
        append(folder, lambda known, now, draft=draft: draft)
    return folder


def forced(folder, **changes):
    """Change the second entry as whoever can write the ledger would: with its own hash put right."""
    path = folder / "entries" / "000002.json"
    said = json.loads(path.read_text())
    entry = Entry(**{k: v for k, v in said.items() if k != "format"} | changes)
    path.write_bytes(_text(replace(entry, sha256=fingerprint(_canonical(entry)))))


def with_data(folder, content):
    """Give the second entry a data file of this content, with a matching hash and name."""
    said = json.loads((folder / "entries" / "000002.json").read_text())
    name = f"resolutions/{fingerprint(content)[:16]}.parquet"
    (folder / name).write_bytes(content)
    forced(folder, files={name: fingerprint(content)})
    return said


def check_named(folder, capsys, what=""):
    """The second entry is named by every reader; with ``--until 1`` the first is read alone."""
    started = time.perf_counter()
    for use in (open_ledger, score_ledger):
        with pytest.raises(TamperedError) as error:
            use(folder)
        said = str(error.value)
        assert "entry 2" in said or "000002.json" in said
        assert what in said
        assert "--until 1 reads these alone" in said
    assert exit_code(["score", str(folder)]) == 1
    assert exit_code(["resolve", str(folder)]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert len(open_ledger(folder, until=1).entries) == 1
    assert score_ledger(folder, until=1).about["entries"] == 1
    assert time.perf_counter() - started < 10


def test_the_ledger_itself_is_sound(ledger):
    assert len(open_ledger(ledger).entries) == 2
    assert score_ledger(ledger).counts["resolved"].sum() == 1


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"body": {}}, "key body.known_on: is missing"),
        ({"body": {"known_on": "tomorrow"}}, "key body.known_on"),
        ({"files": {}}, "one file in each of resolutions was expected"),
        ({"files": {"../../etc/passwd": "0" * 64}}, "is no name of a file of a ledger"),
        ({"files": {"resolutions/0123456789abcdef.parquet": "short"}}, "key files"),
        ({"kind": "issue"}, "key body.issued_on: is missing"),
        ({"kind": "other"}, "key kind"),
        ({"time": "noon"}, "key time"),
        ({"index": 0}, "key index"),
    ],
)
def test_entries_that_say_too_little_are_named(ledger, capsys, changes, what):
    forced(ledger, **changes)
    check_named(ledger, capsys, what)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[]", "expected a JSON object"),
        (b'{"format": 1, "body": NaN}', "NaN is no number of JSON"),
        (b'{"format": 1, "index": ' + b"9" * 5000 + b"}", "is no JSON"),
        (b'{"format": 1, "body": ' + b"[" * 100_000, "deep in each other"),
        (b'{"format": 1, "body": ' + b"[" * 60 + b"]" * 60 + b"}", "deep in each other"),
        (b'{"format": 1, "body": "\\ud800"}', "no Unicode"),
        (b'{"format": true}', "key format"),
    ],
)
def test_entries_that_no_parser_likes_are_named(ledger, capsys, content, what):
    (ledger / "entries" / "000002.json").write_bytes(content)
    check_named(ledger, capsys, what)


def test_an_entry_that_is_no_file_is_named(ledger, capsys):
    path = ledger / "entries" / "000002.json"
    path.unlink()
    os.mkfifo(path)
    check_named(ledger, capsys, "is a pipe, a socket or a device")


FRAME = pd.DataFrame({"entry": [1]})
DATA = {
    "empty": (lambda: b"", "is no Parquet file that can be read"),
    "garbage": (lambda: b"PAR1 garbage PAR1", "is no Parquet file that can be read"),
    "cut": (lambda: next(iter(resolved().files.values()))[:-9], "is no Parquet file that can be read"),
    "foreign": (FRAME.to_parquet, "has other columns than those of resolutions"),
    "of another kind": (lambda: next(iter(issued().files.values())), "has other columns than those of resolutions"),
}


@pytest.mark.parametrize("kind", DATA)
def test_data_of_another_kind_are_named_though_the_hash_fits(ledger, capsys, kind):
    content, what = DATA[kind]
    with_data(ledger, content())
    check_named(ledger, capsys, what)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"status": "settled"}, "column status"),
        ({"outcome": "perhaps"}, "column outcome"),
        ({"value": math.inf}, "numbers that are not finite"),
        ({"outcome": ""}, "neither outcome nor value"),
        ({"version": 0}, "versions or entries below 1"),
        ({"target": None}, "column target: has rows without a value"),
        ({"horizon": -6}, "column horizon"),
    ],
)
def test_rows_out_of_range_are_named(ledger, capsys, changes, what):
    with_data(ledger, next(iter(resolved(**changes).files.values())))
    check_named(ledger, capsys, what)


@pytest.mark.parametrize(
    "draft",
    [
        issued(1.5),
        issued(math.nan),
        issued(math.inf),
        issued(rule=RULE | {"rule": "guess"}),
        issued(rule=RULE | {"rule": ["event"]}),
        issued(rule=RULE | {"until": "2025-02-30"}),
        issued(rule=RULE | {"cases": "a"}),
        issued(rule=RULE | {"grace_days": "some"}),
        issued(rule=RULE | {"rule": "class", "matter": "m", "clauses": {}, "is_last": True}),
        issued(text="{"),
        issued(text="[" * 100_000),
        issued(text="[]"),
    ],
)
def test_forecasts_and_rules_that_cannot_be_used_are_named(tmp_path, capsys, draft):
    folder = tmp_path / "ledger"
    append(folder, lambda known, now: issued(0.3))
    append(folder, lambda known, now: draft)
    check_named(folder, capsys, "entry 2 brought it")


def test_up_to_an_entry_nothing_is_entered_where_there_are_later_ones(ledger, tmp_path, capsys):
    files = {p: p.read_bytes() for p in ledger.rglob("*") if p.is_file()}
    assert exit_code(["score", str(ledger), "--until", "1", "--out", str(tmp_path / "out")]) == 0
    assert "nothing resolved yet" in capsys.readouterr().out
    assert {p: p.read_bytes() for p in ledger.rglob("*") if p.is_file()} == files
    for wrong in (0, 3, -1):
        with pytest.raises(InputError, match="has entries 1 to 2"):
            open_ledger(ledger, until=wrong)
    shutil.rmtree(ledger / "entries")
    with pytest.raises(InputError, match="is the number of no entry"):
        open_ledger(ledger, until=1)
