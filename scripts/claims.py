"""Set a paper's claims beside what the runs of its study found."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing
from gengap.studies.claims_page import claims_page, claims_table, write_strips
from gengap.studies.running import judge_experiments, read_runs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    study, params = snakemake.wildcards.study, snakemake.params
    runs = {
        name: read_runs(study, module, snakemake.input.get(name), params.settings[name])
        for name, module in params.modules.items()
    }
    claims, unjudged = judge_experiments(study, runs, params.modules)
    write_strips(study, claims, Path(snakemake.output.strips))
    with writing(snakemake.output.table) as part:
        claims_table(study, params.setting, claims).to_csv(part, index=False)
    page = claims_page(study, params.setting, claims, unjudged, judging=params.judging)
    with writing(snakemake.output.page) as part:
        part.write_text(page, encoding="utf-8")


jobs.run(snakemake, main)
