"""The likelihood of matters: against enumeration and quadrature, the compiled kernel, and its own gradient."""

from datetime import date, timedelta
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import gammaln, logsumexp, softmax
from worlds import AS_OF, brief, case, event, load_record, load_specification, with_news, world

from forecast.exposure import build_exposure
from forecast.kernel import marginal_packed, pack
from forecast.likelihood import matter_likelihood
from forecast.observations import observe
from forecast.parameters import constants, coordinates, draw_prior, effects, parameters
from forecast.vocabulary import AUTHORITY_CLASSES, DAYS_PER_MONTH, FAMILIES, FAMILY_TYPES, SCENARIOS

INPUTS = (
    "log_rate", "phase", "stage", "authority", "pace", "loading", "severity", "shape", "log_weight", "stated",
)  # fmt: skip
LATER = date(2027, 7, 31)
BOUNDS = (0, 182.625, 730.5, 1e9)  # phases, in days
CASES = [
    case("old", "2024-06-01", matter="m", provider_group="X", authority_class="criminal"),
    case("young", "2026-01-01", matter="m", provider_group="X"),
    case("r1", "2023-01-01", matter="r", provider_group="Y", authority_class="consumer"),
    case("r2", "2024-03-01", "2025-02-01", matter="r", provider_group="Z"),
    case("q", "2025-05-01", provider_group="X"),
]
PAST = [
    event("old", "2024-06-01", "opened"),
    event("old", "2025-01-15", "charged"),
    event("old", "2025-01-15", "extended"),
    event("old", "2025-11-20", "search"),
    event("young", "2026-01-01", "opened"),
    event("r1", "2023-02-01", "search"),
    event("r1", "2023-09-01", "preliminary_findings"),
    event("r1", "2024-09-01", "fine"),
    event("r1", "2025-03-01", "compliance_order", scope="extensive"),
    event("r2", "2024-03-01", "opened"),
    event("r2", "2024-08-08", "information_request"),
    event("r2", "2025-02-01", "closed_no_action"),
    event("q", "2025-05-01", "opened"),
]
NEW = [
    event("young", "2026-03-03", "search"),
    event("old", "2026-04-20", "summons"),
    event("young", "2026-06-10", "preliminary_findings"),
    event("old", "2026-06-10", "charged"),
    event("old", "2027-01-05", "charged"),
    event("young", "2027-03-01", "fine"),
    event("new", "2026-05-05", "opened"),
    event("new", "2026-09-05", "interim_measures", scope="specific"),
    event("q", "2026-09-05", "search"),
]
TOGETHER = case("new", "2026-05-05", matter="m", provider_group="Y", authority_class="national_dsa")
RECORDS = {
    "no news": (CASES, PAST, AS_OF),
    "silence": (CASES, PAST, date(2027, 5, 5)),
    "news": ([*CASES, TOGETHER], [*PAST, *NEW], date(2027, 7, 7)),
}


def prior_draws(spec, x, n: int, seed: int = 0) -> dict[str, np.ndarray]:
    table = parameters(spec, coordinates(x, observe(load_record(), spec, AS_OF)))
    return effects(draw_prior(table, n, np.random.default_rng(seed)), constants(spec, x))


def one(draws, i: int) -> dict[str, np.ndarray]:
    return {k: v[i] for k, v in draws.items()}


@cache
def setting(name: str, n: int = 3):
    """Return record, specification, exposure and prior draws of a small matter or of the packaged one."""
    if name in RECORDS:
        cases, events, origin = RECORDS[name]
        known, spec = world(proceedings=cases, events=events), brief("m", ("findings", "fine", "order"))
    else:
        known, spec, origin = with_news(), load_specification(), {"x": AS_OF, "x later": LATER}[name]
    x = build_exposure(known, spec, origin)
    return known, spec, x, prior_draws(spec, x, n)


# Brute force: one proceeding, one day's step, one family at a time, from the dates of the record.


class Brute:
    """The formulas of the model by loops over a record's dates, for one draw of the effects."""

    def __init__(self, known, spec, x, draw):
        self.known, self.spec, self.draw, self.origin = known, spec, draw, x.origin
        self.providers, self.groups = x.providers, x.groups

    def hazard(self, c, family: int, phase: int, stage: int) -> float:
        d, k = self.draw, AUTHORITY_CLASSES.index(c["authority_class"])
        log_hazard = d["log_rate"][family] + d["authority"][k, family]
        log_hazard += d["pace"][self.providers.index(c["provider_group"])]
        log_hazard += d["phase"][family, phase - 1] if phase else 0.0
        return float(np.exp(log_hazard + (d["stage"][family, stage - 1] if stage else 0.0)))

    def course(self, c, until: date):
        """Return the spells at risk (first day, last day, stage) and the events (day, family, stage)."""
        kinds = {k: FAMILIES.index(f) for f, ks in FAMILY_TYPES.items() for k in ks}
        log = [e for e in self.known.events.to_dict("records") if e["case_id"] == c["case_id"]]
        log = sorted((e["date"], kinds.get(e["type"])) for e in log if e["published_on"] <= pd.Timestamp(until))
        if not log:
            return [], [], 0, False
        entry, end = (
            log[0][0],
            min(pd.Timestamp(until), c["closed_on"] if pd.notna(c["closed_on"]) else pd.Timestamp(until)),
        )
        spells, events, stage, since = [], [], 0, entry
        for day in sorted({d for d, _ in log}):
            if day > entry:
                spells.append((since, day, stage))
                events += [(day, f, stage) for d, f in log if d == day and f is not None]
            names = {FAMILIES[f] for d, f in log if d == day and f is not None}
            stage = 2 if names & {"fine", "commitments"} else max(stage, int("findings" in names))
            since = day
        spells.append((since, end, stage))
        return spells, events, stage, pd.isna(c["closed_on"]) or c["closed_on"] > pd.Timestamp(until)

    def integral(self, c, family: int, start, end, stage: int) -> float:
        a, b = (start - c["opened_on"]) / pd.Timedelta(days=1), (end - c["opened_on"]) / pd.Timedelta(days=1)
        total = 0.0
        for phase in range(3):
            lived = min(b, BOUNDS[phase + 1]) - max(a, BOUNDS[phase])
            total += max(lived, 0.0) / DAYS_PER_MONTH * self.hazard(c, family, phase, stage)
        return total

    def at(self, c, family: int, day, stage: int) -> float:
        age = (day - c["opened_on"]).days
        return self.hazard(c, family, sum(age > b for b in BOUNDS[1:3]), stage)

    def tilt(self, family: int, s: int) -> float:
        return float(np.exp(self.draw["loading"][family] * self.draw["severity"][s]))

    def cases(self, matter: str):
        return [c for c in self.known.proceedings.to_dict("records") if c["matter_id"] == matter]

    def past(self, matter: str, s: int, until: date) -> tuple[float, float, int]:
        """Return log of the product of hazards, the integrated hazard, and the number of events, at f = 1."""
        log_hazards, integrated, count = 0.0, 0.0, 0
        for c in self.cases(matter):
            spells, events, *_ = self.course(c, until)
            for day, f, stage in events:
                log_hazards += np.log(self.at(c, f, day, stage) * self.tilt(f, s))
                count += 1
            for a, b, stage in spells:
                integrated += sum(self.integral(c, f, a, b, stage) * self.tilt(f, s) for f in range(len(FAMILIES)))
        return log_hazards, integrated, count

    def log_mixed(self, count: int, integrated: float) -> float:
        """Return ``log E[f^count exp(-f integrated)]`` by quadrature over ``f ~ Gamma(nu, nu)``."""
        nu = float(self.draw["shape"])
        power, rate = nu + count, nu + integrated
        mode = max(power - 1, 1e-3) / rate
        top = (power - 1) * np.log(mode) - rate * mode

        def density(u):  # f = exp(u): smooth on the whole line
            return np.exp(power * u - rate * np.exp(u) - top)

        centre, width = np.log(power / rate), 1 / np.sqrt(power)
        value = quad(
            density, centre - 60 * width, centre + 12 * width, points=[centre], epsabs=0, epsrel=1e-11, limit=400
        )[0]
        return np.log(value) + top + nu * np.log(nu) - gammaln(nu)

    def history(self, matter: str, s: int, until: date) -> float:
        log_hazards, integrated, count = self.past(matter, s, until)
        return log_hazards + self.log_mixed(count, integrated)

    def news(self, s: int, stated: bool = True) -> float:
        """Return ``log p(news | history, s)``: ordinary events mixed over f, first stated ones not."""
        matter, start = self.spec.matter, pd.Timestamp(AS_OF)
        groups = self.groups if stated else ()
        courses = [(c, *self.course(c, self.origin)) for c in self.cases(matter)]
        new = sorted(
            (day, f, stage, c["case_id"]) for c, _, events, *_ in courses for day, f, stage in events if day > start
        )
        first = {}
        for day, f, _, name in new:
            first.setdefault(f, (day, name))
        total, silent, count = 0.0, 0.0, 0
        by_name = {c["case_id"]: c for c in self.cases(matter)}
        for day, f, stage, name in new:
            own = [(g, i) for i, g in enumerate(groups) if FAMILIES.index(g.family) == f]
            total += np.log(self.at(by_name[name], f, day, stage))
            if own and first[f] == (day, name):
                waited = (day - start).days / DAYS_PER_MONTH
                i = [i for g, i in own if waited > g.start][-1]
                total += np.log(self.multiplier(i, s))
            else:
                total += np.log(self.tilt(f, s))
                count += 1
        for c, spells, *_ in courses:
            for a, b, stage in spells:
                for f, name in enumerate(FAMILIES):
                    own = [(g, i) for i, g in enumerate(groups) if g.family == name]
                    split = first[f][0] if f in first else pd.Timestamp(self.origin)
                    after = max(a, start if not own else max(split, start))
                    if b > after:
                        silent += self.integral(c, f, after, b, stage) * self.tilt(f, s)
                    for g, i in own:
                        low = start + pd.Timedelta(days=g.start * DAYS_PER_MONTH)
                        high = start + pd.Timedelta(days=g.end * DAYS_PER_MONTH)
                        left, right = max(a, low), min(b, high if (g, i) != own[-1] else b, split)
                        if right > left:
                            total -= self.multiplier(i, s) * self.integral(c, f, left, right, stage)
        _, integrated, past = self.past(matter, s, AS_OF)
        return total + self.log_mixed(past + count, integrated + silent) - self.log_mixed(past, integrated)

    def multiplier(self, i: int, s: int) -> float:
        g, start, foreseen = self.groups[i], pd.Timestamp(AS_OF), 0.0
        low, high = (start + pd.Timedelta(days=m * DAYS_PER_MONTH) for m in (g.start, g.end))
        for c in self.cases(self.spec.matter):
            spells, _, stage, is_open = self.course(c, AS_OF)
            if spells and is_open:
                foreseen += self.integral(c, FAMILIES.index(g.family), low, high, stage)
        return float(self.draw["stated"][i, s]) / foreseen


@pytest.mark.parametrize("name", RECORDS)
def test_brute_force(name):
    known, spec, x, draws = setting(name)
    got = matter_likelihood(draws, x)
    for i in range(len(draws["shape"])):
        brute = Brute(known, spec, x, one(draws, i))
        for m, matter in enumerate(x.matters):
            until = AS_OF if matter == spec.matter else x.origin
            for s in range(len(SCENARIOS)):
                assert got.history[i, m, s] == pytest.approx(brute.history(matter, s, until), rel=1e-8)
        for s in range(len(SCENARIOS)):
            assert got.news[i, s] == pytest.approx(brute.news(s), rel=1e-8, abs=1e-8)
            assert got.news_outside[i, s] == pytest.approx(brute.news(s, stated=False), rel=1e-8, abs=1e-8)


def kernel(draw, x, log_pi, other):
    return marginal_packed(*(draw[k] if k != "shape" else float(draw[k]) for k in INPUTS), other, pack(x, log_pi))


@pytest.mark.parametrize("name", [*RECORDS, "x", "x later"])
def test_kernel_value(name):
    _, spec, x, draws = setting(name, 50)
    log_pi = constants(spec, x).log_pi
    other = np.random.default_rng(1).normal(size=(50, 3)) if x.has_news else np.zeros((50, 3))
    total = matter_likelihood(draws, x, other).marginal(draws["log_weight"], log_pi).sum(axis=1)
    got = [kernel(one(draws, i), x, log_pi, other[i])[0] for i in range(50)]
    assert np.allclose(got, total, rtol=1e-10, atol=0)


@pytest.mark.parametrize("name", ["no news", "silence", "news", "x", "x later"])
def test_kernel_gradient(name):
    _, spec, x, draws = setting(name, 50)
    log_pi, rng = constants(spec, x).log_pi, np.random.default_rng(2)
    draw = {k: np.array(one(draws, 7)[k], dtype=float) for k in INPUTS}
    inputs = {**draw, "other": rng.normal(size=3)}

    def value(at):
        return kernel(at, x, log_pi, at["other"])[0]

    gradients = dict(zip(inputs, kernel(inputs, x, log_pi, inputs["other"])[1:], strict=True))
    for key, at in inputs.items():
        gradient = np.asarray(gradients[key], dtype=float)
        assert gradient.shape == at.shape, key
        places = list(np.ndindex(at.shape))
        chosen = places if len(places) <= 24 else [places[j] for j in rng.choice(len(places), 24, replace=False)]
        for place in chosen:
            h = 1e-3 * max(1.0, abs(at[place])) if key not in ("stated", "shape") else 1e-3 * at[place]
            moved = {}
            for k in (-2, -1, 1, 2):
                point = at.copy()
                point[place] += k * h
                moved[k] = value({**inputs, key: point})
            slope = (moved[-2] - 8 * moved[-1] + 8 * moved[1] - moved[2]) / (12 * h)
            assert gradient[place] == pytest.approx(slope, rel=1e-6, abs=1e-6), (key, place)


@pytest.mark.parametrize("name", ["no news", "x"])
def test_without_news_the_brief_stands_exactly(name):
    _, spec, x, draws = setting(name, 50)
    got, log_pi = matter_likelihood(draws, x), constants(spec, x).log_pi
    assert np.all(got.news == 0)
    pi = [0.40, 0.45, 0.15]
    assert np.allclose(softmax(got.news + log_pi, axis=1), pi, rtol=1e-15, atol=0)
    without = logsumexp(got.history + draws["log_weight"][:, None, :], axis=2)
    assert np.allclose(got.marginal(draws["log_weight"], log_pi), without, rtol=1e-15, atol=1e-14)
    gradient = kernel(one(draws, 0), x, log_pi, np.zeros(3))
    assert np.all(gradient[10] == 0)  # statements: their posterior is their prior
    assert gradient[11] == pytest.approx(pi, rel=1e-14)


@pytest.mark.parametrize("origin", [date(2025, 6, 30), date(2026, 1, 31)])
def test_before_the_brief_its_statements_are_idle(origin):
    spec = load_specification()
    x = build_exposure(load_record(), spec, origin)
    draws = prior_draws(spec, x, 5)
    assert np.all(matter_likelihood(draws, x).news == 0)


# Which way an event or silence turns the classes, at fixed parameters of equal magnitude.


def reference_effects(x, spec) -> dict[str, np.ndarray]:
    """Return one draw without effects of phase, stage, class and pace; loadings are 1, -1 or 0."""
    signs = {"request": 0.0, "commitments": -1.0, "closure": -1.0}
    return {
        "log_rate": np.full((1, 11), np.log(0.02)),
        "phase": np.zeros((1, 11, 2)),
        "stage": np.zeros((1, 11, 2)),
        "authority": np.zeros((1, 8, 11)),
        "pace": np.zeros((1, len(x.providers))),
        "loading": np.array([[signs.get(f, 1.0) for f in FAMILIES]]),
        "severity": np.array([[-0.7, 0.0, 0.7]]),
        "shape": np.array([3.0]),
        "log_weight": np.log([[0.5, 0.3, 0.2]]),
        "stated": np.log1p(np.exp(constants(spec, x).statement_loc))[None],
    }


def classes(*events, origin=AS_OF, inside=False, stated=("findings",)) -> np.ndarray:
    """Return log p(record | s) of a reference matter, or of the focal one's news, up to a constant."""
    cases = [case("m", "2025-01-01"), case("r", "2025-01-01")]
    log = [event(c["case_id"], "2025-01-01", "opened") for c in cases]
    for e in events:
        if e["type"] == "closed_no_action":
            cases[0 if inside else 1]["closed_on"] = e["date"]
    spec = brief("m", stated)
    x = build_exposure(world(proceedings=cases, events=[*log, *events]), spec, origin)
    got = matter_likelihood(reference_effects(x, spec), x)
    return got.news[0] if inside else got.history[0, x.matters.index("r")]


RAISING = ("extended", "search", "summons", "executive_charged", "suspension", "fine")


@pytest.mark.parametrize("kind", RAISING)
@pytest.mark.parametrize("inside", [False, True])
def test_an_event_of_positive_loading_raises_severe_classes(kind, inside):
    name, day = ("m", "2026-03-01") if inside else ("r", "2025-06-01")
    origin = date(2026, 3, 1) if inside else date(2025, 6, 1)
    change = classes(event(name, day, kind), origin=origin, inside=inside) - classes(origin=origin, inside=inside)
    assert np.all(np.diff(change) > 0)


@pytest.mark.parametrize("kind", ["commitments_accepted", "closed_no_action"])
@pytest.mark.parametrize("inside", [False, True])
def test_an_event_of_negative_loading_lowers_severe_classes(kind, inside):
    name, day = ("m", "2026-03-01") if inside else ("r", "2025-06-01")
    origin = date(2026, 3, 1) if inside else date(2025, 6, 1)
    change = classes(event(name, day, kind), origin=origin, inside=inside) - classes(origin=origin, inside=inside)
    assert np.all(np.diff(change) < 0)


def test_an_event_turns_the_odds_by_its_tilt_over_what_the_frailty_explains():
    """One more event of family e turns the odds by ``tilt_e`` and, the other way, by the frailty's means."""
    one_more = classes(event("r", "2025-06-01", "search"), origin=date(2025, 6, 1)) - classes(origin=date(2025, 6, 1))
    months = 151 / DAYS_PER_MONTH
    severity = np.array([-0.7, 0.0, 0.7])
    hazard = 0.02 * months * (8 * np.exp(severity) + 1 + 2 * np.exp(-severity))
    assert np.diff(one_more) == pytest.approx(np.diff(severity - np.log(3 + hazard)))


def test_an_event_may_speak_for_a_frail_matter_instead():
    """A request loads on nothing: it raises the frailty of the mild classes, whose hazards explain it least."""
    more = classes(event("r", "2025-06-01", "information_request"), origin=date(2025, 6, 1))
    assert np.all(np.diff(more - classes(origin=date(2025, 6, 1))) < 0)


def test_silence_lowers_severe_classes():
    for stated in ((), ("findings", "fine", "order", "suspension", "executive")):
        steps = [classes(origin=AS_OF + timedelta(days=d), inside=True, stated=stated) for d in (1, 60, 400)]
        for before, after in pairwise(steps):
            assert np.all(np.diff(after - before) < 0)


def test_closing_ends_exposure():
    closing = event("r", "2025-06-01", "closed_no_action")
    assert classes(closing, origin=date(2025, 6, 1)) == pytest.approx(classes(closing, origin=AS_OF), rel=1e-14)
    assert np.all(classes(origin=AS_OF) < classes(origin=date(2025, 6, 1)))


def test_frailty_posterior_gives_the_news():
    """``p(new | h, s) = E[p(new | f)]`` over ``f | h, s ~ Gamma(nu + count, nu + hazard)``."""
    known, _, x, draws = setting("news")
    got, rng = matter_likelihood(draws, x), np.random.default_rng(3)
    alone = build_exposure(known, brief("m", ()), date(2027, 7, 7))
    free = matter_likelihood(draws, alone)
    for i in range(len(draws["shape"])):
        for s in range(3):
            shape = draws["shape"][i]
            f = rng.gamma(shape + got.count[0], 1 / (shape + got.hazard[i, 0, s]), 200_000)
            for likelihood in (got, free):
                density = f**likelihood.news_count * np.exp(-f * likelihood.news_hazard[i, s])
                error = density.std() / np.sqrt(len(f)) / density.mean()
                expected = likelihood.news[i, s] - fixed_part(draws, x if likelihood is got else alone, i, s)
                assert abs(np.log(density.mean()) - expected) < 4 * error


def fixed_part(draws, x, i: int, s: int) -> float:
    """Return the part of the news' log-likelihood that the frailty does not touch."""
    d, total = one(draws, i), 0.0
    base = np.exp(
        d["log_rate"][:, None, None]
        + np.pad(d["phase"], ((0, 0), (1, 0)))[:, :, None]
        + np.pad(d["stage"], ((0, 0), (1, 0)))[:, None, :]
    ).reshape(11, 9)
    own = np.exp(d["authority"][x.row_class] + d["pace"][x.row_provider, None])
    foreseen, lived = (
        [(m[:, g] * base[k] * own[: x.n_focal, k, None]).sum() for g, k in enumerate(x.group_family)]
        for m in (x.stated_months, x.first_months)
    )
    for r, k, c, g in zip(x.news_row, x.news_family, x.news_cell, x.news_group, strict=True):
        total += np.log(base[k, c] * own[r, k])
        total += np.log(d["stated"][g, s] / foreseen[g]) if g >= 0 else d["loading"][k] * d["severity"][s]
    return total - sum(d["stated"][g, s] / foreseen[g] * lived[g] for g in range(len(x.groups)))
