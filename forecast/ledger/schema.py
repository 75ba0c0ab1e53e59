"""What a ledger's entries and Parquet files hold, checked as they are read: a hash that matches makes nothing sound."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt
from pydantic import ValidationError as Invalid

from forecast.folder_schema import Day, Sha
from forecast.ledger.rules import STATUSES, clauses_from, problem_of
from forecast.resolution import RESOLUTIONS

COLUMNS = {
    "forecasts": {
        "model_id": "string", "origin_date": "date32", "target": "string", "horizon": "int32", "location": "string",
        "output_type": "string", "output_type_id": "string", "value": "float64",
    },
    "targets": {
        "origin_date": "date32", "target": "string", "horizon": "int32", "location": "string", "matter_id": "string",
        "unit": "string", "output_type": "string", "until": "date32", "rule": "string",
    },
    "resolutions": {
        "entry": "int32", "origin_date": "date32", "target": "string", "horizon": "int32", "location": "string",
        "version": "int32", "status": "string", "outcome": "string", "value": "float64", "old_status": "string",
        "old_outcome": "string", "old_value": "float64", "change": "string", "reason": "string", "evidence": "string",
        "known_on": "date32",
    },
}  # fmt: skip
"""Columns of each kind of file, in order. ``entry``: number of the entry that issued the forecast."""
MOST_BYTES, MOST_ROWS = 256 * 2**20, 2_000_000
"""Largest Parquet file of a ledger, and most rows of it, that are read; a forecast brings some 10,000 rows."""
PLACES = {"issue": ("forecasts", "targets"), "resolution": ("resolutions",)}
"""The folders in which an entry of each kind has its files, one in each."""
NAME = re.compile(r"(forecasts|targets|resolutions)/(origin_date=[0-9]{4}-[0-9]{2}-[0-9]{2}/)?[0-9a-f]{16}\.parquet")
OUTCOMES = ("yes", "no", *RESOLUTIONS)
OPTIONAL = ("value", "old_value")
"""Columns of numbers in which a row may have none: what came was no quantity."""
NEAR = 1e-6
KINDS = tuple(PLACES)


def _json_time(text: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", text):
        raise ValueError("a time, YYYY-MM-DDTHH:MM:SSZ, was expected")
    return text


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class EntryJson(_Strict):
    """The keys of an entry, no more and no fewer."""

    model_config = ConfigDict(strict=True, extra="forbid")
    format: int
    index: Annotated[int, Field(ge=1, le=999_999)]
    kind: Literal["issue", "resolution"]
    time: Annotated[str, AfterValidator(_json_time)]
    previous: Sha
    files: dict[str, Sha]
    body: dict[str, Any]
    sha256: Sha


class _Issue(_Strict):
    issued_on: Day
    origin_date: Day
    forecast_sha256: str


class _Resolution(_Strict):
    known_on: Day


class _Rule(_Strict):
    """What every rule has, and what some have, each of its type; which of them it needs says ``problem_of``."""

    rule: str
    after: Day
    until: Day
    grace_days: NonNegativeInt
    family: str = ""
    cases: list[str] = []
    matter: str = ""
    clauses: dict[str, Any] | None = None
    is_last: bool = False
    left: bool = False
    turnover_eur: Annotated[FiniteFloat, Field(gt=0)] | None = None
    providers: list[str] = []
    series: str = ""
    base_millions: Annotated[FiniteFloat, Field(gt=0)] = 1.0
    needs: str = ""


BODIES: dict[str, type[BaseModel]] = {"issue": _Issue, "resolution": _Resolution}


def entry_damage(said: dict[str, Any]) -> str:
    """Return what keeps the object in an entry's file from being an entry, or an empty string."""
    return _first(EntryJson, said) or _first(BODIES[said["kind"]], said["body"], "body.") or _file_damage(said)


def _first(model: type[BaseModel], value: Any, above: str = "") -> str:
    try:
        model.model_validate(value)
    except Invalid as error:
        one = error.errors(include_url=False)[0]
        key = above + ".".join(str(part)[:80] for part in one["loc"])
        return f"key {key}: " + ("is missing" if one["type"] == "missing" else str(one["msg"]))
    return ""


def _file_damage(said: dict[str, Any]) -> str:
    names, places = sorted(said["files"]), PLACES[said["kind"]]
    strange = [name for name in names if not NAME.fullmatch(name)]
    if strange:
        return f"key files: {strange[0][:120]!r} is no name of a file of a ledger"
    if [name.split("/")[0] for name in names] != sorted(places):
        return f"key files: one file in each of {', '.join(places)} was expected, not {len(names)}"
    return ""


def data_damage(place: str, content: bytes) -> str:
    """Return what keeps the bytes of a Parquet file from being data of a ledger, or an empty string."""
    from pyarrow import ArrowException  # noqa: PLC0415
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    try:
        file = ParquetFile(io.BytesIO(content))
        about = file.metadata
        unpacked = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
        if about.num_rows > MOST_ROWS or unpacked > MOST_BYTES:
            return f"has {about.num_rows} rows of {unpacked} bytes; at most {MOST_ROWS} and {MOST_BYTES} are read"
        found = {field.name: str(field.type) for field in file.schema_arrow}
        wanted = {name: ARROW[kind] for name, kind in COLUMNS[place].items()}
        if list(found.items()) != list(wanted.items()):
            return f"has other columns than those of {place}: {', '.join(wanted)}"
        frame = file.read().replace_schema_metadata(None).to_pandas(ignore_metadata=True)
    except (ArrowException, OSError, ValueError, ArithmeticError, MemoryError) as error:
        return f"is no Parquet file that can be read: {(str(error) or type(error).__name__).splitlines()[0][:200]}"
    return next(_row_damage(place, frame), "")


ARROW = {"string": "string", "date32": "date32[day]", "int32": "int32", "float64": "double"}


def _row_damage(place: str, frame: pd.DataFrame) -> Iterator[str]:
    for column in frame.columns.drop([c for c in OPTIONAL if c in frame and place == "resolutions"]):
        if frame[column].isna().any():
            yield f"column {column}: has rows without a value"
            return
    numbers = frame.select_dtypes("float64")
    if np.isinf(numbers.to_numpy()).any():
        yield "has numbers that are not finite"
        return
    if "horizon" in frame and (frame["horizon"] <= 0).any():
        yield "column horizon: has rows of 0 months or fewer"
    yield from {"forecasts": _forecasts, "targets": _targets, "resolutions": _resolutions}[place](frame)


def _forecasts(frame: pd.DataFrame) -> Iterator[str]:
    key = ["model_id", "target", "horizon", "location", "output_type"]
    if frame.duplicated([*key, "output_type_id"]).any():
        yield "has a number twice"
    if not frame["output_type"].isin(["pmf", "quantile"]).all():
        yield "column output_type: pmf or quantile was expected"
        return
    shares = frame.loc[frame["output_type"] == "pmf"]
    sums = shares.groupby(key)["value"].sum()
    if not shares["value"].between(0, 1).all() or (np.abs(sums - 1) > NEAR).any():
        yield "has probabilities that are not from 0 to 1, or do not sum to 1"
    if not shares["output_type_id"].isin(OUTCOMES).all():
        yield f"column output_type_id: has an outcome that is none of {', '.join(OUTCOMES)}"
    levels = pd.to_numeric(frame.loc[frame["output_type"] == "quantile", "output_type_id"], errors="coerce")
    if not levels.between(0, 1, inclusive="neither").all():
        yield "column output_type_id: has a level of a quantile that is not between 0 and 1"
    fines = frame.loc[(frame["target"] == "next_fine") & (frame["output_type"] == "quantile"), "value"]
    if (fines <= 0).any():
        yield "has a next fine of 0 or less"


def _targets(frame: pd.DataFrame) -> Iterator[str]:
    if frame.duplicated(["target", "horizon", "location"]).any():
        yield "has a target twice"
    for target, rule in zip(frame["target"], frame["rule"], strict=True):
        if what := rule_damage(rule):
            yield f"target {target[:80]}: its rule cannot be used: {what}"
            return


def rule_damage(text: str) -> str:
    """Return what keeps the JSON of a rule from being one that can be applied, or an empty string."""
    try:
        rule = json.loads(text)
    except (ValueError, RecursionError):
        return "it is no JSON"
    if not isinstance(rule, dict):
        return "it is no JSON object"
    if what := _first(_Rule, rule) or problem_of(rule):
        return what
    if rule["rule"] == "class":
        try:
            clauses_from(rule["clauses"])
        except Invalid as error:
            return f"clauses: {error.errors(include_url=False)[0]['msg']}"
        except ValueError as error:
            return f"clauses: {error}"
    return ""


def _resolutions(frame: pd.DataFrame) -> Iterator[str]:
    if (frame["version"] < 1).any() or (frame["entry"] < 1).any():
        yield "has versions or entries below 1"
    if frame.duplicated(["entry", "target", "horizon", "location", "version"]).any():
        yield "has a version twice"
    if not frame["status"].isin(STATUSES).all():
        yield f"column status: has a status that is none of {', '.join(STATUSES)}"
    if not frame["outcome"].isin(["", *OUTCOMES]).all():
        yield f"column outcome: has an outcome that is none of {', '.join(OUTCOMES)}"
    final = frame.loc[frame["status"] == "resolved"]
    if ((final["outcome"] == "") & final["value"].isna()).any():
        yield "has a target that is resolved, and neither outcome nor value"
