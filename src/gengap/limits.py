"""Numbers that planning shares with the packages that compute; this module imports nothing.

The memory and the time that a job requests depend on these constants, so they stand in one place.
"""

LEAST_NETWORKS = 8
"""Smallest number of networks of a task: with fewer, a fold has fewer than four to train on."""

LEAST_REFERENCE = 20
"""Fewest networks of a reference: fewer do not support intervals that hold 90 %."""

# ---- engines of persistence diagrams -----------------------------------------------------------

ENGINE_MAX_DIM: dict[str, int | None] = {"fast": 3, "ripser": None, "gudhi": None}
"""Highest dimension of homology that each engine computes; None is no limit."""

AUTO_ENGINES = ("fast", "ripser")
"""Engines that ``auto`` chooses from: the first one that reaches the requested dimension."""

THREADED_ENGINES = ("fast",)
"""Engines that compute several matrices at a time, in threads of one process.

Ripser holds Python's lock all the while, and GUDHI takes too much memory to run beside itself.
"""

ENGINE_BYTES_PER_PAIR: dict[str, tuple[int, ...]] = {
    "fast": (12, 12, 24, 48),
    "ripser": (550, 550, 2200),
    "gudhi": (550, 550, 2200),
}
"""Bytes that each engine takes per pair of neurons for H0, H1, ...

The last entry holds for all higher dimensions too. The fast engine keeps a few matrices and, above
H1, sums of columns; the others keep a list of simplices.
"""

ENGINE_MINUTES: dict[str, int] = {"fast": 30, "ripser": 240, "gudhi": 240}
"""Minutes to request for the diagrams of one network; a draw takes seconds, or else minutes."""


def resolve_engine(engine: str, max_dim: int) -> str:
    """Return the name of the engine that an entry ``engine`` stands for.

    Args:
        engine: a name, or ``auto``.
        max_dim: the highest dimension of homology.

    Returns:
        The name as it is, or the one that ``auto`` chooses.
    """
    if engine != "auto":
        return engine
    limits = {name: ENGINE_MAX_DIM[name] for name in AUTO_ENGINES}
    return next(name for name, limit in limits.items() if limit is None or max_dim <= limit)


def engine_bytes_per_pair(engine: str, max_dim: int) -> int:
    """Return the bytes that an engine takes per pair of neurons.

    Args:
        engine: a name, or ``auto``.
        max_dim: the highest dimension of homology.

    Returns:
        The entry of ``ENGINE_BYTES_PER_PAIR``.
    """
    by_dimension = ENGINE_BYTES_PER_PAIR[resolve_engine(engine, max_dim)]
    return by_dimension[min(max_dim, len(by_dimension) - 1)]


LAYER_BYTES = 2**27
"""Most bytes of the largest output inside a network for one batch of a forward pass. A convolution
holds about four times as much: its input and its output, each also in the order of its kernel."""

GRAPH_BYTES = 2**28
"""Most bytes of all outputs inside a network for one batch whose graph is kept for a gradient."""

SAMPLED_LAYER_BYTES = 2**26
"""Most bytes of an observed layer whose neurons are sampled; it is copied for each batch."""

FEATURE_BYTES = 2**28
"""Most bytes of layers' outputs that a measure of the competition keeps for all of its inputs."""

PART_BYTES = 2**26
"""Bytes of data that are checked, or put together while they are read, at a time."""

KEPT_NETWORK_BYTES = 2**25
"""Most bytes of small networks that a job of measures keeps, so as to read each of them once."""

GIB = 1 << 30

LARGEST_EIGENVALUES = 100
"""Number of largest eigenvalues computed for a network with too many parameters for all."""
EXTRA_BASIS = 60
"""Vectors of a Lanczos basis beyond twice the eigenpairs that are sought."""
DENSE_LIMIT = 3000
"""Most parameters for which a matrix of second order is formed, unless a setting says otherwise."""
DENSE_BYTES = 24
"""Bytes for each entry of such a matrix while all its eigenpairs are computed: its own in float64,
and two more of LAPACK's divide and conquer. 3000 parameters take 216 MB, 10,703 take 2.75 GB."""

CURVATURE_GRAPH_BYTES = GIB
"""A mini-batch has as many inputs as make a graph of this size. Graphs of all mini-batches are
kept between products while they take no more than this together."""
CURVATURE_VECTOR_BYTES = GIB // 4
"""What multiplying many vectors at once may take beside the graphs: for each vector, as much as the
graphs or as the vector itself, whichever is more."""
GRADIENT_BATCH_BYTES = GIB // 16
"""Most bytes of the gradients of single inputs in one batch, unless one input takes more."""
G_THETA_BYTES = GIB
"""Most bytes of the outputs' gradients that the measure G_theta holds together."""
SAMPLE_GRADIENT_BYTES = GIB // 2
"""Most bytes of the gradients of single inputs that a measure holds together."""

NOISE_BYTES = GIB // 8
"""Most bytes of the noise on all weights that is held between its sizes; more is drawn anew."""

KERNEL_BYTES = 2 * GIB
"""Default budget of a tangent kernel, or of a mixed derivative, with its intermediate arrays."""

MOST_EXACT = 4000
"""Largest number of points for which all eigenfunctions of a kernel are computed, unless a solver
is named."""
LANCZOS_BLOCK = 128
"""Most vectors that the search for eigenfunctions multiplies by the kernel together."""
LANCZOS_DEGREE = 24
"""Products with a block, in a basis as long as the eigenfunctions that are sought: the fewer, the
more restarts it takes."""


def lanczos_block(count: int) -> int:
    """Return the number of vectors of a block.

    Args:
        count: number of eigenfunctions that are sought.

    Returns:
        128, or a 24th of a smaller count.
    """
    return min(LANCZOS_BLOCK, count // LANCZOS_DEGREE + 1)


def lanczos_basis(size: int, count: int) -> int:
    """Return the most vectors of the basis in which the leading eigenfunctions are sought.

    Args:
        size: number of points.
        count: number of eigenfunctions.

    Returns:
        Twice the count, and at least 24 and two blocks more, in whole blocks; or the number of
        points if these are hardly more. Beside them is the block that comes next.
    """
    block = lanczos_block(count)
    basis = -(-(2 * count + max(2 * block, LANCZOS_DEGREE)) // block) * block
    return basis if basis + block <= size else size
