"""The words of a record and of a prior file, each with what it means, and the law that the hazards know."""

from __future__ import annotations

from math import log
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from forecast.regime import Regime
from forecast.regime_parts import Condition, Rule
from forecast.terminal.look import table_of
from forecast.vocabulary import (
    EVENT_TYPES,
    FAMILY_MEANINGS,
    FAMILY_OF_TYPE,
    ORDER_TYPES,
    SCOPE_MEANINGS,
    SCOPES,
    TYPE_MEANINGS,
)

AVERAGE = "as the average authority"


def words_screen(regime: Regime) -> Group:
    """Return what ``forecast types`` prints: types, families, scopes, stages, classes of authorities, rules of law."""
    types = table_of("Event types (column type of events)", "type", "family", "what it means")
    for name in EVENT_TYPES:
        family = "order, by scope" if name in ORDER_TYPES else FAMILY_OF_TYPE.get(name, "none")
        types.add_row(name, family, TYPE_MEANINGS[name])
    scopes = table_of("Scopes of orders (column scope of events)", "scope", "what it means")
    for name in SCOPES:
        scopes.add_row(name, SCOPE_MEANINGS[name])
    none = "Family none: openings and appeals are modelled on their own; the rest changes no rate."
    about = (
        f"Multipliers are prior medians of factors on the rate of an event; the record corrects them. Regime: "
        f"{regime.title}."
    )
    tables: list[Any] = [types, Text(none), families(regime), scopes, stages(regime), classes(regime), rules(regime)]
    return Group(*(part for table in tables for part in (table, Text(""))), Text(about))


def families(regime: Regime) -> Table:
    """Return the families of events, the stage that each leads to, and whether it ends the proceeding."""
    table = table_of("Families of events, in the order of the procedure", "family", "what it means", "leads to", "ends")
    for name, family in regime.families.items():
        reached = ", ".join(dict.fromkeys(stage.replace("_", " ") for stage in family.moves_to.values()))
        table.add_row(name, FAMILY_MEANINGS.get(name, family.label), reached, family.closes)
    return table


def stages(regime: Regime) -> Table:
    """Return the stages of each procedure in their order, with their multipliers."""
    table = table_of("Procedures and their stages", "procedure", "stage", "multipliers of rates")
    for procedure, names in regime.procedures.items():
        for i, stage in enumerate(names):
            own = _multipliers(regime.stages.get(stage, {})) or ("the first stage" if i == 0 else "none")
            table.add_row(procedure if i == 0 else "", stage.replace("_", " "), own)
    return table


def classes(regime: Regime) -> Table:
    """Return the classes of authorities: what they are, their procedure, their powers and the law that gives them."""
    title = "Classes of authorities (column authority_class of proceedings) and their powers"
    table = table_of(title, "class", "procedure", "multipliers of rates", "what it is")
    for name, kind in regime.classes.items():
        table.add_row(name, kind.procedure, _multipliers(kind.powers) or AVERAGE, f"{kind.meaning} Law: {kind.law}")
    return table


def rules(regime: Regime) -> Table:
    """Return the rules of procedural law and practice: where each holds, its multiplier, and its source."""
    table = table_of("Rules of procedure", "rule", "holds", "multiplier", "law")
    for rule in regime.rules:
        table.add_row(rule.name.replace("_", " "), _where(rule.where, regime), _effect(rule), rule.law)
    return table


def _effect(rule: Rule) -> str:
    families = ", ".join(rule.families) or "all families"
    if rule.all_but:
        families = f"all but {', '.join(rule.all_but)}"
    if rule.ripens:
        return f"{families}: time in the stage to the power {log(rule.multiplier):.1f}"
    return f"{families} x{rule.multiplier:g}"


def _where(where: Condition, regime: Regime) -> str:
    parts = [
        ", ".join(where.classes),
        ", ".join(stage.replace("_", " ") for stage in where.stages),
        f"once {where.marked.replace('_', ' ')}" if where.marked else "",
        f"unless {where.unmarked.replace('_', ' ')}" if where.unmarked else "",
        f"at an age of {where.age[0]:g} to {where.age[1]:g} months" if where.age else "",
        f"authorities named {regime.tags[where.tag]}" if where.tag else "",
    ]
    return "; ".join(part for part in parts if part) or "everywhere"


def _multipliers(effects: dict[str, float]) -> str:
    return ", ".join(f"{family} x{value:g}" for family, value in effects.items())
