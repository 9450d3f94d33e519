"""Set a paper's claims beside what was measured of the networks of its study's tasks."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing
from gengap.studies.ballester2023.claims import OVER_NETWORKS, MeasuredTask, claims
from gengap.studies.claims_page import claims_page, claims_table, write_strips

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    study, params, output = snakemake.wildcards.study, snakemake.params, snakemake.output
    tasks = [
        MeasuredTask.read(Path(path).parent, *of_task)
        for path, of_task in zip(snakemake.input.tasks, params.tasks, strict=True)
    ]
    judged = claims(tasks)
    write_strips(study, judged, Path(output.strips))
    with writing(output.table) as part:
        claims_table(study, params.setting, judged).to_csv(part, index=False)
    page = claims_page(study, params.setting, judged, judging=params.judging, note=OVER_NETWORKS)
    with writing(output.page) as part:
        part.write_text(page, encoding="utf-8")


jobs.run(snakemake, main)
