"""The marginal log-likelihood of all matters for one draw, with its gradient, as one compiled loop.

The sampler needs value and gradient some hundred thousand times. Written as array operations the same formula
costs the sampler's compiler half a minute at every start; as one loop it costs none after the first, and runs
five times faster. ``likelihood`` holds the formula for many draws at once; tests hold the two equal, this gradient
equal to finite differences, and both equal to brute-force enumeration.

Symbols: matter m, row (proceeding) r, family e, cell c, scenario s, statement group g; nu the frailty's shape::

    X[r,e]      = exp(authority[a(r),e] + pace[v(r)]) sum_c months[r,c] base[e,c]
    base[e,c]   = exp(log_rate[e] + phase[e,p(c)] + stage[e,k(c)])
    Lambda[m,s] = sum_{r in m, e} X[r,e] exp(loading[e] severity[s])
    history     = sum_m log sum_s w_s exp(A_m severity_s) nu^nu Gamma(nu+N_m)/Gamma(nu) / (nu+Lambda[m,s])^(nu+N_m)
    news        = log sum_s pi_s p(new | history, s),   zero when there is none

with N_m events in matter m and A_m the sum of their loadings, plus the scenario-free log hazards of all events.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from forecast.exposure import Exposure
from forecast.vocabulary import STAGES

N_STAGES = len(STAGES)


@njit(cache=True, error_model="numpy")
def log_hazard_tables(log_rate, phase, stage, authority, pace, row_class, row_provider):
    """Return ``base[e, cell]`` and ``effect[row, e]``, both on the natural scale."""
    n_families, n_cells = len(log_rate), (phase.shape[1] + 1) * N_STAGES
    base = np.empty((n_families, n_cells))
    for e in range(n_families):
        for cell in range(n_cells):
            p, k = divmod(cell, N_STAGES)
            log_base = log_rate[e]
            if p > 0:
                log_base += phase[e, p - 1]
            if k > 0:
                log_base += stage[e, k - 1]
            base[e, cell] = np.exp(log_base)
    of_class, of_provider = np.exp(authority), np.exp(pace)
    effect = np.empty((len(row_class), n_families))
    for r in range(len(row_class)):
        for e in range(n_families):
            effect[r, e] = of_class[row_class[r], e] * of_provider[row_provider[r]]
    return base, effect


@njit(cache=True, error_model="numpy")
def _at_risk(months, base, effect, n_families):
    """Return the integrated reference hazard ``X[row, e]``; ``months`` has shape row, family or 1, cell."""
    total = np.zeros((months.shape[0], n_families))
    shared = months.shape[1] == 1
    for r in range(months.shape[0]):
        for cell in range(months.shape[2]):
            if shared and months[r, 0, cell] == 0:
                continue  # most proceedings have lived in few cells
            for e in range(n_families):
                total[r, e] += months[r, 0 if shared else e, cell] * base[e, cell] * effect[r, e]
    return total


@njit(cache=True, error_model="numpy")
def _push(months, base, effect, family, r, own, weight, d_base, d_effect):
    """Add ``weight * d X[r, family]`` to the gradients of the log tables."""
    for cell in range(months.shape[2]):
        if months[r, own, cell] > 0:
            part = weight * months[r, own, cell] * base[family, cell] * effect[r, family]
            d_base[family, cell] += part
            d_effect[r, family] += part


@njit(cache=True, error_model="numpy")
def _softmax(x):
    """Return log-sum-exp of ``x`` and put the weights in its place: arrays of their own cost more than the sum."""
    top, total = x.max(), 0.0
    for s in range(len(x)):
        x[s] = np.exp(x[s] - top)
        total += x[s]
    x /= total
    return top + np.log(total)


def pack(exposure: Exposure, log_pi: np.ndarray) -> np.ndarray:
    """Return all data of ``marginal`` as one vector: five lengths, whether there is news, ``log_pi``, the arrays.

    The sampler's compiler takes over half a second for every array of data that a model names; one array is free.
    """
    x = exposure
    lengths = [len(x.row_matter), len(x.event_row), x.n_focal, len(x.groups), len(x.news_row), float(x.has_news)]
    arrays = [
        log_pi, x.row_matter, x.row_class, x.row_provider, x.months, x.event_row, x.event_family, x.event_cell,
        x.group_family, x.news_months, x.first_months, x.stated_months, x.news_row, x.news_family, x.news_cell,
        x.news_group,
    ]  # fmt: skip
    return np.concatenate([lengths, *(np.ravel(a) for a in arrays)]).astype(float)


@njit(cache=True)
def _take(packed, start, length):
    return packed[start : start + length], start + length


@njit(cache=True)
def _take_index(packed, start, length):
    return packed[start : start + length].astype(np.int64), start + length


@njit(cache=True, error_model="numpy")
def marginal_packed(
    log_rate, phase, stage, authority, pace, loading, severity, shape, log_weight, stated, other, packed
):  # fmt: skip
    """Return ``marginal`` of data packed by ``pack``."""
    rows, events, focal = int(packed[0]), int(packed[1]), int(packed[2])
    groups, news, inside = int(packed[3]), int(packed[4]), packed[5]
    families, cells = len(log_rate), (phase.shape[1] + 1) * N_STAGES
    log_pi, at = _take(packed, 6, len(severity))
    row_matter, at = _take_index(packed, at, rows)
    row_class, at = _take_index(packed, at, rows)
    row_provider, at = _take_index(packed, at, rows)
    months, at = _take(packed, at, rows * cells)
    event_row, at = _take_index(packed, at, events)
    event_family, at = _take_index(packed, at, events)
    event_cell, at = _take_index(packed, at, events)
    group_family, at = _take_index(packed, at, groups)
    news_months, at = _take(packed, at, focal * families * cells)
    first_months, at = _take(packed, at, focal * groups * cells)
    stated_months, at = _take(packed, at, focal * groups * cells)
    news_row, at = _take_index(packed, at, news)
    news_family, at = _take_index(packed, at, news)
    news_cell, at = _take_index(packed, at, news)
    news_group, at = _take_index(packed, at, news)
    return marginal(
        log_rate, phase, stage, authority, pace, loading, severity, shape, log_weight, stated, other,
        inside, log_pi, row_matter, row_class, row_provider, months.reshape(rows, 1, cells),
        event_row, event_family, event_cell, group_family, news_months.reshape(focal, families, cells),
        first_months.reshape(focal, groups, cells), stated_months.reshape(focal, groups, cells),
        news_row, news_family, news_cell, news_group,
    )  # fmt: skip


@njit(cache=True, error_model="numpy")
def marginal(
    log_rate, phase, stage, authority, pace, loading, severity, shape, log_weight, stated, other,
    inside, log_pi, row_matter, row_class, row_provider, months, event_row, event_family, event_cell,
    group_family, news_months, first_months, stated_months, news_row, news_family, news_cell, news_group,
):  # fmt: skip
    """Return the log-likelihood and its gradient in the first eleven arguments.

    ``stated[g, s]`` is the cumulative hazard ``-log(1 - P)`` of a statement; ``other[s]`` any further log-likelihood
    of the news given a scenario (sizes of fines, user counts). ``inside`` is 0 when the brief has not met any
    news yet, silence included: then ``other`` is all that it could have met.
    """
    n_families, n_scenarios, n_matters = len(log_rate), len(severity), row_matter.max() + 1
    base, effect = log_hazard_tables(log_rate, phase, stage, authority, pace, row_class, row_provider)
    d_base, d_effect = np.zeros(base.shape), np.zeros(effect.shape)
    d_loading, d_severity, d_shape = np.zeros(n_families), np.zeros(n_scenarios), 0.0
    d_weight, d_stated, d_other = np.zeros(n_scenarios), np.zeros(stated.shape), np.zeros(n_scenarios)
    tilt = np.exp(loading.reshape(-1, 1) * severity.reshape(1, -1))
    d_tilt, value = np.zeros(tilt.shape), 0.0

    # Events: scenario-free log hazards now, counts and loadings by matter for the mixture below.
    count, loaded = np.zeros(n_matters), np.zeros(n_matters)
    for i in range(len(event_row)):
        r, e, cell = event_row[i], event_family[i], event_cell[i]
        value += np.log(base[e, cell]) + np.log(effect[r, e])
        d_base[e, cell] += 1.0
        d_effect[r, e] += 1.0
        count[row_matter[r]] += 1.0
        loaded[row_matter[r]] += loading[e]

    # History: one latent scenario and one integrated gamma frailty per matter.
    at_risk, hazard = _at_risk(months, base, effect, n_families), np.zeros((n_matters, n_scenarios))
    for r in range(len(row_matter)):
        for s in range(n_scenarios):
            total = hazard[row_matter[r], s]
            for e in range(n_families):
                total += at_risk[r, e] * tilt[e, s]
            hazard[row_matter[r], s] = total
    d_hazard, weight = np.zeros(hazard.shape), np.zeros(hazard.shape)
    log_shape, log_rate_of_frailty = np.log(shape), np.empty(n_scenarios)
    for m in range(n_matters):
        power = shape + count[m]
        for s in range(n_scenarios):
            log_rate_of_frailty[s] = np.log(shape + hazard[m, s])
            weight[m, s] = log_weight[s] + loaded[m] * severity[s] - power * log_rate_of_frailty[s]
        value += _softmax(weight[m]) + shape * log_shape
        d_shape += log_shape + 1.0
        for j in range(int(count[m])):
            value += np.log(shape + j)
            d_shape += 1.0 / (shape + j)
        for s in range(n_scenarios):
            d_hazard[m, s] = -weight[m, s] * power / (shape + hazard[m, s])
            d_shape += d_hazard[m, s] - weight[m, s] * log_rate_of_frailty[s]
            d_severity[s] += weight[m, s] * loaded[m]
            d_weight[s] += weight[m, s]
    for i in range(len(event_row)):
        for s in range(n_scenarios):
            d_loading[event_family[i]] += weight[row_matter[event_row[i]], s] * severity[s]

    # News of the focal matter (index 0), given its history: first stated events at the analyst's level, all others
    # at the reference hazard times the frailty that the history has left.
    if inside > 0:
        n_groups = len(group_family)
        after = _at_risk(news_months, base, effect[: news_months.shape[0]], n_families)
        extra = np.zeros(n_scenarios)
        for e in range(n_families):
            for s in range(n_scenarios):
                extra[s] += after[:, e].sum() * tilt[e, s]
        first, reference = np.zeros(n_groups), np.zeros(n_groups)
        for g in range(n_groups):
            e = group_family[g]
            for r in range(first_months.shape[0]):
                for cell in range(base.shape[1]):
                    first[g] += effect[r, e] * base[e, cell] * first_months[r, g, cell]
                    reference[g] += effect[r, e] * base[e, cell] * stated_months[r, g, cell]
        ordinary, ordinary_loaded, came = 0.0, 0.0, np.zeros(n_groups)
        for i in range(len(news_row)):
            r, e, cell = news_row[i], news_family[i], news_cell[i]
            value += np.log(base[e, cell]) + np.log(effect[r, e])
            d_base[e, cell] += 1.0
            d_effect[r, e] += 1.0
            if news_group[i] >= 0:
                came[news_group[i]] += 1.0
            else:
                ordinary += 1.0
                ordinary_loaded += loading[e]
        power = shape + count[0]
        q = log_pi + other + ordinary_loaded * severity
        q += power * np.log(shape + hazard[0]) - (power + ordinary) * np.log(shape + hazard[0] + extra)
        for g in range(n_groups):
            q += came[g] * np.log(stated[g] / reference[g]) - stated[g] * first[g] / reference[g]
        value += _softmax(q)
        for j in range(int(ordinary)):
            value += np.log(power + j)
            d_shape += 1.0 / (power + j)
        for s in range(n_scenarios):
            old, new = power / (shape + hazard[0, s]), (power + ordinary) / (shape + hazard[0, s] + extra[s])
            d_hazard[0, s] += q[s] * (old - new)
            d_shape += q[s] * (np.log(shape + hazard[0, s]) - np.log(shape + hazard[0, s] + extra[s]) + old - new)
            d_severity[s] += q[s] * ordinary_loaded
            d_other[s] += q[s]
            for r in range(news_months.shape[0]):
                for e in range(n_families):
                    d_tilt[e, s] -= q[s] * new * after[r, e]
                    _push(news_months, base, effect, e, r, e, -q[s] * new * tilt[e, s], d_base, d_effect)
            for g in range(n_groups):
                multiplier = stated[g, s] / reference[g]
                d_stated[g, s] += q[s] * (came[g] / stated[g, s] - first[g] / reference[g])
                d_reference = q[s] * (multiplier * first[g] - came[g]) / reference[g]
                for r in range(first_months.shape[0]):
                    e = group_family[g]
                    _push(first_months, base, effect, e, r, g, -q[s] * multiplier, d_base, d_effect)
                    _push(stated_months, base, effect, e, r, g, d_reference, d_base, d_effect)
        for i in range(len(news_row)):
            if news_group[i] < 0:
                d_loading[news_family[i]] += (q * severity).sum()
    else:
        q = log_pi + other
        value += _softmax(q)
        d_other += q

    # Back from the integrated hazards to the effects.
    d_at_risk = np.zeros(n_families)
    for r in range(len(row_matter)):
        d_row = d_hazard[row_matter[r]]
        for e in range(n_families):
            total = 0.0
            for s in range(n_scenarios):
                total += d_row[s] * tilt[e, s]
                d_tilt[e, s] += d_row[s] * at_risk[r, e]
            d_at_risk[e] = total
            d_effect[r, e] += total * at_risk[r, e]
        for cell in range(months.shape[2]):
            if months[r, 0, cell] > 0:
                for e in range(n_families):
                    d_base[e, cell] += d_at_risk[e] * months[r, 0, cell] * base[e, cell] * effect[r, e]
    for e in range(n_families):
        for s in range(n_scenarios):
            d_loading[e] += d_tilt[e, s] * tilt[e, s] * severity[s]
            d_severity[s] += d_tilt[e, s] * tilt[e, s] * loading[e]
    d_phase, d_stage = np.zeros(phase.shape), np.zeros(stage.shape)
    d_authority, d_pace = np.zeros(authority.shape), np.zeros(pace.shape)
    for e in range(n_families):
        for cell in range(base.shape[1]):
            p, k = divmod(cell, N_STAGES)
            if p > 0:
                d_phase[e, p - 1] += d_base[e, cell]
            if k > 0:
                d_stage[e, k - 1] += d_base[e, cell]
        for r in range(len(row_matter)):
            d_authority[row_class[r], e] += d_effect[r, e]
            d_pace[row_provider[r]] += d_effect[r, e]
    return (
        value, d_base.sum(axis=1), d_phase, d_stage, d_authority, d_pace, d_loading, d_severity, d_shape, d_weight,
        d_stated, d_other,
    )  # fmt: skip
