"""GUDHI's version of Ripser (https://gudhi.inria.fr)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gengap.topology.engines.engine import Engine, Matrix


def _compute(matrix: Matrix, max_dim: int, threshold: float) -> Sequence[NDArray[np.floating]]:
    # Imported here: it loads scikit-learn, which costs more than most diagrams.
    from gudhi.sklearn import RipsPersistence

    persistence = RipsPersistence(
        homology_dimensions=list(range(max_dim + 1)),
        threshold=threshold,
        input_type="full distance matrix",
        num_collapses=0,
        homology_coeff_field=2,
    )
    diagrams: list[NDArray[np.floating]] = persistence.fit_transform([matrix])[0]
    return diagrams


GUDHI = Engine("gudhi", _compute)
