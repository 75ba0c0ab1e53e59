"""The PyMC model's log-probability against a sum of SciPy densities, at the brief and with hypothetical news."""

from dataclasses import replace
from datetime import date

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.integrate import quad
from scipy.special import expit, gammaln, logit
from scipy.stats import nbinom, norm, poisson
from scipy.stats import t as student
from worlds import AS_OF, LATER, load_record, load_specification, with_news

from forecast.exposure import build_exposure
from forecast.likelihood import matter_likelihood, new_fines, new_users, other_data
from forecast.observations import Observations, observe
from forecast.parameters import constants, coordinates, draw_prior, effects, parameters
from forecast.story import build_model, model_data

ORIGINS = [AS_OF, LATER]
POTENTIALS = ("users", "matters", "sizes", "turnover_figure", "openings")
SCENARIOS = range(3)


class World:
    """One prior file, hypothetical news, and a compiled log-probability whose data are replaced."""

    def __init__(self, spec):
        known = with_news()
        self.spec = spec
        self.later = build_exposure(known, spec, LATER)
        self.exposure = {o: build_exposure(known, spec, o, self.later.providers) for o in ORIGINS}
        self.observed = {o: observe(known, spec, o, known) for o in ORIGINS}
        self.model = build_model(spec, self.exposure[AS_OF], self.observed[AS_OF])
        terms = [self.model[name] for name in POTENTIALS]
        outputs = [self.model.logp(), *self.model.replace_rvs_by_values(terms), self.model.dlogp()]
        self.compiled = self.model.compile_fn(outputs, inputs=self.model.value_vars)
        self.table = parameters(spec, coordinates(self.exposure[AS_OF], self.observed[AS_OF]))
        self.points = draw_prior(self.table, 5, np.random.default_rng(5))

    def point(self, i: int) -> dict[str, np.ndarray]:
        return {k: v[i] for k, v in self.points.items()}

    def free_turnover(self, origin: date, i: int) -> np.ndarray:
        """What the sampler moves: the log of what the turnover has above the largest fine over its ceiling."""
        o, x = self.observed[origin], self.points["log_turnover"][i]
        return np.log(np.exp(x) - (o.new_fine_amount / o.new_fine_ceiling).max(initial=0) * np.exp(1e-9))

    def evaluate(self, origin: date, i: int) -> dict[str, float]:
        with self.model:
            pm.set_data(
                model_data(constants(self.spec, self.exposure[origin]), self.exposure[origin], self.observed[origin])
            )
        values = self.compiled({**self.point(i), "log_turnover": self.free_turnover(origin, i)})
        return {name: float(v) for name, v in zip(("all", *POTENTIALS), values[:-1], strict=True)}


@pytest.fixture(scope="module")
def x_world():
    return World(load_specification())


def fine_densities(spec, o: Observations, raw) -> list[float]:
    """Return the log density of new fines by scenario, by change of variables; a pool of shares by quadrature."""
    turnover, weight = np.exp(raw["log_turnover"]), spec.pooling.value
    ranges = spec.fines.share if spec.fines.reading == "share_of_ceiling" else spec.fines.eur
    scale = logit if spec.fines.reading == "share_of_ceiling" else np.log
    total = []
    for name in ("limited", "significant", "crackdown"):
        low, high = scale(ranges[name].low), scale(ranges[name].high)
        law, log_density = norm((low + high) / 2, (high - low) / 2 / norm.ppf((1 + ranges[name].mass) / 2)), 0.0
        for amount, cap, law_of in zip(o.new_fine_amount, o.new_fine_ceiling, o.new_fine_instrument, strict=True):
            if spec.fines.reading == "eur":
                log_density += law.logpdf(np.log(amount)) - np.log(amount) - law.logcdf(np.log(cap * turnover))
                continue
            share = amount / (cap * turnover)
            log_density -= np.log(share * (1 - share)) + np.log(cap * turnover)
            if weight == 1:
                log_density += law.logpdf(logit(share))
                continue
            own = np.exp(raw["log_instrument_scale"]) * raw["instrument_score"][law_of] if law_of >= 0 else 0.0
            reference = norm(raw["size_mean"] + own, np.exp(raw["log_size_spread"]))
            kernel = lambda y, a=law, b=reference: weight * a.logpdf(y) + (1 - weight) * b.logpdf(y)  # noqa: E731
            whole = quad(lambda y, f=kernel: np.exp(f(y)), -40, 40, points=[law.mean(), reference.mean()], epsrel=1e-12)
            log_density += kernel(logit(share)) - np.log(whole[0])
        total.append(log_density)
    return total


def scope_densities(spec, record, as_of) -> np.ndarray:
    """Return the log probability of the scopes of new focal orders by scenario, from the events themselves."""
    total = np.zeros(3)
    cases = set(record.proceedings.loc[record.proceedings["matter_id"] == spec.matter, "case_id"])
    for e in record.events.itertuples():
        if e.case_id in cases and e.published_on.date() > as_of and e.type == "compliance_order":
            for s, name in enumerate(("limited", "significant", "crackdown")):
                extensive, filtering = spec.orders.extensive[name].value, spec.orders.filtering[name].value
                chances = {"extensive": extensive, "filtering": filtering, "specific": 1 - extensive - filtering}
                total[s] += np.log(chances[e.scope])
    return total


def user_densities(spec, o: Observations, raw) -> tuple[float, list[float]]:
    """Return the log density of all but the focal news, and that of the focal news by scenario."""
    noise, drift = (
        np.exp(raw["log_user_noise"]),
        raw["drift_mean"] + np.exp(raw["log_drift_scale"]) * raw["drift_score"],
    )
    old, new = 0.0, [0.0, 0.0, 0.0]
    for change, months, service, before, after, is_news in o.users:
        law = student(4, loc=drift[int(service)] * months, scale=noise * np.sqrt(months))
        if not is_news:
            old += law.logpdf(change)
            continue
        for s, name in enumerate(("limited", "significant", "crackdown")):
            r = spec.impacts.attrition[name]
            low, high = logit(r.low), logit(r.high)
            lost = expit((low + high) / 2 + (high - low) / 2 / norm.ppf((1 + r.mass) / 2) * raw["impact_score"][0])
            felt = np.log((1 - lost * after) / (1 - lost * before))
            new[s] += law.logpdf(change - felt)
    return old, new


def opening_density(o: Observations, raw) -> float:
    """Return the log density of opening counts, up to the multinomial constants that hold no parameter."""
    shape, rate, raised = (float(np.exp(raw[k])) for k in ("log_opening_shape", "log_opening_rate", "log_raised"))
    total = 0.0
    for (usual, high), (months, more) in zip(o.opening_count, o.opening_months, strict=True):
        means = np.array([rate * months, rate * raised * more])
        counts = np.array([usual, high])
        constant = (counts * np.log(np.where(counts > 0, [months or 1, more or 1], 1)) - gammaln(counts + 1)).sum()
        if more == 0:
            total += nbinom.logpmf(usual, shape, shape / (shape + means[0])) - constant
            continue
        mode = max(shape + counts.sum() - 1, 0.05) / (shape + means.sum())

        def log_density(u, means=means, counts=counts):
            k = np.exp(u)
            prior = shape * np.log(shape) + shape * u - shape * k - gammaln(shape)
            return prior + sum(poisson.logpmf(n, k * m) for n, m in zip(counts, means, strict=True) if m > 0)

        top = log_density(np.log(mode))
        width = 1 / np.sqrt(shape + counts.sum())
        centre = np.log(mode)
        ends = centre - 70 * width, centre + 12 * width
        density = lambda u, f=log_density, top=top: np.exp(f(u) - top)  # noqa: E731
        value = quad(density, *ends, points=[centre], epsabs=0, epsrel=1e-11, limit=400)[0]
        total += np.log(value) + top - constant
    return total


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("i", range(5))
def test_log_probability(x_world, origin, i):
    w, raw = x_world, x_world.point(i)
    x, o, spec = w.exposure[origin], w.observed[origin], w.spec
    assert x.has_news == (len(o.new_fine_amount) > 0) == (origin == LATER)
    share = o.new_fine_amount / (o.new_fine_ceiling * np.exp(raw["log_turnover"]))
    assert np.all(share < 1)
    old_users, new_users = user_densities(spec, o, raw)
    other = (
        np.array(fine_densities(spec, o, raw))
        + new_users
        + (scope_densities(spec, with_news(), x.as_of) if origin == LATER else 0.0)
    )
    draws = {k: v[None] for k, v in effects(raw, constants(spec, x)).items()}
    log_pi = np.log([0.40, 0.45, 0.15])
    instruments = np.exp(raw["log_instrument_scale"]) * raw["instrument_score"]
    expected = {
        "users": old_users,
        "matters": matter_likelihood(draws, x, other[None]).marginal(draws["log_weight"], log_pi).sum(),
        "sizes": norm.logpdf(
            o.size, raw["size_mean"] + instruments[o.size_instrument], np.exp(raw["log_size_spread"])
        ).sum(),
        "turnover_figure": norm.logpdf(o.turnover, raw["log_turnover"], o.turnover_sd).sum(),
        "openings": opening_density(o, raw),
    }
    got = w.evaluate(origin, i)
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, rel=1e-8), name
    priors = sum(norm.logpdf(raw[k], p.loc, p.scale).sum() for k, p in w.table.items())
    jacobian = w.free_turnover(origin, i) - raw["log_turnover"]
    assert (jacobian < -0.01) == (origin == LATER)
    assert got["all"] == pytest.approx(priors + jacobian + sum(expected.values()), rel=1e-8)


def test_later_origin_has_news_of_every_kind(x_world):
    o, x = x_world.observed[LATER], x_world.exposure[LATER]
    assert o.users[:, 5].sum() == 1
    assert list(o.new_fine_amount) == [90e6]
    assert (x.news_group >= 0).any()
    assert (x.news_group < 0).any()


READINGS = [(), ("eur",), ("outside_pool_half",)]


@pytest.mark.parametrize("readings", READINGS)
@pytest.mark.parametrize("law_of", [0, -1])
def test_new_fines_in_the_model(x_world, readings, law_of):
    """Every reading: below the ceiling the density by hand, beyond it a wall."""
    from forecast.story import _new_fines  # noqa: PLC0415

    spec = x_world.spec.with_reading(*readings)
    fixed, o = constants(spec, x_world.exposure[LATER]), x_world.observed[LATER]
    o = replace(o, new_fine_instrument=np.full(len(o.new_fine_amount), law_of))
    pooling = np.full(len(o.new_fine_amount), fixed.pooling)
    known = (o.new_fine_amount, o.new_fine_ceiling, o.new_fine_instrument, pooling)
    columns = [pt.as_tensor(c) for c in known]

    def model(raw) -> np.ndarray:
        values = {k: pt.as_tensor(v) for k, v in raw.items()}
        return _new_fines(spec, fixed, values, effects(values, fixed, pt), columns).eval()

    at = {**x_world.point(0), "log_turnover": np.log(4e9)}
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        got, beyond, near = (model({**at, "log_turnover": np.log(t)}) for t in (4e9, 1.4e9, 1.501e9))
    assert got == pytest.approx(fine_densities(spec, o, at), rel=1e-8)
    assert np.all(beyond < got - 500)  # 90 m EUR are more than 6 % of 1.4 bn
    assert np.all(np.isfinite(near))


@pytest.mark.parametrize("counts", [[], [0], [0, 3, 1], [300, 2]])
def test_openings_of_any_number_of_providers_and_any_counts(counts):
    """Value and slope against SciPy: the rising factorials of a few, none, or hundreds of openings."""
    from forecast.story import _openings  # noqa: PLC0415

    names, point = ("log_opening_rate", "log_opening_shape", "log_raised"), np.array([-2.0, 0.4, 0.7])
    usual, months, n = np.array(counts, dtype=float), np.linspace(10, 40, len(counts)), len(counts)
    raised, more = np.ones(n), np.full(n, 6.0)

    def expected(x):
        rate, shape, factor = np.exp(x)
        total, hazard = usual + raised, rate * (months + more * factor)
        power = gammaln(shape + total) - gammaln(shape) + shape * x[1] - (shape + total) * np.log(shape + hazard)
        return (total * x[0] + raised * x[2] + power).sum()

    symbols = [pt.dscalar(name) for name in names]
    value = _openings(dict(zip(names, symbols, strict=True)), [pt.as_tensor(v) for v in (usual, raised, months, more)])
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        got, *slopes = pytensor.function(symbols, [value, *pt.grad(value, symbols)])(*point)
    assert got == pytest.approx(expected(point), rel=1e-12)
    for slope, step in zip(slopes, 1e-4 * np.eye(3), strict=True):
        assert slope == pytest.approx((expected(point + step) - expected(point - step)) / 2e-4, rel=1e-6, abs=1e-8)


def test_effects_agree_in_numpy_and_pytensor(x_world):
    raw, fixed = x_world.point(0), constants(x_world.spec, x_world.exposure[AS_OF])
    symbols = {k: pt.as_tensor(v) for k, v in raw.items()}
    names = list(effects(raw, fixed))
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        compiled = pytensor.function([], [effects(symbols, fixed, pt)[k] for k in names])()
    for name, value in zip(names, compiled, strict=True):
        assert np.allclose(effects(raw, fixed)[name], value, rtol=1e-12, atol=1e-12), name
        batch = effects(x_world.points, fixed)[name][0]
        assert np.allclose(batch, value, rtol=1e-12, atol=1e-12), name


def test_gradient_of_the_log_probability(x_world):
    """Directional derivatives against a five-point stencil: the operation's pullback has the right signs."""
    w, rng = x_world, np.random.default_rng(9)
    with w.model:
        pm.set_data(model_data(constants(w.spec, w.exposure[LATER]), w.exposure[LATER], w.observed[LATER]))
    point = w.point(1)
    flat = w.compiled(point)[-1]
    direction = {v.name: rng.normal(size=point[v.name].shape) for v in w.model.value_vars}
    moved = {}
    for k in (-2, -1, 1, 2):
        moved[k] = float(w.compiled({n: point[n] + 1e-4 * k * direction[n] for n in point})[0])
    slope = (moved[-2] - 8 * moved[-1] + 8 * moved[1] - moved[2]) / (12 * 1e-4)
    along = np.concatenate([direction[v.name].ravel() for v in w.model.value_vars])
    assert flat @ along == pytest.approx(slope, rel=1e-6)


def test_packaged_record_needs_no_news(x_world):
    o = observe(load_record(), x_world.spec, AS_OF)
    assert not o.users[:, 5].any()
    assert not len(o.new_fine_amount)


@pytest.mark.parametrize("origin", ORIGINS)
def test_densities_for_reweighting_are_the_same(x_world, origin):
    """``new_fines``, ``new_users`` and ``other_data``: the same numbers, and a wall beyond the ceiling."""
    w, o = x_world, x_world.observed[origin]
    fixed = constants(w.spec, w.exposure[origin])
    users = new_users(w.points, effects(w.points, fixed), o)
    for readings in READINGS:
        spec = w.spec.with_reading(*readings)
        read = constants(spec, w.exposure[origin])
        fines = new_fines(w.points, effects(w.points, fixed), read, spec.fines.reading, o)
        for i in range(5):
            raw = w.point(i)
            assert fines[i] == pytest.approx(fine_densities(spec, o, raw), rel=1e-9)
            assert users[i] == pytest.approx(user_densities(spec, o, raw)[1], rel=1e-10)
    rest = other_data(w.points, effects(w.points, fixed), o)
    for i in range(5):
        got = w.evaluate(origin, i)
        for name, values in rest.items():
            assert values[i] == pytest.approx(got[name], rel=1e-9), name
    if origin == LATER:
        small = {**w.points, "log_turnover": np.full(5, np.log(1.4e9))}
        assert np.all(new_fines(small, effects(small, fixed), fixed, "share_of_ceiling", o) < -500)
