"""The regime's file: what is refused, with line and key, all at once; and what a regime says of events."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from forecast.files import InputError
from forecast.regime import Regime, load_regime, packaged_priors
from forecast.specification import Specification, dump_specification, load_specification
from forecast.vocabulary import EVENT_TYPES, FAMILIES, OPERATIONAL_SCOPES, family_of
from forecast.yaml_files import Document, check_document, dotted, key_path, read_yaml

FILE = packaged_priors() / "regimes" / "platforms.yaml"
X_FILE = packaged_priors() / "x-paris-2026.yaml"
GONE = object()


@cache
def document() -> Document:
    return read_yaml(FILE)


def put(data, path, value):
    """Plain data with one value set, or without the key if the value is GONE."""
    if not path:
        return value
    if isinstance(data, tuple):
        return (*data[: path[0]], put(data[path[0]], path[1:], value), *data[path[0] + 1 :])
    inner = put(data.get(path[0]), path[1:], value)
    return {key: kept for key, kept in {**data, path[0]: inner}.items() if kept is not GONE}


def check(*changes: tuple[str, object]) -> Regime:
    data = document().data
    for where, value in changes:
        data = put(data, key_path(where), value)
    return check_document(Regime, replace(document(), data=data))


def problems_of(*changes: tuple[str, object]) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        check(*changes)
    return [(problem.where, problem.what) for problem in caught.value.problems]


def rule(name: str) -> int:
    return next(i for i, one in enumerate(document().data["rules"]) if one["name"] == name)


# Refusals: (key, value, where the problem stands if elsewhere, wording)

POWERS, ORDERS = "classes.criminal.powers", 'families["order.extensive"]'
REFUSALS = {
    "no article": ("rules[3].law", GONE, "rules[3]", "missing key 'law'"),
    "empty article": ("rules[3].law", "", "", "expected some text, not ''"),
    "blank article": ("rules[3].law", "  ", "", "expected the article of law, or the practice"),
    "class without article": ("classes.criminal.law", GONE, "classes.criminal", "missing key 'law'"),
    "class without procedure": ("classes.criminal.procedure", GONE, "classes.criminal", "missing key 'procedure'"),
    "unknown procedure": ("classes.criminal.procedure", "criminl", "", "no procedure 'criminl' (did you mean"),
    "procedure moved in": ("families.fine.moves_to", {"crimnal": "decision"}, "", "there is no procedure 'crimnal'"),
    "unknown stage": ("families.fine.moves_to.criminal", "decison", "", "(did you mean 'decision'?)"),
    "stage of another": ("families.fine.moves_to.criminal", "after_findings", "", "stage of the procedure 'criminal'"),
    "first stage": ("families.fine.moves_to.criminal", "inquiry", "", "a stage is left only for a later one"),
    "stage in effects": ("stages.after_finding", {"fine": 2}, "", "(did you mean 'after_findings'?)"),
    "effects of the first": ("stages.before_findings", {"fine": 2}, "", "is the first stage of its procedure"),
    "family in effects": ("stages.after_findings.fines", 2, "", "there is no family 'fines' (did you mean 'fine'?)"),
    "family in powers": (f"{POWERS}.exective", 2, "", "there is no family 'exective' (did you mean 'executive'?)"),
    "family in a rule": ("rules[2].families", ("fin",), "", "there is no family 'fin' (did you mean 'fine'?)"),
    "family left out": ("rules[0].all_but", ("reqest",), "", "(did you mean 'request'?)"),
    "class in a rule": ("rules[2].where.classes", ("comission_dsa",), "", "(did you mean 'commission_dsa'?)"),
    "stage in a rule": ("rules[2].where.stages", ("before",), "", "there is no stage 'before'"),
    "mark in a rule": ("rules[1].where.marked", "opened", "", "there is no mark 'opened'"),
    "tag in a rule": ("rules[3].where.tag", "cpc", "", "there is no tag 'cpc'"),
    "type in a mark": ("marks.lifted", ("liftd",), "", "there is no event type 'liftd' (did you mean 'lifted'?)"),
    "unknown type": ("families.fine.types", ("fined",), "", "there is no event type 'fined' (did you mean 'fine'?)"),
    "unknown scope": (f"{ORDERS}.scopes", ("person",), "", "there is no operational scope 'person'"),
    "unknown silent type": ("silent_types.hering", "x", "", "(did you mean 'hearing'?)"),
    "unknown family": ("families.fines", document().data["families"]["fine"], "", "no family 'fines' (did you mean"),
    "no family": ("families.fine", GONE, "families", "missing key 'fine'"),
    "no class": ("classes.consumer", GONE, "classes", "missing key 'consumer'"),
    "same type": ("families.closure.types", ("closed_no_action", "reprimand", "withdrawn", "fine"), "", "'fine' takes"),
    "same scope": (
        f"{ORDERS}.scopes",
        ("extensive", "specific"),
        f"{ORDERS}.types",
        "takes 'interim_measures' of scope 'specific'",
    ),
    "all scopes": (f"{ORDERS}.scopes", (), f"{ORDERS}.types", "expected one family for each event"),
    "type of nobody": ("families.summons.types", (), "families", "no family takes the event type 'summons'"),
    "type of another": ("families.search.types", ("search", "hearing"), "silent_types.hearing", "it is not silent"),
    "no stages": ("procedures.criminal", (), "", "expected one stage at least, not an empty list"),
    "unused procedure": ("procedures.civil", ("writ",), "", "no class of authorities has this procedure"),
    "stage twice": ("procedures.civil", ("inquiry",), "procedures", "the stage 'inquiry' stands there 2 times"),
    "closes": ("families.fine.closes", "often", "", "'never', 'may' or 'always', not 'often'"),
    "stage after the end": ("families.closure.moves_to", {"criminal": "decision"}, "", "no stage comes after it"),
    "mark of some types": ("marks.lifted", ("lifted", "fine"), "", "so 'periodic_penalty' must stand there too"),
    "both": ("rules[0].families", ("fine",), "rules[0].all_but", "expected families or all_but, not both"),
    "nothing left": ("rules[0].all_but", FAMILIES, "", "leaves no family for the rule"),
    "name twice": ("rules[0].name", document().data["rules"][1]["name"], "rules", "2 rules have the name"),
    "ages": (f"rules[{rule('DMA decision within about a year')}].where.age", (15, 11), "", "with from < to, not [15"),
    "marked or not": ("rules[1].where.unmarked", "formally_opened", "", "and not marked so"),
    "never holds": ("rules[2].where.stages", ("inquiry",), "", "the rule never holds"),
    "multiplier 0": (f"{POWERS}.executive", 0, "", "greater than or equal to 0.001, not 0"),
    "multiplier 1e6": ("rules[0].multiplier", 1e6, "", "less than or equal to 1000, not 1000000"),
    "sd 0": ("rules[0].sd", 0, "", "greater than or equal to 0.001, not 0"),
    "no number": ("rules[0].multiplier", "0.05", "", "expected a number, not '0.05'"),
    "rate": ("families.fine.rate.low", 1e-30, "", "expected a number from 1e-07 to 100, not 1e-30"),
    "rate's unit": ("families.fine.rate.unit", "per year", "", "expected unit 'per month', not 'per year'"),
    "age": ("families.fine.age", 50, "", "less than or equal to 5, not 50"),
    "scale": ("scales.trend.value", 9, "", "expected a number from 0.001 to 5, not 9"),
    "scale's unit": ("scales.age.unit", "log", "", "expected unit 'log hazard per log age', not 'log'"),
    "band": ("time.age_band", 1e-9, "", "greater than or equal to 0.05, not 1e-09"),
    "many rules": ("rules", document().data["rules"] * 9, "", "expected at most 100 rules, not"),
    "version": ("version", 2, "", "expected 1, not 2"),
    "unknown key": ("rules[0].wehre", {}, "", "unknown key 'wehre' (did you mean 'where'?)"),
    "unknown condition": ("rules[0].where.class", (), "", "unknown key 'class' (did you mean 'classes'?)"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(name):
    where, value, elsewhere, wording = REFUSALS[name]
    place = key_path(elsewhere or where)
    found = problems_of((where, value))
    own = [what for at, what in found if at == document().where(place)]
    assert any(wording in what for what in own), found
    assert re.match(r"platforms\.yaml line \d+, ", document().where(place))


def test_a_regime_in_which_no_proceeding_ends_is_refused():
    changes = [(f"families.{name}.closes", "never") for name in ("commitments", "fine", "closure")]
    assert any("no family ends a proceeding" in what for _, what in problems_of(*changes))


def test_families_stand_in_the_order_of_the_procedure():
    turned = dict(reversed(document().data["families"].items()))
    assert any("in the order of the procedure: request, " in what for _, what in problems_of(("families", turned)))


def test_all_unknown_names_are_told_at_once_in_order_of_lines():
    found = problems_of(
        ("classes.consumer.procedure", "civil"),
        ("families.fine.moves_to.criminal", "sentence"),
        ("rules[4].where.marked", "eased"),
        ("stages.after_findings.fnie", 2),
    )
    places = ["families.fine.moves_to.criminal", "stages.after_findings.fnie", "classes.consumer.procedure"]
    assert [where.partition(", ")[2] for where, _ in found] == [*places, "rules[4].where.marked"]


def test_every_event_of_a_record_belongs_to_the_family_that_records_count_it_towards():
    regime = load_regime()
    for kind in EVENT_TYPES:
        for scope in ("", *OPERATIONAL_SCOPES):
            index = regime.family_of(kind, scope)
            assert (None if index is None else regime.family_names[index]) == family_of(kind, scope)


def test_moves_reach_later_stages_alone():
    regime = load_regime()
    stages = regime.stage_names
    fine = FAMILIES.index("fine")
    assert stages[regime.moves[stages.index("inquiry"), fine]] == "decision"
    assert stages[regime.moves[stages.index("after_decision"), FAMILIES.index("findings")]] == "after_decision"
    assert stages[regime.moves[stages.index("before_findings"), fine]] == "after_decision"
    assert (regime.moves - [[i] for i in range(len(stages))] >= 0).all()


# A regime in a prior file: by name, by file, or whole


def prior_file(folder: Path, regime: str) -> Path:
    path = folder / "prior.yaml"
    text = X_FILE.read_text(encoding="utf-8")
    path.write_text(text.replace("\nregime: platforms\n", f"\nregime: {regime}\n"), encoding="utf-8")
    return path


def test_a_prior_file_names_a_packaged_regime_or_a_file_beside_it(tmp_path):
    own = tmp_path / "law" / "mine.yaml"
    own.parent.mkdir()
    own.write_text(FILE.read_text(encoding="utf-8").replace("name: platforms", "name: mine"), encoding="utf-8")
    named = load_specification(X_FILE)
    assert load_specification(prior_file(tmp_path, "platforms.yaml")) == named
    for said in ("law/mine.yaml", str(own)):
        assert load_specification(prior_file(tmp_path, said)).regime.name == "mine"
    assert load_specification(prior_file(tmp_path, "law/mine.yaml")).fingerprint != named.fingerprint


@pytest.mark.parametrize("said", ["platfroms", "law/none.yaml", "7", "[]", "''", "null"])
def test_a_regime_that_is_none_is_refused_where_the_prior_file_names_it(tmp_path, said):
    path = prior_file(tmp_path, said)
    with pytest.raises(InputError) as caught:
        load_specification(path)
    (problem,) = caught.value.problems
    assert problem.where == f"prior.yaml line {read_yaml(path).lines['regime',]}, regime"
    if said == "platfroms":
        assert "(did you mean 'platforms'?): expected a file, or one of platforms" in problem.what


def test_problems_of_a_prior_file_and_of_its_regime_are_told_together(tmp_path):
    text = FILE.read_text(encoding="utf-8").replace("multiplier: 2.7", "multiplier: -2.7")
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    path = prior_file(tmp_path, "mine.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("matter: x-eu-2026", "matter: 7"), encoding="utf-8")
    line = text[: text.index("multiplier: -2.7")].count("\n") + 1
    with pytest.raises(InputError) as caught:
        load_specification(path)
    found = {problem.where: problem.what for problem in caught.value.problems}
    at = f"mine.yaml line {line}, rules[{rule('DMA decision within about a year')}].multiplier"
    assert set(found) == {at, f"prior.yaml line {read_yaml(path).lines['matter',]}, matter"}
    assert found[at] == "expected greater than or equal to 0.001, not -2.7"


def test_a_whole_regime_in_a_saved_prior_file_is_checked_with_its_lines(tmp_path):
    text = dump_specification(load_specification(X_FILE))
    path = tmp_path / "saved.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_specification(path) == load_specification(X_FILE)
    path.write_text(text.replace("procedure: criminal", "procedure: crimnal"), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_specification(path)
    (problem,) = caught.value.problems
    place = ("regime", "classes", "criminal", "procedure")
    assert problem.where == f"saved.yaml line {read_yaml(path).lines[place]}, {dotted(place)}"
    assert "(did you mean 'criminal'?)" in problem.what


def test_a_reading_may_change_a_number_of_the_regime():
    data = load_specification(X_FILE).model_dump()
    key = 'regime.families["order.filtering"].rate.high'
    data["readings"] = {"more": {"what": "more filtering", "set": {key: 0.01}}}
    read = Specification.model_validate(data).with_reading("more")
    assert read.regime.families["order.filtering"].rate.high == 0.01
