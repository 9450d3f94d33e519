"""The experiments of published papers: one package a paper, one module an experiment.

An experiment's module defines ``run(context, *, keywords) -> Outcome``, which is one job of the
workflow, and ``draw(runs, *, keywords) -> {name: Figure}``; the package's ``claims`` module defines
``claims({experiment: runs}) -> [Claim]``.
"""

from gengap.studies.claims import Claim, claims_page, claims_table, interval
from gengap.studies.experiments import Context, draw, judge, perform
from gengap.studies.outcomes import Outcome, Run, read_outcome, read_runs, write_outcome

__all__ = [
    "Claim",
    "Context",
    "Outcome",
    "Run",
    "claims_page",
    "claims_table",
    "draw",
    "interval",
    "judge",
    "perform",
    "read_outcome",
    "read_runs",
    "write_outcome",
]
