"""Set a paper's claims beside what the runs of its study found."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.files import writing
from gengap.studies import claims_page, claims_table, evaluate_claims, read_runs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    study, params = snakemake.wildcards.study, snakemake.params
    runs = {
        name: read_runs(snakemake.input.get(name), settings)
        for name, settings in params.settings.items()
    }
    claims = evaluate_claims(study, runs)
    with writing(snakemake.output.table) as part:
        claims_table(claims).to_csv(part, index=False)
    with writing(snakemake.output.page) as part:
        part.write_text(claims_page(study, params.setting, claims), encoding="utf-8")


jobs.run(snakemake, main)
