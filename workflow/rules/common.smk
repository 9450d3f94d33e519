# What the rules share: the plan of the run, and functions of wildcards that ask it, a line each.

import re
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

# The folder of this very file, so that the workflow works as a module of another, too.
ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from gengap.errors import GengapError
from gengap.files import remove_partial_files
from gengap.planned_figures import FIGURES
from gengap.planning import resources, starting, targets
from gengap.planning.families import family_source
from gengap.planning.plan import Plan
from gengap.planning.sources import code_version
from gengap.planning.summary import summary

try:
    plan = Plan(ROOT, config)
except GengapError as error:
    raise WorkflowError(str(error)) from None


def one_of(names):
    """The pattern of a wildcard that takes these values alone."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    task=one_of(plan.kinds),
    study=one_of(plan.studies),
    network=r"\d+",
    shard=r"\d+",
    family=r"\w+",
    experiment=r"\w+",
    run=r"\d+",
    table=r"\w+",


@cache
def code_digest(script, *modules):
    return code_version(ROOT / "scripts" / f"{script}.py", *modules)


def resolved(value, wildcards):
    return value(wildcards) if callable(value) else value


def code(script, *modules):
    """Digest of a script and of all library code that it reaches: an edit makes its jobs stale."""
    return lambda wildcards: code_digest(script, *(resolved(name, wildcards) for name in modules))


def task_of(wildcards):
    return plan.task(wildcards.task)


def setting(*keys):
    """One of the settings under which the task is run."""
    return lambda wildcards: targets.value_at(task_of(wildcards).run, keys)


def section(name):
    """Every key of a section of the settings, for a rule's params."""
    return {key: setting(name, key) for key in plan.config[name]}


def of_task(*keys):
    """What the task itself is set to."""
    return lambda wildcards: targets.value_at(task_of(wildcards).own, keys)


def ask(question):
    """What a function of the task's plan answers."""
    return lambda wildcards: question(task_of(wildcards))


def networks_of(wildcards):
    return task_of(wildcards).networks(int(wildcards.shard))


def ask_of_study(question):
    """What a function of the plan and of a study's name answers."""
    return lambda wildcards: question(plan, wildcards.study)


def experiment_of(wildcards):
    return plan.experiment(wildcards.study, wildcards.experiment)


def megabytes(amount):
    """A memory request that grows when a job is tried again."""
    return lambda wildcards, attempt: amount * attempt


def minutes(one, more):
    """Minutes of a shard: of its first network, and of each of the others."""
    return lambda wildcards: resources.minutes(one, more, len(networks_of(wildcards)))


def figure_input(of, pattern):
    """A figure's files, from their pattern in the table of planned figures."""
    return lambda wildcards: targets.figure_files(plan, wildcards[of], pattern)


def figure_param(name):
    """One of a figure's params."""
    return lambda wildcards: targets.figure_param(plan, wildcards, name)


def picture(name, category, of="task"):
    """A figure's two files; the PNG goes into the report with its caption."""
    image, labels = f"results/{{{of}}}/figures/{name}", {"figure": name.replace("_", " ")}
    where = {"category": f"{{{of}}}", "subcategory": category, "labels": labels}
    page = report(f"{image}.png", caption=f"../report/{name}.rst", **where)
    return [page, f"{image}.{plan.config['figures']['format']}"]


def prepare():
    """What is to be done before the first job."""
    starting.require_writable(Path("results"))
    remove_partial_files("results")
    jobs = list(workflow.dag.needrun_jobs())
    if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
        starting.require_pgdl_packages({job.rule.name for job in jobs})
    zoos = {job.wildcards.task for job in jobs if job.rule.name == "train"}
    starting.arrange_networks(Path("results"), map(plan.task, sorted(zoos)))
