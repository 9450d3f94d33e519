"""Measures of the gap: functions of a network, its initial weights and its training data.

A measure never sees test data: its signature leaves no way to. Its sign is such that larger
predicts a larger gap. :mod:`gengap.measures.registry` says how to add one.
"""

from gengap.measures.gathering import write_tables
from gengap.measures.registry import FAMILIES, compute, measure, tidy, to_frame

__all__ = ["FAMILIES", "compute", "measure", "tidy", "to_frame", "write_tables"]
