"""From activations to persistence diagrams and the numbers that summarise them.

``correlation_dissimilarity`` turns activations into a matrix, ``persistence_diagrams`` the matrix
into diagrams (``draw_diagrams`` does both for every draw of a network), ``vectorise`` the diagrams
of one draw into named vectors (``COMPONENTS`` lists them) and ``summarise`` those of all draws into
a table. Nothing here needs torch.
"""

from __future__ import annotations

from gengap.topology.bootstrap import summarise
from gengap.topology.diagrams import persistence_diagrams
from gengap.topology.dissimilarity import correlation_dissimilarity
from gengap.topology.draws import draw_diagrams
from gengap.topology.stability import bottleneck_between_draws
from gengap.topology.storage import read_diagrams, write_diagrams
from gengap.topology.vectorisation import COMPONENTS, vectorise

__all__ = [
    "COMPONENTS",
    "bottleneck_between_draws",
    "correlation_dissimilarity",
    "draw_diagrams",
    "persistence_diagrams",
    "read_diagrams",
    "summarise",
    "vectorise",
    "write_diagrams",
]
