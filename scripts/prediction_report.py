"""Write the report on predicted gaps, its tables and its figure."""

from pathlib import Path
from typing import TYPE_CHECKING

import checkout  # noqa: F401
from gengap import jobs
from gengap.figures.style import save
from gengap.files import writing
from gengap.studies.prediction.figures import plot_coverage
from gengap.studies.prediction.report import report
from gengap.studies.prediction.summaries import TABLES, findings_of

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main() -> None:
    findings = findings_of([Path(path).parent for path in snakemake.input.tasks])
    for name in TABLES:
        with writing(snakemake.output[name]) as part:
            getattr(findings, name).to_csv(part, index=False, float_format="%.6g")
    for path in (snakemake.output.image, snakemake.output.vector):
        save(plot_coverage(findings.coverage), path)
    with writing(snakemake.output.report) as part:
        part.write_text(report(findings, snakemake.params.setting), encoding="utf-8")


jobs.run(snakemake, main)
