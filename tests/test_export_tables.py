"""Exported tables: long, tidy and with units, and back to what the forecast holds."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from damage import sound_folder

from forecast import forecasting
from forecast.exports.tables import LAYOUTS, from_arrays, metadata, restore, tidy, to_arrays
from forecast.files import InputError


def same_bits(one, two):
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert (one["value"].to_numpy().view("i8") == two["value"].to_numpy().view("i8")).all()


def test_every_table_is_long_and_each_number_has_a_unit(packaged):
    tables = tidy(packaged)
    assert list(tables) == [*(name for name in LAYOUTS if name != "weight_of_evidence"), "draws"]  # there is no news
    for name, frame in tables.items():
        assert frame["value"].dtype == "float64"
        assert (frame["unit"] != "").all(), name
        assert not frame.drop(columns="value").duplicated().any(), name
        assert not frame.drop(columns="value").isna().any(axis=None), name
    assert list(tables["summary"].columns) == [
        *("origin_date", "target", "horizon_months", "scenario", "label", "unit", "statistic", "value", "interval")
    ]
    assert list(tables["draws"].columns) == ["draw", "horizon_months", "scenario", "target", "unit", "value"]


def test_only_the_ends_of_an_interval_are_marked_as_such(packaged):
    for name, frame in tidy(packaged).items():
        if "interval" in frame:
            marked = frame["statistic"].isin(["q05", "q95"])
            assert (frame.loc[marked, "interval"] == "eti 0.90").all(), name
            assert (frame.loc[~marked, "interval"] == "").all(), name


def test_diagnostics_of_parameters_have_units_of_their_own(packaged):
    frame = tidy(packaged)["posterior_summary"]
    units = frame.groupby("statistic")["unit"].unique().map(list)
    assert units["r_hat"] == ["ratio"]
    assert units["ess_bulk"] == ["draws"]
    assert units["mean"] == units["q05"] == ["log, logit or standard score"]


def test_the_forecast_comes_back_from_its_long_tables(packaged):
    tables, draws = restore(metadata(packaged.manifest), tidy(packaged))
    xr.testing.assert_identical(draws, packaged.outcomes)
    assert set(packaged.tables) - set(tables) == {"weight_of_evidence", "unused_rows"}  # no rows, and no numbers
    for name, table in packaged.tables.items():
        if name not in tables:
            continue
        pd.testing.assert_frame_equal(tables[name], table, check_exact=True, check_dtype=False)


def test_a_target_that_no_draw_has_comes_back(packaged):
    outcomes = packaged.outcomes.copy(deep=True)
    outcomes["months_to:suspension"].values[:] = np.nan
    tables = tidy(replace(packaged, outcomes=outcomes))
    assert "months_to:suspension" not in set(tables["draws"]["target"])
    xr.testing.assert_identical(restore(metadata(packaged.manifest), tables)[1], outcomes)


def test_undefined_draws_have_no_row_and_all_others_one(packaged):
    frame = tidy(packaged)["draws"]
    values = packaged.outcomes.drop_vars("scenario").to_dataarray()
    assert len(frame) == int(values.notnull().sum())
    row = frame.iloc[len(frame) // 2]
    cell = packaged.outcomes[row["target"]].sel(draw=row["draw"], horizon=row["horizon_months"])
    assert float(cell) == row["value"]


def test_tables_without_rows_are_left_out(packaged):
    early = replace(packaged, tables={**packaged.tables, "statements": pd.DataFrame()})
    assert "statements" not in tidy(early)


@pytest.fixture(scope="module")
def news(tmp_path_factory):
    """A small forecast five months after its brief."""
    return forecasting.load(sound_folder(tmp_path_factory.mktemp("news") / "f"))


def test_the_weight_of_evidence_comes_back(news):
    tables, _ = restore(metadata(news.manifest), tidy(news))
    assert len(news.tables["weight_of_evidence"])
    found, told = tables["weight_of_evidence"], news.tables["weight_of_evidence"]
    pd.testing.assert_frame_equal(found, told, check_exact=True, check_dtype=False)


@pytest.mark.parametrize("name", LAYOUTS)
def test_arrays_hold_what_the_table_holds(packaged, news, name):
    frame = tidy(news if name == "weight_of_evidence" else packaged)[name]
    arrays = to_arrays(frame, LAYOUTS[name].dims)
    same_bits(from_arrays(arrays), frame)
    assert arrays["value"].dims == (("row",) if name == "statements" else LAYOUTS[name].dims)


def test_what_describes_a_label_lies_along_it(packaged):
    tables = tidy(packaged)
    events = to_arrays(tables["event_probabilities"], LAYOUTS["event_probabilities"].dims)
    assert events["matter_id"].dims == ("case_id",)
    assert events["unit"].dims == ()
    assert to_arrays(tables["summary"], LAYOUTS["summary"].dims)["unit"].dims == ("target",)


def test_rows_in_another_order_or_with_gaps_are_an_array_over_rows(packaged):
    frame = tidy(packaged)["summary"]
    for other in (frame.iloc[1:], frame.sample(frac=1, random_state=1), frame.iloc[:1]):
        rows = other.reset_index(drop=True)
        same_bits(from_arrays(to_arrays(rows, LAYOUTS["summary"].dims)), rows)


def test_metadata_are_text_of_one_line(packaged):
    about = metadata({**packaged.manifest, "matter": "two\nlines\u2028and\ttabs"})
    assert about["matter"] == "two lines and tabs"
    assert about["interval_kind"] == "equal-tailed"
    assert about["interval_level"] == "0.90"
    assert set(map(type, about.values())) == {str}


@pytest.mark.parametrize(("column", "value"), [("reason", "a\0b"), ("q50", np.inf)])
def test_what_a_format_cannot_hold_is_refused(packaged, column, value):
    fines = packaged.tables["next_fines"].copy()
    fines.loc[0, column] = value
    with pytest.raises(InputError, match=r"table next_fines.*: holds an? "):
        tidy(replace(packaged, tables={**packaged.tables, "next_fines": fines}))
