"""The regime: families of events, procedures and their stages, classes of authorities and their powers, rules of law.

`load_regime` reads and checks a YAML file such as ``priors/regimes/platforms.yaml``. Everything that the hazards of the
reference class know of law stands there as values.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from forecast.files import did_you_mean, fingerprint
from forecast.quantities import Base, Number, Range, Real, Text
from forecast.regime_time import Positive, Time
from forecast.specification import packaged_priors
from forecast.yaml_files import KeyPath, check_document, read_yaml, refusal

DEFAULT_REGIME = "platforms"

Multiplier = Annotated[Real, Field(gt=0, le=1000)]


class Family(Base):
    """A family of events: the types (and scopes) of the log that belong to it, and what one such event does.

    ``moves_to``: the stage that a proceeding of each procedure reaches by it. ``closes``: whether it ends the
    proceeding; ``may`` means with the probability of the prior file's ``closing``.
    ``age``: prior centre of the power of age in its hazard. ``rate``: events per month, see the file's head.
    """

    label: Text
    types: tuple[Text, ...]
    scopes: tuple[str, ...] = ()
    moves_to: dict[str, str] = Field(default_factory=dict)
    closes: Literal["never", "may", "always"] = "never"
    age: Real = 0.0
    rate: Range

    def takes(self, event_type: str, scope: str) -> bool:
        """Return whether an event of this type and scope belongs to the family."""
        return event_type in self.types and (not self.scopes or scope in self.scopes)


class AuthorityClass(Base):
    """A class of authorities: its procedure, and the prior centres of its powers, as multipliers by family."""

    procedure: str
    meaning: Text
    powers: dict[str, Multiplier] = Field(default_factory=dict)
    law: Text


class Condition(Base):
    """Where a rule holds: in these classes and stages, with or without a mark, at this age, at this authority."""

    classes: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    with_mark: Annotated[str | None, Field(alias="with")] = None
    without: str | None = None
    age: tuple[Real, Real] | None = None
    tag: str | None = None


class Rule(Base):
    """One rule of procedural law or practice: a multiplier of the hazards of its families where it holds.

    ``log multiplier ~ Normal(log(multiplier), sd)``. A rule that ``ripens`` multiplies by
    ``exp(effect log((months in the stage + offset) / unit))`` instead: its effect is a power of time.
    """

    name: Text
    where: Condition
    families: tuple[str, ...] = ()
    except_: Annotated[tuple[str, ...], Field(alias="except")] = ()
    ripens: bool = False
    multiplier: Multiplier
    sd: Positive
    law: Text


class Scales(Base):
    """Standard deviations of the effects on the log hazard."""

    powers: Number
    stage: Number
    age: Number
    trend: Number


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


class Regime(Base):
    """Everything that the hazards know of law: see the classes of its parts."""

    version: Literal[1]
    name: Text
    title: Text
    families: dict[str, Family]
    silent_types: dict[str, Text]
    marks: dict[str, tuple[str, ...]]
    procedures: dict[str, tuple[str, ...]]
    stages: dict[str, dict[str, Multiplier]]
    classes: dict[str, AuthorityClass]
    tags: dict[str, Text]
    rules: tuple[Rule, ...]
    scales: Scales
    time: Time

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        wrong = list(_unknown_names(self))
        if wrong:
            raise refusal(*wrong)
        return self

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content, whatever its comments, format or order of keys."""
        return fingerprint(self.model_dump_json(by_alias=True).encode())

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
        return tuple(stage for stages in self.procedures.values() for stage in stages)

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
            families=np.array([[f not in r.except_ and f in (r.families or [f]) for f in self.families] for r in rows]),
            with_bit=np.array([mark[w.with_mark] for w in where]),
            without_bit=np.array([mark[w.without] for w in where]),
            tag_bit=np.array([tag[w.tag] for w in where]),
            age=np.array([w.age or (-np.inf, np.inf) for w in where], dtype=float),
            ripens=np.array([rule.ripens for rule in rows]),
        )


def _unknown_names(regime: Regime) -> Iterable[tuple[KeyPath, str]]:
    """Yield every name in the file that stands for nothing, with its place."""
    stages = {stage for own in regime.procedures.values() for stage in own}

    def check(path: KeyPath, names: Iterable[str], known: Iterable[str], what: str) -> Iterable[tuple[KeyPath, str]]:
        known = list(known)
        for name in names:
            if name not in known:
                yield path, f"there is no {what} {name!r}{did_you_mean(name, known)}"

    for name, family in regime.families.items():
        place: KeyPath = ("families", name)
        yield from check((*place, "moves_to"), family.moves_to, regime.procedures, "procedure")
        for procedure, stage in family.moves_to.items():
            yield from check((*place, "moves_to", procedure), [stage], regime.procedures.get(procedure, ()), "stage")
    for mark, types in regime.marks.items():
        yield from check(("marks", mark), types, regime.types, "event type")
    for stage, effects in regime.stages.items():
        yield from check(("stages",), [stage], stages, "stage")
        yield from check(("stages", stage), effects, regime.families, "family")
    for name, kind in regime.classes.items():
        yield from check(("classes", name, "procedure"), [kind.procedure], regime.procedures, "procedure")
        yield from check(("classes", name, "powers"), kind.powers, regime.families, "family")
    for i, rule in enumerate(regime.rules):
        place, where = ("rules", i), rule.where
        yield from check((*place, "families"), (*rule.families, *rule.except_), regime.families, "family")
        yield from check((*place, "where", "classes"), where.classes, regime.classes, "class")
        yield from check((*place, "where", "stages"), where.stages, stages, "stage")
        marks = [mark for mark in (where.with_mark, where.without) if mark]
        yield from check((*place, "where"), marks, regime.marks, "mark")
        yield from check((*place, "where", "tag"), [where.tag] if where.tag else [], regime.tags, "tag")


def load_regime(path: str | Path | None = None) -> Regime:
    """Read and check a regime file, by default the packaged one of online platforms; raises `InputError`."""
    name = DEFAULT_REGIME if path is None else str(path)
    packaged = packaged_priors() / "regimes" / f"{name.removesuffix('.yaml')}.yaml"
    return check_document(Regime, read_yaml(packaged if packaged.is_file() else Path(name)))
