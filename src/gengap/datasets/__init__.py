"""Labelled arrays: official images, small embedded sets, points drawn from a seed, one's own.

``load(name)`` returns a ``Dataset`` of a train and a test ``Split``; ``NAMES`` lists the names.
``load_own`` loads images, arrays, tables or the result of a function of one's own, and
``read_data`` reads one file of them as one split. ``write_split`` and ``read_split`` store a split
as safetensors.
"""

from gengap.datasets.loading import NAMES, load
from gengap.datasets.own import load_own, read_data
from gengap.datasets.split import Dataset, Split, read_split, write_split

__all__ = [
    "NAMES",
    "Dataset",
    "Split",
    "load",
    "load_own",
    "read_data",
    "read_split",
    "write_split",
]
