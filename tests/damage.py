"""A small saved forecast, and ways of damaging its files: for the tests of hostile folders."""

import json
import os
import shutil
from datetime import date
from pathlib import Path

import netCDF4
import pandas as pd
from worlds import brief, case, event, unfitted, world

from forecast import forecasting
from forecast.files import fingerprint
from forecast.folders import MANIFEST, SEALED
from forecast.inference import Settings

AS_OF, ORIGIN = date(2024, 8, 31), date(2025, 1, 31)
"""Of the brief, and of the forecast: five months of news lie between."""
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
        event("a1", "2024-11-04", "information_request"),
        event("c1", "2024-09-01", "fine", amount_eur=5e6),
    ]
    services = [{"service": s, "provider_group": s, "designated_on": "2023-04-25"} for s in ("P", "Q")]
    turnover = [{"company_group": "P", "year": 2023, "turnover_eur": 4e9, "published_on": "2024-04-30"}]
    fines = [
        {"decision_id": f"d{i}", "company_group": g, "decided_on": d, "published_on": d, "amount_eur": a}
        for i, (g, d, a) in enumerate((("P", "2023-02-02", 1e7), ("Q", "2022-03-03", 4e7)))
    ]
    return world(proceedings=cases, events=events, designated_services=services, turnover=turnover, fines=fines)


def sound_folder(folder):
    """Save a small forecast, complete, from draws of the prior."""
    spec, record = brief("m", as_of=AS_OF, provider_group="P"), small_record()
    made = forecasting.conclude(unfitted(spec, record, ORIGIN, DRAWS), record.as_of(ORIGIN))
    forecasting.save(made, folder)
    return folder


def linked(sound, folder):
    """Return a copy of the folder that shares its files: whoever changes one replaces it."""
    return Path(shutil.copytree(sound, folder, copy_function=os.link))


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
