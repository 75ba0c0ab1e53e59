"""Simulation-based calibration: does the model find, in worlds of its own, what it should?"""

from forecast.calibration.examining import Examined as Examined
from forecast.calibration.running import Calibration as Calibration
from forecast.calibration.running import calibrate as calibrate
