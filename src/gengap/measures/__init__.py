"""Measures of the gap: functions of a network, its initial weights and its training data.

A measure never sees test data: a :class:`Subject` has no place for them. Larger predicts a larger
gap, unless a measure's docstring says that its sign is not known. :func:`compute` computes a family
or a measure; :mod:`gengap.measures.registry` says how to add one.
"""

from gengap.measures.gathering import write_tables
from gengap.measures.registry import (
    FAMILIES,
    NothingComputedError,
    applicable,
    attempt,
    compute,
    measure,
)
from gengap.measures.results import Estimate, LeftOut, MeasureResults, tidy, to_frame
from gengap.measures.subject import Subject

__all__ = [
    "FAMILIES",
    "Estimate",
    "LeftOut",
    "MeasureResults",
    "NothingComputedError",
    "Subject",
    "applicable",
    "attempt",
    "compute",
    "measure",
    "tidy",
    "to_frame",
    "write_tables",
]
