"""Run an experiment of a study once."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.networks import resolve_device
from gengap.seeding import derive
from gengap.studies.context import Context, state_folder
from gengap.studies.outcomes import write_outcome
from gengap.studies.result_files import ResultFiles
from gengap.studies.running import run_experiment

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    study, params = snakemake.wildcards.study, snakemake.params
    # Runs at the same place among the seeds share their seed, whatever their keywords.
    seed = derive(params.seed, study, params.place)
    path = Path(snakemake.output.outcome)
    files = ResultFiles(path.with_suffix(""), params.save)
    interrupted = path.with_suffix(".unfinished").is_dir()
    state = state_folder(
        path, seed, params.settings, params.save, params.data_dir, params.device, params.code
    )
    if not (interrupted and len(list(state.iterdir())) > 1):
        shutil.rmtree(files.folder, ignore_errors=True)
    device = resolve_device(params.device)
    context = Context(seed, params.data_dir, device, state, files if params.save else None)
    result = run_experiment(study, params.module, context, params.settings)
    write_outcome(path, result.to_outcome())
    shutil.rmtree(state, ignore_errors=True)


jobs.run(snakemake, main)
