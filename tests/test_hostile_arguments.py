"""Arguments out of range, outputs that cannot be written, plain terminals, signals: a sentence and an exit code."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import forecast
from forecast import record
from forecast.backtesting.spreading import require_scheduler
from forecast.cli.shell import exit_code
from forecast.files import InputError, whole_file, whole_folder
from forecast.settings import RANGES, Settings
from forecast.terminal.look import printable
from forecast.vocabulary import (
    AUTHORITY_CLASSES,
    AUTHORITY_MEANINGS,
    EVENT_TYPES,
    FAMILIES,
    FAMILY_MEANINGS,
    SCOPE_MEANINGS,
    SCOPES,
    TYPE_MEANINGS,
)

HUGE = "99999999999999999999"


def run(*arguments, **keywords):
    environment = {**os.environ, **keywords.pop("env", {})}
    line = [sys.executable, "-m", "forecast", *map(str, arguments)]
    return subprocess.run(line, stderr=subprocess.PIPE, check=False, env=environment, **keywords)


# Arguments


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--seed", "18446744073709551616"], "--seed.*a whole number from 0 to 9223372036854775807"),
        (["run", "--seed", "-1"], "--seed.*from 0 to"),
        (["run", "--draws", HUGE], "--draws.*from 10 to 20000"),
        (["run", "--draws", "9"], "--draws.*from 10 to 20000"),
        (["run", "--tune", HUGE], "--tune.*from 1 to 20000"),
        (["run", "--chains", "1000"], "--chains.*from 2 to 32"),
        (["backtest", "--chains", "1"], "--chains.*from 2 to 32"),
        (["replay", "--from", "2025-01-01", "--to", "2025-02-01", "--seed", HUGE], "--seed.*from 0"),
        (["calibrate", "--worlds", HUGE], "--worlds.*from 2 to 10000"),
        (["calibrate", "--seed", HUGE], "--seed.*from 0"),
        (["issue", "DIR", "--grace", "-1"], "--grace.*from 0 to 3650"),
        (["issue", "DIR", "--grace", HUGE], "--grace.*from 0 to 3650"),
        (["backtest", "--windows", HUGE], "windows.*from 1 to 120"),
        (["backtest", "--scheduler", "nonsense"], "--scheduler.*expected tcp://HOST:PORT"),
        (["backtest", "--scheduler", "tcp://127.0.0.1:9"], "--scheduler.*no scheduler answers"),
    ],
)
def test_a_number_out_of_range_is_refused_at_once_with_the_range(arguments, words, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert exit_code(arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert re.search(words, told.err.replace("\n", " "))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", list(RANGES))
def test_settings_refuse_the_same_in_python(name):
    low, high = RANGES[name]
    for value in (low, high, np.int64(high)):
        assert getattr(Settings(**{name: value}), name) == value
    for value in (low - 1, high + 1, float(low), True, "4", None, float("nan")):
        with pytest.raises(InputError, match=f"{name}: .*expected a whole number from {low} to {high}"):
            Settings(**{name: value})


def test_every_setting_out_of_range_is_named_at_once():
    with pytest.raises(InputError) as error:
        replace(Settings(), draws=0, chains=1000)
    assert [problem.where for problem in error.value.problems] == ["draws", "chains"]


def test_doubled_settings_stay_in_range():
    assert Settings(draws=100, tune=50).doubled == Settings(draws=200, tune=100)
    assert Settings(draws=20_000, tune=15_000).doubled == Settings(draws=20_000, tune=20_000)


@pytest.mark.parametrize(
    "address", ["", "here", "tcp://", "tcp://host", "tcp://host:0", "tcp://host:99999", "http://host:80", "tcp://[::1:80",
                "tcp://host:80/path"]
)  # fmt: skip
def test_what_is_no_address_of_a_scheduler_is_refused(address):
    with pytest.raises(InputError, match="expected tcp://HOST:PORT"):
        require_scheduler(address)


def test_a_worlds_number_is_refused_in_python():
    with pytest.raises(InputError, match="worlds: 1, expected a whole number from 2 to 10000"):
        forecast.calibrate(worlds=1)
    with pytest.raises(InputError, match="seed"):
        forecast.calibrate(seed=2**64)


# Output


@pytest.mark.parametrize("encoding", ["ascii", "cp866", "cp1251", "latin-1", "utf-8"])
def test_every_encoding_can_show_a_table(encoding, tmp_path):
    done = run("types", stdout=subprocess.PIPE, env={"PYTHONIOENCODING": encoding})
    assert done.returncode == 0
    assert "retention_order" in done.stdout.decode(encoding)
    failed = run("show", "nówhere–±", stdout=subprocess.PIPE, env={"PYTHONIOENCODING": encoding}, cwd=tmp_path)
    assert failed.returncode == 1
    assert "holds no forecast" in failed.stderr.decode(encoding)


def test_characters_that_an_encoding_lacks_become_ascii():
    assert printable("0.5 ± 0.1 – “é” → €…", "ascii") == '0.5 +/- 0.1 - "e" -> EUR...'
    assert printable("0.5 ± 0.1", "latin-1") == "0.5 ± 0.1"
    assert printable("│─┼█", "ascii") == "|-+#"
    assert printable("│─┼█ ±", "cp866") == "│─┼█ +/-"
    assert printable("日本 \udcff", "ascii") == "?? ?"


def test_columns_stand_below_each_other_in_ascii():
    code = (
        "from forecast.terminal.look import console, table_of\n"
        "table = table_of('Title', 'one', 'two'); table.add_row('1 ± 2', 'x'); table.add_row('1', 'x')\n"
        "console().print(table)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert {line.index("x") for line in done.stdout.splitlines()[2:]} == {9}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_output_that_cannot_be_written_is_a_sentence():
    with Path("/dev/full").open("w") as full:
        done = run("types", stdout=full)
    assert done.returncode == 1
    assert done.stderr.decode().strip() == "the output cannot be written: No space left on device"


def test_output_that_nobody_reads_ends_quietly():
    reading, writing = os.pipe()
    os.close(reading)
    done = run("types", stdout=writing)
    os.close(writing)
    assert done.stderr == b""
    assert done.returncode == 141


def test_standard_output_may_be_closed():
    code = "import os, sys; sys.stdout = None; from forecast import cli; cli.main(['types'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def full_disk(*args, **keywords):
    raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_what_stood_there_and_names_it(tmp_path):
    for whole, name in ((whole_file, "a.csv"), (whole_folder, "folder")):
        place = tmp_path / name
        if whole is whole_folder:
            place.mkdir()
            (place / "old").write_text("old")
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(InputError, match=rf"{name}: cannot be written: No space left on device"), whole(place):
            full_disk()
        assert sorted(tmp_path.rglob("*")) == before


def test_the_inner_folder_of_a_folder_is_not_named(tmp_path):
    def write():
        with whole_folder(tmp_path / "outer") as scratch, whole_folder(scratch / "inner"):
            full_disk()

    with pytest.raises(InputError) as error:
        write()
    assert [problem.where for problem in error.value.problems] == [str(tmp_path / "outer")]


def test_errors_of_the_netcdf_library_are_told_and_others_are_not_hidden(tmp_path):
    with pytest.raises(InputError, match="cannot be written: NetCDF: HDF error"), whole_file(tmp_path / "a.nc"):
        raise RuntimeError("NetCDF: HDF error")
    with pytest.raises(RuntimeError, match="a mistake"), whole_file(tmp_path / "a.nc"):
        raise RuntimeError("a mistake")
    assert not list(tmp_path.iterdir())


def test_a_command_on_a_full_disk_says_so(monkeypatch, capsys):
    def refuse(path, *args):
        raise OSError(28, "No space left on device", "some/file")

    monkeypatch.setattr(record, "load_record", refuse)
    assert exit_code(["priors"]) == 1
    assert capsys.readouterr().err == "some/file: No space left on device; no file is half-written.\n"


# Signals

HEEDING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
"""Background jobs of a shell, and their children, ignore Ctrl-C otherwise."""
SAMPLER = """
import sys, threading, types
from forecast import inference
from forecast.cli import main

class Sampler:
    def wait(self, timeout=None):
        print("sampling", flush=True)
        threading.Event().wait(timeout)
        raise TimeoutError
    def cancel(self):
        print("cancelled", flush=True)

sys.modules["nutpie"] = types.SimpleNamespace(sample=lambda *args, **keywords: Sampler())
"""
IN_MAIN = (
    HEEDING
    + SAMPLER
    + (
        "from forecast import forecasting\n"
        "forecasting.run = lambda *args, **keywords: inference._sampled(None, inference.Settings())\n"
        "main(['run', '--out', sys.argv[1]])"
    )
)
IN_THREADS = (
    HEEDING
    + SAMPLER
    + (
        "from forecast import calibration, parallel\n"
        "def calibrate(*args, **keywords):\n"
        "    with parallel.each(lambda n: inference._sampled(None, inference.Settings()), range(5), 2) as found:\n"
        "        list(found)\n"
        "calibration.calibrate = calibrate\n"
        "main(['calibrate', '--out', sys.argv[1]])"
    )
)


@pytest.mark.parametrize("code", [IN_MAIN, IN_THREADS], ids=["main thread", "threads"])
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_command_that_samples(number, expected, code, tmp_path):
    started = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    killer = threading.Timer(120, started.kill)  # only if the command does not end by itself
    killer.start()
    try:
        assert started.stdout.readline() == "sampling\n"
        started.send_signal(number)
        out, err = started.communicate()
    finally:
        killer.cancel()
    assert started.returncode == expected
    assert "cancelled" in out
    assert err.splitlines()[-1] == "Interrupted; no file is half-written."
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["Compiling", "Sampling"])
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_of_the_real_model(number, expected, moment, tmp_path):
    code = HEEDING + "import sys; from forecast.cli import main; main(sys.argv[1:])"
    line = [sys.executable, "-c", code, "run", "--draws", "20000", "--out", str(tmp_path / "out")]
    started = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    killer = threading.Timer(300, started.kill)  # only if the command does not end by itself
    killer.start()
    try:
        assert any(told.startswith(moment) for told in started.stderr)
        started.send_signal(number)
        err = started.stderr.read()
        assert started.wait() == expected
    finally:
        killer.cancel()
        started.stderr.close()
    assert err.splitlines()[-1] == "Interrupted; no file is half-written."
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


# Words


def test_every_word_has_a_meaning_and_types_prints_it(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    for names, meanings in (
        (EVENT_TYPES, TYPE_MEANINGS),
        (FAMILIES, FAMILY_MEANINGS),
        (AUTHORITY_CLASSES, AUTHORITY_MEANINGS),
        (SCOPES, SCOPE_MEANINGS),
    ):
        assert tuple(meanings) == names
        assert all(meaning.endswith(".") for meaning in meanings.values())
    assert exit_code(["types"]) == 0
    told = capsys.readouterr().out
    for meanings in (TYPE_MEANINGS, FAMILY_MEANINGS, AUTHORITY_MEANINGS, SCOPE_MEANINGS):
        assert all(name in told and meaning in told for name, meaning in meanings.items())


def test_the_version_is_the_installed_one_everywhere(capsys, packaged_folder):
    from importlib.metadata import version  # noqa: PLC0415

    from forecast.folders import read_json  # noqa: PLC0415

    own = version("enforcement-forecast")
    assert forecast.__version__ == own
    assert exit_code(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"enforcement-forecast {own}"
    assert read_json(packaged_folder / "manifest.json")["version"] == own


def test_results_and_ledgers_name_the_version(packaged_folder, tmp_path):
    from forecast.folders import read_json, save_result  # noqa: PLC0415

    save_result(tmp_path / "result", "test", {}, {})
    assert read_json(tmp_path / "result" / "about.json")["version"] == forecast.__version__
    entry = forecast.issue(shutil.copytree(packaged_folder, tmp_path / "copy"), tmp_path / "ledger")
    assert entry.body["version"] == forecast.__version__
