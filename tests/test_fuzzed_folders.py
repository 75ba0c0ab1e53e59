"""Any damage to any file of a saved forecast, resealed or not, gives words or a finite forecast, and never a wait."""

import json
import shutil
import time
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from damage import FILES, linked, put, reseal, sound_folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecast import forecasting
from forecast.files import InputError
from forecast.folders import MANIFEST


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return sound_folder(tmp_path_factory.mktemp("sound") / "f")


@pytest.fixture(scope="module", autouse=True)
def remembered():
    """Read a prior file of the same bytes once: that takes longer than all else in a folder as small as this one."""
    read, known = forecasting.load_specification, {}

    def reading(path):
        content = path.read_bytes() if path.is_file() else b""
        if content not in known:
            known[content] = read(path)
        return known[content]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forecasting, "load_specification", reading)
        yield


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
