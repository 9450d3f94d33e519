"""Draw one figure of a task or of a study."""

from importlib import import_module
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.figures.style import save
from gengap.planned_figures import FIGURES

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    params = dict(snakemake.params.items())
    planned = FIGURES[params["of"]][params["figure"]]
    module, _, function = planned.plot.partition(":")
    plot = getattr(import_module(module), function)
    settings = {name: params[name] for name in planned.params}
    figure = plot(**dict(snakemake.input.items()), **settings)
    for path in snakemake.output:
        save(figure, path)


jobs.run(snakemake, main)
