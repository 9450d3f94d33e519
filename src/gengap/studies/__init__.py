"""The experiments of published papers: one package a paper, one module an experiment.

An experiment's module defines ``run(context, *, keywords) -> Outcome``, which is one job of the
workflow, and ``draw(runs, *, keywords) -> {name: Figure}``; the package's ``claims`` module defines
``claims({experiment: runs}) -> [Claim]``.
"""

from gengap.studies.claims import (
    Claim,
    above,
    all_hold,
    claims_page,
    claims_table,
    interval,
    rank_correlation,
    said,
)
from gengap.studies.experiments import Context, data_of, draw, judge, perform
from gengap.studies.outcomes import Outcome, Run, read_outcome, read_runs, write_outcome

__all__ = [
    "Claim",
    "Context",
    "Outcome",
    "Run",
    "above",
    "all_hold",
    "claims_page",
    "claims_table",
    "data_of",
    "draw",
    "interval",
    "judge",
    "perform",
    "rank_correlation",
    "read_outcome",
    "read_runs",
    "said",
    "write_outcome",
]
