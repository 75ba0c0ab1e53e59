"""Damaged folders of forecasts: what is wrong is named, resealed or not, without a traceback and without a wait."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from damage import (
    DRAWS,
    FILES,
    attribute,
    cell,
    drop,
    edit_draws,
    edit_json,
    edit_table,
    fill,
    linked,
    put,
    rename,
    reseal,
    setting,
    sound_folder,
)

from forecast import forecasting
from forecast.cli.shell import exit_code
from forecast.files import InputError
from forecast.folders import MANIFEST, open_folder, write_json


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return sound_folder(tmp_path_factory.mktemp("sound") / "f")


@pytest.fixture
def copied(sound, tmp_path):
    return linked(sound, tmp_path / "f")


BASE = {"limited": 9, "significant": 9, "crackdown": 9}

DAMAGES = {
    "manifest without matter": (MANIFEST, edit_json, drop("matter")),
    "manifest without origin": (MANIFEST, edit_json, drop("origin")),
    "manifest without view": (MANIFEST, edit_json, drop("view")),
    "manifest without interval": (MANIFEST, edit_json, drop("interval")),
    "manifest with a number for the matter": (MANIFEST, edit_json, setting("matter", 7)),
    "manifest of another matter": (MANIFEST, edit_json, setting("matter", "other")),
    "manifest with an impossible day": (MANIFEST, edit_json, setting("origin", "2025-02-30")),
    "manifest of an outside view": (MANIFEST, edit_json, setting("view", "outside")),
    "manifest with odd horizons": (MANIFEST, edit_json, setting("horizons", [60, 6])),
    "manifest with labels of no scenario": (MANIFEST, edit_json, setting("labels", {"mild": "Mild"})),
    "manifest with a silence of text": (MANIFEST, edit_json, setting("assumed_silence", "long")),
    "manifest with terminal codes": (MANIFEST, edit_json, setting("matter", "\x1b[2J")),
    "manifest with half a character": (MANIFEST, edit_json, setting("note", "\ud800")),
    "diagnostics without worst": ("diagnostics.json", edit_json, drop("worst")),
    "diagnostics with text for draws": ("diagnostics.json", edit_json, lambda d: d["settings"].update(draws="many")),
    "diagnostics of other draws": ("diagnostics.json", edit_json, lambda d: d["settings"].update(draws=21)),
    "summary without a column": ("summary.csv", edit_table, lambda t: t.drop(columns="mean")),
    "summary without rows": ("summary.csv", edit_table, lambda t: t.iloc[:0]),
    "summary without a row": ("summary.csv", edit_table, lambda t: t.iloc[1:]),
    "summary with inf": ("summary.csv", edit_table, cell("mean", "inf")),
    "summary with a huge number": ("summary.csv", edit_table, cell("mean", "1e999")),
    "summary of another day": ("summary.csv", edit_table, cell("origin_date", "2024-01-31")),
    "summary with text": ("summary.csv", edit_table, cell("q50", "half")),
    "scenarios without the outside view": ("scenarios.csv", edit_table, lambda t: t[t["view"] != "outside"]),
    "scenarios that do not sum to 1": ("scenarios.csv", edit_table, cell("probability", "0.9")),
    "a probability of 1.5": ("event_probabilities.csv", edit_table, cell("probability", "1.5")),
    "next fines of a proceeding unknown": ("next_fines.csv", edit_table, cell("case_id", "zz")),
    "a next fine of 0": ("next_fines.csv", edit_table, cell("q05", "0")),
    "another parameter": ("posterior_summary.csv", edit_table, cell("parameter", "x")),
    "a resolution table of two rows": ("resolution.csv", edit_table, lambda t: t.iloc[:2]),
    "manifest of other resolved matters": (MANIFEST, edit_json, setting("resolved_matters", BASE)),
    "manifest with a number of matters below 0": (MANIFEST, edit_json, setting("resolved_matters", BASE | {"limited": -1})),
    "a step without a scenario": ("weight_of_evidence.csv", edit_table, lambda t: t.iloc[1:]),
    "a step of no kind": ("weight_of_evidence.csv", edit_table, cell("kind", "noise")),
    "a step on no day": ("weight_of_evidence.csv", edit_table, cell("end", "soon")),
    "a step with another factor": ("weight_of_evidence.csv", edit_table, cell("log_factor", "2", row=3)),
    "a step with another probability": ("weight_of_evidence.csv", edit_table, cell("probability", "0.9")),
    "steps that end elsewhere": ("weight_of_evidence.csv", edit_table, lambda t: t.iloc[:-3]),
    "an unused row twice": ("unused_rows.csv", edit_table, lambda t: pd.concat([t, t.iloc[:1]])),
    "an unused row without a reason": ("unused_rows.csv", edit_table, cell("reason", "")),
    "no statements": ("statements.csv", edit_table, lambda t: pd.DataFrame()),
    "a scenario code of 9": ("outcomes.nc", edit_draws, fill("", "scenario", 9)),
    "NaN in the draws": ("outcomes.nc", edit_draws, fill("", "fine_imposed", np.nan)),
    "inf in the draws": ("outcomes.nc", edit_draws, fill("", "total_cost", np.inf)),
    "half an event": ("outcomes.nc", edit_draws, fill("", "event:fine", 0.5)),
    "a fine below 0": ("outcomes.nc", edit_draws, fill("", "fine_left", -1.0)),
    "a target renamed": ("outcomes.nc", edit_draws, rename("", "fine_left")),
    "a target without its unit": ("outcomes.nc", edit_draws, lambda f: f["fine_left"].delncattr("units")),
    "other horizons": ("outcomes.nc", edit_draws, fill("", "horizon", 7)),
    "NaN in the prior's draws": ("prior_outcomes.nc", edit_draws, fill("", "fine_imposed", np.nan)),
    "text for the number of draws": ("posterior.nc", edit_draws, attribute("settings_draws", "many")),
    "10^15 draws": ("posterior.nc", edit_draws, attribute("settings_draws", 10**15)),
    "no number of draws": ("posterior.nc", edit_draws, attribute("settings_draws", None)),
    "NaN in the posterior": ("posterior.nc", edit_draws, fill("posterior", "rate", np.nan)),
    "inf in the statistics": ("posterior.nc", edit_draws, fill("sample_stats", "energy", np.inf)),
    "NaN in the densities": ("posterior.nc", edit_draws, fill("log_likelihood", "matters", np.nan)),
    "a parameter renamed": ("posterior.nc", edit_draws, rename("posterior", "powers")),
    "a statistic renamed": ("posterior.nc", edit_draws, rename("sample_stats", "diverging")),
    "another matter's label": ("posterior.nc", edit_draws, fill("log_likelihood", "matter", "zz")),
    "another family's label": ("posterior.nc", edit_draws, fill("posterior", "family", "zz")),
    "draws counted from 5": ("posterior.nc", edit_draws, fill("posterior", "draw", 5)),
    "no groups": ("posterior.nc", lambda f, n, c: put(f / n, (f / "outcomes.nc").read_bytes()), None),
    "a record with a row more": (
        "record/events.csv",
        lambda f, n, c: put(f / n, (f / n).read_bytes() + b"b1,b1-e9,2024-05-05,,,,\n"),
        None,
    ),
}  # fmt: skip


def refused(folder, name):
    """Load a folder that must be refused, in seconds, by a message that names the file."""
    started = time.perf_counter()
    with pytest.raises(InputError) as error:
        forecasting.load(folder)
    assert time.perf_counter() - started < 10
    assert Path(name).name in str(error.value)
    return str(error.value)


def test_the_folder_itself_is_sound(sound, copied):
    again = forecasting.load(sound)
    assert again.tree["posterior"].sizes["draw"] == DRAWS.draws
    reseal(copied)
    assert forecasting.load(copied).manifest == again.manifest


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_though_the_seal_fits(copied, damage):
    name, edit, change = DAMAGES[damage]
    edit(copied, name, change)
    reseal(copied)
    refused(copied, name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"\x00\xff garbage"])
def test_files_of_garbage_are_named_though_the_seal_fits(copied, name, content):
    put(copied / name, content)
    if name != MANIFEST:
        reseal(copied)
    refused(copied, name)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ('{"format": ' + "9" * 5000 + "}", "is no JSON"),
        ('{"format": 4, "note": ' + "9" * 30 + "}", "64 bits"),
        ("[" * 100_000, "deep in each other"),
        ('{"a": ' + "[" * 60 + "]" * 60 + "}", "deep in each other"),
        ("[]", "expected a JSON object"),
        ('{"format": 3}', "format 3, expected 4: it was saved by an older version of this package"),
        ('{"format": true}', "format True, expected 4"),
        ('{"format": NaN}', "NaN is no number of JSON"),
        ('{"format": 1e999}', "too large a number"),
        ("{}", "format None, expected 4"),
    ],
)
def test_a_manifest_that_no_parser_likes_is_refused_in_words(copied, content, what):
    put(copied / MANIFEST, content.encode())
    assert what in refused(copied, MANIFEST)
    with pytest.raises(InputError, match=MANIFEST.replace(".", "[.]")):
        open_folder(copied)


def test_tables_of_other_horizons_than_the_manifest_are_refused(copied):
    edit_json(copied, MANIFEST, setting("horizons", [6, 24, 48]))
    assert "'60' is not one of 6, 24, 48" in refused(copied, "summary.csv")


def test_labels_of_the_manifest_stand_in_the_tables(copied):
    labels = {"limited": "Calm", "significant": "Rough", "crackdown": "Storm"}
    edit_json(copied, MANIFEST, setting("labels", labels))
    assert "is not the manifest's label of limited" in refused(copied, "summary.csv")
    for name in ("summary", "scenarios", "weight_of_evidence", "statements", "resolution", "prior_resolution"):

        def label(table):
            scenario = table["scenario"] if "scenario" in table else table["latent"]
            table["label"] = [labels.get(name, "all scenarios") for name in scenario]

        edit_table(copied, f"{name}.csv", label)
    reseal(copied)
    assert set(forecasting.load(copied).tables["resolution"]["label"]) == set(labels.values())
    edit_table(copied, "scenarios.csv", cell("label", "Calmer"))
    reseal(copied)
    assert "'Calmer' is not the manifest's label of limited" in refused(copied, "scenarios.csv")


def test_files_that_are_none_are_refused_without_a_wait(copied, tmp_path):
    for name in ("posterior.nc", "summary.csv", "diagnostics.json"):
        (copied / name).unlink()
    (copied / "posterior.nc").mkdir()
    os.mkfifo(copied / "summary.csv")
    (copied / "diagnostics.json").symlink_to("/dev/zero")
    said = refused(copied, "posterior.nc")
    assert "posterior.nc: cannot be read: is a folder" in said
    assert "summary.csv: cannot be read: is a pipe, a socket or a device" in said
    assert "diagnostics.json: cannot be read: is a pipe, a socket or a device" in said


def test_arrays_that_a_file_only_promises_are_not_loaded(copied):
    def promise(file):
        file.createDimension("huge", 10**10)
        file.createVariable("huge", "f8", ("huge",), chunksizes=(1000,))

    edit_draws(copied, "outcomes.nc", promise)
    reseal(copied)
    assert "declares arrays of 74" in refused(copied, "outcomes.nc")


def test_a_seal_that_does_not_cover_the_folder_is_refused(copied):
    (copied / "record" / "extra.csv").write_text("a\n1\n")
    assert "extra.csv: is no part of the forecast" in refused(copied, "extra.csv")
    (copied / "record" / "extra.csv").unlink()
    edit_json(copied, MANIFEST, lambda m: m["sha256"].pop("summary.csv"))
    assert "lacks the SHA-256 of summary.csv" in refused(copied, MANIFEST)
    edit_json(copied, MANIFEST, lambda m: m["sha256"].update({"../../etc/passwd": "0" * 64}))
    assert "is no file of a forecast" in refused(copied, MANIFEST)


def test_replicates_may_be_thinned_or_missing(copied):
    with xr.open_datatree(copied / "posterior.nc") as tree:
        tree.load()
    del tree["prior_predictive"]
    few = tree["posterior_predictive"].to_dataset().isel(draw=slice(None, None, 5))
    tree["posterior_predictive"] = xr.DataTree(few.assign(fine_share=few["fine_share"].astype("float32")))
    (copied / "posterior.nc").unlink()
    tree.to_netcdf(copied / "posterior.nc")
    reseal(copied)
    assert "prior_predictive" not in forecasting.load(copied).tree.children


COMMANDS = {
    "show": [],
    "plot": ["--only", "scenarios"],
    "export": ["--format", "json"],
    "update": ["--origin", "2025-03-01"],
    "whatif": ["--silence-until", "2025-06-01"],
    "watch": [],
    "explain": [],
    "sensitivity": ["--quick"],
    "issue": [],
    "validate": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_a_damaged_folder(sound, copied, command, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    edit_table(copied, "summary.csv", cell("mean", "inf"))
    reseal(copied)
    arguments = [command, str(copied), *([str(sound)] if command == "explain" else []), *COMMANDS[command]]
    assert exit_code(arguments) == 1
    said = capsys.readouterr().err
    assert "summary.csv row 2, column mean" in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f"]


def test_what_is_not_finite_is_never_issued(copied, tmp_path, capsys):
    edit_draws(copied, "outcomes.nc", fill("", "fine_imposed", np.nan))
    reseal(copied)
    assert exit_code(["issue", str(copied), "--ledger", str(tmp_path / "ledger")]) == 1
    assert not (tmp_path / "ledger").exists()
    assert "outcomes.nc: target fine_imposed: has draws that are not finite" in capsys.readouterr().err


def test_numbers_that_json_lacks_are_written_as_null(tmp_path):
    write_json(tmp_path / "x.json", {"k_hat": np.nan, "parts": [np.float64("inf"), 1.5]})
    assert json.loads((tmp_path / "x.json").read_text()) == {"k_hat": None, "parts": [None, 1.5]}
