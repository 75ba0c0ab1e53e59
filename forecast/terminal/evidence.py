"""What the command line prints of new evidence: how a forecast was updated, and what moved it."""

from __future__ import annotations

from typing import Any


def update_line(diagnostics: dict[str, Any]) -> str:
    """Say how a forecast was updated, and how far its draws can be trusted."""
    told = diagnostics["update"]
    if told["method"] == "refitted":
        return f"Updated from {told['from_origin']} by a new fit: {'; '.join(told['reasons'])}."
    errors = ", ".join(f"{name} ± {error:.3f}" for name, error in told["scenario_error"].items())
    return (
        f"Updated from {told['from_origin']} by reweighting: k-hat {told['k_hat']:.2f}, {told['ess']:.0f} effective "
        f"draws; expected errors of the scenarios' probabilities: {errors}."
    )
