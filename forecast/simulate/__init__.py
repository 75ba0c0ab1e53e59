"""Worlds with known truth: the generative story told once more, in NumPy, independently of the likelihood.

    world = draw_world(design_of(specification, record), months=24, seed=1)
    world.truth                                 # every parameter; world.scenario: the focal matter's class
    world.evidence                              # what the model is told of it, exact to the moment
    to_record(world)                            # the same as a record, its times rounded to days

What was started where, by whom, and who was watched for how long is the real record's; what came of it is drawn. The
story is the model's own, so that a fit to a world must be calibrated (Talts et al. 2018, arXiv:1804.06788):

- Every parameter comes from the prior file, every reference matter's class from the reference weights, its frailty
  from its gamma; proceedings live as competing hazards in continuous time from their first sourced step on.
- The focal matter lives its history in the same way. At ``as_of`` the brief speaks: the class is drawn anew from the
  analyst's probabilities and the frailty from what the history leaves of it under that class. That is what the inside
  view says: ``p(history) sum_s pi_s p(news | history, s)``.
- From then on the first event of each stated family comes at the analyst's level, everything else as before, up to
  the last horizon after the origin: what the forecast is asked about, and what its truth turns out to be.
"""

from forecast.simulate.accounts import evidence_of as evidence_of
from forecast.simulate.accounts import focal_exposure as focal_exposure
from forecast.simulate.design import Design as Design
from forecast.simulate.design import design_of as design_of
from forecast.simulate.futures import true_targets as true_targets
from forecast.simulate.observed import focal_observations as focal_observations
from forecast.simulate.records import to_record as to_record
from forecast.simulate.worlds import World as World
from forecast.simulate.worlds import draw_world as draw_world
