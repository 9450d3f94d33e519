"""Run an experiment of a study once."""

from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.networks import choose
from gengap.seeding import derive
from gengap.studies import Context, perform, write_outcome

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    study, params = snakemake.wildcards.study, snakemake.params
    # Runs at the same place among the seeds share their seed, whatever their keywords.
    seed = derive(params.seed, study, params.place)
    context = Context(seed, params.data_dir, choose(params.device))
    outcome = perform(study, params.module, context, params.settings)
    write_outcome(snakemake.output.outcome, outcome)


jobs.run(snakemake, main)
