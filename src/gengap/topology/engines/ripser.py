"""Ripser, by its Python package ripser.py.

Bauer, "Ripser: efficient computation of Vietoris-Rips persistence barcodes", J. Appl. Comput.
Topol. 5, 2021; Tralie, Saul and Bar-On, "Ripser.py", JOSS 3(29), 2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.topology.engines.engine import Engine, Matrix

# Ripser numbers the simplices of one dimension with 55 bits and ends the process beyond that.
LARGEST_INDEX = 2**55 - 1


def _compute(matrix: Matrix, max_dim: int, threshold: float) -> Sequence[NDArray[np.floating]]:
    # Imported here: it loads scikit-learn, which costs more than most diagrams.
    from ripser import ripser

    if math.comb(len(matrix), max_dim + 2) > LARGEST_INDEX:
        raise GengapError(
            f"Ripser cannot number the simplices of {len(matrix)} points up to H{max_dim}: "
            "lower max_dim or sample fewer neurons."
        )
    diagrams: list[NDArray[np.floating]] = ripser(
        matrix, maxdim=max_dim, thresh=threshold, distance_matrix=True
    )["dgms"]
    return diagrams


RIPSER = Engine("ripser", _compute)
