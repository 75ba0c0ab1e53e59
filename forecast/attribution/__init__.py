"""Which event moved a forecast by how much.

``explaining`` compares two forecasts; ``steps`` is the way between them, ``subsets`` the record with some events left
out, ``game`` what the forecast says then, ``valuation`` its numbers under weights, ``bridge`` these weights, and
``shapley`` how a sum is shared.
"""

from forecast.attribution.explaining import Explanation, explain

__all__ = ["Explanation", "explain"]
