"""The files that a run is for: tables, figures and pages of tasks and studies."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gengap import pgdl_layout
from gengap.errors import GengapError
from gengap.names import REFERENCE_FILE
from gengap.planned_figures import FIGURES
from gengap.planning.plan import Plan
from gengap.planning.settings import Settings
from gengap.planning.tasks import TaskPlan

PREDICTION = "prediction"
"""The study whose run is for a report on predicted gaps."""
SHARDS = "results/{task}/shards/{shard}.json"
EVALUATION_FILES = (
    "leaderboard", "repeats", "tests", "questions", "correlations", "environments", "combination",
    "importance", "learning_curve", "held_out", "left_out",
)  # fmt: skip

TABLES_OF_STUDIES = (
    "leaderboard", "clusters", "mutual_information", "five_by_two", "summary_correlations",
    "strongest", "feature_sets", "feature_set_tests",
)  # fmt: skip
"""Tables that a study gathers from its tasks."""


def figure_names(task: TaskPlan) -> list[str]:
    """Return the names of a task's figures: those whose needs it meets."""
    if_evaluated = {
        None: True,
        "zoo": task.kind == "zoo",
        # Of files that are not here yet nobody knows the grid; a task of PGDL has one.
        "hyper_parameters": task.grid is None or len(task.grid) > 0,
        "topology": task.staged,
        # Of networks that were measured before there are summaries alone.
        "diagrams": task.staged and not task.kept,
    }
    met = {need: task.is_evaluated and there for need, there in if_evaluated.items()}
    met["prediction"] = task.reference is not None
    return [name for name, figure in FIGURES["task"].items() if met[figure.needs]]


def figure_files(plan: Plan, name: str, pattern: str) -> str | list[str]:
    """Return the files that a figure is drawn from.

    Args:
        plan: of the run.
        name: full name of the task, or name of the study, that the figure shows.
        pattern: a path below a task's folder, as in :class:`gengap.planned_figures.PlannedFigure`.

    Returns:
        One path; a list where a study compares tasks, or where each shard has a file.
    """
    if name in plan.studies:
        return [f"results/{task}/{pattern}" for task in plan.compared_tasks(name)]
    task = plan.task(name)
    path = f"results/{name}/{pattern}"
    if "{shard}" not in pattern:
        return path
    return [path.format(shard=shard) for shard in task.shards]


def figure_param(plan: Plan, of: str, name: str) -> Any:
    """Return the value of one of a figure's params.

    Args:
        plan: of the run.
        of: full name of the task, or name of the study, that the figure shows.
        name: the param, as in :class:`gengap.planned_figures.PlannedFigure`.
    """
    if name == "colours":
        return [plan.task(task).own["colour"] for task in plan.compared_tasks(of)]
    task = plan.task(of)
    values = {
        "colour": task.colour,
        "task_name": task.name,
        "top": task.run["figures"]["measures"],
    }
    return values[name]


def statistics_names(task: TaskPlan) -> list[str]:
    """Return the names of the tables beside a task's leaderboard; a study's task has more."""
    names = ["clusters", "mutual_information"]
    if "/" in task.name:
        names += ["five_by_two", "summary_correlations", "strongest"]
    if task.run["feature_sets"]:
        names += ["feature_sets", "feature_set_tests"]
    return names


def receipts(task: TaskPlan) -> list[str]:
    """Return the receipts of a task's shards, which list the networks that were made."""
    return [SHARDS.format(task=task.name, shard=shard) for shard in task.shards]


def receipt_failures(task: TaskPlan) -> list[str]:
    """Return the lists of networks that could not be made, beside the receipts."""
    return [f"{receipt.removesuffix('.json')}.failed.json" for receipt in receipts(task)]


def receipt_of(task: TaskPlan, network: int) -> str:
    """Return the receipt of the shard that a network is in."""
    return SHARDS.format(task=task.name, shard=task.shard_of(network))


def sibling_receipts(task: TaskPlan, shard: int) -> list[str]:
    """Return the receipts of the other shards that hold siblings of a shard's networks."""
    return [SHARDS.format(task=task.name, shard=other) for other in task.shards_of_siblings(shard)]


def download_receipt(task: TaskPlan) -> list[str]:
    """Return the receipt of an import's files; none where no network is left to be imported."""
    return [f"results/{task.name}/download/receipt.json"] if task.shards else []


def exported_data(task: TaskPlan) -> list[str]:
    """Return the zoo's data, where no network is left to be imported, so that nothing is exported.

    Returns:
        The files of the training and the test data; none where the export has the data.
    """
    return [] if task.shards else [str(path) for path in data_files(str(task.exported_from))]


def kept_networks(task: TaskPlan) -> list[str]:
    """Return the files of networks that were measured before."""
    return [str(path) for path in task.kept.values()]


def export_receipt(task: TaskPlan) -> list[str]:
    """Return the receipt of the export that an imported task waits for, if any."""
    return [f"results/{task.exported_from}/pgdl/exported.txt"] if task.exported_from else []


def summary_tables(task: TaskPlan) -> list[str]:
    """Return the summaries of every shard's persistence diagrams, if these are computed."""
    folder = f"results/{task.name}/topology/summaries"
    return [f"{folder}/{shard}.csv" for shard in task.shards] if task.staged else []


def summary_failures(task: TaskPlan) -> list[str]:
    """Return the lists of failed networks beside the summaries."""
    return [f"{table.removesuffix('.csv')}.failed.json" for table in summary_tables(task)]


def measure_receipts(task: TaskPlan) -> list[str]:
    """Return the lists of the families that were computed for each shard; none without families."""
    receipts = [f"results/{task.name}/measures/{shard}.json" for shard in task.shards]
    return receipts if task.measured else []


def table_files(task: TaskPlan) -> list[str]:
    """Return the tables and texts of a task."""
    files = ["measures.csv", "failed.csv", "left_out_measures.csv", "coverage.csv"]
    if task.is_evaluated:
        names = (*EVALUATION_FILES, *statistics_names(task))
        files += [f"evaluation/{name}.csv" for name in names]
        files += ["evaluation/best_ols.txt", "evaluation/summary.txt"]
    files += ["predictions.csv"] * (task.reference is not None)
    return [f"results/{task.name}/{name}" for name in files]


def final_files(task: TaskPlan) -> list[str]:
    """Return what a run of one task is for."""
    files = ["dashboard.html", *(f"figures/{name}.png" for name in figure_names(task))]
    return [*table_files(task), *(f"results/{task.name}/{name}" for name in files)]


def files_of_the_run(plan: Plan) -> list[str]:
    """Return the files that a run of the config's own tasks ends with.

    Raises:
        GengapError: the config sets what only a run of a study heeds.
    """
    for key, usual in (("only", "all"), ("setting", "small")):
        if plan.config[key] != usual:
            raise GengapError(
                f"'{key}' is heeded by studies alone, and this run is of the config's tasks: name "
                f"a study, as in snakemake maddox2020 --config {key}=..., or leave '{key}' out."
            )
    files = [file for task in plan.config["tasks"] for file in final_files(plan.task(task["name"]))]
    return [*files, *files_across_tasks(plan)]


def files_across_tasks(plan: Plan) -> list[str]:
    """Return what a run of several tasks is for besides the files of each."""
    return ["results/across_tasks.csv"] * (len(evaluated(plan)) > 1)


def evaluated(plan: Plan) -> list[str]:
    """Return the names of the config's tasks whose measures are held against gaps."""
    return [task["name"] for task in plan.config["tasks"] if plan.task(task["name"]).is_evaluated]


def reference_names(plan: Plan) -> list[str]:
    """Return the zoo that the config's section ``reference`` stands for, and what it predicts.

    Raises:
        GengapError: the config has no such section.
    """
    if not plan.config["reference"]:
        raise GengapError(
            "The config has no section 'reference': write one with 'network' and 'dataset', and "
            "name its file by --configfile."
        )
    zoo: str = plan.config["reference"]["name"]
    predicted = [entry["task"] for entry in plan.config["predictions"] if entry["reference"] == zoo]
    return [zoo, *predicted]


def reference_files(plan: Plan) -> list[str]:
    """Return what ``snakemake reference`` is for: the reference, and what is predicted from it."""
    names = reference_names(plan)
    files = [file for name in names for file in final_files(plan.task(name))]
    return [f"results/{names[0]}/{REFERENCE_FILE}", *files]


def study_files(plan: Plan, study: str) -> list[str]:
    """Return what a run of a study is for."""
    if study in plan.experiment_studies:
        figures = [f"results/{study}/figures/{name}" for name in plan.experiments(study)]
        return [*(claims_files(study) if plan.has_all_experiments(study) else []), *figures]
    if study == PREDICTION:
        return [f"results/{study}/{study}.md"]
    tasks = [plan.task(name) for name in plan.tasks_of_study(study)]
    files = [f"results/{study}/figures/{name}.png" for name in FIGURES["study"]]
    for name in ("leaderboard", *statistics_names(tasks[0])):
        files.append(f"results/{study}/tables/{name}.csv")
    kept = [f"results/{task.name}/kept" for task in tasks if task.keeps]
    of_tasks = [file for task in tasks for file in final_files(task)]
    return [*claims_files(study), *files, *kept, *of_tasks]


def claims_files(study: str) -> list[str]:
    """Return the table of a paper's claims, their page, and the folder of its plots."""
    return [f"results/{study}/{name}" for name in ("claims.csv", "claims.md", "claims")]


def claimed_tasks(plan: Plan, study: str) -> list[tuple[str, int]]:
    """Return whose networks each task of a study has, and the neurons of its draws.

    Args:
        plan: of the run.
        study: its name.

    Returns:
        For each task the zoo that its networks come from, or its own name, and the number.
    """
    tasks = [plan.task(name) for name in plan.tasks_of_study(study)]
    return [(task.exported_from or task.name, task.run["activations"]["neurons"]) for task in tasks]


def tables_of_study(plan: Plan, study: str, name: str) -> list[str]:
    """Return the tables of a study's tasks that one of the study gathers.

    Args:
        plan: of the run.
        study: its name.
        name: of the table; tasks that do not have it are passed over.
    """
    tasks = [plan.task(task) for task in plan.tasks_of_study(study)]
    return [
        f"results/{task.name}/evaluation/{name}.csv"
        for task in tasks
        if name in (*EVALUATION_FILES, *statistics_names(task))
    ]


def study_tasks(plan: Plan, study: str, file: str) -> list[str]:
    """Return a file of each task of a study, a path below its folder."""
    return [f"results/{task}/{file}" for task in plan.tasks_of_study(study)]


def asked_for(plan: Plan, targets: list[str]) -> tuple[list[str], list[str]]:
    """Return the tasks and the studies that a run is for.

    Args:
        plan: of the run.
        targets: the targets named on the command line.

    Returns:
        Full names of tasks, and names of studies. Without a study on the command line the tasks
        are the config's, or those of the target ``reference``.
    """
    studies = [name for name in targets if name in plan.studies]
    if "reference" in targets:
        return reference_names(plan), studies
    if not studies:
        return [task["name"] for task in plan.config["tasks"]], []
    of_tasks = [study for study in studies if study in plan.task_studies]
    return [task for study in of_tasks for task in plan.tasks_of_study(study)], studies


def page_files(root: Path) -> list[Path]:
    """Return the scripts, styles and templates of the dashboard's page."""
    folder = root / "src" / "gengap" / "dashboard"
    return sorted(path for path in folder.glob("[ap]*/*") if path.is_file())


def run_files(plan: Plan, study: str) -> dict[str, list[str]]:
    """Return the outcomes of a study's runs, by experiment."""
    return {name: experiment.files for name, experiment in plan.experiments(study).items()}


def run_settings(plan: Plan, study: str) -> dict[str, list[tuple[int, Settings]]]:
    """Return the place among the seeds and the keywords of a study's runs, by experiment."""
    return {name: experiment.runs for name, experiment in plan.experiments(study).items()}


def data_files(task: str) -> tuple[Path, Path]:
    """Return the files of a task's training and test data."""
    folder = Path("results", task, "dataset")
    return folder / "train.safetensors", folder / "test.safetensors"


def spec_files(task: TaskPlan, networks: Iterable[int]) -> list[Path]:
    """Return the files that describe networks, as far as there are any yet.

    Args:
        task: that has the networks.
        networks: their positions.

    Returns:
        The files of the networks that were made; for others of an import, those at its source.
    """
    specs = {
        network: Path("results", task.name, "networks", str(network), "config.json")
        for network in networks
    }
    if task.kind == "pgdl":
        tree = _downloaded(task)
        ids = list(pgdl_layout.read_entries(tree.reference)) if tree else []
        for network, spec in specs.items():
            if tree and not spec.exists() and network < len(ids):
                specs[network] = tree.model(ids[network]) / pgdl_layout.CONFIG
    return [spec for spec in specs.values() if spec.exists()]


def weight_files(task: str, networks: Iterable[int]) -> list[Path]:
    """Return the files of networks' final weights."""
    folder = Path("results", task, "networks")
    return [folder / str(network) / "weights.safetensors" for network in networks]


def record_files(task: TaskPlan) -> list[Path]:
    """Return the downloaded files of an import's training data; none before the download."""
    tree = _downloaded(task)
    try:
        return tree.shards("train") if tree else []
    except GengapError:
        return []  # the job says which file is missing


def _downloaded(task: TaskPlan) -> pgdl_layout.Tree | None:
    """Return where an import's files are, once they are there."""
    receipt = Path("results", task.name, "download", "receipt.json")
    try:
        content = json.loads(receipt.read_text(encoding="utf-8"))
        return pgdl_layout.locate(content["tree"], content["task"])
    except (OSError, ValueError, KeyError, GengapError):
        return None


def weights_of(wildcards: Any) -> Path:
    """Return the file of a network's final weights."""
    return Path("results", wildcards.task, "networks", wildcards.network, "weights.safetensors")


def experiment_modules(plan: Plan, study: str) -> dict[str, str]:
    """Return the name of each experiment's module in a study's package, by experiment."""
    return {name: experiment.module for name, experiment in plan.experiments(study).items()}
