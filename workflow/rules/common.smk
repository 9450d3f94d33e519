# What the rules share: functions of wildcards, and what a run is for.

import csv
import tempfile
from importlib.util import find_spec

from snakemake.settings.types import DeploymentMethod

STAGED = planning.STAGED_FAMILY
EVALUATION_FILES = [
    "leaderboard",
    "folds",
    "tests",
    "correlations",
    "strata",
    "left_out",
]
STUDY_FIGURES = ["r2_heatmap", "moments"]
PGDL_RULES = {"export", "import_dataset", "import_network"}


wildcard_constraints:
    task=one_of(KINDS),
    study=one_of(STUDIES),
    network=r"\d+",
    family=r"\w+",
    experiment=r"\w+",
    run=r"\d+",
    table=r"\w+",


@cache
def code(script, *modules):
    """Digest of a script and of all library code that it reaches: an edit makes its jobs stale."""
    return planning.code_version(ROOT / "scripts" / f"{script}.py", *modules)


def setting(*keys):
    """A function of wildcards: one of the settings under which the task is run."""

    def value(wildcards):
        found = settings_of(wildcards.task)
        for key in keys:
            found = found[key]
        return found

    return value


def section(name):
    """Every key of a section of the settings, for a rule's params."""
    return {key: setting(name, key) for key in config[name]}


def of_task(key):
    """A function of wildcards: what the task itself is set to."""
    return lambda wildcards: task_named(wildcards.task)[key]


def family_entry(wildcards):
    """How the settings name a family of the library, or the path of a module of the user's."""
    families = families_of(wildcards.task)
    if wildcards.family not in families or wildcards.family == STAGED:
        raise WorkflowError(
            f"Task '{wildcards.task}' has no measures of family '{wildcards.family}': "
            "add it to 'families'."
        )
    return families[wildcards.family]


def check_position(wildcards):
    """Refuse a network that the task does not have."""
    count = len(positions_of(wildcards.task))
    if int(wildcards.network) >= count:
        raise WorkflowError(
            f"Task '{wildcards.task}' has networks 0 to {count - 1}, "
            f"not {wildcards.network}."
        )


def entry_of(wildcards):
    """The plan of one network of a zoo."""
    check_position(wildcards)
    return plan_of(wildcards.task)[int(wildcards.network)]


def loss_of(wildcards):
    """The loss that a network was trained on; PGDL's were trained on cross-entropy."""
    if KINDS[wildcards.task] == "pgdl":
        return "cross_entropy"
    return entry_of(wildcards)["training"]["loss"]


def position_of(wildcards):
    """The position of one network of an imported task."""
    check_position(wildcards)
    return int(wildcards.network)


def exported_from(task):
    """Full name of the zoo whose export an imported task is, or None."""
    zoo = task_named(task)["pgdl"].get("exported")
    return zoo and f"{task.rpartition('/')[0]}/{zoo}".lstrip("/")


def exported_task(wildcards):
    """The receipt of the export that an imported task waits for, if any."""
    zoo = exported_from(wildcards.task)
    return [f"results/{zoo}/pgdl/exported.txt"] if zoo else []


def pgdl_name(wildcards):
    """An imported task's name in PGDL's tree."""
    pgdl = task_named(wildcards.task)["pgdl"]
    return pgdl.get("exported") or pgdl["task"]


def pgdl_source(wildcards):
    """Where an imported task's files come from."""
    zoo = exported_from(wildcards.task)
    source = task_named(wildcards.task)["pgdl"]["source"]
    return f"results/{zoo}/pgdl" if zoo else source


def each_network(pattern):
    """An input function: the pattern for every network of the task."""
    return lambda wildcards: [
        pattern.format(task=wildcards.task, network=network)
        for network in positions_of(wildcards.task)
    ]


def measure_tables(wildcards):
    """The tables of every network and family that the settings ask for."""
    families = families_of(wildcards.task)
    folders = [f"measures/{family}" for family in families if family != STAGED]
    if STAGED in families:
        folders.insert(0, "topology/summaries")
    return [
        f"results/{wildcards.task}/{folder}/{network}.csv"
        for folder in folders
        for network in positions_of(wildcards.task)
    ]


def colour_of(wildcards):
    """The hyper-parameter that colours a task's figures; None where only its files tell."""
    task = task_named(wildcards.task)
    return task["colour"] or next(iter(task.get("zoo", {}).get("grid", [None])))


def figure_names(task):
    """The figures of one task."""
    names = ["leaderboard", "scatter", "correlations", "gaps"]
    if KINDS[task] == "zoo":
        names.append("training")
    if task_named(task)["strata"]:
        names.append("strata")
    if STAGED in families_of(task):
        names += ["r2_heatmap", "persistence_diagrams", "barcodes"]
    return names


def statistics_names(task):
    """The tables of one task that stand beside its leaderboard; a study has more of them."""
    names = ["clusters", "mutual_information"]
    if "/" in task:
        names += ["summary_correlations", "strongest"]
    if settings_of(task)["feature_sets"]:
        names += ["feature_sets", "feature_set_tests"]
    return names


@cache
def settings_of_experiment(study, name):
    """Of each run of an experiment, its place among the seeds and its keywords."""
    entry = experiments_of(study)[name]
    entries = []
    for point in planning.grid_points(entry["grid"], entry["seeds"]):
        seed = point.pop("replicate")
        entries.append((seed, {**entry["settings"], **point}))
    return entries


def experiment_entry(wildcards):
    """The settings of an experiment; one that the study does not have is refused."""
    if wildcards.experiment not in experiments_of(wildcards.study):
        raise WorkflowError(
            f"{wildcards.study} has no experiment '{wildcards.experiment}': choose among "
            f"{', '.join(experiments_of(wildcards.study))}."
        )
    return experiments_of(wildcards.study)[wildcards.experiment]


def module_of_experiment(wildcards):
    """The module of an experiment."""
    return experiment_entry(wildcards)["experiment"]


def settings_of_runs(wildcards):
    """Of each run of an experiment, its place among the seeds and its keywords."""
    experiment_entry(wildcards)
    return settings_of_experiment(wildcards.study, wildcards.experiment)


def run_entry(wildcards):
    """The place of one run among the seeds and its keywords."""
    entries = settings_of_runs(wildcards)
    if int(wildcards.run) >= len(entries):
        raise WorkflowError(
            f"The experiment {wildcards.experiment} of {wildcards.study} has runs 0 to "
            f"{len(entries) - 1}, not {wildcards.run}."
        )
    return entries[int(wildcards.run)]


def settings_of_run(wildcards):
    """The keywords of one run."""
    return run_entry(wildcards)[1]


def memory_of_run(wildcards, attempt):
    """Megabytes that grow with the budget of a run."""
    of_the_run = planning.megabytes_of_run(settings_of_run(wildcards))
    return with_libraries_of_gpu(of_the_run) * attempt


def place_of_run(wildcards):
    """The place of one run among the seeds of its grid point."""
    return run_entry(wildcards)[0]


def code_of_experiment(script):
    """A function of wildcards: digest of a script and of the experiment's module."""
    return lambda wildcards: code(
        script,
        f"gengap.studies.{wildcards.study}.experiments.{module_of_experiment(wildcards)}",
        # Of the papers whose experiments have no folder of their own yet.
        f"gengap.studies.{wildcards.study}.{module_of_experiment(wildcards)}",
    )


def code_of_study(script, module):
    """A function of wildcards: digest of a script and of a module of the study's package."""
    return lambda wildcards: code(
        script, f"gengap.studies.{wildcards.study}.{module}"
    )


def run_files(study, name):
    """The outcomes of an experiment's runs."""
    count = len(settings_of_experiment(study, name))
    return [f"results/{study}/runs/{name}/{run}.npz" for run in range(count)]


def runs_of_experiment(wildcards):
    """The outcomes of an experiment's runs."""
    experiment_entry(wildcards)
    return run_files(wildcards.study, wildcards.experiment)


def runs_of_all_experiments(wildcards):
    """The outcomes of a study's runs, by experiment."""
    study = wildcards.study
    return {name: run_files(study, name) for name in experiments_of(study)}


def of_each_task(pattern):
    """An input function: the pattern for every task of the study."""
    return lambda wildcards: [
        pattern.format(task=task) for task in tasks_of_study(wildcards.study)
    ]


def compared_tasks(study):
    """The tasks that a study's figures show side by side."""
    names = settings_of_study(study)["figures"]["compared"]
    tasks = tasks_of_study(study)
    # Where only some tasks are run, these are shown, whichever they are.
    chosen = [task for task in tasks if names and task.rpartition("/")[2] in names]
    return chosen or tasks


def of_compared_tasks(name):
    """An input function: a file of every task that the study's figures compare."""
    return lambda wildcards: [
        f"results/{task}/{name}" for task in compared_tasks(wildcards.study)
    ]


def picture(name, category, of="task"):
    """A figure's two files; the PNG goes into the report with its caption."""
    image = report(
        f"results/{{{of}}}/figures/{name}.png",
        caption=f"../report/{name}.rst",
        category=f"{{{of}}}",
        subcategory=category,
        labels={"figure": name.replace("_", " ")},
    )
    return [image, f"results/{{{of}}}/figures/{name}.{config['figures']['format']}"]


def example_diagrams(wildcards):
    network = task_named(wildcards.task)["example"]
    return f"results/{wildcards.task}/topology/diagrams/{network}.npz"


def all_diagrams(wildcards):
    """The diagrams of every network, where the settings ask for topology."""
    if STAGED not in families_of(wildcards.task):
        return []
    pattern = "results/{task}/topology/diagrams/{network}.npz"
    return each_network(pattern)(wildcards)


def files_of_the_page():
    """The script, style and template of the dashboard's page."""
    folder = ROOT / "src" / "gengap" / "dashboard"
    return sorted(path for path in folder.glob("[ap]*/*") if path.is_file())


def with_libraries_of_gpu(amount):
    """An amount of megabytes, and what a GPU's libraries take of the machine's memory beside it."""
    return amount + 2000 * gpus()


def megabytes(amount):
    """A memory request that grows when a job is tried again."""
    return lambda wildcards, attempt: amount * attempt


def memory_of_diagrams(wildcards, threads, attempt):
    """Megabytes: all activations, and for each thread a draw's standardised ones and, with our engine,
    a few matrices; with the others a list of simplices."""
    drawn = settings_of(wildcards.task)["activations"]
    activations = drawn["neurons"] * drawn["inputs"]
    a_pair = 12
    if not fast_diagrams(wildcards):
        degree = settings_of(wildcards.task)["topology"]["max_dimension"]
        a_pair = 550 if degree <= 1 else 2200
    a_draw = a_pair * drawn["neurons"] ** 2 + 16 * activations
    of_the_work = 4 * activations * drawn["draws"] + threads * a_draw
    return with_libraries_of_gpu(600 + of_the_work // 1_000_000) * attempt


def minutes_of_diagrams(wildcards):
    """Our engine takes seconds a draw, the others minutes."""
    return 30 if fast_diagrams(wildcards) else 240


def fast_diagrams(wildcards):
    """Whether our own engine computes the diagrams."""
    topology = settings_of(wildcards.task)["topology"]
    return topology["engine"] in ("auto", "fast") and topology["max_dimension"] <= 1


def memory_of_activations(wildcards, attempt):
    """Megabytes: libraries, training images and the network with a batch of them, and all activations,
    twice while they are written."""
    drawn = settings_of(wildcards.task)["activations"]
    sample = 4 * drawn["neurons"] * drawn["inputs"] * drawn["draws"]
    return with_libraries_of_gpu(2000 + 2 * sample // 1_000_000) * attempt


def memory_of_measures(wildcards, attempt):
    """Megabytes: curvature keeps up to 1 GiB of graphs between its products."""
    return (
        with_libraries_of_gpu(4000 if wildcards.family == "curvature" else 2000)
        * attempt
    )


def memory_of_eigenvalues(wildcards, input, attempt):
    """Megabytes: libraries, 1 GiB of graphs and as much to multiply by them, and the 100 largest
    eigenvectors from 260 vectors as long as the weights, with as many beside them as a restart takes.

    Weights that are yet to be trained count from the second attempt on.
    """
    weights = Path(input.weights)
    size = weights.stat().st_size if weights.exists() else 0
    return with_libraries_of_gpu(3500 + 450 * size // 1_000_000) * attempt


def gpus(wildcards=None):
    """One for a job whose networks run on a GPU by name; `auto` asks for none, and takes what it finds."""
    return int(config["device"].startswith("cuda"))


def diagram_threads(wildcards):
    """Draws of one network at a time: jobs of seconds go faster beside each other, one thread each, and
    only our engine has threads."""
    neurons = settings_of(wildcards.task)["activations"]["neurons"]
    return 4 if neurons >= 1000 and fast_diagrams(wildcards) else 1


def table_files(task):
    """The tables and texts of one task."""
    files = ["measures.csv", "failed.csv", "evaluation/best_ols.txt"]
    files += [f"evaluation/{name}.csv" for name in EVALUATION_FILES]
    return files + [f"evaluation/{name}.csv" for name in statistics_names(task)]


def final_files(task):
    """What a run of one task is for."""
    files = [*table_files(task), "dashboard.html"]
    files += [f"figures/{name}.png" for name in figure_names(task)]
    return [f"results/{task}/{name}" for name in files]


def study_files(study):
    """What a run of a study is for."""
    if study in EXPERIMENT_STUDIES:
        figures = [f"results/{study}/figures/{name}" for name in experiments_of(study)]
        # The claims rest on all experiments together.
        complete = len(figures) == len(settings_of_study(study)["experiments"])
        return [f"results/{study}/claims.csv"] * complete + figures
    tasks = tasks_of_study(study)
    files = [f"results/{study}/figures/{name}.png" for name in STUDY_FIGURES]
    for name in ["leaderboard", *statistics_names(tasks[0])]:
        files.append(f"results/{study}/tables/{name}.csv")
    return [*files, *(file for task in tasks for file in final_files(task))]


def studies_asked_for():
    """The studies named on the command line."""
    return [name for name in workflow.dag_settings.targets if name in STUDIES]


def tasks_asked_for():
    """The tasks of the studies named on the command line, or else the config's."""
    if not studies_asked_for():
        return [task["name"] for task in config["tasks"]]
    return [
        task
        for study in studies_asked_for()
        if study in TASK_STUDIES
        for task in tasks_of_study(study)
    ]


def require_writable_results():
    """Stop before the first job where nothing can be written."""
    results = Path("results")
    try:
        results.mkdir(exist_ok=True)
        tempfile.TemporaryFile(dir=results).close()
    except OSError as error:
        raise WorkflowError(
            f"Cannot write to {results.resolve()} ({error.strerror}): make it writable, or choose "
            "another folder with --directory."
        ) from None


def require_packages_of_pgdl():
    """Stop before the first job where PGDL's files are to be read or written, and cannot be."""
    if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
        return
    missing = [name for name in ("tensorflow", "h5py") if find_spec(name) is None]
    if missing and any(
        job.rule.name in PGDL_RULES for job in workflow.dag.needrun_jobs()
    ):
        raise WorkflowError(
            f"PGDL's files cannot be read or written without {' and '.join(missing)}: "
            "install it by 'make pgdl', or add --sdm conda."
        )


def line_of(row, place=""):
    """A row of a leaderboard as it is printed at the end of a run."""
    score = f"{float(row['r2_mean']):7.3f} +- {float(row['r2_std']):.3f}"
    return f"  {place:>2} {row['measure']:<60} {score}"


def rows_of(path):
    """The rows of a table; none where it is not there."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def summary():
    """What was found, in a few lines, and where the figures lie."""
    lines = []
    for name in tasks_asked_for():
        path = Path("results", name, "evaluation", "leaderboard.csv")
        if rows := rows_of(path):
            lines += summary_of_task(name, path, rows)
    for study in studies_asked_for():
        path = Path("results", study, "claims.csv")
        if rows := rows_of(path):
            verdicts = {row["claim"]: row["verdict"] for row in rows}
            lines.append(f"\n{study}: what the runs say of the paper's claims")
            lines += [f"  {verdict:>9}  {claim}" for claim, verdict in verdicts.items()]
            lines.append(f"  claims:  {path.with_suffix('.md')}")
            lines.append(f"  figures: {path.with_name('figures')}/")
    return "\n".join(lines)


def summary_of_task(name, path, rows):
    """The five best measures of a task, what needs none, and where the figures lie."""
    best = [row for row in rows if row["eligible"] == "True"][:5]
    return [
        f"\n{name}: the best measures of the gap (R2 under 5x2 cross-validation)",
        *(line_of(row, f"{place}.") for place, row in enumerate(best, start=1)),
        "  and without any measure:",
        *(line_of(row) for row in rows if row["kind"] == "reference"),
        f"  leaderboard: {path}",
        f"  figures:     {path.parents[1] / 'figures'}/",
    ]
