"""The prior files and their refusals: line, key path and wording; identity; fingerprint; schema."""

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from forecast.files import InputError, Problem
from forecast.quantities import Number, Range
from forecast.regime import load_regime
from forecast.specification import (
    Specification,
    dump_specification,
    json_schema,
    load_specification,
    packaged_priors,
)
from forecast.vocabulary import FAMILIES, SCENARIOS
from forecast.yaml_files import Document, check_document, dotted, key_path, read_yaml

X_FILE = packaged_priors() / "x-paris-2026.yaml"
TIKTOK_FILE = packaged_priors() / "tiktok-commission-2026.yaml"
FILES = pytest.mark.parametrize("path", [X_FILE, TIKTOK_FILE], ids=lambda path: path.stem)

GONE = object()

BRIEF_SECTIONS = (
    "Context & What Changed",
    "Stakeholders",
    "Evidence & Data",
    "Scenarios",
    "Timelines",
    "Quantified Ranges",
    "Risks & Mitigations",
    "Sector/Region Impacts",
    "Recommendations & Outlook",
)


def plain(value):
    """The same values with lists for tuples and text for dates, as an editor's schema check sees them."""
    return json.loads(json.dumps(value, default=str))


def problems_of(path: Path) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        load_specification(path)
    return list(caught.value.problems)


@cache
def document() -> Document:
    return read_yaml(X_FILE)


@cache
def places() -> dict[str, int]:
    """The line of every key path of the X file."""
    return {dotted(path): line for path, line in document().lines.items()}


class Draft:
    """A copy of the X file to break: edits go to the line on which a key path stands."""

    def __init__(self, folder: Path):
        self.path = folder / "x.yaml"
        self.places = places()
        self.text = X_FILE.read_text(encoding="utf-8").split("\n")

    def change(self, where: str, pattern: str, new: str) -> int:
        """Replace the one match of ``pattern`` on the line of a key path; return the line, from 1."""
        line = self.places[where]
        self.text[line - 1], count = re.subn(pattern, new, self.text[line - 1], count=1)
        assert count == 1
        return line

    def drop(self, *places: str) -> None:
        """Empty the lines of some key paths; no other line moves."""
        for where in places:
            self.text[self.places[where] - 1] = ""

    def problems(self) -> list[Problem]:
        self.path.write_text("\n".join(self.text), encoding="utf-8")
        return problems_of(self.path)


@pytest.fixture
def draft(tmp_path):
    return Draft(tmp_path)


@pytest.fixture(scope="module")
def x():
    return load_specification()


def changed(data, *changes: tuple[str, object]) -> Specification:
    """The specification of plain data with some values set, by dotted path."""
    for where, value in changes:
        data = put(data, key_path(where), value)
    return Specification.model_validate(data)


def put(data, path, value):
    """Plain data with one value set, or without the key if the value is GONE."""
    if not path:
        return value
    if isinstance(data, tuple):
        return (*data[: path[0]], put(data[path[0]], path[1:], value), *data[path[0] + 1 :])
    inner = put(data.get(path[0]), path[1:], value)
    return {key: kept for key, kept in {**data, path[0]: inner}.items() if kept is not GONE}


# What the files say


def test_default_file_is_the_brief_on_x(x):
    assert x == load_specification(X_FILE) == load_specification(str(X_FILE))
    assert (x.version, x.matter, x.provider_group, str(x.as_of)) == (2, "x-eu-2026", "X", "2026-02-03")
    assert [case.probability.value for _, case in x.scenarios.items()] == [0.40, 0.45, 0.15]
    assert [x.scenarios[name] for name in SCENARIOS] == [case for _, case in x.scenarios.items()]
    assert tuple(x.regime.families) == FAMILIES
    assert x.statements.tempo.value == 3
    assert x.impacts.attrition.significant.low == 0.05
    assert x.fines.turnover.mass == 0.90
    assert x.fines.turnover.high == 6e9


def test_second_matter_needs_nothing_of_x():
    tiktok = load_specification(TIKTOK_FILE)
    assert (tiktok.matter, tiktok.provider_group) == ("ec-dsa-tiktok-2024a", "ByteDance")
    assert tiktok.impacts is tiktok.users is tiktok.advertising is None
    assert tiktok.levers == {}
    assert {number.source.kind for _, number in tiktok.numbers()} == {"ours"}
    assert "brief" not in TIKTOK_FILE.read_text(encoding="utf-8").partition("version:")[2]


def test_a_packaged_file_is_found_by_its_name(x, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_specification("x-paris-2026") == load_specification(Path("x-paris-2026.yaml")) == x
    assert load_specification("tiktok-commission-2026") == load_specification(TIKTOK_FILE)
    with pytest.raises(InputError) as caught:
        load_specification("x-pari-2026")
    (problem,) = caught.value.problems
    assert problem.where == "x-pari-2026"
    assert "(did you mean 'x-paris-2026'?): expected a file, or one of tiktok-commission-2026, x-par" in problem.what
    (tmp_path / "x-paris-2026.yaml").write_text(dump_specification(load_specification(TIKTOK_FILE)), encoding="utf-8")
    assert load_specification("x-paris-2026.yaml") == load_specification(TIKTOK_FILE)  # a file comes first


def test_a_reading_is_optional_for_every_number_and_documented(x):
    data = document().data
    for path in (path for path, _ in x.numbers() if not path.startswith("regime.")):
        data = put(data, (*key_path(path), "reading"), GONE)
    read = changed(data, ("readings", {}))
    assert {type(n).__name__: n.reading for path, n in read.numbers() if not path.startswith("regime.")} == {
        "Number": "as stated",
        "Statement": "as stated",
        "Range": "equal tails",
    }
    for name in ("Number", "Range", "Statement"):
        part = json_schema()["$defs"][name]
        assert "reading" not in part["required"]
        assert "optional" in part["properties"]["reading"]["description"]


def test_every_claim_names_a_section_of_the_brief(x):
    sources = [number.source for _, number in x.numbers()] + [lever.source for lever in x.levers.values()]
    named = [source.brief for source in sources if source.kind != "ours" or source.brief]
    assert named
    assert {name.rpartition(",")[0] for name in named} <= set(BRIEF_SECTIONS)


def test_numbers_are_walked_with_paths(x):
    numbers = dict(x.numbers())
    assert len(numbers) == len(list(x.numbers())) > 150
    assert numbers["scenarios.limited.probability"].value == 0.40
    assert numbers["statements.families.fine.limited[0]"] is x.statements.families["fine"].limited[0]
    assert numbers["levers.executive_governance.hazards.executive"].unit == "multiplier"
    assert all(isinstance(number, Number | Range) and number.unit for number in numbers.values())
    written = sum("unit:" in line for line in X_FILE.read_text(encoding="utf-8").splitlines())
    assert written == len([path for path in numbers if not path.startswith("regime.")])
    assert numbers["regime.families.fine.rate"] is x.regime.families["fine"].rate


def test_prints_what_it_is(x):
    kinds = [number.source.kind for path, number in x.numbers() if not path.startswith("regime.")]
    text = str(x)
    for part in (x.title, "x-eu-2026", "2026-02-03", "Limited impact 40 %", "45 %", "15 %", x.fingerprint[:12]):
        assert part in text
    assert f"{kinds.count('ours')} ours" in text
    assert f"regime: {x.regime.title}" in text


def test_a_specification_cannot_be_changed(x):
    with pytest.raises(ValidationError):
        x.title = "other"
    with pytest.raises(ValidationError):
        x.scenarios.limited.probability.value = 0.5


# Refusals: (what to set, to which value, where the problem stands if elsewhere, wording)

STATED = "statements.families.fine.limited[1]"
COURSE = "statements.families.fine.crackdown"
SPENDING = "levers.proactive_compliance.impacts"
SOURCED = {"unit": "probability", "reading": "none", "source": {"kind": "ours"}}
REFUSALS = {
    "probability 0": (f"{STATED}.value", 0, "", "from 1e-06 to 0.999999, not 0"),
    "probability 1": (f"{STATED}.value", 1, "", "from 1e-06 to 0.999999, not 1"),
    "scenario probability": ("scenarios.limited.probability.value", 1.0, "", "from 1e-06 to 0.999999, not 1"),
    "not a number": ("pooling.value", "1", "", "expected a number, not '1'"),
    "a truth value": ("pooling.value", True, "", "expected a number, not True"),
    "nan": ("pooling.value", float("nan"), "", "expected a finite number, not nan"),
    "infinity": ("fines.turnover.high", float("inf"), "", "expected a finite number, not inf"),
    "pooling": ("pooling.value", 1.1, "", "from 0 to 1, not 1.1"),
    "negative": ("impacts.half_life.value", -9, "", "from 0.01 to 1200, not -9"),
    "low over high": ("fines.turnover.low", 7e99, "", "expected low < high, not 7e+99"),
    "low at high": ("drift.mean", {**SOURCED, "low": 0, "high": 0}, "drift.mean.low", "expected low < high"),
    "mass 1": ("fines.turnover.mass", 1, "", "a mass from 0.1 to 0.9999, not 1"),
    "mass 0": ("fines.turnover.mass", 0, "", "a mass from 0.1 to 0.9999, not 0"),
    "share over 1": ("sizes.share.high", 1.2, "", "from 1e-09 to 0.999999, not 1.2"),
    "rate of 0": ("openings.rate.low", 0, "", "from 1e-07 to 100, not 0"),
    "unit": ("fines.turnover.unit", "USD", "", "expected unit 'EUR', not 'USD'"),
    "unit typo": (f"{STATED}.unit", "probabilty", "", "(did you mean 'probability'?)"),
    "no unit": ("pooling.unit", GONE, "pooling", "missing key 'unit'"),
    "no source": ("pooling.source", GONE, "pooling", "missing key 'source'"),
    "empty reading": ("pooling.reading", "", "", "expected some text, not ''"),
    "no scenario": ("fines.share.crackdown", GONE, "fines.share", "missing key 'crackdown'"),
    "no regime": ("regime", GONE, "!", "missing key 'regime'"),
    "no tempo": ("statements.tempo", GONE, "statements", "missing key 'tempo'"),
    "tempo": ("statements.tempo.value", 0, "", "expected a number from 0.05 to 1e+07, not 0"),
    "tempo's unit": ("statements.tempo.unit", "months", "", "expected unit 'gamma shape', not 'months'"),
    "hazards": ("hazards", {}, "", "unknown key 'hazards'"),
    "orders": ("orders", {}, "", "unknown key 'orders'"),
    "no section": ("closing", GONE, "!", "missing key 'closing'"),
    "unknown key": ("pooling.vlaue", 1, "", "unknown key 'vlaue' (did you mean 'value'?)"),
    "unknown in list": (f"{STATED}.wthin", 1, "", "unknown key 'wthin' (did you mean 'within'?)"),
    "unknown section": ("usres", {}, "", "unknown key 'usres' (did you mean 'users'?)"),
    "unknown scenario": ("fines.eur.mild", {}, "", "unknown key 'mild'"),
    "kind": ("pooling.source.kind", "theirs", "", "'author_assumption' or 'ours', not 'theirs'"),
    "no brief": ("pooling.source.kind", "source", "pooling.source.brief", "needs section and item"),
    "blank brief": ("fines.ceiling.source.brief", " ", "", "kind 'source' needs section and item"),
    "empty text": ("matter", "", "", "expected some text, not ''"),
    "number for text": ("matter", 7, "", "expected text, not 7"),
    "null": ("matter", None, "", "expected text, not nothing"),
    "version": ("version", 3, "", "expected 2, not 3"),
    "date": ("as_of", "2026-02-03", "", "expected a date such as 2026-02-03, not '2026-02-03'"),
    "a list": ("pooling", (1,), "", "expected a mapping, not a list"),
    "no mapping": ("impacts.set_off", 0.1, "", "expected a mapping, not 0.1"),
    "a mapping": ("title", {"a": 1}, "", "expected text, not a mapping"),
    "a text": ("openings.raised_by", "search", "", "expected a list, not 'search'"),
    "choice": ("fines.reading", "share", "", "'share_of_ceiling' or 'eur', not 'share'"),
    "family": ("openings.raised_by[1]", "serach", "", "'serach' is no family (did you mean 'search'?)"),
    "family of a class": ("resolution.crackdown.families[1]", "order.filter", "", "(did you mean 'order.filtering'?)"),
    "no crackdown": (
        "resolution.crackdown",
        {"families": (), "together": ()},
        "resolution.crackdown.families",
        "no event would make it a crackdown",
    ),
    "scenarios": ("scenarios.limited.probability.value", 0.41, "scenarios", "expected a sum of 1, not 1.01"),
    "P2 < P1": (f"{STATED}.value", 1e-6, "", "of the horizon before, by 1e-06 or more, not 1e-06"),
    "horizon falls": (f"{STATED}.within", 3, "", "at least 6.1 months, 0.1 more than before, not 3"),
    "horizon 0": (f"{STATED}.within", 0, "", "expected greater than or equal to 0.1, not 0"),
    "horizons differ": (f"{COURSE}[2].within", 48, COURSE, "'limited', [6.0, 24.0, 60.0], not [6.0, 24.0, 48.0]"),
    "fewer horizons": (COURSE, (), "", "expected a horizon, not []"),
    "nothing stated": ("statements.families", {}, "", "expected a statement on one family at least"),
    "set off": ("impacts.set_off.attrition.fnie", {}, "", "'fnie' is no family (did you mean 'fine'?)"),
    "set off by more": ("impacts.set_off.attrition.fine.value", 1.1, "", "expected a number from 0 to 1, not 1.1"),
    "large": ("appeals.large.value", 0, "", "expected a number from 1 to 1e+13, not 0"),
    "stated": ("statements.families.comitments", {}, "", "(did you mean 'commitments'?)"),
    "lever": ("levers.proactive_compliance.hazards.fnie", {}, "", "is no family (did you mean 'fine'?)"),
    "impact": (f"{SPENDING}.atrition", {}, "", "is no impact (did you mean 'attrition'?)"),
    "phases": ("appeals.ruling_rate[1].from_months", 48, "appeals.ruling_rate", "start at 0 and to rise"),
    "half a month": ("resolution.months.value", 36.5, "", "a whole number of months, not 36.5"),
    "no months": ("resolution.months.value", 0.5, "", "from 1 to 240, not 0.5"),
    "ages": ("resolution.months.value", 241, "", "from 1 to 240, not 241"),
    "long label": ("scenarios.limited.label", "x" * 41, "", "at most 40 characters, not 41"),
    "two lines": ("scenarios.limited.label", "a\nb", "", "one line that begins with a letter or a digit, not 'a"),
    "hidden label": ("scenarios.limited.label", "_fined", "", "one line that begins with a letter or a digit"),
    "twice": ("scenarios.crackdown.label", "limited IMPACT", "", "'limited IMPACT' is the label of 'limited' too"),
    "months read": (
        "readings.eur.set",
        {"resolution.months.value": 36},
        '["resolution.months.value"]',
        "horizons of every",
    ),
    "unknown path": ("readings.eur.set", {"fine.reading": 1}, '["fine.reading"]', "'fine' to set (did you mean"),
    "no path": ("readings.eur.set", {"[0]a": 1}, '["[0]a"]', "there is no key '[0]a' to set"),
    "no item": ("readings.eur.set", {"openings.raised_by[99]": "x"}, '["openings.raised_by[99]"]', "no key 99 to"),
    "bad value": ("readings.eur.set", {"fines.reading": "euro"}, '["fines.reading"]', "or 'eur', not 'euro'"),
    "set a list": ("readings.eur.set", {"fines.reading": (1,)}, '["fines.reading"]', "expected a number or text"),
    "then wrong": ("readings.eur.set", {"fines.turnover.high": 1}, "", "then fines.turnover.low: expected low"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(name):
    where, value, elsewhere, wording = REFUSALS[name]
    place = where + elsewhere if elsewhere.startswith("[") else {"": where, "!": ""}.get(elsewhere, elsewhere)
    data = put(document().data, key_path(where), value)
    with pytest.raises(InputError) as caught:
        check_document(Specification, replace(document(), data=data))
    _, line = max((len(known), line) for known, line in places().items() if place.startswith(known))
    expected = f"x-paris-2026.yaml line {line}" + (f", {place}" if place else "")
    first, *more = caught.value.problems
    assert first.where == expected
    assert any(wording in problem.what for problem in (first, *more))
    assert all(problem.where.startswith(expected) for problem in more)


def test_missing_sections_name_the_line_of_the_parent(draft):
    draft.change("provider_group", ".*", "")
    draft.drop("statements.tempo", "fines.share.crackdown")
    assert [str(problem) for problem in draft.problems()] == [
        "x.yaml line 1: missing key 'provider_group'",
        f"x.yaml line {draft.places['fines.share']}, fines.share: missing key 'crackdown'",
        f"x.yaml line {draft.places['statements']}, statements: missing key 'tempo'",
    ]


def test_lever_needs_the_impacts_it_moves(draft):
    first, last = draft.places["impacts"], draft.places["users"]
    draft.text[first - 1 : last - 1] = [""] * (last - first)
    problems = draft.problems()
    wheres = {problem.where.partition(", ")[2]: problem.what for problem in problems}
    assert "there is no section 'impacts'" in wheres["levers.proactive_compliance.impacts"]
    assert "no key 'attrition' to set" in wheres['readings.mass_80.set["impacts.attrition.significant.mass"]']


def test_every_problem_is_reported_at_once_in_order_of_lines(draft):
    draft.change("title", "title:", "titel:")
    draft.change("pooling", "value: [^,]+, unit: fraction", "value: 3, unit: share")
    draft.change("scenarios.crackdown.probability", "value: [^,]+", "value: 0.5")
    draft.change("fines.turnover", "low: [^,]+", "mass: 2, low: 9.0e+9")
    draft.change("statements.tempo", "value: [^,]+", "value: 0")
    draft.change("statements.families.executive", "executive", "findings")
    draft.change("sizes.share", "{.*", "&a {low: 0.1}")
    draft.change("users.region", "EU", "5")
    assert [problem.where.partition(", ")[2] for problem in draft.problems()] == [
        "",  # title is missing
        "titel",
        "pooling.unit",
        "pooling.value",
        "scenarios",
        "fines.turnover.low",
        "fines.turnover.mass",
        "statements.tempo.value",
        "statements.families.findings",  # the duplicate
        "sizes.share",  # an anchor
        "users.region",
    ]


def test_a_file_of_version_1_is_refused_in_one_sentence(draft):
    line = draft.change("version", "2", "1")
    draft.change("regime", "regime: platforms", "hazards: {rates: {}}")
    draft.drop("statements.tempo", "appeals.large")
    (problem,) = draft.problems()
    assert problem.where == f"x.yaml line {line}, version"
    for word in ("regime", "orders", "statements.tempo", "sum of fines", "appeals.large", "impacts.set_off"):
        assert word in problem.what


def test_a_reading_sets_a_statement_on_orders_of_one_scope(x):
    key = 'statements.families["order.filtering"].crackdown[2].value'
    read = changed(document().data, ("readings", {"a": {"what": "a", "set": {key: 0.9}}})).with_reading("a")
    assert read.statements.families["order.filtering"].crackdown[2].value == 0.9


# Refusals of files


@pytest.mark.parametrize(
    ("content", "where", "wording"),
    [
        (b"", "x.yaml", "is empty: expected a mapping"),
        (b"# nothing\n", "x.yaml", "is empty"),
        (b"\n- 1\n- 2\n", "x.yaml line 2", "expected a mapping of keys to values at the top"),
        (b"a: 1\nb: \xe9t\xe9\n", "x.yaml line 2", "is no UTF-8 text"),
        (b"a: 1\nb: [1, 2\n", "x.yaml line 3", "is no valid YAML: while parsing a flow sequence from line 2 on"),
        (b"a: 1\n b: 2\n", "x.yaml line 2", "is no valid YAML: mapping values are not allowed here"),
        (b"a: 1\n\tb: 2\n", "x.yaml line 2", "is no valid YAML"),
        (b"a: 1\n---\na: 2\n", "x.yaml line 2", "is no valid YAML: expected a single document"),
        (b"a: \x00\n", "x.yaml", "is no valid YAML: unacceptable character"),
    ],
)
def test_file_refused_as_a_whole(tmp_path, content, where, wording):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    (problem,) = problems_of(path)
    assert problem.where == where
    assert wording in problem.what


def test_a_file_nested_too_deeply_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"[" * 2_000)
    (problem,) = problems_of(path)
    assert problem == Problem("x.yaml line 1", "mappings and lists stand more than 20 deep in each other")


@pytest.mark.parametrize(
    ("text", "where", "wording"),
    [
        ("title: a\ntitle: b\n", "line 2, title", "duplicate key 'title', first on line 1"),
        ("users: {region: a,\n  region: b}", "line 2, users.region", "duplicate key 'region', first on line 1"),
        ("title: &t a\nmatter: *t\n", "line 1, title", "anchors and aliases are not allowed"),
        ("users: !thing {a: 1}\n", "line 1, users", "the tag '!thing' is not allowed"),
        ("users:\n  <<: {a: 1}\n", "line 2, users", "a key must be text, not '<<'"),
        ("as_of: 2026-02-30\n", "line 1, as_of", "'2026-02-30' cannot be read: day"),
        ("7: a\n", "line 1", "a key must be text, not '7'"),
        ("? [a]\n: b\n", "line 1", "a key must be text"),
    ],
)
def test_yaml_that_is_refused_beside_what_the_schema_refuses(tmp_path, text, where, wording):
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    problems = problems_of(path)
    assert any(p.where == f"x.yaml {where}" and wording in p.what for p in problems)
    assert any(p.what == "missing key 'scenarios'" for p in problems)
    assert sum(p.where == f"x.yaml {where}" for p in problems) == 1 or where == "line 1"


def test_file_that_is_not_there(tmp_path):
    (problem,) = problems_of(tmp_path / "no.yaml")
    assert problem == Problem(str(tmp_path / "no.yaml"), "there is no such file")
    (problem,) = problems_of(tmp_path)
    assert "cannot be read" in problem.what


# Identity and fingerprint


@FILES
def test_dump_loads_as_the_same(path, tmp_path):
    specification = load_specification(path)
    text = dump_specification(specification)
    copy = tmp_path / "copy.yaml"
    copy.write_text(text, encoding="utf-8")
    assert load_specification(copy) == specification
    assert load_specification(copy).fingerprint == specification.fingerprint
    assert dump_specification(load_specification(copy)) == text
    assert sum(bool(re.search(r"(?<!_)unit:", line)) for line in text.splitlines()) == len(
        list(specification.numbers())
    )


EUROS = st.floats(1e6, 1e12)
SHARE = st.floats(1e-6, 0.99)


@FILES
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_perturbed_numbers_survive_the_way_out_and_back(path, data, tmp_path_factory):
    low = data.draw(EUROS)
    first, second = data.draw(st.lists(SHARE, min_size=2, max_size=2).map(sorted))
    specification = changed(
        read_yaml(path).data if path != X_FILE else document().data,
        ("title", data.draw(st.text(min_size=1))),
        ("pooling.value", data.draw(st.floats(0, 1))),
        ("pooling.source.note", data.draw(st.text())),
        ("fines.turnover.low", low),
        ("fines.turnover.high", low * data.draw(st.floats(1.01, 2))),
        ("fines.turnover.mass", data.draw(st.floats(0.1, 0.9999))),
        ("drift.mean.low", -data.draw(st.floats(1e-9, 0.05))),
        ("resolution.months.value", data.draw(st.integers(1, 240).map(float))),
        ("statements.families.fine.limited[0].value", first),
        ("statements.families.fine.limited[1].value", second + 2e-6),
        ("statements.families.fine.limited[2].value", second + 5e-6),
        ("readings", {}),
    )
    copy = tmp_path_factory.mktemp("copies") / "copy.yaml"
    copy.write_text(dump_specification(specification), encoding="utf-8")
    assert load_specification(copy) == specification


def test_fingerprint_is_that_of_the_content(x, draft):
    draft.change("pooling", "value: [^,]+, unit: fraction", "unit: 'fraction', value:   100.0e-2")
    draft.change("as_of", "as_of:.*", "")
    draft.text += ["# a remark", "as_of: 2026-02-03"]
    draft.path.write_text("\ufeff" + "\r\n".join(draft.text), encoding="utf-8")
    assert load_specification(draft.path) == x
    assert load_specification(draft.path).fingerprint == x.fingerprint
    assert re.fullmatch("[0-9a-f]{64}", x.fingerprint)


def test_fingerprint_sees_every_number_and_word(x):
    changes = [
        ("title", "other"),
        ("as_of", x.as_of.replace(day=4)),
        ("fines.reading", "eur"),
        ("pooling.value", 0.999999999),
        ("pooling.reading", "other"),
        ("pooling.source.note", "other"),
        ("openings.raised_by", ("search",)),
        ("openings.rate.high", 0.0300001),
        ("regime", x.regime.model_copy(update={"title": "other"})),
        ("statements.families.fine.limited[0].value", 1e-6),
        ("levers", {}),
        ("impacts.shared.value", 0),
    ]
    prints = {x.fingerprint} | {changed(document().data, ("readings", {}), one).fingerprint for one in changes}
    assert len(prints) == len(changes) + 1


def test_readings_set_what_they_say(x):
    eur = x.with_reading("eur")
    assert eur.fines.reading == "eur"
    assert eur.fingerprint != x.fingerprint
    assert eur.readings == {}
    assert x.fines.reading == "share_of_ceiling"
    parent = x.with_reading("parent_turnover", "outside_pool_half")
    assert (parent.fines.turnover_of, parent.pooling.value) == ("parent", 0.5)
    assert parent.fines.turnover.source.kind == "ours"
    for name, reading in x.readings.items():
        numbers = plain(x.with_reading(name).model_dump())
        for path, value in reading.set.items():
            step = numbers
            for key in key_path(path):
                step = step[key]
            assert step == value
    assert x.with_reading() == x


def test_unknown_and_contradictory_readings(x):
    with pytest.raises(InputError, match=r"no reading 'euro' \(did you mean 'eur'\?\)"):
        x.with_reading("euro")
    with pytest.raises(InputError, match="expected one of eur, parent_turnover"):
        x.with_reading("zzz")
    twice = changed(
        document().data,
        ("readings.up", {"what": "a", "set": {"fines.turnover.low": 5e9}}),
        ("readings.down", {"what": "b", "set": {"fines.turnover.high": 4e9}}),
    )
    with pytest.raises(InputError, match=r"readings\.down\.set: then fines\.turnover\.low: expected low < high"):
        twice.with_reading("up", "down")


# Editors


def test_schema_file_is_current():
    stored = json.loads((packaged_priors() / "schema.json").read_text(encoding="utf-8"))
    assert stored == json_schema(), "write json_schema() to priors/schema.json"


@FILES
def test_schema_holds_for_the_files(path):
    jsonschema.Draft202012Validator.check_schema(json_schema())
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.validate(plain(read_yaml(path).data))
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")
    assert not validator.is_valid(plain(put(read_yaml(path).data, ("pooling", "vlaue"), 1)))
    assert not validator.is_valid(plain(put(read_yaml(path).data, ("statements", "families", "order"), {})))
    assert not validator.is_valid(plain(put(read_yaml(path).data, ("regime",), 7)))
    validator.validate(plain(put(read_yaml(path).data, ("regime",), load_regime().model_dump(exclude_none=True))))


@pytest.mark.parametrize("text", ["a", "a.b", "a[0].b", "a.b[2][3]", 'a["b.c"].d[0]', 'a["b \\" c"]'])
def test_paths_read_as_they_are_written(text):
    assert dotted(key_path(text)) == text


@pytest.mark.parametrize("text", ["", ".a", "a..b", "a.", "[0]", "a[x]", "a b", 'a["\\x"]', 'a["b"c]'])
def test_what_is_no_path(text):
    assert key_path(text) == ()
