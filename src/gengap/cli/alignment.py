"""``gengap alignment``: alignment with the Hessian's eigenvectors, G_theta and maps."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from gengap.cli import subject
from gengap.cli.command import Command
from gengap.limits import LARGEST_EIGENVALUES

EXAMPLES = """\
gengap alignment results/digits/networks/3 --figure maps.png
gengap alignment config.json weights.safetensors --data train.safetensors --dense-limit 11000"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``gengap alignment``."""
    subject.add_network(parser)
    subject.add_training(parser)
    add = parser.add_argument
    top = LARGEST_EIGENVALUES
    add("--leading", type=int, default=top, help=f"eigenpairs of a larger network ({top})")
    subject.add_dense_limit(parser)
    add("--vectors", action="store_true", help="write the eigenvectors too")
    add("--maps", type=int, default=4, help="eigenvectors that are mapped and shown (4)")
    add("--side", type=int, default=80, help="points along each side of the plane (80)")
    add(
        "--components",
        type=int,
        nargs=2,
        default=[0, 1],
        help="components of vectors that span the plane (0 1)",
    )
    add("--seed", type=int, default=0, help="seed of the random vectors (0)")
    add("--output", type=Path, default=Path("alignment.npz"), help="file (alignment.npz)")
    add("--figure", type=Path, help="file of a figure, .png or .svg")


def run(options: Namespace) -> None:
    """Read, compute, write and print."""
    from gengap import figures
    from gengap.networks import resolve_device
    from gengap.studies.context import Context
    from gengap.studies.sabanayagam2023.portrait import portray
    from gengap.tasks.outcomes import default_loss

    named, data = subject.read_trained_network(options, "alignment needs")
    first, second = options.components
    portrait = portray(
        Context(options.seed, None, resolve_device(options.device)),
        named.network,
        data,
        options.loss or default_loss(data),
        leading=options.leading,
        dense_limit=options.dense_limit,
        maps=options.maps,
        side=options.side,
        components=(first, second),
        keep_vectors=options.vectors,
    )
    portrait.write(options.output)
    if options.figure is not None:
        figures.save(portrait.figure(options.maps), options.figure)
    print(portrait.text())


COMMAND = Command(
    "alignment",
    "compute alignments with the eigenvectors of the loss's Hessian, and G_theta, of a network",
    EXAMPLES,
    add_arguments,
    run,
)
