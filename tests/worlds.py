"""Small hand-made records, and additions to a record: every column that is not named takes a plain default."""

from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pandas as pd

from forecast import record as records
from forecast import specification
from forecast.conjugate import draw_conjugate
from forecast.inference import STATISTICS, Posterior, Settings, gather, prior_draws
from forecast.record import Record, validate_record
from forecast.record_checks import parse
from forecast.record_tables import TABLES
from forecast.specification import Specification

AS_OF = date(2026, 2, 3)
LATER = date(2027, 7, 31)
HORIZONS = (6, 24, 60)
"""Horizons of the packaged prior files."""
SAID = {
    "labels": {"limited": "Settled", "significant": "Fined", "crackdown": "Expelled"},
    "horizons": list(HORIZONS),
}
"""What a manifest says of scenarios and horizons, with labels that are nowhere else."""
DEFAULTS = {
    "proceedings": {"provider": "P", "provider_group": "P", "authority": "A", "authority_class": "commission_dsa"}
    | {"jurisdiction": "EU", "instrument": "DSA"},
    "events": {},
    "fines": {
        "company_group": "P",
        "authority": "A",
        "jurisdiction": "EU",
        "instrument": "DSA",
        "outcome": "unknown",
    },
    "users": {"provider_group": "P", "service": "P", "scope": "EU"},
    "turnover": {"company_group": "P"},
    "caps": {"jurisdiction": "any"},
    "designated_services": {},
}

load_record = cache(records.load_record)
load_specification = cache(specification.load_specification)


def rows(name: str, entries: list[dict]) -> pd.DataFrame:
    """Return typed rows of one table."""
    cells = [{c: str(e.get(c, DEFAULTS[name].get(c, ""))) for c in TABLES[name].columns} for e in entries]
    text = pd.DataFrame(cells, columns=list(TABLES[name].columns), dtype="str")
    return pd.DataFrame({c: parse(kind, text[c]) for c, kind in TABLES[name].columns.items()})


def case(name: str, opened: str, closed: str = "", matter: str = "", **other) -> dict:
    """Return a proceeding; without ``matter`` it is one of its own."""
    return {"case_id": name, "matter_id": matter or name, "opened_on": opened, "closed_on": closed} | other


def event(name: str, day: str, kind: str, published: str = "", **other) -> dict:
    """Return an event, published on its day unless said otherwise."""
    return {"case_id": name, "date": day, "type": kind, "published_on": published or day} | other


def with_rows(record: Record, **entries: list[dict]) -> Record:
    """Return a copy of ``record`` with rows added and all proceedings seen to its end, checked."""
    if "events" in entries:
        taken = len(record.events)
        entries["events"] = [
            {"event_id": f"{e['case_id']}-t{taken + i:03d}"} | e for i, e in enumerate(entries["events"])
        ]
    frames = {n: pd.concat([getattr(record, n), rows(n, e)], ignore_index=True) for n, e in entries.items()}
    return seen_to_the_end(replace(record, **frames))


def seen_to_the_end(record: Record) -> Record:
    """Return the record with every proceeding looked at up to its end, or to its last publication if later; checked."""
    last = record.events["published_on"].max()
    until = record.complete_until if pd.isna(last) else max(record.complete_until, last.date())
    cases = record.proceedings.assign(observed_until=pd.Timestamp(until))
    seen = replace(record, proceedings=cases, complete_until=until)
    validate_record(seen)
    return seen


def world(**entries: list[dict]) -> Record:
    """Return a record that holds these rows alone, checked."""
    full = load_record()
    nothing = replace(full, **{n: getattr(full, n).iloc[:0] for n in TABLES}, complete_until=date.min)
    return with_rows(nothing, **entries)


def brief(matter: str, stated: tuple[str, ...] | None = None, as_of: date = AS_OF, **other) -> Specification:
    """Return the packaged prior file about another matter, with the statements on the named families alone."""
    spec = load_specification()
    families = {f: c for f, c in spec.statements.families.items() if stated is None or f in stated}
    statements = spec.statements.model_copy(update={"families": families})
    return spec.model_copy(update={"matter": matter, "as_of": as_of, "statements": statements} | other)


NEWS = {
    "proceedings": [
        case("es-x", "2026-05-04", matter="x-eu-2026", provider_group="X", provider="X", authority_class="consumer"),
    ],
    "events": [
        event("fr-crim-x-2025", "2026-01-28", "information_request", published="2026-03-02"),
        event("fr-crim-x-2025", "2026-04-20", "summons"),
        event("fr-crim-x-2025", "2026-06-15", "charged"),
        event("ec-dsa-x-grok-2026", "2026-06-15", "preliminary_findings"),
        event("es-x", "2026-05-04", "opened"),
        event("es-x", "2026-07-01", "extended"),
        event("ie-dsa-x-2025", "2026-09-10", "compliance_order", scope="specific"),
        event("ie-dsa-x-2025", "2026-10-11", "compliance_order", scope="extensive"),
        event("ie-gdpr-x-2025", "2026-12-01", "closed_no_action"),
        event("ec-dsa-x-grok-2026", "2027-03-30", "preliminary_findings"),
        event("ec-dsa-x-grok-2026", "2027-06-30", "fine", amount_eur=90_000_000),
    ],
    "users": [
        {"service": "X", "provider_group": "X", "series_id": "x-eu-total", "period_start": "2026-04-01"}
        | {"period_end": "2026-09-30", "monthly_active_millions": 84.0, "published_on": "2026-10-20"},
    ],
}
"""Hypothetical events after the brief: for tests alone."""


@cache
def with_news() -> Record:
    """Return the packaged record with `NEWS`, and the proceeding that these close closed."""
    record = load_record()
    cases = record.proceedings.copy()
    cases.loc[cases["case_id"] == "ie-gdpr-x-2025", "closed_on"] = pd.Timestamp("2026-12-01")
    return with_rows(replace(record, proceedings=cases), **NEWS)


def unfitted(spec: Specification, record: Record, origin: date, settings: Settings) -> Posterior:
    """Return draws of the prior in the shape of a posterior: complete, and nothing is compiled."""
    evidence, n = gather(spec, record, origin), settings.chains * settings.draws
    exact = draw_conjugate(spec, evidence.observations, n, np.random.default_rng(1))
    flat = {**prior_draws(evidence, n, settings.seed).flat, **exact}
    by_chain = {k: v.reshape(settings.chains, settings.draws, *v.shape[1:]) for k, v in flat.items()}
    shape, rng = (settings.chains, settings.draws), np.random.default_rng(2)
    flags = ("diverging", "maxdepth_reached")
    return Posterior(
        evidence=evidence,
        settings=settings,
        raw={k: v for k, v in by_chain.items() if k not in exact},
        exact={k: v for k, v in by_chain.items() if k in exact},
        statistics={k: np.zeros(shape, bool) if k in flags else rng.random(shape) for k in STATISTICS},
    )
