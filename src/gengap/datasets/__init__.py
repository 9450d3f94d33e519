"""Labelled arrays: official images, small embedded sets, points drawn from a seed, one's own.

``load(name)`` returns a ``Dataset`` of a train and a test ``Split``; ``NAMES`` lists the names.
``load_own`` loads images, arrays, tables or the result of a function of one's own.
``load_training`` and ``load_own_training`` do without test data; ``load_described`` chooses among
these four by what a config says. ``read_data`` reads one file as
one split, and ``read_unlabelled`` inputs without labels. ``write_split`` and ``read_split`` store a
split as safetensors, whose samples ``count_samples`` counts; ``write_no_split`` and
``read_split_or_none`` store that there is none. ``draw_rows`` draws a training set of its own for
each replicate of a zoo.
"""

from gengap.datasets.arrays import read_unlabelled
from gengap.datasets.draws import draw_rows
from gengap.datasets.loading import NAMES, load, load_training
from gengap.datasets.own import load_described, load_own, load_own_training, read_data
from gengap.datasets.split import (
    Dataset,
    Split,
    count_samples,
    read_split,
    read_split_or_none,
    write_no_split,
    write_split,
)

__all__ = [
    "NAMES",
    "Dataset",
    "Split",
    "count_samples",
    "draw_rows",
    "load",
    "load_described",
    "load_own",
    "load_own_training",
    "load_training",
    "read_data",
    "read_split",
    "read_split_or_none",
    "read_unlabelled",
    "write_no_split",
    "write_split",
]
