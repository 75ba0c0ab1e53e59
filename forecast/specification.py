"""The prior file: what an analyst says about one matter, as numbers with unit, reading and provenance.

`load_specification` reads and checks a YAML file, `dump_specification` writes one; the fields of
`Specification` are the keys of the file, in the file's order. Rates are per month, amounts in EUR.
Every mistake of a file is reported at once, as an `InputError` with line and key.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, Strict, ValidationError, model_validator

from forecast.files import InputError, Problem, did_you_mean, fingerprint
from forecast.labels import told_apart
from forecast.quantities import (
    Base,
    ByScenario,
    Number,
    Place,
    Range,
    Text,
    at_most,
    percent,
    walk,
)
from forecast.readings import Question, Reading
from forecast.regime import NamedRegime, load_regime, packaged_priors
from forecast.sections import (
    Advertising,
    Appeals,
    BetaPrior,
    Drift,
    Fines,
    Impacts,
    Lever,
    Openings,
    Resolution,
    Scenario,
    Sizes,
    Users,
    _sums_to_one,
)
from forecast.stated import Statements
from forecast.vocabulary import horizons_to
from forecast.yaml_files import (
    Document,
    KeyPath,
    check_document,
    dotted,
    key_path,
    model_problems,
    read_yaml,
    refusal,
)
from forecast.yaml_text import yaml_text

DEFAULT_FILE = "x-paris-2026.yaml"


OLD = (
    "expected 2, not 1. In version 2 'hazards' is gone: name a 'regime', whose file holds rates and law. 'orders' is "
    "gone: state order.specific, order.extensive and order.filtering under 'statements.families' like any family. "
    "Statements are gross (closings and new proceedings included) and need 'statements.tempo'; 'fines.share' and "
    "'fines.eur' are the scenario's sum of fines. New: 'appeals.large', 'appeals.probability_large', "
    "'impacts.set_off'; 'resolution' names families instead of scopes. priors/x-paris-2026.yaml is an example"
)
"""What to do with a prior file of version 1."""
MOST = 100
"""Most levers, questions and readings of a file: for each reading the whole file is checked once more."""
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2099, 12, 31)
"""Days of a record, and of an analyst who writes about one."""


def _of_our_time(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise refusal(((), f"expected a day from {FIRST_DAY} to {LAST_DAY}, not {day}"))
    return day


class Specification(Base):
    """Everything an analyst says about one matter: see the classes of its parts."""

    version: Literal[2]
    title: Text
    matter: Text
    provider_group: Text
    as_of: Annotated[date, Strict(), AfterValidator(_of_our_time)]
    regime: NamedRegime
    pooling: Annotated[Number, Place("fraction", 0, 1)]
    scenarios: Annotated[ByScenario[Scenario], AfterValidator(_sums_to_one), AfterValidator(told_apart)]
    resolution: Resolution
    fines: Fines
    statements: Statements
    appeals: Appeals
    closing: BetaPrior
    sizes: Sizes
    drift: Drift
    openings: Openings
    impacts: Impacts | None = None
    users: Users | None = None
    advertising: Advertising | None = None
    levers: Annotated[dict[Text, Lever], AfterValidator(partial(at_most, MOST, "levers"))] = Field(default_factory=dict)
    questions: Annotated[dict[Text, Question], AfterValidator(partial(at_most, MOST, "questions"))] = Field(
        default_factory=dict
    )
    readings: Annotated[dict[Text, Reading], AfterValidator(partial(at_most, MOST, "readings"))] = Field(
        default_factory=dict
    )

    @model_validator(mode="before")
    @classmethod
    def _is_of_this_version(cls, data: object) -> object:
        """Refuse a file of version 1 in one sentence, rather than each of its keys."""
        if isinstance(data, dict) and data.get("version") == 1 and data["version"] is not True:
            raise refusal((("version",), OLD))
        return data

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        wrong: list[tuple[KeyPath, str]] = [
            (("levers", name, "impacts"), "there is no section 'impacts' for it to act on")
            for name, lever in self.levers.items()
            if lever.impacts and not self.impacts
        ]
        for name, reading in self.readings.items():
            if reading.question is not None and reading.question not in self.questions:
                near = did_you_mean(reading.question, self.questions)
                wrong.append((("readings", name, "question"), f"there is no question {reading.question!r}{near}"))
            wrong += [(("readings", name, *path), what) for path, what in _read_as(self, reading)[1]]
        if wrong:
            raise refusal(*wrong)
        return self

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content, whatever its comments, format or order of keys."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return fingerprint(text.encode())

    @property
    def labels(self) -> dict[str, str]:
        """The analyst's own name of each scenario."""
        return {name: case.label for name, case in self.scenarios.items()}

    @property
    def horizons(self) -> tuple[int, ...]:
        """Months after the origin at which every target is forecast, ascending; the last one is the resolution's."""
        return horizons_to(round(self.resolution.months.value))

    def numbers(self) -> Iterator[tuple[str, Number | Range]]:
        """Yield every number with its dotted path, in the order of the file."""
        return ((dotted(path), number) for path, number in walk(self))

    def with_reading(self, *names: str) -> Specification:
        """Return this specification with the values of these readings set, and no further readings.

        A name that the file does not have, or readings that contradict each other, are an `InputError`.
        """
        read = self
        for name in names:
            if name not in self.readings:
                near = did_you_mean(name, self.readings) or f": expected one of {', '.join(self.readings)}"
                raise InputError(Problem("readings", f"there is no reading {name!r}{near}"))
            changed, wrong = _read_as(read, self.readings[name])
            if changed is None or wrong:
                raise InputError(Problem(dotted(("readings", name, *path)), what) for path, what in wrong)
            read = changed
        return read

    def __str__(self) -> str:
        chances = ", ".join(f"{case.label} {percent(case.probability.value)}" for _, case in self.scenarios.items())
        kinds = Counter(number.source.kind for path, number in self.numbers() if not path.startswith("regime."))
        return (
            f"{self.title} ({self.matter}, as of {self.as_of})\n"
            f"scenarios: {chances}\n"
            f"numbers: {kinds['source']} on the brief's words, "
            f"{kinds['author_assumption']} on its author's assumptions, {kinds['ours']} ours\n"
            f"regime: {self.regime.title}\n"
            f"fingerprint: {self.fingerprint[:12]}"
        )


def _read_as(specification: Specification, reading: Reading) -> tuple[Specification | None, list[tuple[KeyPath, str]]]:
    """Return the specification with a reading's values set, and what is wrong with the reading."""
    data: Any = {**specification.model_dump(), "readings": {}}
    wrong: list[tuple[KeyPath, str]] = []
    for text, value in reading.set.items():
        try:
            data = _replaced(data, key_path(text) or (text,), value)
        except KeyError as error:
            wrong.append((("set", text), error.args[0]))
    try:
        read = Specification.model_validate(data)
        if read.horizons != specification.horizons:
            what = "a reading cannot change it: the horizons of every target follow it"
            return None, [*wrong, (("set", "resolution.months.value"), what)]
        return read, wrong
    except ValidationError as error:
        for path, what in model_problems(Specification, error):
            text = dotted(path)
            wrong.append((("set", text), what) if text in reading.set else (("set",), f"then {text}: {what}"))
    return None, wrong


def _replaced(data: Any, path: KeyPath, value: float | str) -> Any:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(data, dict) and step in data:
        return {**data, step: _replaced(data[step], rest, value)}
    if isinstance(data, tuple) and isinstance(step, int) and step < len(data):
        return (*data[:step], _replaced(data[step], rest, value), *data[step + 1 :])
    near = did_you_mean(str(step), data) if isinstance(data, dict) else ""
    raise KeyError(f"there is no key {step!r} to set{near}")


def load_specification(path: str | Path | None = None) -> Specification:
    """Read and check a prior file, by default the packaged one on X; raises `InputError`.

    ``path`` is a file, or the name of a packaged one with or without ``.yaml``, such as ``tiktok-commission-2026``;
    a file of that name in the working folder comes first.
    """
    path = prior_path(path)
    return check_document(Specification, _with_regime(read_yaml(path), path.parent))


def _with_regime(document: Document, folder: Path) -> Document:
    """Return a prior file with the regime that it names, read from its own file, whose problems keep their places."""
    name = document.data.get("regime")
    if not isinstance(name, str) or not name or document.data.get("version") != 2:
        return document
    try:
        return replace(document, data={**document.data, "regime": load_regime(name, folder)})
    except InputError as error:
        return replace(
            document,
            data={**document.data, "regime": None},
            problems=(*document.problems, *_told_where(document, error)),
            lost=document.lost | {("regime",)},
        )


def _told_where(document: Document, error: InputError) -> Iterator[Problem]:
    """Yield the problems of a regime; one that cannot be read at all stands where the prior file names it."""
    for problem in error.problems:
        in_file = " line " in problem.where
        yield problem if in_file else Problem(document.where(("regime",)), f"{problem.where}: {problem.what}")


def prior_path(path: str | Path | None = None) -> Path:
    """Return the prior file that a path or the name of a packaged one means; `InputError` for an unknown name."""
    named, folder = Path(DEFAULT_FILE if path is None else path), packaged_priors()
    if path is not None and (named.name != str(path) or (named.exists() and not named.is_dir())):
        return named
    names = sorted(file.stem for file in folder.glob("*.yaml"))
    stem = named.name.removesuffix(".yaml")
    if stem in names:
        return folder / f"{stem}.yaml"
    what = f"there is no such file, and no packaged prior file of this name{did_you_mean(stem, names)}"
    raise InputError(Problem(str(path), f"{what}: expected a file, or one of {', '.join(names)}"))


def dump_specification(specification: Specification) -> str:
    """Return the specification as YAML, one number a line; loading it gives an equal one."""
    return yaml_text(_plain(specification.model_dump()), flow=frozenset({"unit", "brief"}))


def _plain(value: Any) -> Any:
    """Leave out what is empty by default, and put a statement's horizon first."""
    if isinstance(value, dict):
        kept = {key: _plain(inner) for key, inner in value.items() if inner not in (None, "", {})}
        return {"within": kept["within"], **kept} if "within" in kept else kept
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a prior file, as kept in ``priors/schema.json`` for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Specification.model_json_schema()}
