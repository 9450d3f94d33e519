"""Functions of wildcards: what a rule looks up in the plan once Snakemake knows its job.

Each method of :class:`Lookup` returns a function that Snakemake calls with the wildcards of a job,
and, where the function names them, with its ``threads`` or its ``attempt``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from gengap.planning import resources, targets
from gengap.planning.experiments import ExperimentPlan
from gengap.planning.families import compares, family_source
from gengap.planning.plan import Plan
from gengap.planning.settings import Settings
from gengap.planning.sources import code_version
from gengap.planning.tasks import TaskPlan

Wildcards = Any
OfWildcards = Callable[[Wildcards], Any]
OfAttempt = Callable[[Wildcards, int], int]


def named(**params: Any) -> dict[str, Any]:
    """Return the parameters of a rule, and one more by which a change of any of them shows.

    Snakemake compares the set of their values with that of the last run, and knows no names.
    Without the further one, two settings that exchange their values would make nothing anew.

    Args:
        params: values, or functions of the job's wildcards.

    Returns:
        The parameters, and ``named``: a digest of all names with their values.
    """

    def digest(wildcards: Wildcards) -> str:
        values = {
            name: value(wildcards) if callable(value) else value for name, value in params.items()
        }
        return hashlib.sha256(repr(values).encode()).hexdigest()[:16]

    return {**params, "named": digest}


class Lookup:
    """Looks up what the rules of a workflow need.

    Attributes:
        plan: of the run.
        device: where networks are run.
        gpus: how many GPUs a job that runs networks asks for.
    """

    def __init__(self, plan: Plan) -> None:
        """Take the plan of a run."""
        self.plan = plan
        self.device: str = plan.config["device"]
        self.gpus = resources.gpus(self.device)
        self._digest = cache(code_version)

    def setting(self, *keys: str) -> OfWildcards:
        """Look up one of the settings under which the task is run, the outermost key first."""
        return lambda wildcards: value_at(self._task(wildcards).run, keys)

    def section(self, name: str) -> dict[str, OfWildcards]:
        """Look up every key of a section of the settings."""
        return {key: self.setting(name, key) for key in self.plan.config[name]}

    def own(self, *keys: str) -> OfWildcards:
        """Look up what the task itself is set to, the outermost key first."""
        return lambda wildcards: value_at(self._task(wildcards).own, keys)

    def task(self, question: Callable[[TaskPlan], Any]) -> OfWildcards:
        """Ask the plan of the task."""
        return lambda wildcards: question(self._task(wildcards))

    def study(self, question: Callable[[Plan, str], Any]) -> OfWildcards:
        """Ask the plan about the study."""
        return lambda wildcards: question(self.plan, wildcards.study)

    def experiment(self, question: Callable[[ExperimentPlan], Any]) -> OfWildcards:
        """Ask the plan of the experiment."""
        return lambda wildcards: question(
            self.plan.experiment(wildcards.study, wildcards.experiment)
        )

    def place_of_run(self, wildcards: Wildcards) -> int:
        """Look up the place of the run among the seeds of the same settings."""
        return self._run(wildcards)[0]

    def settings_of_run(self, wildcards: Wildcards) -> Settings:
        """Look up the keywords of the run."""
        return self._run(wildcards)[1]

    def official_data(self, wildcards: Wildcards) -> list[str]:
        """Look up the receipts of the official datasets that the run reads."""
        experiment = self.plan.experiment(wildcards.study, wildcards.experiment)
        names = experiment.official_data(int(wildcards.run))
        return [f"results/{wildcards.study}/data/{name}.json" for name in names]

    def networks(self, wildcards: Wildcards) -> list[int]:
        """Look up the positions of the shard's networks."""
        return self._task(wildcards).networks(int(wildcards.shard))

    def entries(self, wildcards: Wildcards) -> list[Settings]:
        """Look up what the shard's networks are."""
        return self._task(wildcards).shard_entries(int(wildcards.shard))

    def kept(self, wildcards: Wildcards) -> dict[int, Settings]:
        """Look up what the networks that were measured before were made from, by position."""
        task = self._task(wildcards)
        return {network: task.measured_from(network) for network in task.kept}

    def made(self, wildcards: Wildcards) -> dict[int, Settings]:
        """Look up what the networks that are measured now are made from, by position."""
        task = self._task(wildcards)
        networks = (network for shard in task.shards for network in task.networks(shard))
        return {network: task.measured_from(network) for network in networks}

    def checkpoint_files(self, wildcards: Wildcards) -> list[str]:
        """Look up the files that a shard of checkpoints is made from."""
        return self._task(wildcards).checkpoints.files(self.networks(wildcards))

    def families(self, wildcards: Wildcards) -> list[Settings]:
        """Look up the families of measures of the task.

        Returns:
            Of each its ``name``; how the settings name it (``source``); a digest of its ``code``;
            and whether it ``compares`` networks with siblings, or with unlabelled inputs.
        """
        return [
            {
                "name": name,
                "source": entry,
                "code": self._digest(family_source(entry)),
                "compares": compares(entry),
            }
            for name, entry in self._task(wildcards).measured.items()
        ]

    def receipt(self, wildcards: Wildcards) -> str:
        """Look up the receipt of the shard that the network is in."""
        return targets.receipt_of(self._task(wildcards), int(wildcards.network))

    def loss(self, wildcards: Wildcards) -> str:
        """Look up the loss that the network was trained on."""
        return self._task(wildcards).loss(int(wildcards.network))

    def losses(self, wildcards: Wildcards) -> list[str]:
        """Look up the losses that the shard's networks were trained on."""
        task = self._task(wildcards)
        return [task.loss(network) for network in self.networks(wildcards)]

    def siblings(self, wildcards: Wildcards) -> list[list[int]]:
        """Look up the siblings of each of the shard's networks; none if no family needs them."""
        task = self._task(wildcards)
        needed = any(map(compares, task.measured.values()))
        return [task.siblings(network) * needed for network in self.networks(wildcards)]

    def sibling_receipts(self, wildcards: Wildcards) -> list[str]:
        """Look up the receipts of the other shards that hold these siblings."""
        task = self._task(wildcards)
        if not any(map(compares, task.measured.values())):
            return []
        return targets.sibling_receipts(task, int(wildcards.shard))

    def unlabelled(self, wildcards: Wildcards) -> Settings | None:
        """Look up the task's unlabelled inputs; None if it has none, or no family needs them."""
        task = self._task(wildcards)
        named: Settings | None = task.own["unlabelled"]
        return named if any(map(compares, task.measured.values())) else None

    def unlabelled_file(self, wildcards: Wildcards) -> list[str]:
        """Look up the file of these inputs."""
        unlabelled = self.unlabelled(wildcards)
        return [unlabelled["from"]] if unlabelled else []

    def figure_input(self, of: str, pattern: str) -> OfWildcards:
        """Look up the files of a figure of a task or study, by their planned pattern."""
        return lambda wildcards: targets.figure_files(self.plan, wildcards[of], pattern)

    def figure_param(self, of: str, name: str) -> OfWildcards:
        """Look up one of the params of a figure of a task or study."""
        return lambda wildcards: targets.figure_param(self.plan, wildcards[of], name)

    def code(self, script: str, *sources: Path | str | Callable[[Wildcards], str]) -> OfWildcards:
        """Digest a script and all library code that it reaches: an edit makes its jobs stale.

        Args:
            script: its name, without folder and suffix.
            sources: files or modules that the script reaches by name at run time, or functions of
                wildcards that give one.

        Returns:
            A function of wildcards.
        """
        path = self.plan.root / "scripts" / f"{script}.py"

        def digest(wildcards: Wildcards) -> str:
            named = [source(wildcards) if callable(source) else source for source in sources]
            return self._digest(path, *named)

        return digest

    def minutes(self, one: int, more: int = 0) -> OfAttempt:
        """Give a request of minutes that grows when a job is tried again.

        Args:
            one: minutes of a job, or of the first network of a shard.
            more: minutes of each of the shard's other networks.

        Returns:
            A function of wildcards and of the attempt.
        """
        if not more:
            return lambda wildcards, attempt: one * attempt
        return lambda wildcards, attempt: (
            attempt * resources.minutes(one, more, len(self.networks(wildcards)))
        )

    def minutes_of(self, model: Callable[..., int], *looked_up: OfWildcards) -> OfAttempt:
        """Give such a request by a model of :mod:`gengap.planning.resources`.

        Args:
            model: a function of what is looked up.
            looked_up: functions of wildcards that give its arguments.

        Returns:
            A function of wildcards and of the attempt.
        """
        return lambda wildcards, attempt: attempt * model(*(look(wildcards) for look in looked_up))

    def files(self, wildcards: Wildcards) -> resources.Files:
        """Look up the files that say how large the shard's data and networks are."""
        task, networks = self._task(wildcards), self.networks(wildcards)
        return resources.Files(
            *targets.data_files(task.name),
            tuple(targets.spec_files(task, networks)),
            tuple(targets.weight_files(task.name, networks)),
            len(networks),
        )

    def record_files(self, wildcards: Wildcards) -> list[Path]:
        """Look up the downloaded files of the training data."""
        return targets.record_files(self._task(wildcards))

    def memory(self, amount: int) -> OfAttempt:
        """Give a request in megabytes that grows when a job is tried again."""
        return lambda wildcards, attempt: amount * attempt

    def memory_with_device(self, amount: int) -> OfAttempt:
        """Give such a request of a job that runs networks."""
        return self.memory(resources.memory(amount, self.device))

    def memory_of(self, model: Callable[..., int], *looked_up: OfWildcards) -> OfAttempt:
        """Give such a request by a model of :mod:`gengap.planning.resources`.

        Args:
            model: a function of what is looked up, and of the device.
            looked_up: functions of wildcards that give its arguments.

        Returns:
            A function of wildcards and of the attempt.
        """
        return lambda wildcards, attempt: (
            attempt * model(*(look(wildcards) for look in looked_up), self.device)
        )

    def memory_of_run(self, wildcards: Wildcards, attempt: int) -> int:
        """Give the request of megabytes of a run of an experiment."""
        return attempt * resources.memory_of_run(*self._request(wildcards))

    def minutes_of_run(self, wildcards: Wildcards, attempt: int) -> int:
        """Give the request of minutes of a run of an experiment."""
        first = resources.minutes_of_run(*self._request(wildcards))
        return resources.minutes_of_attempt(first, attempt)

    def _request(self, wildcards: Wildcards) -> tuple[ExperimentPlan, Settings, str]:
        experiment = self.plan.experiment(wildcards.study, wildcards.experiment)
        return experiment, self.settings_of_run(wildcards), self.device

    def memory_of_diagrams(self, wildcards: Wildcards, threads: int, attempt: int) -> int:
        """Give the request of the diagrams of a shard."""
        settings = self._task(wildcards).run
        return attempt * resources.memory_of_diagrams(settings, threads, self.device)

    def minutes_of_diagrams(self, wildcards: Wildcards, attempt: int) -> int:
        """Give minutes of the diagrams of a shard."""
        networks = len(self.networks(wildcards))
        return attempt * resources.minutes_of_diagrams(self._task(wildcards).run, networks)

    def minutes_of_measures(self, wildcards: Wildcards, attempt: int) -> int:
        """Give minutes of all families of measures of a shard."""
        task, files = self._task(wildcards), self.files(wildcards)
        return attempt * resources.minutes_of_measures(task.measured, files, slow=task.slow)

    def _run(self, wildcards: Wildcards) -> tuple[int, Settings]:
        experiment = self.plan.experiment(wildcards.study, wildcards.experiment)
        return experiment.run(int(wildcards.run))

    def _task(self, wildcards: Wildcards) -> TaskPlan:
        return self.plan.task(wildcards.task)


def value_at(settings: Settings, keys: Iterable[str]) -> Any:
    """Return the value under keys of nested settings, the outermost key first."""
    value: Any = settings
    for key in keys:
        value = value[key]
    return value
