"""What every variable of a forecast's draws is, in words: the attributes ``long_name``, ``units``, ``description``.

Targets have their units from where they are computed; ``print_name`` is what a table for print calls a target.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """A name to put on an axis, the unit (empty: none), and a sentence."""

    long_name: str
    units: str = ""
    description: str = ""


LOG_RATE = "log of events a month"
LOG_SD = "log of a standard deviation"
SCORE = "standard deviations"
LOG_MULTIPLIER = "log of a multiplier"
PARAMETERS = {
    "rate": Words("log reference hazard", LOG_RATE, "At the regime's reference age, before findings, by family."),
    "powers": Words("powers of a class", LOG_MULTIPLIER, "Hazard by class of authorities and family."),
    "stage": Words("effect of the stage", LOG_MULTIPLIER, "Hazard in a later stage against a procedure's first."),
    "age": Words("power of age", "power", "Power of the age of a proceeding in its hazard, by family."),
    "law": Words("effect of a rule", LOG_MULTIPLIER, "Multiplier of a rule of law, or power of ripening."),
    "trend": Words("trend", "log change a year", "Of all hazards, over the years of the record."),
    "statement_shared": Words("shared error of a statement", SCORE, "Error of a statement that scenarios share."),
    "statement_own": Words("own error of a statement", SCORE, "Error of a statement by scenario."),
    "impact_score": Words("score of an impact", SCORE, "Standard score of each impact, before they are correlated."),
    "drift_mean": Words(
        "mean drift of user numbers", "log change a month", "Mean over services of the trend of user numbers."
    ),
    "log_drift_scale": Words("log scale of drifts", LOG_SD, "Spread of the trends over services, a month."),
    "drift_score": Words("score of a service's drift", SCORE, "Standard score of drift, by service."),
    "log_user_noise": Words("log noise of user counts", LOG_SD, "Scale of the noise of user numbers, per root month."),
    "size_mean": Words("mean size of fines", "logit of the share of the ceiling", "Fines of the reference class."),
    "log_size_spread": Words("log spread of fines", LOG_SD, "Standard deviation of fines on the logit scale."),
    "log_instrument_scale": Words("log scale of instruments", LOG_SD, "Spread of the instruments' mean sizes."),
    "instrument_score": Words("score of an instrument", SCORE, "Standard score of instrument_effect, by instrument."),
    "log_turnover": Words("log turnover of the provider", "log EUR a year", "Worldwide turnover of the provider."),
    "log_opening_rate": Words("log rate of openings", LOG_RATE, "New proceedings of one designated provider."),
    "log_raised": Words("log raised rate of openings", LOG_MULTIPLIER, "Raised against usual months."),
    "log_opening_shape": Words("log shape of openings", "log", "Shape of the gamma over providers' opening rates."),
}
"""The sampled parameters, all normal a priori."""
EFFECTS = {
    "stated_probability": Words(
        "stated probability", "probability", "Of a first event in the interval, given none before."
    ),
    "attrition": Words("attrition of users", "fraction", "Share of users lost at full effect, by scenario."),
    "drift": Words("drift of user numbers", "log change a month", "Trend of the number of users of each service."),
    "instrument_effect": Words("effect of the instrument", "logit", "Fines as shares of the ceiling, by instrument."),
}
"""What the parameters imply, in the terms of the formulas."""
CONJUGATE = {
    "appeal_probability": Words("probability of an appeal", "probability", "That a fine is appealed."),
    "appeal_probability_large": Words("probability of an appeal", "probability", "That a large fine is appealed."),
    "closing_probability": Words("probability of closing", "probability", "That a decision closes the proceeding."),
    "ruling_rate": Words("rate of rulings", "rulings a month", "On a pending appeal, by months since the decision."),
    "ruling_outcome": Words(
        "outcome of a ruling", "probability", "That an appealed fine is upheld, reduced, annulled."
    ),
    "kept": Words("share kept of a reduced fine", "logit", "Mean and standard deviation on the logit scale."),
    "bare_size": Words("fine without a known ceiling", "log share of turnover", "Mean and standard deviation of logs."),
}
"""Parameters whose posterior is known in closed form: drawn exactly, beside the sampler."""
STATISTICS = {
    "diverging": Words("divergent transition", "", "Whether the step of the sampler diverged."),
    "n_steps": Words("leapfrog steps", "steps", "Of each draw of the sampler."),
    "depth": Words("depth of the tree", "doublings", "Of each draw of the sampler."),
    "maxdepth_reached": Words("largest depth reached", "", "Whether the tree was cut at its largest depth."),
    "energy": Words("energy", "nats", "Hamiltonian energy of the draw."),
    "logp": Words("log density", "nats", "Log posterior density on the sampler's scale, up to a constant."),
    "step_size": Words("step size", "", "Of the sampler."),
    "mean_tree_accept": Words("mean acceptance", "probability", "Mean acceptance probability over the tree."),
}
REPLICATED = {
    "events": Words("number of events", "events in the months at risk", "By class of authority and family."),
    "fine_share": Words("size of a fine", "share of the statutory ceiling", "Fines of the reference class."),
}
DATA = {
    "months": Words("months at risk", "months", "By cell of person-time and family."),
    "events": Words("events", "count", "That carry likelihood, by cell of person-time and family."),
    "cell_class": Words("class of authorities", "", "Of each cell."),
    "cell_stage": Words("stage", "", "Of each cell."),
    "cell_log_age": Words("log age", "log", "Banded logarithm of the age of proceedings, of each cell."),
    "cell_year": Words("year", "years", "Since the reference day of the trend, of each cell."),
    "cell_rules": Words("values of rules", "", "0 where a rule does not hold."),
    "case_matter": Words("matter of the proceeding", "", "Identifier of the matter."),
    "case_open": Words("open at the origin", "", "Whether the proceeding is open and observed at the origin."),
    "correction": Words("correction of statements", "multiplier", "Makes the stated probabilities true in simulation."),
    "size_logit": Words("size of a fine", "logit of the share of the ceiling", "Fines of the reference class."),
    "size_instrument": Words("instrument of the fine", "", "Of each fine of the reference class."),
    "users": Words(
        "changes of user numbers", "", "A row for each change between two published counts; see user_column."
    ),
    "opening_count": Words("proceedings opened", "count", "By provider, in usual and in raised months."),
    "opening_months": Words("months of designation", "months", "By provider, usual and raised."),
}
SUMS = {
    "events": Words("log-likelihood of events", "nats", "Sum over the cells of person-time, up to a constant."),
    "news": Words("log-likelihood of the news", "nats", "About the focal matter, scenarios and tempo summed out."),
    "user_change": Words("log density of user numbers", "nats", "Changes of counts that no scenario touches."),
    "fine_size": Words("log density of sizes of fines", "nats", "All fines of the reference class."),
    "turnover": Words("log density of the turnover figure", "nats", "The latest one that was published."),
    "openings": Words("log-likelihood of openings", "nats", "Counts of openings by provider."),
}
MATTERS = {
    "matters": Words(
        "log-likelihood of a matter",
        "nats",
        "By matter, up to a constant; the focal one with its news. Matters without months at risk say nothing: no row.",
    ),
}
PRIORS = {
    name: Words(f"log prior density: {words.long_name}", "nats", f"Sum over all elements of {name}.")
    for name, words in PARAMETERS.items()
}
GROUPS: dict[str, Mapping[str, Words]] = {
    "posterior": PARAMETERS | EFFECTS | CONJUGATE,
    "prior": PARAMETERS | EFFECTS | CONJUGATE,
    "posterior_predictive": REPLICATED,
    "prior_predictive": REPLICATED,
    "observed_data": REPLICATED,
    "sample_stats": STATISTICS,
    "log_likelihood": MATTERS,
    "log_likelihood_sums": SUMS,
    "log_prior": PRIORS,
    "constant_data": DATA,
}
"""The variables of each group of ``posterior.nc``."""

FIRST_EVENTS = {
    "findings": "preliminary findings or charges",
    "executive": "an executive charged",
    "judicial_investigation": "a judicial investigation",
    "order": "an operational order",
    "order.extensive": "an order to overhaul moderation",
    "order.filtering": "an order to filter content",
    "suspension": "a suspension of the service",
    "fine": "a fine",
    "commitments": "accepted commitments",
    "dropped": "a proceeding closed without a fine",
    "all_closed": "all proceedings closed",
    "appeal": "an appeal against a fine to come",
    "appeal_of_old_fine": "an appeal against a fine already imposed",
}
TARGETS = {
    "fine_imposed": ("fines imposed", "Sum of the fines by the horizon, before appeals."),
    "fine_imposed_share": ("fines imposed, of turnover", "Sum of the fines by the horizon over a year's turnover."),
    "fine_largest": ("largest fine", "Largest single fine by the horizon; missing where there is none."),
    "fine_left": ("fines left after appeals", "Sum of the fines by the horizon, less what rulings by then take away."),
    "fine_left_share": ("fines left after appeals, of turnover", "What is left of the fines over a year's turnover."),
    "valuation_impact": ("valuation lost", "Share of the provider's value lost to enforcement by the horizon."),
    "valuation_change": (
        "change of valuation",
        "Relative change of the provider's value since the origin, market included.",
    ),
    "cost:moderation": ("cost of moderation", "Additional spending from the origin to the horizon."),
    "cost:advertising": ("lost advertising", "Revenue lost with users from the origin to the horizon."),
    "user_attrition": ("users lost", "Share of users lost to enforcement by the horizon."),
    "moderation_spending": ("spending on moderation", "Additional spending at the horizon."),
    "total_cost": ("total cost", "Fines left, spending and lost revenue from the origin to the horizon."),
    "openings_member_states": ("openings in member states", "New proceedings in the EU against the provider."),
    "openings_other_platforms": (
        "openings against other platforms",
        "New proceedings in the EU against other designated providers.",
    ),
    "scenario": ("latent scenario", "Index of the scenario that the draw was simulated under; see labels."),
}
"""Name and sentence of each target of ``outcomes.nc`` that is not named after an event or a scenario."""


def attributes(words: Words) -> dict[str, str]:
    """Return the attributes of a variable; ``units`` only where it has one."""
    return {key: text for key, text in words._asdict().items() if text}


def of_target(name: str) -> dict[str, str]:
    """Return ``long_name`` and ``description`` of a target; the bare name of one that is not known here."""
    kind, _, what = name.partition(":")
    event = FIRST_EVENTS.get(what, what)
    found = {
        "event": (event, f"1 where there is {event} by the horizon, else 0."),
        "months_to": (f"time to {event}", f"Months from the origin to the first of {event}; missing where none comes."),
        "resolved_scenario": (
            f"resolved as {what}",
            f"1 where the resolution rule says {what} by the horizon, else 0.",
        ),
    }
    long_name, description = found[kind] if kind in found else TARGETS.get(name, (name, ""))
    return attributes(Words(long_name, "", description))


def view_name(view: str) -> str:
    """Return what print calls a view of the scenarios: ``resolved_60m`` is ``resolved at 60 months``."""
    return re.sub(r"^resolved_(\d+)m$", r"resolved at \1 months", view).replace("_", " ")
