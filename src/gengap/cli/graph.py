"""``gengap graph``: the functional graph of a saved network, or a saved graph, and its topology.

Writes the graph, its diagrams and Betti curves as files, also those that DIPHA reads.
"""

from __future__ import annotations

from argparse import ArgumentError, ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gengap.cli import subject
from gengap.cli.command import Command
from gengap.errors import GengapError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gengap.topology import Budget

NODES = ("channels", "neurons")
GRAPH_SUFFIXES = (".npy", ".dipha")
GRID_POINTS = 121

EXAMPLES = """\
gengap graph results/digits/networks/3 --nodes neurons --max-dim 2 --output graph
gengap graph graph/graph.npy --max-dim 3 --largest-epsilon 0.4 --shortest-bar 0 --output longer"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``gengap graph``."""
    subject.add_network(parser)
    subject.add_training(parser)
    add = parser.add_argument
    add("--nodes", choices=NODES, default="channels", help="nodes of the graph (channels)")
    add("--inputs", type=int, default=1000, help="inputs of the correlations (1000)")
    add("--nodes-at-most", type=int, metavar="N", help="draw so many where there are more (all)")
    add("--seed", type=int, default=0, help="seed that selects inputs and nodes (0)")
    add("--max-dim", type=int, default=2, help="highest dimension of homology (2)")
    add("--largest-epsilon", type=float, default=0.3, help="end of the filtration (0.3)")
    add("--shortest-bar", type=float, default=0.02, help="shorter bars are noise (0.02)")
    add(
        "--threshold",
        type=float,
        nargs="+",
        default=[],
        metavar="T",
        help="write the adjacency abs(r) > T of each T",
    )
    add("--seconds", type=float, default=300.0, help="CPU seconds that it may take (300)")
    add("--memory-gib", type=float, default=4.0, help="memory that it may take (4)")
    add("--output", type=Path, default=Path("graph"), help="folder of the files (graph)")


def run(options: Namespace) -> None:
    """Make or read the graph, compute, write and print."""
    import numpy as np
    import pandas as pd

    from gengap.files import writing
    from gengap.topology import Budget, betti_curve, dipha_bars, summarise_bars
    from gengap.topology.dipha import write_dipha_diagrams, write_distance_matrix

    budget = Budget(options.seconds, options.memory_gib)
    is_graph = Path(options.spec).suffix in GRAPH_SUFFIXES
    graph = _read_graph(options) if is_graph else _graph_of_network(options, budget)
    diagrams = dipha_bars(
        graph, options.max_dim, options.largest_epsilon, options.shortest_bar, budget
    )
    folder, grid = options.output, np.linspace(0, options.largest_epsilon, GRID_POINTS)
    arrays = {f"H{dimension}": bars for dimension, bars in enumerate(diagrams)}
    curves = pd.DataFrame(
        {"epsilon": grid, **{name: betti_curve(bars, grid) for name, bars in arrays.items()}}
    )
    summaries = pd.DataFrame(
        [
            {"dimension": dimension, **summarise_bars(bars, len(graph))}
            for dimension, bars in enumerate(diagrams)
        ]
    )
    _save(folder / "graph.npy", graph)
    write_distance_matrix(graph, folder / "graph.dipha")
    write_dipha_diagrams(diagrams, folder / "diagrams.dipha")
    with writing(folder / "diagrams.npz") as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    for name, table in (("curves", curves), ("summaries", summaries)):
        with writing(folder / f"{name}.csv") as part:
            table.to_csv(part, index=False)
    _save_adjacencies(folder, graph, options.threshold)
    print(f"{len(graph)} nodes")
    print(summaries.to_string(index=False, float_format=lambda value: f"{value:.4g}"))


def _read_graph(options: Namespace) -> NDArray[np.floating]:
    """Read lengths (n, n) from a file."""
    import numpy as np

    from gengap.topology.arrays import square_matrix
    from gengap.topology.dipha import read_distance_matrix

    path = Path(options.spec)
    if options.weights is not None or options.data is not None:
        raise ArgumentError(None, f"{path} is a graph: leave out WEIGHTS and --data")
    if path.suffix == ".dipha":
        return read_distance_matrix(path)
    try:
        return square_matrix(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise GengapError(
            f"{path} is no readable graph: give an .npy file of lengths (n, n)."
        ) from error


def _graph_of_network(options: Namespace, budget: Budget) -> NDArray[np.floating]:
    """Build 1 - abs(r) of the nodes of the network that is named."""
    from gengap.networks import resolve_device
    from gengap.studies.context import Context
    from gengap.studies.corneanu2020.functional_graphs import functional_graph, graph_inputs

    named = subject.read_named_network(options)
    if named.data is None:
        raise ArgumentError(None, "the graph needs inputs: --data")
    context = Context(options.seed, None, resolve_device(options.device))
    inputs = graph_inputs(context, named.data, options.inputs)
    return functional_graph(
        context, named.network, inputs, options.nodes, options.nodes_at_most, budget
    )


def _save(path: Path, array: NDArray[np.generic]) -> None:
    import numpy as np

    from gengap.files import writing

    with writing(path) as part, part.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _save_adjacencies(
    folder: Path, graph: NDArray[np.floating], thresholds: Sequence[float]
) -> None:
    """Write which pairs are joined at each threshold of abs(r), as (n, n) of 0 and 1."""
    import numpy as np

    for threshold in thresholds:
        joined = 1 - graph > threshold
        np.fill_diagonal(joined, False)
        _save(folder / f"adjacency_{threshold:g}.npy", joined.astype(np.uint8))


COMMAND = Command(
    "graph",
    "compute Betti curves, life and midlife of the functional graph of a network, or of a graph",
    EXAMPLES,
    add_arguments,
    run,
)
