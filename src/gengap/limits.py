"""Numbers that the planning shares with the packages that compute; nothing here is imported.

The memory and the time that a job asks for rest on these constants, so they stand in one place.
"""

GIB = 1 << 30

LARGEST_EIGENVALUES = 100
"""Largest eigenvalues that are computed of a network with too many parameters for all of them."""
EXTRA_BASIS = 60
"""Vectors of a Lanczos basis beyond twice the eigenpairs that are sought."""
DENSE_LIMIT = 3000
"""Parameters up to which a matrix of second order is formed: 72 MB in float64."""

CURVATURE_GRAPH_BYTES = GIB
"""A mini-batch has as many inputs as make a graph of this size, and graphs of all mini-batches are
kept between products while they take no more than this together."""
CURVATURE_VECTOR_BYTES = GIB // 4
"""What multiplying many vectors at once may take beside the graphs: for each vector, as much as the
graphs or as the vector itself, whichever is more."""
GRADIENT_BATCH_BYTES = GIB // 16
"""Gradients of single inputs in one batch take at most this, unless those of one input take more."""
G_THETA_BYTES = GIB
"""Gradients of all outputs that the measure G_theta holds together."""

KERNEL_BYTES = 2 * GIB
"""Default budget of a tangent kernel, or of a mixed derivative, with its intermediate arrays."""
