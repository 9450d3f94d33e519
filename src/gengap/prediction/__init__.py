"""Predicting the gap of a network in hand from networks whose gaps are known.

``freeze`` makes a :class:`Reference` of evaluated tasks, which one file holds. ``predict`` predicts
a network from it, with an interval whose coverage was measured, or declines and says why.
"""

from gengap.prediction.predicting import PREDICTION_COLUMNS, Prediction, declined, predict
from gengap.prediction.reference import Reference, TooFewNetworksError, freeze

__all__ = [
    "PREDICTION_COLUMNS",
    "Prediction",
    "Reference",
    "TooFewNetworksError",
    "declined",
    "freeze",
    "predict",
]
