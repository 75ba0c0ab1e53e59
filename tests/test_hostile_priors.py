"""Hostile prior files: each is refused with file and place, or forecasts finite numbers; none hangs or breaks."""

import faulthandler
import math
import os
import re
import signal
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import load_record

from forecast import yaml_nodes
from forecast.elicitation import statement_location
from forecast.evidence.statements import statements_of
from forecast.files import InputError, read_regular
from forecast.gathered import gather
from forecast.prior_check import from_prior
from forecast.quantities import Range
from forecast.specification import Specification, load_specification, packaged_priors
from forecast.vocabulary import SCENARIOS
from forecast.yaml_files import Document, check_document, key_path, read_yaml

NAMES = ("x-paris-2026.yaml", "tiktok-commission-2026.yaml")
SECONDS = 10
DRAWS = 40
GONE = object()


@cache
def document(name: str = NAMES[0]) -> Document:
    return read_yaml(packaged_priors() / name)


@cache
def whole(name: str = NAMES[0]):
    """The plain data of a file with its regime written out, as saved forecasts hold it."""
    return put(document(name).data, ("regime",), read_yaml(packaged_priors() / "regimes" / "platforms.yaml").data)


def put(data, path, value):
    """Plain data with one value set, or without the key or the item if the value is GONE."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(data, tuple):
        inner = put(data[step], rest, value)
        return (*data[:step], *(() if inner is GONE else (inner,)), *data[step + 1 :])
    changed = {**data, step: put(data.get(step), rest, value)}
    return {key: kept for key, kept in changed.items() if kept is not GONE}


def check(data, name: str = NAMES[0]) -> Specification:
    return check_document(Specification, replace(document(name), data=data))


@contextmanager
def deadline(seconds: float):
    """Fail what runs longer; compiled code, which no signal interrupts, ends the process at six times that."""

    def late(number, frame):
        raise TimeoutError(f"ran for more than {seconds} seconds")

    old = signal.signal(signal.SIGALRM, late)
    faulthandler.dump_traceback_later(6 * seconds, exit=True)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, old)


# Numbers that are finite and absurd

ABSURD = {
    "openings.rate.low": 1e-308,
    "openings.raised.high": 1e308,
    "statements.tempo.value": 1e308,
    "appeals.large.value": 1e308,
    "impacts.set_off.attrition.fine.value": 1e6,
    'impacts.set_off.valuation_decline["order.filtering"].value': -1e308,
    'statements.families["order.extensive"].limited[0].value': 1e-308,
    "resolution.months.value": 1e6,
    "statements.error_sd.value": 50,
    "statements.families.fine.limited[0].value": 1e-300,
    "statements.families.fine.limited[2].within": 1e300,
    "impacts.moderation_spending.limited.high": 1e308,
    "impacts.shared.value": 1,
    "appeals.share_kept_weight.value": 1e-300,
    "appeals.ruling_rate[0].from_months": 1e300,
    "sizes.spread.high": 1e308,
    "drift.mean.high": 1e308,
    "openings.raised_months.value": 1e6,
    "fines.turnover.mass": 1e-300,
}


@pytest.mark.parametrize("where", ABSURD)
def test_an_absurd_number_is_refused_with_its_line_and_its_range(where):
    value, path = ABSURD[where], key_path(where)
    with deadline(SECONDS), pytest.raises(InputError) as caught:
        check(put(document().data, path, value))
    own = [problem for problem in caught.value.problems if problem.where == document().where(path)]
    assert own, caught.value
    bounds = ("from ", "less than or equal to ", "expected low < high")
    assert any(word in problem.what for problem in own for word in bounds)


@pytest.mark.parametrize(("low", "high", "word"), [(1, 1e13, "at most 4"), (1e9, 1e9 * (1 + 1e-12), "at least 1e-06")])
def test_a_range_too_wide_or_too_narrow_for_its_mass_is_refused(low, high, word):
    data = document().data
    for end, value in (("low", low), ("high", high)):
        data = put(data, ("fines", "turnover", end), value)
    with pytest.raises(InputError, match=rf"fines\.turnover\.high: .* on the log scale: expected {word}"):
        check(data)


@cache
def tiktok() -> Specification:
    return load_specification(NAMES[1])


def stating(*changes: tuple[str, object]) -> Specification:
    """The file on TikTok with some values set."""
    data = put(document(NAMES[1]).data, ("readings",), GONE)
    for where, value in changes:
        data = put(data, key_path(where), value)
    return check(data, NAMES[1])


def test_statements_that_no_multiplier_can_meet_are_named_with_what_is_reachable():
    """A fine and commitments each end the matter's only proceeding: both cannot be nearly certain."""
    course = "statements.families.{}.limited[{}].value"
    ends = [(course.format("commitments", k), p) for k, p in enumerate((0.9, 0.95, 0.99))]
    fines = [(course.format("fine", k), p) for k, p in enumerate((0.9, 0.95, 0.99))]
    closes = [("closing.mean.value", 0.999), ("closing.weight.value", 1e6)]
    seldom = [("openings.rate.low", 1e-7), ("openings.rate.high", 2e-7)]
    with pytest.raises(InputError) as caught:
        gather(stating(*ends, *fines, *closes, *seldom), load_record(), tiktok().as_of)
    found = {problem.where: problem.what for problem in caught.value.problems}
    assert all(where.startswith("statements.families") and ".limited[" in where for where in found)
    assert {course.format(family, 2) for family in ("commitments", "fine")} <= set(found)
    for where, what in found.items():
        assert document(NAMES[1]).lines[key_path(where)]
        match = re.fullmatch(
            r"(\S+) within \d+ months cannot be reached from where the matter stands on 2026-02-03, "
            r"beside the other statements: at most about (\S+); mend it or them",
            what,
        )
        assert match, what
        assert 0 < float(match[2]) < float(match[1]) < 1


def test_the_intervals_leave_room():
    """Every number of the packaged files and of their regime may be twice or half what it is; shares have limits."""
    for name in NAMES:
        for path, stated in check(document(name).data, name).numbers():
            if stated.unit in ("probability", "fraction", "correlation", "EUR") or stated.unit.startswith("fraction"):
                continue  # sums to one, orders of statements
            for factor in (0.5, 2.0):
                ends = ("low", "high") if isinstance(stated, Range) else ("value",)
                data = put(whole(name), ("readings",), {})
                for end in ends:
                    data = put(data, (*key_path(path), end), getattr(stated, end) * factor)
                check(data, name)


@pytest.mark.parametrize("sd", [0.001, 0.5, 5.0])
@pytest.mark.parametrize("probability", [1e-6, 0.3, 0.999, 0.999999])
def test_the_solver_converges_wherever_a_file_is_accepted(probability, sd):
    assert math.isfinite(statement_location(probability, sd))


def test_the_solver_says_when_it_fails():
    with deadline(SECONDS), pytest.raises(ValueError, match="not found in 200 steps"):
        statement_location(0.3, 50.0)


@pytest.mark.parametrize("horizon", [{"within": 6.05, "value": 0.36}, {"within": 25, "value": 0.05 + 1e-9}])
def test_horizons_that_coincide_are_refused(horizon):
    path = ("statements", "families", "fine", "limited", 1)
    stated = {**document().data["statements"]["families"]["fine"]["limited"][1], **horizon}
    with pytest.raises(InputError, match=r"fine\.limited\[1\]"):
        check(put(document().data, path, stated))


# YAML


def problems_of(tmp_path, content: bytes) -> str:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with deadline(SECONDS), pytest.raises(InputError) as caught:
        load_specification(path)
    assert all(problem.where.startswith(("x.yaml", str(path))) for problem in caught.value.problems)
    return str(caught.value)


@pytest.mark.parametrize("value", ["!!int ''", "!!float ''", "!!bool maybe", "!!timestamp abc", "!!str a", "!!null x"])
def test_no_tag_is_allowed(tmp_path, value):
    assert "x.yaml line 1, title: the tag" in problems_of(tmp_path, f"title: {value}\n".encode())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"".join(b"k%d: 1\n" % i for i in range(40_000)), "more than 20,000 keys and values"),
        (b"".join(b"k%d: 1\n" % i for i in range(1_000_000)), "at most 512 KiB are read"),
        (b"a: " + b"[" * 100_000, "more than 20 deep"),
        (b"a: " + b"- " * 100_000, "is no valid YAML"),
        (b"\n".join(b" " * i + b"a:" for i in range(500)), "more than 20 deep"),
        (b"%YAML 1.1\n---\na: yes\n", "directives are not allowed"),
        (b"%TAG ! tag:x,2000:\n---\na: !y 1\n", "directives are not allowed"),
        (b"title: 0x" + b"f" * 400_000 + b"\n", "expected text, not a whole number of more than 80 digits"),
        (b"title: " + b"9" * 400_000 + b"\n", "cannot be read: Exceeds the limit"),
        (b'"\\ud800": 1\n', "a key must be plain text"),
        (b'title: "\\ud800"\n', "is no Unicode text"),
        (b"title: 9999-12-31T23:59:59-14:00\n", "expected text, not"),
        (b"version: " + b"x" * 100_000 + b"\n", "xxx..."),
        (b"&a a: *a\n", "anchors and aliases"),
        (b"a: &a [*a]\n", "anchors and aliases"),
        (b"#" * 500_000, "is empty"),
        (b"\n" * 500_000, "is empty"),
        (b"title: 'a\x1b[31m'\n", "is no valid YAML"),
        (b"".join(b"k%d: 1\n" % i for i in range(5_000)), "more problems are not listed"),
    ],
    ids=range(19),
)
def test_a_hostile_file_is_refused_in_time(tmp_path, content, words):
    assert words in problems_of(tmp_path, content)


def test_devices_pipes_and_folders_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    for path in ("/dev/zero", tmp_path / "pipe.yaml", tmp_path / "folder.yaml"):
        with deadline(SECONDS), pytest.raises(InputError, match="cannot be read: is a"):
            load_specification(path)
    with pytest.raises(InputError, match="is no name of a file"):
        load_specification("a/\0.yaml")


def test_a_file_is_read_up_to_the_stated_size(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with pytest.raises(InputError, match="at most 4 bytes are read"):
        read_regular(path, 4)


@pytest.mark.parametrize("name", NAMES)
def test_the_packaged_files_are_far_from_the_limits(name):
    path = packaged_priors() / name
    assert path.stat().st_size < yaml_nodes.MOST_BYTES / 10
    assert max(map(len, document(name).lines)) < yaml_nodes.MOST_DEPTH / 2
    assert 2 * len(document(name).lines) < yaml_nodes.MOST_NODES / 2


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.one_of(
        st.from_regex(r"\A[-+]?[0-9_.xobeE:TZ+-]{1,12}\Z"),
        st.from_regex(r"\A[!&*%|>@`\"'\[\]{}#,?:~-]{1,6}[a-z0-9 ]{0,4}\Z"),
        st.text(max_size=20),
        st.integers().map(str),
        st.dates().map(str),
    )
)
def test_any_scalar_is_read_or_refused(tmp_path, value):
    path = tmp_path / "x.yaml"
    path.write_text(f"title: {value}\n", encoding="utf-8", errors="surrogatepass", newline="")
    with deadline(SECONDS), pytest.raises(InputError):
        load_specification(path)


# The fuzz: any number and any shape of a packaged file changed

MAGNITUDES = [0, -1, 1, 2, -0.0, 1e-308, 5e-324, 1e-12, 1e-6, 1e-3, 0.1, 0.5, 0.999, 0.999999, 1 - 1e-12, 1.5, 3]
MAGNITUDES += [10, 50, 100, 1e3, 1e4, 1e6, 1e9, 1e13, 1e15, 1e100, 1e308, -1e308, 10**40, 10**400, math.inf, math.nan]
NUMBERS = st.one_of(
    st.sampled_from(MAGNITUDES),
    st.floats(),
    st.floats(1e-9, 1e9),
    st.integers(),
    st.booleans(),
    st.text(max_size=5),
    st.none(),
)
FACTORS = st.one_of(st.floats(-0.5, 0.5), st.floats(-12, 12)).map(lambda power: 10.0**power)
SHAPES = st.one_of(st.none(), st.booleans(), st.just({}), st.just(()), st.just(1), st.just("a"), st.just(GONE))
PARTS = ("low", "high", "value", "mass", "within", "from_months")


@st.composite
def mutation(draw, data):
    """Data with one thing changed: a number, or a shape."""
    paths = places(data)
    if draw(st.booleans()):
        path = draw(st.sampled_from([path for path in paths if path[-1] in PARTS] or paths))
        old = at(data, path)
        is_number = isinstance(old, int | float) and abs(old) < 1e100
        return put(data, path, old * draw(FACTORS) if is_number and draw(st.booleans()) else draw(NUMBERS))
    path = draw(st.sampled_from(paths))
    old = at(data, path)
    other = at(data, draw(st.sampled_from(paths)))
    shapes = [draw(SHAPES), {"value": old}, (old,), {path[-1]: old}, other]  # replaced, nested, swapped
    if isinstance(old, tuple):
        shapes.append((*old, *old))
    if isinstance(old, dict) and old:
        renamed = draw(st.sampled_from(sorted(old, key=str)))
        shapes += [{**old, "again": old}, {(f"{k}x" if k == renamed else k): v for k, v in old.items()}]
    return put(data, path, draw(st.sampled_from(shapes)))


def places(value, path=()):
    """Every path of plain data but those of the readings, which only set what others hold."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple) else ()
    for key, inner in items:
        if path or key != "readings":
            found += places(inner, (*path, key))
    return found


def at(data, path):
    for step in path:
        data = data[step]
    return data


def assert_finite(prior) -> None:
    """Check that no table holds an infinity, and NaN only in moments of what few draws have."""
    for name, table in prior.tables.items():
        numbers = table.select_dtypes("number")
        assert not np.isinf(numbers).any(axis=None), name
        missing = numbers.isna().any(axis=1)
        if name == "summary":
            quantiles = [column for column in numbers if column.startswith("q")]
            yes_no = table["unit"] == "probability"
            assert numbers.loc[yes_no, quantiles].isna().all(axis=None)
            missing = numbers.drop(columns=quantiles).isna().any(axis=1) | (
                numbers[quantiles].isna().any(axis=1) & ~yes_no
            )
            given_one = table["unit"].str.contains("given") | (table["scenario"] != "all")
            assert not (missing & ~given_one).any(), table.loc[missing & ~given_one]
        elif name in ("statements", "prior_resolution"):
            few = table["scenario" if name == "statements" else "latent"]
            seen = np.bincount(prior.outcomes["scenario"].values, minlength=3)
            empty = few.map(dict(zip(SCENARIOS, seen == 0, strict=True)))
            assert not (missing & ~empty).any(), table.loc[missing & ~empty]
        else:
            assert not missing.any(), name
    for name, values in prior.outcomes.data_vars.items():
        assert not np.isinf(values.values).any(), name


COUNTS = {"refused": 0, "refused by the prior": 0, "accepted": 0}


def examine(name: str, data, *, simulated: bool) -> None:
    """Refused with file and place, or taken, and then forecast in finite numbers, within the deadline."""
    with deadline(6 * SECONDS):
        wrong, prior = outcome(name, data, simulated=simulated)
    if prior is not None:
        assert_finite(prior)
    assert all(problem.where.startswith((name, "statements", "record")) and problem.what for problem in wrong)
    COUNTS["accepted" if not wrong else "refused" if wrong[0].where.startswith(name) else "refused by the prior"] += 1


def outcome(name: str, data, *, simulated: bool):
    """The problems of a file, or the forecast of its prior alone, with statements as they are, not translated."""
    try:
        specification, known = check(data, name), load_record()
        untranslated = np.ones(statements_of(specification, specification.regime).location.shape)
        evidence = gather(specification, known, specification.as_of, correction=untranslated)
        return (), from_prior(evidence, known, DRAWS, 1) if simulated else None
    except InputError as error:
        return error.problems, None


class Mutated(NamedTuple):
    """A changed file; its representation is short, for Hypothesis prints it."""

    name: str
    data: object

    def __repr__(self) -> str:
        return f"Mutated({self.name!r}, {str(self.data)[:200]!r})"


@st.composite
def mutated(draw):
    name = draw(st.sampled_from(NAMES))
    data = document(name).data if draw(st.booleans()) else whole(name)
    if draw(st.integers(0, 4)):  # in four of five without readings, for each of which the whole file is checked again
        data = put(data, ("readings",), GONE)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        data = draw(mutation(data))
        if not isinstance(data, dict) or not places(data):
            break
    return Mutated(name, data)


FUZZ = {"deadline": None, "suppress_health_check": list(HealthCheck), "print_blob": True}


@settings(max_examples=150, **FUZZ)
@given(mutated())
def test_any_mutation_is_refused_or_taken(case):
    examine(*case, simulated=False)


@settings(max_examples=10, **FUZZ)
@given(mutated())
def test_any_mutation_is_refused_or_forecasts_finite_numbers(case):
    examine(*case, simulated=True)


@pytest.mark.slow
@settings(max_examples=2_000, **FUZZ)
@given(mutated())
def test_two_thousand_mutations_are_refused_or_forecast_finite_numbers(case):
    examine(*case, simulated=True)
    print(f"\r{COUNTS}", end="", flush=True)
