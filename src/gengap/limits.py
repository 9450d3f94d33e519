"""Numbers that the planning shares with the packages that compute; nothing here is imported.

The memory and the time that a job asks for rest on these constants, so they stand in one place.
"""

GRAPH_BYTES = 1 << 30
"""Graphs of a loss that an operator of curvature keeps between its products."""

LARGEST_EIGENVALUES = 100
"""Eigenvalues of a task's network that has too many parameters for all of them."""

LANCZOS_VECTORS = 350
"""Vectors of a Lanczos basis for these eigenvalues, and as many beside them as a restart takes."""

LEAST_NETWORKS = 8
"""Fewer networks leave fewer than four in the training half of a fold of the cross-validation."""
