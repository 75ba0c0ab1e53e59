"""Files that are none, tables beyond all bounds, and what killed commands leave: refused in words, and cleared away."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from forecast.additions import append
from forecast.calibration.store import Store
from forecast.files import InputError, read_regular, whole_file, whole_folder
from forecast.ledger.durable import put
from forecast.record import load_record
from forecast.sheets import MOST_BYTES, MOST_COLUMNS, MOST_ROWS, read_sheet

EVENT = {"case_id": "fr-crim-x-2025", "date": "2026-04-20", "type": "summons", "published_on": "2026-04-20"}


def told(path):
    """Read a table that must be refused, in seconds; return what is said."""
    started = time.perf_counter()
    sheet, problems = read_sheet(path)
    assert sheet is None
    assert time.perf_counter() - started < 10
    assert all(problem.where.startswith(path.name) for problem in problems)
    return "; ".join(map(str, problems))


def test_only_regular_files_of_moderate_size_are_read(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "ten").write_bytes(b"0123456789")
    (tmp_path / "link").symlink_to("ten")
    assert read_regular(tmp_path / "link", 10) == b"0123456789"
    for name, most, what in (
        ("none", 10, "there is no such file"),
        ("folder", 10, "is a folder, where a file was expected"),
        ("pipe", 10, "is a pipe, a socket or a device"),
        ("/dev/zero", 10, "is a pipe, a socket or a device"),
        ("ten", 9, "holds 10 bytes or more; at most 9 bytes are read"),
        ("ten/under", 9, "cannot be read: Not a directory"),
        ("nul\0", 9, "is no name of a file"),
    ):
        with pytest.raises(InputError, match=re.escape(what)):
            read_regular(tmp_path / name, most)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_that_is_no_file_is_refused_without_a_wait(tmp_path, suffix):
    path = tmp_path / f"events{suffix}"
    os.mkfifo(path)
    assert "is a pipe" in told(path)
    path.unlink()
    path.mkdir()
    assert "is a folder" in told(path)
    path.rmdir()
    path.symlink_to("/dev/zero")
    assert "is a pipe, a socket or a device" in told(path)
    path.unlink()
    with path.open("wb") as stream:
        stream.truncate(MOST_BYTES + 1)  # a hole: no disk is used
    assert "at most 64 MiB are read" in told(path)


def test_csv_files_beyond_all_bounds_are_refused(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("case_id\n" + "x\n" * (MOST_ROWS + 1))
    assert f"more than {MOST_ROWS} rows" in told(path)
    path.write_text(",".join(map(str, range(300_000))))
    assert f"has 300000 columns; at most {MOST_COLUMNS}" in told(path)
    path.write_bytes(b"case_id,date\nx,2025-01-01\ny,\x00\n")
    assert "row 3: holds a NUL byte" in told(path)
    path.write_text("case_id\n" + "x" * 200_000)
    assert "row 2: cannot be read as CSV" in str(read_sheet(path)[1][0])


ODD = {
    "nested": (pa.array([["a"]]), "list<"),
    "struct": (pa.array([{"a": 1}]), "struct<"),
    "map": (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "map<"),
    "bytes": (pa.array([b"a"]), "binary"),
}


@pytest.mark.parametrize("kind", ODD)
def test_parquet_columns_that_are_no_text_numbers_or_days_are_refused(tmp_path, kind):
    values, said = ODD[kind]
    parquet.write_table(pa.table({"case_id": values}), tmp_path / "events.parquet")
    assert f"column case_id: holds values of the type {said}" in told(tmp_path / "events.parquet")


def test_parquet_files_beyond_all_bounds_are_refused(tmp_path):
    path = tmp_path / "events.parquet"
    parquet.write_table(pa.table({"case_id": pa.nulls(20_000_000)}), path)
    assert f"has 20000000 rows; at most {MOST_ROWS} are read" in told(path)
    parquet.write_table(pa.table({f"c{i}": [1] for i in range(500)}), path)
    assert "has 500 columns" in told(path)
    parquet.write_table(pa.table({"case_id": ["x" * 10_000_000] * 10}), path, use_dictionary=False, compression="zstd")
    assert "at most 64 MiB are read" in told(path)
    parquet.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), path)
    assert "column a: the column stands twice" in told(path)
    path.write_bytes(b"PAR1 garbage PAR1")
    assert "is not a Parquet file that can be read" in told(path)


def test_what_pandas_says_of_its_own_frame_changes_nothing(tmp_path):
    path = tmp_path / "events.parquet"
    frame = pd.DataFrame([EVENT], index=[7])
    frame.to_parquet(path)
    plain = append(load_record(), {"events": path}).fingerprint
    table = parquet.read_table(path)
    for broken in (b"{", b'{"index_columns": ["no"], "columns": []}', b"[]"):
        parquet.write_table(table.replace_schema_metadata({"pandas": broken}), path)
        assert append(load_record(), {"events": path}).fingerprint == plain
    frame.columns = pd.MultiIndex.from_tuples([("a", c) for c in frame])
    frame.to_parquet(path)
    with pytest.raises(InputError, match="unknown column"):
        append(load_record(), {"events": path})


# Scratch


HOLDER = """
import os, sys, time
from pathlib import Path
from forecast.files import whole_file, whole_folder
from forecast.ledger import durable

kind, path = sys.argv[1], Path(sys.argv[2])
if kind == "put":
    aside = durable._aside(path, b"x" * 100_000)
else:
    aside = (whole_file if kind == "file" else whole_folder)(path)
with aside as scratch:
    (scratch / "large.bin" if kind == "folder" else scratch).write_bytes(b"x" * 100_000)
    print("ready", flush=True)
    sys.stdin.readline()
"""


def holder(kind, path):
    """Start a process that is in the middle of writing."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, kind, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    return process


def write(kind, path):
    if kind == "put":
        put(path, b"new")
        return
    with (whole_file if kind == "file" else whole_folder)(path) as scratch:
        (scratch / "x" if kind == "folder" else scratch).write_text("new")


@pytest.mark.parametrize("kind", ["file", "folder", "put"])
def test_scratch_of_the_killed_is_removed_and_that_of_the_living_is_not(tmp_path, kind):
    with holder(kind, tmp_path / "one") as dead, holder(kind, tmp_path / "two") as living:
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        dead.stdin.close()
        left = {p.name for p in tmp_path.iterdir()}
        assert len(left) == (6 if kind == "folder" else 4)  # each with its lock
        write(kind, tmp_path / "three")
        after = {p.name for p in tmp_path.iterdir()}
        assert len(after & left) == len(left) // 2
        assert after - left == {"three"}
        living.communicate("go\n")
        assert living.returncode == 0
    assert {p.name for p in tmp_path.iterdir()} == ({"three"} if kind == "put" else {"two", "three"})


def test_what_a_killed_process_had_moved_aside_is_put_back(tmp_path):
    with whole_folder(tmp_path / "f") as scratch:
        (scratch / "x").write_text("old")
    with holder("folder", tmp_path / "f") as dead:
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        dead.stdin.close()
    old = next(tmp_path.glob(".f.old.*"))
    (tmp_path / "f").rename(old / "0")  # as between the two renamings of a replacement
    write("folder", tmp_path / "g")
    assert (tmp_path / "f" / "x").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f", "g"]


def test_scratch_without_a_lock_and_files_of_others_stay(tmp_path):
    for name in (".f.0123456789abcdef", ".0123456789abcde.forecast-lock", "0123456789abcdef.forecast-lock"):
        (tmp_path / name).write_text("mine")
    write("file", tmp_path / "f")
    assert len(list(tmp_path.iterdir())) == 4


# Worlds of a calibration


def a_world(**changes):
    plain = {
        "world": 3, "months": 12.0, "scenario": 1, "events": 2, "redrawn": 0, "attempts": 1, "failed": [],
        "worst": {"r_hat": 1.0, "ess_bulk": None}, "pit": {"target": {"fine_left": 0.4}}, "inside": [0.2, 0.3, 0.5],
        "reference": [[0.2, 0.3, 0.5, 1.0]], "steps": [[1.0, 2, 0.2, 0.3, 0.5, 300.0]],
    }  # fmt: skip
    return json.dumps(plain | changes)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "c", {"seed": 1})
    store.open()
    (tmp_path / "c" / "worlds").mkdir()
    return store


def test_worlds_are_taken_up_again(store):
    path = store.folder / "worlds" / "0003.json"
    path.write_text(a_world())
    found = store.open()[3]
    assert found.steps == ((1.0, 2, 0.2, 0.3, 0.5, 300.0),)
    assert np.isnan(found.worst["ess_bulk"])
    path.unlink()
    store.keep(found)
    assert str(store.open()[3]) == str(found)


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "{}", a_world(months="12"), a_world(scenario=9), a_world(inside=[0.5]), a_world(steps=[[1]]),
        a_world(pit={"target": {"fine_left": 2.0}}), a_world(extra=1), a_world(world=4), a_world(reference=None),
        a_world(months=float("nan")), '{"world": ' + "9" * 5000 + "}", "[" * 100_000, a_world(worst=[1]),
    ],
)  # fmt: skip
def test_damaged_worlds_are_named(store, content):
    (store.folder / "worlds" / "0003.json").write_text(content)
    with pytest.raises(InputError, match=r"0003\.json(.|\n)*remove their files, and they are examined anew"):
        store.open()


def test_a_damaged_about_is_named(store):
    for content in ("", "[" * 100_000, '{"kind": NaN}'):
        (store.folder / "about.json").write_text(content)
        with pytest.raises(InputError, match="about"):
            store.open()


def test_what_spreadsheets_leave_is_read_or_named(tmp_path):
    """Empty columns and rows at the end of a table count for nothing; other separators are named."""
    path = tmp_path / "events.csv"
    path.write_text("case_id,date,,\na,2026-01-01,,\n,,,\nb,2026-01-02,,\n", encoding="utf-8")
    sheet, problems = read_sheet(path)
    assert problems == []
    assert sheet.cells.to_dict("index") == {
        2: {"case_id": "a", "date": "2026-01-01"},
        4: {"case_id": "b", "date": "2026-01-02"},
    }
    path.write_text("case_id,date,,\na,2026-01-01,,x\n", encoding="utf-8")
    assert "the column stands twice" in told(path)
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        path.write_text(f"case_id{mark}date\na{mark}2026-01-01\n", encoding="utf-8")
        assert told(path) == f"events.csv row 1: separates columns by {name}; save the file with commas between columns"
