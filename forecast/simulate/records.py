"""A world as a record: what ``gather`` would read had it been logged, its moments rounded up to days."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from forecast.record import Record
from forecast.simulate.design import DISCLOSED_AFTER, HALF_YEAR
from forecast.simulate.story import Event
from forecast.simulate.worlds import World
from forecast.vocabulary import DAYS_PER_MONTH, FAMILIES, FAMILY_TYPES, OPERATIONAL_SCOPES

OUTCOMES = ("upheld", "reduced", "annulled")


def day_of(world: World, months: float) -> pd.Timestamp:
    """Return the day by whose end a moment has come: never before it, so that nothing falls on the day of entry."""
    return world.design.as_of + pd.Timedelta(days=math.ceil(months * DAYS_PER_MONTH - 1e-6))


def to_record(world: World) -> Record:
    """Return the world's record as it stands at its origin.

    Proceedings, their opening and first sourced events, designations, ceilings and turnover of others are the real
    record's; events after entry, closings, fines, appeals, users and the provider's turnover are the world's, each
    public on its day. The openings of the world are not in it, for they are of proceedings that nobody described: those
    of the record's proceedings stand for them.
    """
    real = world.design.record
    events = _events(world)
    closed_on = [day_of(world, t) if t <= world.months else pd.NaT for t in world.closed]
    closing = pd.Series(closed_on, index=pd.Index([row.case for row in world.design.rows]), dtype="datetime64[us]")
    return replace(
        real,
        proceedings=real.proceedings.assign(
            closed_on=real.proceedings["case_id"].map(closing),
            observed_until=day_of(world, world.months),  # in a simulated world all of time is seen
        ),
        events=events,
        fines=_fines(world),
        users=_users(world),
        turnover=_turnover(world),
        as_of_date=None,
        complete_until=day_of(world, world.months).date(),
    )


def _events(world: World) -> pd.DataFrame:
    """The events by which each proceeding was first known, then the world's own, and appeals against focal fines."""
    real, design, origin = world.design.record.events, world.design, world.months
    entered = pd.Series({row.case: day_of(world, row.entered) for row in design.rows})
    given = real.loc[real["date"] <= real["case_id"].map(entered)]
    rows = [_logged(world, i, e) for i, e in enumerate(world.events) if e.time <= origin]
    rows += [
        _row(world, f"appeal-{i}", design.rows[e.row].case, a.filed, "appeal_filed")
        for i, (e, a) in enumerate(world.figures.appeal.items())
        if a.filed <= origin and e.time <= origin
    ]
    own = pd.DataFrame(rows, columns=list(real.columns)).astype(real.dtypes.to_dict())
    return pd.concat([given, own], ignore_index=True)


def _logged(world: World, number: int, event: Event) -> dict[str, Any]:
    name = FAMILIES[event.family]
    scope = OPERATIONAL_SCOPES[world.figures.scope.get(event, 0)] if name == "order" else ""
    row = _row(world, f"e{number}", world.design.rows[event.row].case, event.time, FAMILY_TYPES[name][-1])
    return row | {"scope": scope, "amount_eur": world.figures.amount.get(event, np.nan)}


def _row(world: World, number: str, case: str, months: float, kind: str) -> dict[str, Any]:
    day, empty = (
        day_of(world, months),
        dict.fromkeys(("scope", "detail", "source_url", "source2_url", "supersedes"), ""),
    )
    return empty | {
        "event_id": f"world-{number}",
        "case_id": case,
        "date": day,
        "published_on": day,
        "type": kind,
        "amount_eur": np.nan,
        "confidence": "high",
    }


def _fines(world: World) -> pd.DataFrame:
    """The reference decisions with the world's amounts and rulings; no event of the world is one of them."""
    table = world.design.fines.copy()
    capped = table["legal_cap_fraction"].notna() & (table["turnover_eur"] > 0)
    bare = table["legal_cap_fraction"].isna() & (table["turnover_eur"] > 0)
    share = 1 / (1 + np.exp(-world.figures.size))
    table.loc[capped, "amount_eur"] = (
        share * table.loc[capped, "legal_cap_fraction"] * table.loc[capped, "turnover_eur"]
    )
    table.loc[bare, "amount_eur"] = np.exp(world.figures.bare_size) * table.loc[bare, "turnover_eur"]
    table = table.assign(event_id="", outcome_on=pd.NaT, amount_after_eur=np.nan)
    known = table.index[table["outcome"].isin(["final", "under_appeal", *OUTCOMES])]
    for index, appeal in zip(known, world.figures.rulings, strict=True):
        ruled, amount = appeal.ruled <= world.months, table.at[index, "amount_eur"]
        outcome = OUTCOMES[appeal.outcome] if ruled else "under_appeal"
        table.at[index, "outcome"] = outcome if np.isfinite(appeal.filed) else "final"
        if ruled:
            table.at[index, "outcome_on"] = day_of(world, appeal.ruled)
            table.at[index, "amount_after_eur"] = amount * appeal.share
        elif not np.isfinite(appeal.filed):
            table.at[index, "amount_after_eur"] = amount
    return table.astype(world.design.record.fines.dtypes.to_dict()).reset_index(drop=True)


def _users(world: World) -> pd.DataFrame:
    """Counts that change as the world's do, from the first known one of each series on, and the focal ones to come."""
    design = world.design
    table, base = design.record.users, design.specification.users
    middle = table["period_start"] + (table["period_end"] - table["period_start"]) / 2
    table = table.assign(_middle=middle).sort_values(["series_id", "_middle", "published_on"]).reset_index(drop=True)
    focal = set(table.loc[table["series_id"] == base.series, "service"]) if base else set()
    told = ~table["service"].isin(focal) | (table["series_id"] == base.series if base else False)
    changes = iter(world.figures.users)
    for _, rows in table.loc[told].groupby("series_id", sort=True):
        for before, now in pairwise(rows.index):
            moved = table.at[now, "_middle"] > table.at[before, "_middle"]
            factor = np.exp(next(changes)[0]) if moved else 1.0
            table.at[now, "monthly_active_millions"] = table.at[before, "monthly_active_millions"] * factor
    return pd.concat(
        [table.drop(columns="_middle"), _user_news(world, table, [c for c in changes if c[6] <= world.months])],
        ignore_index=True,
    )


def _user_news(world: World, known: pd.DataFrame, changes: list[np.ndarray]) -> pd.DataFrame:
    """The focal series' half years to come, each with the day of its publication."""
    columns, rows, base = known.columns.drop("_middle"), [], world.design.specification.users
    if changes and base is not None:
        own = known.loc[known["series_id"] == base.series].iloc[-1]
        count = own["monthly_active_millions"]
        for change in changes:
            published, count = day_of(world, change[6]), count * np.exp(change[0])
            end = published - pd.Timedelta(days=DISCLOSED_AFTER)
            span = {"period_start": end - pd.Timedelta(days=round(HALF_YEAR)), "period_end": end}
            rows.append({**own[columns], **span, "published_on": published, "monthly_active_millions": count})
    return pd.DataFrame(rows, columns=columns).astype(known[columns].dtypes.to_dict())


def _turnover(world: World) -> pd.DataFrame:
    """The provider's latest figure as the world has it, its range as wide as it was."""
    table = world.design.record.turnover.copy()
    if len(world.figures.turnover):
        own = (
            table.loc[table["company_group"] == world.design.specification.provider_group].sort_values("year").index[-1]
        )
        factor = float(np.exp(world.figures.turnover[0])) / table.at[own, "turnover_eur"]
        table.loc[own, ["turnover_eur", "turnover_low_eur", "turnover_high_eur"]] *= factor
    return table
