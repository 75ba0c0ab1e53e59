"""What a forecast rests on: power scaling, leaving out matters, contraction, and the reading multiverse.

``questions`` are what a brief leaves open, and its readings as a product; ``worlds`` the posterior under one of them;
``answers`` what it says; ``multiverse`` how far reading alone moves that. ``parts`` are the pieces of prior and data
(``exact_parts`` the conjugate ones) that ``scaling`` weighs; ``matters`` leaves one out; ``probing`` does all of it.
"""

from forecast.sensitivity.probing import Sensitivity, probe
from forecast.sensitivity.questions import narrowed

__all__ = ["Sensitivity", "narrowed", "probe"]
