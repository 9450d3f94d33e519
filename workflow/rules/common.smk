# What the rules share: the plan of the run, and what they look up in it by their wildcards.

import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

# The folder of this file, not of the main Snakefile: the workflow may be a module of another.
ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from gengap.errors import GengapError
from gengap.names import OFFICIAL_DATASETS
from gengap.planned_figures import FIGURES, figures_by_need
from gengap.planning import paths, resources, starting, targets
from gengap.planning.datasets import data_version
from gengap.planning.estimates import size_of_reference
from gengap.planning.lookup import Lookup, named
from gengap.planning.plan import Plan
from gengap.planning.progress import show_progress
from gengap.planning.settings import merged, taken_over, typed
from gengap.planning.summary import summary

# The command line's config files are laid over those that a Snakefile names.
LAID_OVER = set(workflow.overwrite_configfiles)
GIVEN = taken_over(workflow.config_settings.config or {}, config)
CONFIG_FILES = sorted(workflow.configfiles, key=lambda file: file in LAID_OVER)

# Preparing a run and its summary look for results where the rules do without a prefix.
if workflow.modifier.path_modifier.replace_prefix("results/") != "results/":
    raise WorkflowError(
        "The workflow writes to results/ of the working directory: give its module neither "
        "`prefix:` nor `replace_prefix:`, and name another directory by --directory."
    )

try:
    plan = Plan(ROOT, paths.resolved(merged(config, typed(GIVEN)), CONFIG_FILES, GIVEN))
except GengapError as error:
    raise WorkflowError(str(error)) from None
look = Lookup(plan)


def one_of(names):
    """The pattern of a wildcard that takes these values alone."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    task=one_of(plan.kinds),
    study=one_of(plan.studies),
    network=r"\d+",
    shard=r"\d+",
    experiment=r"\w+",
    run=r"\d+",
    table=r"\w+",


def picture(name, category, of="task"):
    """A figure's two files; the PNG goes into the report with its caption."""
    image, words = f"results/{{{of}}}/figures/{name}", name.replace("_", " ")
    where = dict(category=f"{{{of}}}", subcategory=category, labels={"figure": words})
    page = report(f"{image}.png", caption=f"../report/{name}.rst", **where)
    return [page, f"{image}.{plan.config['figures']['format']}"]


def prepare():
    """What is to be done before the first job."""
    methods = workflow.deployment_settings.deployment_method
    # By its script, since a workflow that this one is a module of may rename its rules.
    rules = [(job.rule.script, job.wildcards) for job in workflow.dag.needrun_jobs()]
    jobs = [(Path(script).stem, names) for script, names in rules if script]
    starting.prepare(plan, jobs, needs_packages=DeploymentMethod.CONDA not in methods)
    show_stages()


def show_stages():
    """Print stages and a bar, unless the command line asks for more or less than that."""
    settings = workflow.output_settings
    if not (settings.verbose or settings.quiet or settings.printshellcmds):
        jobs = [
            (
                workflow.dag.jobid(job),
                job.rule.script and Path(job.rule.script).stem,
                job.benchmark,
            )
            for job in workflow.dag.needrun_jobs()
        ]
        show_progress(logger, jobs, workflow.resource_settings.cores or 1)
