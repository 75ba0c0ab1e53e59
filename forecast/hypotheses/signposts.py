"""Signposts: which next event, or which silence, would tell most about the scenario, and by how much.

Every signpost is an indicator on one joint simulation (``branches``): an event of a family in an open proceeding of
the focal matter within the window, or no event of any family in any of them. A signpost's worth is its expected
information about the scenario, the mutual information of both (Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x),

    I = sum_s sum_e p(s, e) log2( p(s, e) / (p(s) p(e)) )      bits

small where an event is rare, however telling, and where it is likely whatever the scenario. The estimate is biased
upwards by about 1 / (simulated paths) bits, far below its Monte Carlo error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from forecast.forecasting import Forecast
from forecast.hypotheses.branches import BLOCKS, DAYS, REPLICATES, Branches, branch, information, with_error
from forecast.hypotheses.reversals import Stress, check, stress
from forecast.hypotheses.whatifs import held
from forecast.progress import working
from forecast.vocabulary import FAMILIES, SCENARIOS

LEAST = 0.01
"""Smallest probability of an event that is a signpost: rarer ones are no plausible next event."""
MOST = 15
CLEAR = 2.0
"""Monte Carlo errors by which the information of a signpost exceeds zero."""
PRESENT, SILENCE = "present", "silence"


@dataclass(frozen=True, repr=False)
class Watch:
    """Signposts for the next ``DAYS`` days, and what it would take to lift one scenario.

    ``table``: first the forecast as it stands (kind ``present``), then signposts, most informative first: ``rank``,
    ``kind`` (event or silence), ``case_id``, ``family``, ``authority``, ``probability``; for each scenario its
    probability if the signpost comes and its move from now; ``fine_left_median`` and ``fine_left_mean`` at the last
    horizon if it comes, EUR, and their moves; ``bits``. Each scenario and both amounts also stand beside it as they are
    now (``_now``) and if no event at all comes in any open proceeding of the matter within the window (``_silent``,
    missing where no path is silent). Every number has its Monte Carlo error in a column ending in ``_mcse``.
    """

    table: pd.DataFrame
    stress: Stress
    until: date
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        return f"<Watch on {self.manifest['matter']} until {self.until}: {len(self.table) - 1} signposts>"


@working("Looking for signposts")
def watch(forecast: Forecast, scenario: str = "crackdown", over: float = 0.5, *, most: int = 3) -> Watch:
    """Return the signposts of a forecast, and the fewest events that lift ``scenario`` over ``over``.

    In the inside view. Raises ``InputError`` on bad input, and before the brief, where there is no inside view.
    """
    old = held(forecast)
    check(scenario, over, most, old.evidence)
    branches = branch(old.draws, np.random.default_rng([old.settings.seed, 7]))
    table = signpost_table(branches)
    authority = forecast.record.proceedings.set_index("case_id")["authority"]
    table.insert(4, "authority", [authority.get(case, "") for case in table["case_id"]])
    return Watch(
        table=table,
        stress=stress(forecast, scenario, over, most, branches=branches),
        until=old.evidence.origin + timedelta(days=DAYS),
        manifest={**forecast.manifest, "window_days": DAYS, "replicates": REPLICATES, "blocks": BLOCKS},
    )


def signpost_table(branches: Branches, most: int = MOST, least: float = LEAST) -> pd.DataFrame:
    """Return the table of ``Watch``: the ``most`` most informative events of at least this probability, and silence.

    Events that nobody stated come at the same rate in every scenario: what tells nothing clear is left out.
    """
    silence = ~branches.came.any(axis=(-2, -1))
    joint = np.moveaxis(branches.joint(branches.came), 1, -1)[0]
    probability, bits = joint.sum(axis=-1), information(joint, branches.scenario[0])
    plausible = (probability >= least) & (probability > 0)
    order = np.argsort(np.where(plausible, -bits, np.inf).ravel(), kind="stable")[: min(most, int(plausible.sum()))]
    rows = [_row(branches, silence, SILENCE, "", "")] if silence.any() else []
    for place in order:
        case, family = np.unravel_index(place, bits.shape)
        event = branches.came[..., case, family]
        row = _row(branches, event, "event", branches.cases[case], FAMILIES[family])
        rows += [row] if row["bits"] > CLEAR * row["bits_mcse"] else []
    rows.sort(key=lambda row: -row["bits"])
    present = _row(branches, np.ones_like(silence), PRESENT, "", "")
    beside = _beside(present, "now") | _beside(next((r for r in rows if r["kind"] == SILENCE), {}), "silent")
    return pd.DataFrame([{"rank": rank} | row | beside for rank, row in enumerate([present, *rows])])


def _beside(row: dict[str, Any], name: str) -> dict[str, float]:
    """Return the numbers of one row that stand beside those of every row, with their errors."""
    numbers = (*SCENARIOS, "fine_left_median", "fine_left_mean")
    return {f"{n}_{name}{end}": row.get(f"{n}{end}", np.nan) for n in numbers for end in ("", "_mcse")}


def _row(branches: Branches, event: np.ndarray, kind: str, case: str, family: str) -> dict[str, Any]:
    """Return every number of one signpost, with its error."""
    joint, scenario = branches.joint(event), branches.scenario
    probability = joint.sum(axis=1)
    given = joint / probability[:, None]
    numbers = {"probability": probability}
    for s, name in enumerate(SCENARIOS):
        numbers |= {name: given[:, s], f"{name}_move": given[:, s] - scenario[:, s]}
    for name, here, now in zip(("median", "mean"), branches.fines_left(event), branches.fines_left_now, strict=True):
        numbers |= {f"fine_left_{name}": here, f"fine_left_{name}_move": here - now}
    numbers["bits"] = information(joint, scenario)
    row: dict[str, Any] = {"kind": kind, "case_id": case, "family": family}
    for name, values in numbers.items():
        value, error = with_error(values)
        row |= {name: float(value), f"{name}_mcse": float(error)}
    return row
