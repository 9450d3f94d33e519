"""Set a paper's claims beside what the runs of its study found."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing
from gengap.studies.claims import claims_page, claims_table
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
    with writing(snakemake.output.table) as part:
        claims_table(claims).to_csv(part, index=False)
    with writing(snakemake.output.page) as part:
        part.write_text(claims_page(study, params.setting, claims, unjudged), encoding="utf-8")


jobs.run(snakemake, main)
