# What is to be run: the config and the studies' settings, validated, and the plan of each task.
#
# A task of a study is named <study>/<task>, so it goes through the same rules as any other. A
# study is validated and planned when something of it is first asked for.

import re
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config, validate
import yaml

ROOT = Path(workflow.basedir)
SCHEMAS = ROOT / "workflow" / "schemas"
SCHEMA = SCHEMAS / "config.schema.yaml"
EXPERIMENTS_SCHEMA = SCHEMAS / "experiments.schema.yaml"
sys.path.insert(0, str(ROOT / "src"))

from gengap import planning
from gengap.errors import GengapError

# Snakemake reads this in every job, so the parser in C is worth its name.
YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path):
    return yaml.load(path.read_text(), Loader=YAML_LOADER)


_DEFINITIONS = read_yaml(SCHEMA)["$defs"]
NETWORK_KEYS = sorted(_DEFINITIONS["network"]["properties"])
TRAINING_KEYS = sorted(_DEFINITIONS["training"]["properties"])
ROLES = ("within", "strata", "colour")
OF_THE_RUN = ("setting", "only", "studies", "data_dir", "device")


def validated(settings, origin, schema):
    """Settings with defaults filled in; a fault is said in one sentence that names its key."""
    try:
        validate(settings, str(schema))
    except WorkflowError as error:
        fault = error.__context__
        if not hasattr(fault, "json_path"):
            raise
        raise WorkflowError(
            f"{origin} is not valid at '{fault.json_path}': {fault.message}; "
            f"every key is described in {schema}."
        ) from None
    return in_order(settings)


def in_order(settings):
    """The same settings with sorted keys, so that their order in a file does not matter.

    It matters in a grid, where it numbers the networks, and in feature_sets, where it is shown.
    """
    if isinstance(settings, list):
        return [in_order(value) for value in settings]
    if not isinstance(settings, dict):
        return settings
    return {
        key: value if key in ("grid", "feature_sets") else in_order(value)
        for key, value in sorted(settings.items())
    }


def checked(settings, origin):
    """The validated settings of tasks; a fault is said in one sentence that names its key."""
    settings = validated(settings, origin, SCHEMA)
    try:
        tasks = {task["name"]: task for task in settings["tasks"]}
        if len(tasks) < len(settings["tasks"]):
            names = [task["name"] for task in settings["tasks"]]
            raise GengapError(
                f"The tasks {names} do not all differ in name: rename one."
            )
        for task in tasks.values():
            check_task(task, tasks)
        planning.families(settings["families"])
        for name in settings["figures"]["compared"] or []:
            if name not in tasks:
                raise GengapError(
                    f"'compared' of figures names the task '{name}': choose among "
                    f"{', '.join(tasks)}."
                )
    except GengapError as error:
        raise WorkflowError(str(error)) from None
    return settings


def checked_experiments(study, settings, origin):
    """The validated settings of a study of experiments."""
    settings = validated(settings, origin, EXPERIMENTS_SCHEMA)
    names = [entry["name"] for entry in settings["experiments"]]
    if len(set(names)) < len(names):
        raise WorkflowError(
            f"The experiments {names} of {study} do not all differ in name: rename one."
        )
    for entry in settings["experiments"]:
        entry["experiment"] = entry["experiment"] or entry["name"]
        package = ROOT / "src" / "gengap" / "studies" / study
        folder = package / "experiments"
        # Of the papers whose experiments have no folder of their own yet.
        folder = folder if folder.is_dir() else package
        if not (folder / f"{entry['experiment']}.py").is_file():
            raise WorkflowError(
                f"{origin} names the experiment '{entry['experiment']}': choose a module of "
                f"{folder}."
            )
        try:
            planning.grid_points(entry["grid"], entry["seeds"])
        except GengapError as error:
            raise WorkflowError(
                f"{origin}, experiment {entry['name']}: {error}"
            ) from None
    return settings


def check_task(task, tasks):
    """Refuse a task whose plan has a fault that can be known before anything is run."""
    grid_owner = task
    if "pgdl" in task and "exported" in task["pgdl"]:
        grid_owner = tasks.get(task["pgdl"]["exported"], task)
        if "zoo" not in grid_owner:
            raise GengapError(
                f"'exported' of task '{task['name']}' is '{task['pgdl']['exported']}', which is "
                "no zoo of this config: name one."
            )
    count = network_count(task, tasks)
    if count < planning.LEAST_NETWORKS:
        raise GengapError(
            f"Task '{task['name']}' has {count} networks, but the evaluation needs at least "
            f"{planning.LEAST_NETWORKS} networks: ask for more of them."
        )
    # Of files that are not here yet nobody knows the grid; the download checks it.
    if "zoo" in grid_owner:
        roles = {role: task[role] for role in ROLES}
        planning.check_roles(task["name"], roles, grid_owner["zoo"]["grid"])
    if task["example"] >= count:
        raise GengapError(
            f"'example' of task '{task['name']}' is {task['example']}, but its networks are "
            f"numbered 0 to {count - 1}: choose one of them."
        )


def zoo_plan(zoo):
    """What each network of a zoo is: its grid point, network keywords and training recipe."""
    keys = NETWORK_KEYS, TRAINING_KEYS
    entries = []
    for point in planning.grid_points(zoo["grid"], zoo["replicates"]):
        network, training = planning.split_grid_point(
            point, zoo["network"], zoo["training"], *keys
        )
        entries.append({"point": point, "network": network, "training": training})
    return entries


def network_count(task, tasks):
    """How many networks a task has; they are planned by position, 0 and on."""
    if "zoo" in task:
        return len(zoo_plan(task["zoo"]))
    wanted = task["pgdl"]["networks"]
    if "exported" not in task["pgdl"]:
        return planning.pgdl_networks(task["pgdl"]["task"], wanted)
    available = network_count(tasks[task["pgdl"]["exported"]], tasks)
    return min(wanted or available, available)


def chosen_settings(study):
    """The settings of a study that the config chooses, with the config's changes, unchecked."""
    path = ROOT / "studies" / f"{study}.yaml"
    content = read_yaml(path)
    if config["setting"] not in content:
        raise WorkflowError(
            f"{path} has no setting '{config['setting']}': choose one of {', '.join(content)}."
        )
    settings = content[config["setting"]]
    changes = config["studies"].get(study, {})
    if "tasks" in changes:
        # Other tasks than the study's: the ones that it compares need not be among them.
        settings.setdefault("figures", {})["compared"] = None
    update_config(settings, changes)
    return settings


def kinds(settings, prefix=""):
    """``zoo`` or ``pgdl`` of each task; one that is neither is left to the validation."""
    return {
        f"{prefix}{task.get('name')}": kind
        for task in settings.get("tasks", [])
        for kind in ("zoo", "pgdl")
        if kind in task
    }


@cache
def settings_of_study(study):
    """The validated settings of a study, its data_dir and vector format those of the config."""
    path = ROOT / "studies" / f"{study}.yaml"
    settings = STUDIES[study]
    for key in [key for key in OF_THE_RUN if key in settings]:
        raise WorkflowError(
            f"{path} sets '{key}', which is for a whole run: set it in the config."
        )
    origin = f"The setting '{config['setting']}' of {path}"
    if study in EXPERIMENT_STUDIES:
        return checked_experiments(study, settings, origin)
    settings = checked(settings, origin)
    settings["data_dir"] = config["data_dir"]
    settings["figures"]["format"] = config["figures"]["format"]
    return settings


def settings_of(task):
    """The settings under which a task is run."""
    study = task.rpartition("/")[0]
    return settings_of_study(study) if study else config


@cache
def tasks_beside(task):
    """The tasks of the same study or config, by their names in it."""
    return {entry["name"]: entry for entry in settings_of(task)["tasks"]}


@cache
def task_named(task):
    return tasks_beside(task)[task.rpartition("/")[2]]


@cache
def plan_of(task):
    """The plan of a zoo."""
    return zoo_plan(task_named(task)["zoo"])


@cache
def positions_of(task):
    """Positions of a task's networks."""
    return range(network_count(task_named(task), tasks_beside(task)))


@cache
def families_of(task):
    """The families of measures that are computed for a task."""
    return planning.families(settings_of(task)["families"])


@cache
def tasks_of_study(study):
    """Full names of the tasks that a study is about: those asked for, sources left out."""
    tasks = settings_of_study(study)["tasks"]
    sources = {task["pgdl"].get("exported") for task in tasks if "pgdl" in task}
    names = [task["name"] for task in tasks if task["name"] not in sources]
    return [f"{study}/{name}" for name in asked_for(study, "task", names)]


@cache
def experiments_of(study):
    """The experiments of a study that are asked for, by name."""
    entries = {
        entry["name"]: entry for entry in settings_of_study(study)["experiments"]
    }
    return {
        name: entries[name] for name in asked_for(study, "experiment", list(entries))
    }


def asked_for(study, kind, names):
    """Those of a study's tasks or experiments that 'only' asks for."""
    only = [config["only"]] if isinstance(config["only"], str) else config["only"]
    for name in only:
        if name not in [*names, "all"]:
            raise WorkflowError(
                f"'only' names '{name}', which is no {kind} of {study}: choose among "
                f"{', '.join(names)}, or all."
            )
    return [name for name in names if name in only or "all" in only]


config = checked(config, "The config")
STUDIES = {
    path.stem: chosen_settings(path.stem)
    for path in sorted((ROOT / "studies").glob("*.yaml"))
}
for name in config["studies"]:
    if name not in STUDIES:
        raise WorkflowError(
            f"'studies' names '{name}': choose among {', '.join(STUDIES)}."
        )
KINDS = kinds(config)
for name in KINDS:
    if name in STUDIES:
        raise WorkflowError(
            f"A task is named '{name}', like a study: give it another name."
        )
for name in STUDIES:
    KINDS |= kinds(STUDIES[name], f"{name}/")
EXPERIMENT_STUDIES = [name for name in STUDIES if "experiments" in STUDIES[name]]
TASK_STUDIES = [name for name in STUDIES if name not in EXPERIMENT_STUDIES]
ZOOS = [task for task, kind in KINDS.items() if kind == "zoo"]
IMPORTED = [task for task, kind in KINDS.items() if kind == "pgdl"]


def one_of(names):
    """The pattern of a wildcard that takes these values alone."""
    return "|".join(map(re.escape, names)) or "(?!)"
