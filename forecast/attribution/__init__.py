"""What moved a forecast, and by how much.

``explaining`` compares two forecasts; ``way`` has the evidence at every point between them, ``steps`` what each step
moves, ``pool`` the draws on which all points are valued, ``bridge`` their weights, and ``valuation`` the numbers of a
forecast under weights.
"""

from forecast.attribution.explaining import Explanation, explain

__all__ = ["Explanation", "explain"]
