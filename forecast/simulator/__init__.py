"""Worlds with known truth: the model told a second time, in NumPy, independently of the likelihood.

    world = draw_world(design_of(record, regime, origin, statements=statements), seed=1)
    world.truth                          # every parameter; world.scenario, world.tempo: the focal matter's
    to_record(world)                     # what an observer would have logged by the origin
    focal_truth(world, origin).first     # when the first event of each family truly came

Which proceedings there are, first seen when and watched how long, is given: a real record's, or stated. What comes of
them is drawn, day by day, from parameters drawn from their priors, so a fit to a world must be calibrated (Talts et al.
2018, arXiv:1804.06788). The focal matter lives its history like every other matter. On ``as_of`` its scenario is drawn
from the analyst's probabilities and its tempo from ``Gamma(k, k)``; from then on the first event of each stated family
comes at ``tempo * multiplier * reference hazard``, and all else as before.

It never imports the likelihood or what simulates forecasts, for it tests them.
"""

from forecast.simulator.design import Design as Design
from forecast.simulator.design import Openings as Openings
from forecast.simulator.design import Row as Row
from forecast.simulator.design import design_of as design_of
from forecast.simulator.design import reference_rows as reference_rows
from forecast.simulator.records import to_record as to_record
from forecast.simulator.truth import FocalTruth as FocalTruth
from forecast.simulator.truth import at_risk as at_risk
from forecast.simulator.truth import first_events as first_events
from forecast.simulator.truth import focal_truth as focal_truth
from forecast.simulator.worlds import World as World
from forecast.simulator.worlds import draw_world as draw_world
