"""The words of the field: event types, their families, scopes, phases, stages, classes, units of time.

Every other module speaks with these names, so that a prior file, an event log, a posterior and a figure
can be laid side by side. Nothing here depends on any one matter.
"""

from __future__ import annotations

from collections.abc import Sequence

DAYS_PER_MONTH = 365.25 / 12
"""Months are the unit of time: rates are per month, horizons are in months (days / 30.4375)."""

SCENARIOS = ("limited", "significant", "crackdown")
"""The three classes a matter can have, in order of severity."""

ORDER_TYPES = ("interim_measures", "compliance_order")

FAMILY_TYPES: dict[str, tuple[str, ...]] = {
    "request": ("information_request", "retention_order"),
    "formal_opening": ("formal_opening",),
    "escalation": ("extended",),
    "search": ("search",),
    "summons": ("summons",),
    "judicial_investigation": ("judicial_investigation",),
    "findings": ("preliminary_findings", "charged"),
    "executive": ("executive_charged",),
    "order.specific": ORDER_TYPES,
    "order.extensive": ORDER_TYPES,
    "order.filtering": ORDER_TYPES,
    "suspension": ("suspension",),
    "commitments": ("commitments_accepted",),
    "fine": ("fine", "periodic_penalty"),
    "closure": ("closed_no_action", "reprimand", "withdrawn"),
}
"""Family of events -> the event types of the log that count towards it, as in the packaged regime."""

FAMILIES = tuple(FAMILY_TYPES)
FAMILY_OF_TYPE = {kind: family for family, kinds in FAMILY_TYPES.items() for kind in kinds if kinds != ORDER_TYPES}

OPENING_TYPES = ("opened", "formal_opening")
"""Types that say that a proceeding was opened, and nothing more."""

SILENT_TYPES = (
    *OPENING_TYPES,
    "no_show",
    "hearing",
    "commitments_offered",
    "action_plan_accepted",
    "lifted",
    "appeal_filed",
    "appeal_decided",
)
"""Types that belong to no family: openings and appeals have models of their own, the rest changes no hazard."""

EVENT_TYPES = (*FAMILY_OF_TYPE, *ORDER_TYPES, *SILENT_TYPES)

TYPE_MEANINGS = {
    "information_request": "The authority asks for information or documents.",
    "retention_order": "The authority orders that documents be kept.",
    "formal_opening": "The authority formally opens proceedings in a file that began with requests.",
    "extended": "The proceeding is widened, or handed on to another investigator.",
    "judicial_investigation": "A judicial investigation is opened: an investigating judge takes the matter over.",
    "search": "Premises are searched.",
    "summons": "Somebody is summoned, or questioned in custody; custody alone is no charge.",
    "preliminary_findings": "The authority states its objections in preliminary findings.",
    "charged": "The company is charged.",
    "executive_charged": "An executive or another person is charged.",
    "interim_measures": "Measures are ordered before the proceeding is decided.",
    "compliance_order": "The authority orders that something be done or stopped.",
    "suspension": "The service is suspended or blocked.",
    "fine": "A fine is imposed.",
    "periodic_penalty": "A penalty for every day, week or month of non-compliance is imposed.",
    "commitments_accepted": "Commitments of the company are accepted or made binding.",
    "closed_no_action": "The authority ends the proceeding without a finding and without a measure.",
    "reprimand": "The proceeding ends with a finding, such as a reprimand, and without a fine.",
    "withdrawn": "The proceeding is withdrawn or discontinued.",
    "opened": "The proceeding is opened.",
    "no_show": "Somebody who was summoned does not appear, or a warrant is asked for because of that.",
    "hearing": "The company or a person is heard by the authority or the court.",
    "commitments_offered": "The company offers commitments.",
    "action_plan_accepted": "The authority accepts how a decision will be complied with; this ends no proceeding.",
    "lifted": "A measure is eased or ended.",
    "appeal_filed": "An appeal is filed.",
    "appeal_decided": "An appeal is decided.",
}
"""What each event type of the record means."""

FAMILY_MEANINGS = {
    "request": "Requests for information and orders to keep documents.",
    "formal_opening": "Proceedings are formally opened in a file that began with requests.",
    "escalation": "A proceeding is widened or referred.",
    "search": "Searches of premises.",
    "summons": "Summonses.",
    "judicial_investigation": "An investigating judge is put in charge.",
    "findings": "Preliminary findings, or charges against the company.",
    "executive": "Charges against executives and other persons.",
    "order.specific": "Orders of one duty, interim ones included; not those against a person.",
    "order.extensive": "Orders to overhaul the moderation systems.",
    "order.filtering": "Orders of a court to filter content.",
    "suspension": "The service is suspended or blocked.",
    "fine": "Fines and periodic penalties.",
    "commitments": "Accepted commitments.",
    "closure": "The proceeding ends without a fine or commitments.",
}
"""What each family of events means."""

DECISION_FAMILIES = ("fine", "commitments")
"""What ends the stage before a first decision and may close a proceeding."""

CLOSING_FAMILIES = (*DECISION_FAMILIES, "closure")

SCOPES = ("specific", "extensive", "filtering", "person")
"""Scopes of an order. An order of scope ``person`` (bail, supervision) is no operational order."""

SCOPE_MEANINGS = {
    "specific": "One duty.",
    "extensive": "An overhaul of the moderation systems.",
    "filtering": "Filtering of content, ordered by a court.",
    "person": "Bail or supervision of a person; not an operational order.",
}
"""What each scope of an order means."""

OPERATIONAL_SCOPES = SCOPES[:3]
"""Scopes of operational orders, in order of severity."""

AUTHORITY_CLASSES = (
    "criminal",
    "commission_dsa",
    "commission_dma",
    "national_dsa",
    "data_protection",
    "consumer",
    "online_safety",
    "other_national",
)

AUTHORITY_MEANINGS = {
    "criminal": "Public prosecutors, investigating judges and criminal courts.",
    "commission_dsa": "The European Commission, under the Digital Services Act.",
    "commission_dma": "The European Commission, under the Digital Markets Act.",
    "national_dsa": "National Digital Services Coordinators, under the Digital Services Act.",
    "data_protection": "Data protection authorities.",
    "consumer": "Consumer protection authorities.",
    "online_safety": "Regulators of online safety and of media outside the DSA, such as Ofcom.",
    "other_national": "All other national authorities and courts.",
}
"""What each class of authorities means."""

INSTRUMENT_OF_DECISION = {
    "UK GDPR": "GDPR",
    "GDPR penalty payment": "GDPR",
    "UK OSA": "OSA",
    "UK VSP": "OSA",
    "consumer law": "consumer",
    "EU antitrust": "antitrust",
    "national antitrust": "antitrust",
}
"""Instruments of penalty decisions whose sizes are pooled under the name that proceedings use."""

EU_JURISDICTIONS = (
    "EU",
    "AT",
    "BE",
    "BG",
    "CY",
    "CZ",
    "DE",
    "DK",
    "EE",
    "ES",
    "FI",
    "FR",
    "GR",
    "HR",
    "HU",
    "IE",
    "IT",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "PL",
    "PT",
    "RO",
    "SE",
    "SI",
    "SK",
)
"""The Union and its member states, for counts of openings in the EU."""

NEAR_HORIZONS = (6, 24)
"""Months after the origin at which every target is forecast before the last horizon, which the prior file sets."""

WINDOWS = (3, 6, 9, 12)
"""Months after the origin date for the events of every open proceeding."""

INTERVAL = "eti 0.90"
"""Kind and level of every interval: equal tails, from the 5 to the 95 % quantile."""


def horizons_to(months: int) -> tuple[int, ...]:
    """Return the horizons of a forecast that reaches ``months`` after its origin, ascending: those nearer, and it."""
    return (*(near for near in NEAR_HORIZONS if near < months), months)


def horizon_by(horizons: Sequence[int], months: int) -> int:
    """Return the last of the horizons within so many months; the first of all if none is."""
    return max((horizon for horizon in horizons if horizon <= months), default=horizons[0])


def resolved_view(months: int) -> str:
    """Return the name of the view that says what the resolution rule will say after so many months."""
    return f"resolved_{months}m"


def family_of(event_type: str, scope: str | None) -> str | None:
    """Return the family that an event counts towards, or ``None``.

    An order of scope ``person`` counts towards none: it is a measure against somebody, not an operational order.
    """
    if scope == "person":
        return None
    return f"order.{scope or 'specific'}" if event_type in ORDER_TYPES else FAMILY_OF_TYPE.get(event_type)
