"""Labelled arrays by name: official images, small embedded sets, points drawn from a seed.

``load(name)`` returns a ``Dataset`` of a train and a test ``Split``; ``NAMES`` lists the names.
``write_split`` and ``read_split`` store a split as safetensors.
"""

from gengap.datasets.loading import NAMES, load
from gengap.datasets.split import Dataset, Split, read_split, write_split

__all__ = ["NAMES", "Dataset", "Split", "load", "read_split", "write_split"]
