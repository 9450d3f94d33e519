"""``gengap measure SPEC WEIGHTS --data FILE``: the measures of one network as a table."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gengap.cli import subject
from gengap.cli.command import Command
from gengap.cli.listing import reason_lines
from gengap.cli.progress import each
from gengap.errors import GengapError
from gengap.names import FAMILIES

if TYPE_CHECKING:
    import pandas as pd

    from gengap.measures import MeasureResults

EXAMPLES = """\
gengap measure results/digits/networks/3 --families baseline
gengap measure mynets.py:SmallResNet last.pt --data train.npz --data-keys '{"layout": "NCHW"}'
gengap measure torchvision:resnet18 last.pt --keywords '{"num_classes": 10}' --data images/train
gengap measure config.json weights.safetensors --data train.safetensors --output measures.csv"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``gengap measure``."""
    subject.add_network(parser)
    subject.add_training(parser)
    add = parser.add_argument
    add(
        "--families",
        default="all",
        help=f"all, or some of {','.join(FAMILIES)} and of Python files with measures (all)",
    )
    add("--slow", action="store_true", help="with all families, also measures that take long")
    add("--seed", type=int, default=0, help="seed of the random draws (0)")
    add("--output", default="-", metavar="FILE", help="CSV file, or - for the terminal (-)")


def run(options: Namespace) -> None:
    """Write the table; list on stderr what is left out, and why."""
    from gengap.measures import attempt
    from gengap.planning.families import families
    from gengap.seeding import generator

    everything = options.families == "all"
    chosen = families("all" if everything else options.families.split(","))
    slow = options.slow or not everything
    named, data = subject.read_trained_network(
        options, "measures need", "the data that the network was trained on"
    )
    results = {}
    for family in each(chosen, "family"):
        rng = generator(options.seed, named.purpose, family)
        subject_of_family = named.subject(data, options.loss, rng)
        results[family] = attempt(chosen[family], subject_of_family, slow=slow)
    lines = [
        line for family, values in results.items() for line in reason_lines(family, values.left_out)
    ]
    if lines:
        print("left out:", *lines, sep="\n", file=sys.stderr)
    if not any(results.values()):
        raise GengapError("No measure can be computed: the reasons are listed above.")
    _write(_table(results), options.output)


def _table(results: dict[str, MeasureResults]) -> pd.DataFrame:
    """Return rows (family, measure, component, value, ...), with a reason where there is none.

    Single draws of a measure serve to compare networks, so they are left out.
    """
    import pandas as pd

    from gengap.measures import to_frame
    from gengap.measures.results import DRAW

    tables = [to_frame(values).assign(family=family) for family, values in results.items()]
    table = pd.concat(tables, ignore_index=True)
    rest = [name for name in table if name != "family" and not str(name).startswith(DRAW)]
    return table[["family", *rest]]


def _write(table: pd.DataFrame, output: str) -> None:
    from gengap.files import writing

    if output == "-":
        table.to_csv(sys.stdout, index=False, lineterminator="\n")
        return
    with writing(Path(output)) as part:
        table.to_csv(part, index=False)


COMMAND = Command(
    "measure",
    "compute the measures of one network, as a table",
    EXAMPLES,
    add_arguments,
    run,
)
