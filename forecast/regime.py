"""The regime: families of events, procedures and their stages, classes of authorities and their powers, rules of law.

`load_regime` reads and checks a YAML file such as ``priors/regimes/platforms.yaml``. Everything that the hazards of the
reference class know of law stands there as values; no other module names a family, a stage or a class.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
from pydantic import BeforeValidator, model_validator

from forecast.files import InputError, Problem, did_you_mean, fingerprint
from forecast.regime_checks import problems_of
from forecast.regime_parts import Content
from forecast.yaml_files import check_document, read_yaml, refusal

DEFAULT_REGIME = "platforms"


class RuleTable(NamedTuple):
    """The rules as arrays, for compiled loops: masks by class, stage, family; marks and tags as bits.

    ``with_bit``, ``without_bit``, ``tag_bit``: bits that must be set or unset (0: none). ``age``: rule, (from, to).
    """

    classes: np.ndarray
    stages: np.ndarray
    families: np.ndarray
    with_bit: np.ndarray
    without_bit: np.ndarray
    tag_bit: np.ndarray
    age: np.ndarray
    ripens: np.ndarray


class Regime(Content):
    """Everything that the hazards know of law: see the classes of its parts."""

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if wrong := list(problems_of(self)):
            raise refusal(*wrong)
        return self

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content, whatever its comments, format or order of keys."""
        return fingerprint(self.model_dump_json().encode())

    @cached_property
    def family_names(self) -> tuple[str, ...]:
        """Names of the families, in the order of the procedure."""
        return tuple(self.families)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes of authorities."""
        return tuple(self.classes)

    @cached_property
    def stage_names(self) -> tuple[str, ...]:
        """Names of the stages of all procedures, each procedure's in order."""
        return tuple(self.every_stage)

    @cached_property
    def later_stages(self) -> tuple[str, ...]:
        """Names of the stages that have effects of their own: all but each procedure's first."""
        return tuple(stage for stages in self.procedures.values() for stage in stages[1:])

    @cached_property
    def mark_names(self) -> tuple[str, ...]:
        """Names of the marks; the i-th is bit ``1 << i`` of a state."""
        return tuple(self.marks)

    @cached_property
    def types(self) -> dict[str, str | None]:
        """Event type -> some family that it belongs to, or ``None``: every type that a log may have."""
        of_families = {kind: name for name, family in self.families.items() for kind in family.types}
        return of_families | dict.fromkeys(self.silent_types)

    def family_of(self, event_type: str, scope: str) -> int | None:
        """Return the index of the family that an event counts towards, or ``None``."""
        return next((i for i, f in enumerate(self.families.values()) if f.takes(event_type, scope)), None)

    def first_stage(self, authority_class: str) -> int:
        """Return the index of the stage in which proceedings of a class begin."""
        return self.stage_names.index(self.procedures[self.classes[authority_class].procedure][0])

    def bits(self, event_type: str) -> int:
        """Return the marks, as bits, that an event of a type sets."""
        return sum(1 << i for i, types in enumerate(self.marks.values()) if event_type in types)

    def tag_bits(self, authority: str) -> int:
        """Return the tags, as bits, that the name of an authority carries."""
        return sum(1 << i for i, text in enumerate(self.tags.values()) if text in authority)

    @cached_property
    def moves(self) -> np.ndarray:
        """Stage reached from a stage by an event of a family, shape stage, family: a later one or the same."""
        table = np.repeat(np.arange(len(self.stage_names))[:, None], len(self.families), axis=1)
        for procedure, stages in self.procedures.items():
            for f, family in enumerate(self.families.values()):
                if target := family.moves_to.get(procedure):
                    reached = self.stage_names.index(target)
                    for stage in stages:
                        table[self.stage_names.index(stage), f] = max(self.stage_names.index(stage), reached)
        return table

    @cached_property
    def family_bits(self) -> np.ndarray:
        """Marks, as bits, that an event of a family sets: those of its types."""
        each = [[self.bits(kind) for kind in family.types] for family in self.families.values()]
        return np.array([np.bitwise_or.reduce(bits) for bits in each], dtype=np.int64)

    @cached_property
    def closes(self) -> np.ndarray:
        """0 never, 1 may, 2 always ends the proceeding, by family."""
        return np.array([("never", "may", "always").index(f.closes) for f in self.families.values()])

    @cached_property
    def rule_table(self) -> RuleTable:
        """The rules as arrays."""
        rows, where = self.rules, [rule.where for rule in self.rules]
        mark = {None: 0} | {name: 1 << i for i, name in enumerate(self.marks)}
        tag = {None: 0} | {name: 1 << i for i, name in enumerate(self.tags)}
        return RuleTable(
            classes=np.array([[not w.classes or c in w.classes for c in self.classes] for w in where]),
            stages=np.array([[not w.stages or s in w.stages for s in self.stage_names] for w in where]),
            families=np.array([[f not in r.all_but and f in (r.families or [f]) for f in self.families] for r in rows]),
            with_bit=np.array([mark[w.marked] for w in where]),
            without_bit=np.array([mark[w.unmarked] for w in where]),
            tag_bit=np.array([tag[w.tag] for w in where]),
            age=np.array([w.age or (-np.inf, np.inf) for w in where], dtype=float),
            ripens=np.array([rule.ripens for rule in rows]),
        )  # fmt: skip


def packaged_priors() -> Path:
    """Return the folder of the shipped prior files: in an installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "priors"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "priors"


def load_regime(name: str | Path = DEFAULT_REGIME, folder: Path = Path()) -> Regime:
    """Read and check a regime, by default the packaged one of online platforms; raises `InputError`.

    ``name`` is a file, relative to ``folder``, or the name of a packaged one, such as ``platforms``; a file of that
    name in the folder comes first.
    """
    return check_document(Regime, read_yaml(regime_path(name, folder)))


def regime_path(name: str | Path, folder: Path = Path()) -> Path:
    """Return the file that a path or the name of a packaged regime means; `InputError` for an unknown name."""
    named, own = Path(name), folder / name
    if named.name != str(name) or own.is_file():
        return own
    packaged = packaged_priors() / "regimes"
    names, stem = sorted(file.stem for file in packaged.glob("*.yaml")), named.name.removesuffix(".yaml")
    if stem in names:
        return packaged / f"{stem}.yaml"
    what = f"there is no such file, and no packaged regime of this name{did_you_mean(stem, names)}"
    raise InputError(Problem(str(name), f"{what}: expected a file, or one of {', '.join(names)}"))


def _named_regime(value: object) -> object:
    """Read the regime that a name or a file means; a whole regime, as saved forecasts hold it, stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return load_regime(value)
    except InputError as error:
        raise refusal(*(((), str(problem)) for problem in error.problems)) from None


class _NamedOrWhole:
    """The schema of a regime: its name or file, or all of it."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        named = {"type": "string", "minLength": 1, "description": "name of a packaged regime, or a file"}
        return {"anyOf": [handler(schema), named]}


NamedRegime = Annotated[Regime, BeforeValidator(_named_regime), _NamedOrWhole()]
"""A regime in a prior file: its name, its file, or all of it."""
