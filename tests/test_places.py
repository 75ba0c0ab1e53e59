"""Where results go by default, and that none of another matter, prior file or record is replaced unasked."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import load_record, load_specification

from forecast import forecasting, replaying
from forecast.cli.shell import exit_code
from forecast.files import InputError
from forecast.folders import refuse_foreign, require_place, save_result
from forecast.hypotheses.whatifs import require_file, write_table
from forecast.places import default_folder, folder_name
from forecast.requests import Request
from forecast.specification import packaged_priors

ABOUT = {"matter": "m", "origin": "2026-02-03", "priors_fingerprint": "a" * 64, "record_fingerprint": "b" * 64}
OTHERS = {
    "matter": ("n", "another matter, 'n', not 'm'"),
    "priors_fingerprint": ("c" * 64, "another prior file, 'cccccccc', not 'aaaaaaaa'"),
    "record_fingerprint": ("d" * 64, "another record, 'dddddddd', not 'bbbbbbbb'"),
}


@pytest.fixture(autouse=True)
def never_compiled(monkeypatch):
    def stop(evidence):
        raise AssertionError("a model was compiled")

    for module in (forecasting, replaying):
        monkeypatch.setattr(module, "Compiled", stop)


@pytest.mark.parametrize(
    ("matter", "expected"),
    [
        ("x-eu-2026", "x-eu-2026"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("../../etc", "%2E.%2F..%2Fetc"),
        (".hidden", "%2Ehidden"),
        ("v1.2", "v1.2"),
        ("a\nb\0", "a%0Ab%00"),
        ("C:\\x", "C%3A%5Cx"),
        ("Zürich", "Z%C3%BCrich"),
        ("100 %", "100%20%25"),
        ("", "%"),
    ],
)
def test_names_of_matters_become_names_of_folders(matter, expected):
    assert folder_name(matter) == expected


@given(st.text(max_size=300), st.text(max_size=300))
def test_every_name_is_one_folder_inside_and_different_names_are_different_folders(one, two):
    name = folder_name(one)
    assert name.isascii()
    assert name.isprintable()
    assert 0 < len(name) <= 120
    assert Path(name).parts == (name,)
    assert name not in (".", "..")
    assert default_folder(one, "2026-02-03").parts == ("outputs", name, "2026-02-03")
    assert (one == two) == (name == folder_name(two))


def test_surrogates_of_a_broken_text_are_a_name_too():
    assert folder_name("a\udc80") == folder_name("a\udc80")
    assert Path(folder_name("a\udc80")).parts == (folder_name("a\udc80"),)


@pytest.mark.parametrize("key", OTHERS)
def test_a_forecast_of_something_else_is_replaced_only_when_asked(key, tmp_path):
    value, words = OTHERS[key]
    (tmp_path / "manifest.json").write_text(json.dumps({**ABOUT, key: value}))
    with pytest.raises(InputError, match=words):
        refuse_foreign(tmp_path, ABOUT)
    refuse_foreign(tmp_path, ABOUT, overwrite=True)
    refuse_foreign(tmp_path, {**ABOUT, key: value})


def test_a_forecast_of_another_origin_is_another_forecast(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(ABOUT))
    with pytest.raises(InputError, match="another origin, '2026-02-03', not '2026-03-03'"):
        refuse_foreign(tmp_path, {**ABOUT, "origin": "2026-03-03"})


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "an extension of a browser"}', ""])
def test_a_manifest_of_no_forecast_is_never_replaced(text, tmp_path):
    (tmp_path / "manifest.json").write_text(text)
    for overwrite in (False, True):
        with pytest.raises(InputError, match="does not say what it was made from"):
            refuse_foreign(tmp_path, ABOUT, overwrite=overwrite)


@pytest.mark.parametrize("key", OTHERS)
def test_results_of_something_else_are_replaced_only_when_asked(key, tmp_path):
    value, words = OTHERS[key]
    folder, table = tmp_path / "out", {"t": pd.DataFrame({"a": [1]})}
    save_result(folder, "trajectory", table, {**ABOUT, key: value})
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with pytest.raises(InputError, match=words):
        save_result(folder, "trajectory", {}, ABOUT)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    save_result(folder, "trajectory", {}, ABOUT, overwrite=True)
    assert [p.name for p in folder.iterdir()] == ["about.json"]
    save_result(folder, "trajectory", table, ABOUT)  # the same again needs no asking
    require_place(folder, "trajectory")


def test_what_was_made_from_two_forecasts_is_compared_in_both(tmp_path):
    pair = {"before": ABOUT, "after": {**ABOUT, "record_fingerprint": "e" * 64}}
    save_result(tmp_path / "out", "explanation", {}, pair)
    require_place(tmp_path / "out", "explanation", pair)
    for end in ("before", "after"):
        other = {**pair, end: {**pair[end], "matter": "n"}}
        with pytest.raises(InputError, match="another matter"):
            require_place(tmp_path / "out", "explanation", other)


def test_a_table_of_another_what_if_is_replaced_only_when_asked(tmp_path):
    path, table = tmp_path / "new.csv", pd.DataFrame({"a": [1]})
    write_table(path, table, ABOUT)
    write_table(path, table, {**ABOUT, "supposed": "something else of the same forecast"})
    for about in ({**ABOUT, "matter": "n"}, {**ABOUT, "record_fingerprint": "d" * 64}):
        with pytest.raises(InputError, match="holds a result of another"):
            write_table(path, table, about)
    write_table(path, table, {**ABOUT, "matter": "n"}, overwrite=True)
    path.write_text("mine\n")
    with pytest.raises(InputError, match="unknown, not 'm'"):
        require_file(path, ABOUT)
    assert path.read_text() == "mine\n"


def tiktok():
    return load_specification(packaged_priors() / "tiktok-commission-2026.yaml")


def test_two_matters_have_two_folders(tmp_path, capsys, monkeypatch):
    """What stands in the old common folder is not touched, and each matter's own is checked before anything runs."""
    monkeypatch.chdir(tmp_path)
    x, t = (
        Request(spec, load_record(), load_record().complete_until).identity for spec in (load_specification(), tiktok())
    )
    assert {k for k in x if x[k] != t[k]} == {"matter", "priors_fingerprint"}
    place = default_folder(x["matter"], "2026-10-06")
    place.mkdir(parents=True)
    (place / "manifest.json").write_text(json.dumps(t))
    assert exit_code(["run"]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert f"{place}: holds a result of another matter, 'ec-dsa-tiktok-2024a', not 'x-eu-2026'" in told
    assert "Compiling" not in told
    assert json.loads((place / "manifest.json").read_text()) == t


def test_replays_and_backtests_are_checked_before_anything_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind, line in (
        ("trajectory", ["replay", "--from", "2026-01-03", "--to", "2026-02-03", "--out", "mine"]),
        ("backtest", ["backtest", "--out", "mine"]),
    ):
        save_result(Path("mine"), kind, {}, ABOUT, overwrite=True)
        assert exit_code(line) == 1
        assert "another matter, 'm', not 'x-eu-2026'" in " ".join(capsys.readouterr().err.split())
        (tmp_path / "mine/about.json").unlink()
