"""What has not happened: what a forecast would say if it did, and what would tell most.

``suppositions`` reads supposed events and levers, ``whatifs`` says how the forecast would stand, and ``comparing`` puts
both side by side; ``branches`` simulates every draw under every scenario, ``signposts`` ranks what may come by what it
would tell; ``event_sets`` and ``reversals`` find the fewest events that lift a scenario.
"""

from forecast.hypotheses.reversals import Stress, stress
from forecast.hypotheses.signposts import Watch, watch
from forecast.hypotheses.whatifs import WhatIf, whatif

__all__ = ["Stress", "Watch", "WhatIf", "stress", "watch", "whatif"]
