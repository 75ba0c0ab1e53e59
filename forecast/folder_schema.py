"""What the JSON files of a saved forecast hold, manifest and diagnostics, as one schema that every reader goes through.

Its tables: ``forecast.folder_tables``; its draws: ``forecast.draw_checks``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from forecast.files import Problem


def _day(text: str) -> str:
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError("a day, YYYY-MM-DD, was expected")
    date.fromisoformat(text)
    return text


def _ascending(months: list[int]) -> list[int]:
    if months != sorted(set(months)):
        raise ValueError("months in ascending order, each once, were expected")
    return months


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("printable text was expected")
    return text


Day = Annotated[str, AfterValidator(_day)]
Sha = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_printable)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Count = Annotated[int, Field(ge=1, le=10**7)]
"""Of draws and chains: more would not fit any memory."""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


class AssumedSilence(_Strict):
    """Days after the record's end that a forecast took for silence; see ``forecast.silence.Silence``."""

    complete_until: Day
    days: NonNegativeInt
    open_proceedings: NonNegativeInt
    proceeding_days: NonNegativeInt


class Manifest(_Strict):
    """What a forecast was made from, and with what. Further keys, such as versions of packages, are free."""

    format: int
    matter: Text
    origin: Day
    as_of: Day
    view: Literal["inside", "outside"]
    priors_fingerprint: Sha
    record_fingerprint: Sha
    seed: Seed
    interval: Literal["eti 0.90"]
    sha256: dict[str, Sha]
    version: Text
    labels: Annotated[dict[Literal["limited", "significant", "crackdown"], Text], Field(min_length=3)]
    horizons: Annotated[list[PositiveInt], Field(min_length=1), AfterValidator(_ascending)]
    assumed_silence: AssumedSilence | None
    resolved_matters: Annotated[
        dict[Literal["limited", "significant", "crackdown"], NonNegativeInt], Field(min_length=3)
    ]

    @model_validator(mode="after")
    def _view_fits(self) -> Manifest:
        if (self.view == "inside") != (self.origin >= self.as_of):
            raise ValueError(
                f"the view {self.view} does not fit an origin of {self.origin} and a brief of {self.as_of}"
            )
        return self


class Extreme(_Strict):
    """The parameter in which a diagnostic is at its worst."""

    parameter: str
    value: FiniteFloat


class Worst(_Strict):
    """Where each diagnostic is at its worst."""

    r_hat: Extreme
    ess_bulk: Extreme
    ess_tail: Extreme


class Sampling(_Strict):
    """How a forecast was sampled."""

    draws: Count
    tune: NonNegativeInt
    chains: Count
    seed: Seed


class Updated(_Strict):
    """How a forecast came from an earlier one; ``efficiency``: share of the draws that reweighting left."""

    method: Literal["reweighted", "refitted"]
    reasons: list[str]
    from_origin: Day
    efficiency: Annotated[float, Field(gt=0, le=1.0000001)] = 1.0


class Diagnostics(_Strict):
    """How the sampler did, and what became of its draws."""

    sampler: str
    parameters: NonNegativeInt
    converged: bool
    failures: list[str]
    divergences: NonNegativeInt
    max_treedepth_reached: NonNegativeInt
    worst: Worst
    settings: Sampling
    update: Updated | None = None


def problems_of(model: type[BaseModel], value: Mapping[str, Any], path: Path) -> list[Problem]:
    """Return what keeps the object in a JSON file from being what ``model`` says, each with its key."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        return [_problem(path, one) for one in error.errors(include_url=False)]
    return []


def _problem(path: Path, error: Any) -> Problem:
    key = ".".join(str(part)[:80] for part in error["loc"])
    what = str(error["msg"]).removeprefix("Value error, ")
    where = f"{path}, key {key}" if key else str(path)
    return Problem(where, "is missing" if error["type"] == "missing" else what[:1].lower() + what[1:])
