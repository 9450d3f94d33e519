"""Names that the planning shares with the packages that compute; nothing here is imported.

Planning knows what a config may name without importing what computes it. Each registry of the
library is held equal to its names here by a test.
"""

FAMILIES = {
    "topology": "gengap.measures.topology",
    "baseline": "gengap.measures.baseline",
    "competition": "gengap.measures.pgdl",
    "curvature": "gengap.measures.curvature",
    "tangent": "gengap.measures.tangent",
    "functional_graph": "gengap.measures.functional_graph",
}
"""Families of measures that come with the library, and the module of each."""

STAGED_FAMILY = "topology"
"""The family whose work is staged in files (activations, diagrams), by rules of its own."""

NEEDS = (
    "initial", "classes", "images", "twice_differentiable", "history", "snapshots", "siblings",
    "unlabelled", "diagrams",
)  # fmt: skip
"""What a measure may need of a network and its task, in the order in which it is checked."""
