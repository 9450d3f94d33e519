"""Draw figures of a task or of a study."""

from importlib import import_module
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.figures.style import save
from gengap.planned_figures import FIGURES

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    params = snakemake.params
    for name in params.figures:
        planned = FIGURES[params.of][name]
        module, _, function = planned.plot.partition(":")
        plot = getattr(import_module(module), function)
        files = {keyword: snakemake.input[f"{name}__{keyword}"] for keyword in planned.inputs}
        figure = plot(**files, **{keyword: params[keyword] for keyword in planned.params})
        for path in snakemake.output[name]:
            save(figure, path)


jobs.run(snakemake, main)
