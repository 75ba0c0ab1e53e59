"""What a regime's file must not say: names that stand for nothing, and parts that contradict each other.

Each check yields places in the file and what is wrong there. Families, classes of authorities and event types are those
of `forecast.vocabulary`, with which records, targets and resolution rules speak; a regime says what they do in law.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, combinations, product

from forecast.files import did_you_mean
from forecast.regime_parts import Content, Rule
from forecast.vocabulary import AUTHORITY_CLASSES, EVENT_TYPES, FAMILIES, OPERATIONAL_SCOPES, family_of
from forecast.yaml_files import KeyPath

type Wrong = Iterator[tuple[KeyPath, str]]

SCOPES = ("", *OPERATIONAL_SCOPES)


def problems_of(regime: Content) -> Wrong:
    """Yield everything that is wrong with a regime, with its place: unknown names alone, while there are any."""
    unknown = [*_unknown_types(regime), *_unknown_parts(regime), *_unknown_in_rules(regime)]
    contradictions = (_families, _procedures, _stages, _marks, _rules)
    return chain(unknown) if unknown else chain.from_iterable(check(regime) for check in contradictions)


def _unknown(path: KeyPath, names: Iterable[str | None], known: Iterable[str], what: str) -> Wrong:
    """Yield the names that are none of the known ones; ``None`` stands for no name."""
    known = list(known)
    for name in names:
        if name is not None and name not in known:
            yield path, f"there is no {what} {name!r}{did_you_mean(name, known)}"


def _exactly(path: KeyPath, names: Iterable[str], known: tuple[str, ...], what: str) -> Wrong:
    names = list(names)
    for name in names:
        yield from _unknown((*path, name), [name], known, what)
    for name in known:
        if name not in names:
            yield path, f"missing key {name!r}: records and forecasts speak of this {what}"


def _unknown_types(regime: Content) -> Wrong:
    yield from _exactly(("families",), regime.families, FAMILIES, "family")
    yield from _exactly(("classes",), regime.classes, AUTHORITY_CLASSES, "class")
    for name, family in regime.families.items():
        yield from _unknown(("families", name, "types"), family.types, EVENT_TYPES, "event type")
        yield from _unknown(("families", name, "scopes"), family.scopes, SCOPES, "operational scope")
    for kind in regime.silent_types:
        yield from _unknown(("silent_types", kind), [kind], EVENT_TYPES, "event type")
    for mark, types in regime.marks.items():
        yield from _unknown(("marks", mark), types, EVENT_TYPES, "event type")


def _unknown_parts(regime: Content) -> Wrong:
    for name, stages in regime.procedures.items():
        if not stages:
            yield ("procedures", name), "expected one stage at least, not an empty list"
    for name, family in regime.families.items():
        place: KeyPath = ("families", name, "moves_to")
        yield from _unknown(place, family.moves_to, regime.procedures, "procedure")
        for procedure, stage in family.moves_to.items():
            stages = regime.procedures.get(procedure, (stage,))
            yield from _unknown((*place, procedure), [stage], stages, f"stage of the procedure {procedure!r}:")
    for stage, effects in regime.stages.items():
        yield from _unknown(("stages", stage), [stage], regime.every_stage, "stage")
        for power in effects:
            yield from _unknown(("stages", stage, power), [power], regime.families, "family")
    for name, kind in regime.classes.items():
        yield from _unknown(("classes", name, "procedure"), [kind.procedure], regime.procedures, "procedure")
        for power in kind.powers:
            yield from _unknown(("classes", name, "powers", power), [power], regime.families, "family")


def _unknown_in_rules(regime: Content) -> Wrong:
    for i, rule in enumerate(regime.rules):
        place, where = ("rules", i), rule.where
        for key in ("families", "all_but"):
            yield from _unknown((*place, key), getattr(rule, key), regime.families, "family")
        yield from _unknown((*place, "where", "classes"), where.classes, regime.classes, "class")
        yield from _unknown((*place, "where", "stages"), where.stages, regime.every_stage, "stage")
        for key in ("marked", "unmarked"):
            yield from _unknown((*place, "where", key), [getattr(where, key)], regime.marks, "mark")
        yield from _unknown((*place, "where", "tag"), [where.tag], regime.tags, "tag")


def _families(regime: Content) -> Wrong:
    """Yield what keeps an event from belonging to exactly the family that records and forecasts count it towards."""
    if tuple(regime.families) != FAMILIES:
        yield ("families",), f"expected the families in the order of the procedure: {', '.join(FAMILIES)}"
    for (first, one), (name, two) in combinations(regime.families.items(), 2):
        shared = [(t, s) for t, s in product(EVENT_TYPES, SCOPES) if one.takes(t, s) and two.takes(t, s)]
        if shared:
            kind, scope = shared[0]
            of = f" of scope {scope!r}" if scope else ""
            yield ("families", name, "types"), f"{first!r} takes {kind!r}{of} too: expected one family for each event"
    for kind in EVENT_TYPES:
        takers = [name for name, family in regime.families.items() for s in SCOPES if family.takes(kind, s)]
        silent, meant = kind in regime.silent_types, {family_of(kind, s) for s in SCOPES} - {None}
        if takers and silent:
            yield ("silent_types", kind), f"{takers[0]!r} takes it, so it is not silent"
        if not silent and not takers:
            yield ("families",), f"no family takes the event type {kind!r}, and it is no silent type"
        if takers and set(takers) != meant:
            expected = ", ".join(sorted(map(str, meant))) or "no family"
            yield ("families", takers[0], "types"), f"{kind!r} belongs to {expected}, as records count it"
    if all(family.closes == "never" for family in regime.families.values()):
        yield ("families",), "no family ends a proceeding: expected 'closes: may' or 'closes: always' in one at least"
    for name, family in regime.families.items():
        if family.closes == "always" and family.moves_to:
            yield ("families", name, "moves_to"), "it always ends the proceeding: no stage comes after it"


def _procedures(regime: Content) -> Wrong:
    for name in regime.procedures:
        if all(kind.procedure != name for kind in regime.classes.values()):
            yield ("procedures", name), "no class of authorities has this procedure"
    for stage, times in Counter(regime.every_stage).items():
        if times > 1:
            yield ("procedures",), f"the stage {stage!r} stands there {times} times: expected names of their own"
    firsts = {stages[0] for stages in regime.procedures.values()}
    for name, family in regime.families.items():
        for procedure, stage in family.moves_to.items():
            if stage in firsts:
                what = f"{stage!r} is the first stage: a stage is left only for a later one"
                yield ("families", name, "moves_to", procedure), what


def _stages(regime: Content) -> Wrong:
    for stages in regime.procedures.values():
        if stages[0] in regime.stages:
            what = "is the first stage of its procedure: its hazards are the rates of the families"
            yield ("stages", stages[0]), what


def _marks(regime: Content) -> Wrong:
    """Yield where some types of a family set a mark and others do not: a simulated event has a family and no type."""
    for name, family in regime.families.items():
        for mark, types in regime.marks.items():
            own = [kind for kind in family.types if kind in types]
            if own and len(own) < len(family.types):
                missing = next(kind for kind in family.types if kind not in types)
                yield ("marks", mark), f"{own[0]!r} of the family {name!r} sets it, so {missing!r} must stand there too"


def _rules(regime: Content) -> Wrong:
    for name, times in Counter(rule.name for rule in regime.rules).items():
        if times > 1:
            yield ("rules",), f"{times} rules have the name {name!r}: expected names of their own"
    for i, rule in enumerate(regime.rules):
        for key, what in _rule(regime, rule):
            yield ("rules", i, *key), what


def _rule(regime: Content, rule: Rule) -> Wrong:
    where = rule.where
    if rule.families and rule.all_but:
        yield ("all_but",), "expected families or all_but, not both"
    if set(rule.all_but) == set(regime.families):
        yield ("all_but",), "leaves no family for the rule"
    if not rule.law.strip():
        yield ("law",), "expected the article of law, or the practice, that the rule stands for"
    if where.age is not None and not 0 <= where.age[0] < where.age[1]:
        yield ("where", "age"), f"expected months from 0 on, [from, to) with from < to, not {list(where.age)}"
    if where.marked is not None and where.marked == where.unmarked:
        yield ("where", "unmarked"), f"nothing is marked {where.marked!r} and not marked so"
    classes = where.classes or tuple(regime.classes)
    reached = {stage for name in classes for stage in regime.procedures[regime.classes[name].procedure]}
    if where.stages and not reached & set(where.stages):
        yield ("where", "stages"), f"no proceeding of {', '.join(classes)} has a stage of these: the rule never holds"
