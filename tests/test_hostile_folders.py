"""Damaged folders of forecasts: what is wrong is named, resealed or not, without a traceback and without a wait."""

import json
import os
import shutil
import time
from datetime import date
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import brief, case, event, unfitted, world

from forecast import forecasting
from forecast.cli.shell import exit_code
from forecast.files import InputError, fingerprint
from forecast.folders import MANIFEST, SEALED, open_folder, write_json
from forecast.inference import Settings

ORIGIN = date(2025, 1, 31)
DRAWS = Settings(draws=20, tune=10, chains=2, seed=3)
FILES = (*SEALED, MANIFEST)


def small_record():
    cases = [
        case("a1", "2024-01-10", matter="m"),
        case("b1", "2024-02-01"),
        case("c1", "2024-02-05", provider="Q", provider_group="Q"),
    ]
    events = [
        event("a1", "2024-01-10", "opened"),
        event("b1", "2024-02-01", "opened"),
        event("c1", "2024-02-05", "opened"),
        event("a1", "2024-06-01", "preliminary_findings"),
        event("c1", "2024-09-01", "fine", amount_eur=5e6),
    ]
    services = [{"service": s, "provider_group": s, "designated_on": "2023-04-25"} for s in ("P", "Q")]
    turnover = [{"company_group": "P", "year": 2023, "turnover_eur": 4e9, "published_on": "2024-04-30"}]
    fines = [
        {"decision_id": f"d{i}", "company_group": g, "decided_on": d, "published_on": d, "amount_eur": a}
        for i, (g, d, a) in enumerate((("P", "2023-02-02", 1e7), ("Q", "2022-03-03", 4e7)))
    ]
    return world(proceedings=cases, events=events, designated_services=services, turnover=turnover, fines=fines)


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """A small folder, complete, from draws of the prior."""
    spec = brief("m", as_of=ORIGIN, provider_group="P")
    record = small_record()
    folder = tmp_path_factory.mktemp("sound") / "f"
    made = forecasting.conclude(unfitted(spec, record, ORIGIN, DRAWS), record.as_of(ORIGIN))
    forecasting.save(made, folder)
    return folder


def linked(sound, folder):
    """Return a copy of the folder that shares its files: whoever changes one replaces it."""
    return Path(shutil.copytree(sound, folder, copy_function=os.link))


@pytest.fixture
def copied(sound, tmp_path):
    return linked(sound, tmp_path / "f")


def put(path, content):
    """Replace a file, and leave the one that it is linked to."""
    path.unlink()
    path.write_bytes(content)


def reseal(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    for name in manifest["sha256"]:
        path = folder / name
        if path.is_file():
            manifest["sha256"][name] = fingerprint(path.read_bytes())
    put(folder / MANIFEST, json.dumps(manifest).encode())


def edit_json(folder, name, change):
    value = json.loads((folder / name).read_text())
    change(value)
    put(folder / name, json.dumps(value).encode())


def edit_table(folder, name, change):
    table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
    changed = change(table)
    put(folder / name, (table if changed is None else changed).to_csv(index=False).encode())


def edit_draws(folder, name, change):
    path = folder / name
    put(path, path.read_bytes())
    with netCDF4.Dataset(path, "a") as file:
        change(file)


def drop(key):
    return lambda value: value.pop(key)


def setting(key, value):
    return lambda said: said.update({key: value})


def fill(group, name, value, index=0):
    def change(file):
        variable = (file.groups[group] if group else file)[name]
        variable[(index,) * variable.ndim] = value

    return change


def attribute(name, value):
    def change(file):
        file.delncattr(name)
        if value is not None:
            file.setncattr(name, value)

    return change


def rename(group, name):
    return lambda file: (file.groups[group] if group else file).renameVariable(name, "renamed")


def cell(column, value, row=0):
    def change(table):
        table.loc[row, column] = value

    return change


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
    "NaN in the posterior": ("posterior.nc", edit_draws, fill("posterior", "log_rate", np.nan)),
    "inf in the statistics": ("posterior.nc", edit_draws, fill("sample_stats", "energy", np.inf)),
    "NaN in the densities": ("posterior.nc", edit_draws, fill("log_likelihood", "matters", np.nan)),
    "a parameter renamed": ("posterior.nc", edit_draws, rename("posterior", "log_step")),
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
@pytest.mark.parametrize("content", [b"", b"\x00\xff garbage", b"\n", b"{}", b'{"a": NaN}'])
def test_files_of_garbage_are_named_though_the_seal_fits(copied, name, content):
    put(copied / name, content)
    if name != MANIFEST:
        reseal(copied)
    refused(copied, name)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ('{"format": ' + "9" * 5000 + "}", "is no JSON"),
        ('{"format": 3, "note": ' + "9" * 30 + "}", "64 bits"),
        ("[" * 100_000, "deep in each other"),
        ('{"a": ' + "[" * 60 + "]" * 60 + "}", "deep in each other"),
        ("[]", "expected a JSON object"),
        ('{"format": 2}', "format 2, expected 3: it was saved by an older version of this package"),
        ('{"format": true}', "format True, expected 3"),
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


# Anything at all


WORDS = ["", "inf", "nan", "-1", "1e999", "x" * 300, "0x10", "1_0", "٣", '"', "\x00", "2025-01-31", "all", "9" * 400]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=5), parts, max_size=3),
    max_leaves=5,
)


def damaged_bytes(draw, content):
    kind = draw(st.sampled_from(["cut", "flip", "garbage", "insert", "twice"]))
    place = draw(st.integers(0, max(len(content) - 1, 0)))
    if kind == "cut":
        return content[:place]
    if kind == "garbage":
        return draw(st.binary(max_size=300))
    if kind == "twice":
        return content + content
    if kind == "insert":
        return content[:place] + draw(st.binary(min_size=1, max_size=8)) + content[place:]
    changed = bytearray(content)
    for at in draw(st.lists(st.integers(0, max(len(content) - 1, 0)), min_size=1, max_size=20)):
        changed[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(changed)


def damaged_json(draw, content):
    value = json.loads(content)
    place = value
    while True:
        key = draw(st.sampled_from(sorted(place)))
        if isinstance(place[key], dict) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        if draw(st.booleans()):
            del place[key]
        else:
            place[key] = draw(JSON)
        return json.dumps(value).encode()


def damaged_csv(draw, content):
    lines = [line.split(",") for line in content.decode().splitlines()]
    kind = draw(st.sampled_from(["cell", "column", "row", "double", "shuffle"]))
    row = draw(st.integers(0, max(len(lines) - 1, 0)))
    column = draw(st.integers(0, max(len(lines[0]) - 1, 0))) if lines else 0
    if not lines:
        return content
    if kind == "cell":
        lines[row][min(column, len(lines[row]) - 1)] = draw(st.sampled_from(WORDS))
    elif kind == "column":
        lines = [line[:column] + line[column + 1 :] for line in lines]
    elif kind == "row":
        del lines[row]
    elif kind == "double":
        lines.insert(row, lines[row])
    else:
        lines[0] = lines[0][::-1]
    return "\n".join(",".join(line) for line in lines).encode()


def damaged_draws(draw, path):
    with netCDF4.Dataset(path, "a") as file:
        groups = [file, *file.groups.values()]
        group = draw(st.sampled_from([g for g in groups if g.variables] or groups))
        kind = draw(st.sampled_from(["number", "number", "rename", "attribute", "unit", "group"]))
        names = sorted(group.variables)
        if kind == "attribute" and file.ncattrs():
            name = draw(st.sampled_from(sorted(file.ncattrs())))
            file.setncattr(name, draw(st.sampled_from(["text", -1, 10**15, 1.5])))
        elif kind == "group" and file.groups:
            file.renameGroup(draw(st.sampled_from(sorted(file.groups))), "renamed")
        elif names:
            variable = group[draw(st.sampled_from(names))]
            if kind == "rename":
                group.renameVariable(variable.name, "renamed")
            elif kind == "unit":
                variable.setncattr(draw(st.sampled_from(["units", "scale_factor", "dtype"])), "days since 2000-01-01")
            elif variable.size:
                odd = ["odd"] if variable.dtype is str else [np.nan, np.inf, -1e300, 9.0]
                value = draw(st.sampled_from(odd))
                if variable.dtype is not str and variable.dtype.kind != "f":
                    value = 9
                variable[tuple(draw(st.integers(0, n - 1)) for n in variable.shape)] = value


def damage(draw, folder):
    """Damage one file of a folder, in place, and return its name."""
    name = draw(st.sampled_from(FILES))
    path, kind = folder / name, draw(st.sampled_from(["bytes", "own", "own", "missing"]))
    content = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "own" and name.endswith(".nc"):
        put(path, content)
        damaged_draws(draw, path)
    else:
        own = {".json": damaged_json, ".csv": damaged_csv}.get(path.suffix, damaged_bytes)
        put(path, (own if kind == "own" else damaged_bytes)(draw, content))
    if name != MANIFEST and draw(st.booleans()):
        reseal(folder)
    return name


def loaded_or_told(folder):
    try:
        return forecasting.load(folder), ""
    except InputError as error:
        return None, str(error)


def check_any_damage(sound, place, draw):
    folder = linked(sound, place / "f")
    try:
        name = damage(draw, folder)
        started = time.perf_counter()
        loaded, said = loaded_or_told(folder)
        assert time.perf_counter() - started < 10
        if loaded is None:
            assert Path(name).name in said or MANIFEST in said
        else:
            for table in loaded.tables.values():
                assert not np.isinf(table.select_dtypes("number").to_numpy()).any()
            assert np.isfinite(loaded.outcomes["fine_imposed"].values).all()
    finally:
        shutil.rmtree(folder)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_any_damage_gives_words_or_a_finite_forecast(sound, tmp_path_factory, data):
    check_any_damage(sound, tmp_path_factory.mktemp("any"), data.draw)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_damage_of_ten_thousand(sound, tmp_path_factory, data):
    check_any_damage(sound, tmp_path_factory.mktemp("many"), data.draw)
