"""Write the dashboard of a task as one HTML file."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.dashboard import write_static_page

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    write_static_page(Path(snakemake.input.task).parent, snakemake.output.page)


jobs.run(snakemake, main)
