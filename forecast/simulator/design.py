"""What a world takes as given: which proceedings there are, first seen when, watched how long, and what is stated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from forecast.evidence.statements import Statements
from forecast.record import Record
from forecast.regime import Regime
from forecast.vocabulary import DAYS_PER_MONTH


@dataclass(frozen=True)
class Row:
    """One proceeding as given; days are ordinals.

    ``entry``: the day of its first known step, ``steps``: type and scope of that day's events. ``watched``: the last
    day on which somebody looked; ``None``: to the end.
    """

    case: str
    matter: str
    authority_class: str
    opened: int
    entry: int
    steps: tuple[tuple[str, str], ...] = (("opened", ""),)
    authority: str = "A"
    provider: str = "P"
    watched: int | None = None


@dataclass(frozen=True)
class Openings:
    """New proceedings of the focal matter after ``as_of``: rates per month, and the shares of classes among them.

    An event of a family in ``raised_by`` makes the rate ``raised`` instead of ``usual`` for ``raised_months``.
    """

    usual: float
    share: Mapping[str, float]
    raised: float = 0.0
    raised_by: tuple[str, ...] = ()
    raised_months: float = 0.0


@dataclass(frozen=True)
class Design:
    """Everything that no world changes.

    ``origin``: the day up to which worlds are observed; they go on for ``horizon`` months. ``statements``: those about
    the focal matter, with their ``correction`` (group, scenario); ``None``: a world of the reference class alone.
    ``closing``: Beta(a, b) of the probability that an event which may close a proceeding does. ``trend_held_from``:
    day from which on the trend stays at its level; ``None``: it goes on, as in the likelihood.
    """

    regime: Regime
    rows: tuple[Row, ...]
    origin: date
    horizon: float = 60.0
    statements: Statements | None = None
    correction: float | np.ndarray = 1.0
    openings: Openings | None = None
    closing: tuple[float, float] = (8.0, 2.0)
    trend_held_from: date | None = None
    focal: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        matter = self.statements.matter if self.statements else None
        object.__setattr__(self, "focal", tuple(i for i, row in enumerate(self.rows) if row.matter == matter))
        if self.statements and not self.focal:
            raise ValueError(f"no proceeding of the design is of the focal matter {matter!r}")

    @property
    def last_day(self) -> int:
        """The last day of a world, an ordinal."""
        return self.origin.toordinal() + round(self.horizon * DAYS_PER_MONTH)


def design_of(record: Record, regime: Regime, origin: date, **stated: object) -> Design:
    """Return the design of a real record: its proceedings known by ``origin``, with their first known steps.

    ``stated``: the other fields of `Design`. Proceedings are watched for as long as the record says in
    ``observed_until``; those looked at to the day of the record's last look are watched to the end of the world.
    """
    known = record.as_of(origin).in_force()
    rows = []
    for about in known.proceedings.to_dict("records"):
        own = known.events[(known.events["case_id"] == about["case_id"]) & (known.events["date"] >= about["opened_on"])]
        first = own["date"].min()
        of_day = own[own["date"] == first].sort_values("event_id")
        watched = about["observed_until"]
        rows.append(
            Row(
                case=about["case_id"],
                matter=about["matter_id"],
                authority_class=about["authority_class"],
                opened=about["opened_on"].toordinal(),
                entry=first.toordinal(),
                steps=tuple(zip(of_day["type"], of_day["scope"], strict=True)),
                authority=about["authority"],
                provider=about["provider_group"],
                watched=None if watched.date() >= known.complete_until else watched.toordinal(),
            )
        )
    return Design(regime, tuple(rows), origin, **stated)  # type: ignore[arg-type]


def reference_rows(
    counts: Mapping[str, int], first: date, last: date, *, known_from: int = 0, name: str = "m"
) -> tuple[Row, ...]:
    """Return proceedings of stated classes, each its own matter, opened at equal distances from ``first`` to ``last``.

    ``counts``: class -> number of proceedings. ``known_from``: days from opening to the first known step.
    """
    total = sum(counts.values())
    days = np.linspace(first.toordinal(), last.toordinal(), total).astype(int)
    # Classes alternate as evenly as their numbers allow, so that no class is older than another.
    places = sorted((i / n, kind) for kind, n in counts.items() for i in range(n))
    return tuple(
        Row(f"{name}{i}", f"{name}{i}", kind, int(day), int(day) + known_from)
        for i, ((_, kind), day) in enumerate(zip(places, days, strict=True))
    )
