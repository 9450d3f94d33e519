"""What will be run, known before anything is run: the tasks and the studies of a config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.names import ARCHITECTURES, KINDS, TOGETHER
from gengap.planning.experiments import ExperimentPlan, check_experiments
from gengap.planning.paths import relative_to
from gengap.planning.predictions import check_predictions
from gengap.planning.reference_zoo import reference_task
from gengap.planning.settings import Settings, keys_of, merged, read_yaml, validated
from gengap.planning.tasks import TaskPlan

SMALL, MEDIUM = "small", "medium"

OF_THE_RUN = ("setting", "only", "studies", "reference", "data_dir", "device")


class Plan:
    """The plan of a run.

    A task of a study is named ``<study>/<task>``, so it goes through the same rules as any other.
    A study is validated and planned when something of it is first asked for.

    Relative paths in a config are relative to the working directory here (see
    :func:`gengap.planning.paths.resolved`); those in the file of a study, to its folder.

    Attributes:
        root: the folder that holds ``studies/``, ``workflow/schemas/`` and ``src/``.
        config: the validated config.
        studies: of each study the settings that the config chooses, unchecked; empty where its file
            does not have the setting.
        kinds: one of :data:`gengap.names.KINDS` for each task, by its full name.
        predicted: full names of the tasks that are predicted from a reference.
    """

    def __init__(self, root: Path, config: Mapping[str, Any]) -> None:
        """Validate a config.

        Raises:
            GengapError: a fault of the config, in one sentence that names its key.
        """
        self.root = root
        self._settings_of_studies: dict[str, Settings] = {}
        self._tasks: dict[str, TaskPlan] = {}
        self._experiments: dict[str, dict[str, ExperimentPlan]] = {}
        self.config = self._checked(config, "The config")
        if self.config["data_dir"] and not Path(self.config["data_dir"]).is_dir():
            raise GengapError(
                f"'data_dir' is '{self.config['data_dir']}', which is no folder: make it and put "
                "the dataset files there, or set it to null."
            )
        self._settings_in_files: dict[str, list[str]] = {}
        self.studies = {
            path.stem: self._chosen(path) for path in sorted((root / "studies").glob("*.yaml"))
        }
        for name in self.config["studies"]:
            if name not in self.studies:
                raise GengapError(
                    f"'studies' names '{name}': choose among {', '.join(self.studies)}."
                )
        self.kinds = _kinds(self.config)
        self.predicted = _predicted(self.config)
        for name in self.kinds:
            if name in self.studies:
                raise GengapError(f"A task is named '{name}', like a study: give it another name.")
        for name, settings in self.studies.items():
            self.kinds |= _kinds(settings, f"{name}/")
            self.predicted += _predicted(settings, f"{name}/")

    @cached_property
    def experiment_studies(self) -> list[str]:
        """The studies that make their own networks and data, by experiments."""
        return [name for name, settings in self.studies.items() if "experiments" in settings]

    @cached_property
    def task_studies(self) -> list[str]:
        """The studies of whole tasks, which go through the same rules as the config's."""
        return [name for name in self.studies if name not in self.experiment_studies]

    def names(self, *kinds: str) -> list[str]:
        """Return the full names of all tasks of some kinds, such as ``zoo`` and ``pgdl``."""
        return [name for name, of_task in self.kinds.items() if of_task in kinds]

    def task(self, name: str) -> TaskPlan:
        """Return the plan of a task, by its full name."""
        study = name.rpartition("/")[0]
        if study:
            self.settings(study)
        return self._tasks[name]

    def settings(self, study: str) -> Settings:
        """Return the validated settings of a study; what holds for a whole run is the config's.

        Raises:
            GengapError: a fault of the settings, in one sentence that names their file and key.
        """
        if study not in self._settings_of_studies:
            path, chosen = self.root / "studies" / f"{study}.yaml", self.studies[study]
            if self.config["setting"] not in self._settings_in_files[study]:
                raise GengapError(
                    f"{path} has no setting '{self.config['setting']}': choose one of "
                    f"{', '.join(self._settings_in_files[study])}."
                )
            for key in [key for key in OF_THE_RUN if key in chosen]:
                raise GengapError(
                    f"{path} sets '{key}', which is for a whole run: set it in the config."
                )
            origin = f"The setting '{self.config['setting']}' of {path}"
            if study in self.experiment_studies:
                settings = validated(chosen, origin, self._schema("experiments"))
                check_experiments(self.root, study, settings, origin)
            else:
                settings = self._checked(chosen, origin, f"{study}/")
                settings["data_dir"] = self.config["data_dir"]
                settings["figures"]["format"] = self.config["figures"]["format"]
            self._settings_of_studies[study] = settings
        return self._settings_of_studies[study]

    def judging_setting(self, study: str) -> str:
        """Return the setting whose runs judge a paper's claims: ``medium`` where ``small`` has it.

        A run at another setting judges by itself.
        """
        chosen: str = self.config["setting"]
        defers = chosen == SMALL and MEDIUM in self._settings_in_files[study]
        return MEDIUM if defers else chosen

    def tasks_of_study(self, study: str) -> list[str]:
        """Return the full names of the tasks that a study is about, their sources left out."""
        tasks = self.settings(study)["tasks"]
        sources = {task["pgdl"].get("exported") for task in tasks if "pgdl" in task}
        names = [task["name"] for task in tasks if task["name"] not in sources]
        return [f"{study}/{name}" for name in self._asked_for(study, "task", names)]

    def compared_tasks(self, study: str) -> list[str]:
        """Return the full names of the tasks that a study's figures show side by side."""
        names = self.settings(study)["figures"]["compared"]
        tasks = self.tasks_of_study(study)
        # Where only some tasks are run, these are shown, whichever they are.
        compared = [task for task in tasks if names and task.rpartition("/")[2] in names]
        return compared or tasks

    def experiments(self, study: str) -> dict[str, ExperimentPlan]:
        """Return the experiments of a study that are asked for, by name."""
        if study not in self._experiments:
            entries = {entry["name"]: entry for entry in self.settings(study)["experiments"]}
            names = self._asked_for(study, "experiment", list(entries))
            self._experiments[study] = {
                name: ExperimentPlan(study, entries[name]) for name in names
            }
        return self._experiments[study]

    def experiment(self, study: str, name: str) -> ExperimentPlan:
        """Return one experiment of a study.

        Raises:
            GengapError: the study has no such experiment, or it is not asked for.
        """
        experiments = self.experiments(study)
        if name not in experiments:
            raise GengapError(
                f"{study} has no experiment '{name}': choose among {', '.join(experiments)}."
            )
        return experiments[name]

    def has_all_experiments(self, study: str) -> bool:
        """Whether all experiments of a study are asked for, on which its claims rest together."""
        return len(self.experiments(study)) == len(self.settings(study)["experiments"])

    @cached_property
    def _grid_keys(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        schema = self._schema("config")
        network = keys_of(schema, "network")
        of_architectures = {key for keys in ARCHITECTURES.values() for key in keys}
        of_recipe = [key for key in keys_of(schema, "training") if key != TOGETHER]
        return (*network, *sorted(of_architectures - set(network))), tuple(of_recipe)

    def _schema(self, name: str) -> Path:
        return self.root / "workflow" / "schemas" / f"{name}.schema.yaml"

    def _checked(self, settings: Mapping[str, Any], origin: str, prefix: str = "") -> Settings:
        """Return the validated settings of tasks, and plan these; a prefix makes names full."""
        schema = self._schema("config")
        filled = validated(settings, origin, schema)
        if filled["reference"]:
            task = reference_task(filled["reference"])
            filled["tasks"].append(validated(task, f"'reference' of {origin}", schema, "task"))
        names = [task["name"] for task in filled["tasks"]]
        if len(set(names)) < len(names):
            raise GengapError(f"The tasks {names} do not all differ in name: rename one.")
        plans = {
            task["name"]: TaskPlan(prefix + task["name"], task, filled, *self._grid_keys)
            for task in filled["tasks"]
        }
        check_predictions(filled, plans)
        for plan in plans.values():
            plan.check()
            _ = plan.families
            self._tasks[plan.name] = plan
        for name in filled["figures"]["compared"] or []:
            if name not in names:
                raise GengapError(
                    f"'compared' of figures names the task '{name}': choose among "
                    f"{', '.join(names)}."
                )
        return filled

    def _chosen(self, path: Path) -> Settings:
        """Return the settings of a study that the config chooses, with the config's changes."""
        content, setting = read_yaml(path), self.config["setting"]
        self._settings_in_files[path.stem] = list(content)
        if setting not in content:
            return {}
        changes = self.config["studies"].get(path.stem, {})
        # Other tasks than the study's: the ones that it compares need not be among them.
        forgotten = {"figures": {"compared": None}} if "tasks" in changes else {}
        own = relative_to(path.parent, content[setting])
        return merged(merged(own, forgotten), changes)

    def _asked_for(self, study: str, kind: str, names: Sequence[str]) -> list[str]:
        """Return those of a study's tasks or experiments that 'only' asks for."""
        only = self.config["only"]
        wanted = [only] if isinstance(only, str) else only
        for name in wanted:
            if name not in [*names, "all"]:
                raise GengapError(
                    f"'only' names '{name}', which is no {kind} of {study}: choose among "
                    f"{', '.join(names)}, or all."
                )
        return [name for name in names if name in wanted or "all" in wanted]


def _predicted(settings: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the full names of predicted tasks; entries that have none are left to validation."""
    return [f"{prefix}{entry.get('task')}" for entry in settings.get("predictions") or []]


def _kinds(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the kind of each task; one that has none is left to the validation."""
    return {
        f"{prefix}{task.get('name')}": kind
        for task in settings.get("tasks") or []
        for kind in KINDS
        if kind in task
    }
