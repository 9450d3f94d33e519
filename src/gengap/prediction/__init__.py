"""Predicting the gap of a network in hand from networks whose gaps are known.

``freeze`` makes a :class:`Reference` of evaluated tasks, which one file holds. ``predict`` predicts
a network from it, with an interval whose coverage was measured, or declines and says why.
"""

from gengap.prediction.exporting import export_predictions
from gengap.prediction.predicting import Prediction, predict, predict_task
from gengap.prediction.reference import Reference, freeze, join

__all__ = [
    "Prediction",
    "Reference",
    "export_predictions",
    "freeze",
    "join",
    "predict",
    "predict_task",
]
