"""A small finished task, and its two pages open in the browser."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from gengap import tasks
from gengap.dashboard import View, read_view, write_static_page
from gengap.evaluation import cluster, evaluate, scalar_measures
from gengap.failures import Failure, write_failures
from gengap.names import PREDICTION_COLUMNS
from gengap.tasks.folder import Metrics
from gengap.topology import (
    correlation_dissimilarity,
    persistence_diagrams,
    vectorise,
    write_diagrams,
)
from gengap.topology.storage import Diagrams

NAME = "small"
GRID: dict[str, list[Any]] = {
    "width": [8, 16],
    "label_corruption": [0.0, 0.1, 0.2, 0.3],
    "augmentation": ["none", "crop, flip </script>"],
}
FAILED = "5"  # the network whose diagrams could not be computed
VECTORS = (
    "persistent_entropy",
    "average_births_and_deaths",
    "average_lives_and_midlives",
    "deviations_and_averages_of_births_and_deaths",
    "persistence_image",
)
MARGINS = [
    f"{layer}_{part}"
    for layer in ("input", "last_hidden")
    for part in ("lower_fence", "lower_quartile", "median", "upper_quartile", "upper_fence")
]
PREDICTORS = {"signal": 0.01, "reference.hyper_parameters": -0.02}  # and their errors
VERDICT = "One measure is shown\nto predict the gap.\n\nNothing was left out.\n"
KERNELS = {
    network: {
        "dense.bias": np.ones(3, dtype=np.float32),
        "dense.weight": np.arange(12, dtype=np.float32).reshape(3, 4) * (1 + int(network)),
        "conv.weight": np.linspace(-1, 1, 2 * 3 * 2 * 2, dtype=np.float32).reshape(2, 3, 2, 2),
    }
    for network in ("0", "9")
}
PATIENCE = 600.0  # seconds; the browser is slow on a busy machine


def metrics_of_all() -> dict[str, Metrics]:
    rng = np.random.default_rng(1)
    found = {}
    for index, point in enumerate(itertools.product(*GRID.values())):
        hyper_parameters = dict(zip(GRID, point, strict=True))
        train = 1 - 0.02 * rng.random()
        test = train - 0.1 - 0.5 * hyper_parameters["label_corruption"] - 0.05 * rng.random()
        found[str(index)] = Metrics(hyper_parameters, train, test)
    return found


def draws_of(network: str, width: int) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(int(network))
    samples = (rng.normal(size=(width + 4, 12)) for _ in range(2))
    return [persistence_diagrams(correlation_dissimilarity(sample)) for sample in samples]


def tidy(network: str, family: str, vectors: Mapping[str, np.ndarray | float]) -> pd.DataFrame:
    tables = [
        pd.DataFrame(
            {
                "task": NAME,
                "network": network,
                "family": family,
                "measure": name,
                "component": [str(component) for component in range(np.size(values))],
                "value": np.ravel(values),
            }
        )
        for name, values in vectors.items()
    ]
    return pd.concat(tables)


def write_evaluation(folder: Path, measures: pd.DataFrame) -> None:
    """Evaluate the measures of a task folder, with few resamples."""
    task = tasks.load(folder)
    evaluation = evaluate(
        measures,
        task.gaps(),
        task.hyper_parameters(),
        training_accuracy=task.training_outcomes(),
        resamples=20,
        permutations=20,
        gap_of=task.gap_of,
    )
    evaluation.write(folder / "evaluation")
    predictions = [
        (name, network, gap, gap + shift)
        for name, shift in PREDICTORS.items()
        for network, gap in task.gaps().items()
        if network != FAILED and name in set(evaluation.leaderboard["measure"])
    ]
    pd.DataFrame(predictions, columns=["name", "network", "gap", "prediction"]).to_csv(
        folder / "evaluation" / "held_out.csv", index=False
    )
    (folder / "evaluation" / "summary.txt").write_text(VERDICT, encoding="utf-8")


def predictions() -> pd.DataFrame:
    """Predictions of eight networks, of which three are declined for two kinds of reasons."""
    rows: list[dict[str, Any]] = [
        {
            "network": str(i), "gap": 0.1 + 0.01 * i, "low": 0.05, "high": 0.3,
            "test_accuracy": 0.8, "distance_p": 0.5, "verdict": "predicted", "reason": "",
            "rank": i + 1,
        }
        for i in range(5)
    ]  # fmt: skip
    reasons = ["It is too far from the reference's networks </script>."] * 2
    for i, reason in enumerate([*reasons, "Its training loss is 3, that of the reference's 0.1."]):
        rows.append({"network": str(5 + i), "verdict": "declined", "reason": reason})
    return pd.DataFrame(rows, columns=list(PREDICTION_COLUMNS))


@pytest.fixture(scope="session")
def task_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 networks, scalar and vector measures, the diagrams of all but one."""
    folder = tmp_path_factory.mktemp("results") / NAME
    metrics = metrics_of_all()
    tasks.write_task(folder / "task.json", NAME, GRID, metrics)
    task = tasks.load(folder)
    rng = np.random.default_rng(2)
    tables = []
    diagrams: dict[str, Diagrams] = {}
    for network, entry in metrics.items():
        corruption = entry.hyper_parameters["label_corruption"]
        signal = corruption + 0.1 * rng.normal()
        margins = rng.normal() + np.arange(10.0)
        tables.append(tidy(network, "baseline", {"signal": signal, "noise": rng.normal()}))
        five = tidy(network, "margins", {"negative_log_margins": margins})
        tables.append(five.assign(component=MARGINS))
        if network == FAILED:
            continue
        draws = draws_of(network, entry.hyper_parameters["width"])
        diagrams[network] = draws, {}
        vectors = vectorise(draws[0])
        chosen = {name: vectors[name] for name in vectors if name.split(".")[0] in VECTORS}
        tables.append(tidy(network, "topology", chosen))
    write_diagrams(diagrams, folder / "topology" / "diagrams" / "0.npz")
    for network, kernels in KERNELS.items():
        path = folder / "networks" / network / "weights.safetensors"
        path.parent.mkdir(parents=True)
        save_file(kernels, path)
    write_failures(
        folder / "topology" / "diagrams" / "0.failed.json",
        [Failure("activations", FAILED, "a weight is NaN")],
    )
    measures = pd.concat(tables)
    measures.to_csv(folder / "measures.csv", index=False)
    failed = [(FAILED, "activations", "a weight is NaN")]
    pd.DataFrame(failed, columns=["network", "stage", "reason"]).to_csv(
        folder / "failed.csv", index=False
    )
    pd.DataFrame(
        [("all", "baseline", "distance_from_initialisation", "It needs the initial weights.")],
        columns=["network", "family", "measure", "reason"],
    ).to_csv(folder / "left_out_measures.csv", index=False)
    write_evaluation(folder, measures)
    clusters = cluster(scalar_measures(measures), task.gaps())
    clusters.to_csv(folder / "evaluation" / "clusters.csv", index=False)
    predictions().to_csv(folder / "predictions.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def without_gaps(task_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same task without test data: it is predicted, and nothing is evaluated."""
    folder = Path(shutil.copytree(task_folder, tmp_path_factory.mktemp("blind") / NAME))
    shutil.rmtree(folder / "evaluation")
    metrics = {name: replace(one, test_accuracy=None) for name, one in metrics_of_all().items()}
    tasks.write_task(folder / "task.json", NAME, GRID, metrics)
    return folder


@pytest.fixture
def copy(task_folder: Path, tmp_path: Path) -> Path:
    """The same task, to break."""
    return Path(shutil.copytree(task_folder, tmp_path / NAME))


@pytest.fixture(scope="session")
def view(task_folder: Path) -> View:
    return read_view(task_folder)


@pytest.fixture(scope="session")
def served(task_folder: Path) -> Iterator[str]:
    """The address of the Dash app, started as a user starts it."""
    command = [sys.executable, "-m", "gengap", "dashboard", str(task_folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        yield line.split()[1]
        server.terminate()


@pytest.fixture(scope="session")
def static_file(task_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("static") / "dashboard.html"
    write_static_page(task_folder, path)
    return path


@dataclass
class Page:
    """One of the two pages, open in the browser; both name their parts alike."""

    browser: Any
    downloads: Path
    origin: str
    dash: bool

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until the condition holds; parts that are being redrawn do not count."""
        from selenium.common.exceptions import WebDriverException

        end = time.monotonic() + PATIENCE
        while True:
            try:
                if found := condition():
                    return found
            except WebDriverException:
                if time.monotonic() > end:
                    raise
            assert time.monotonic() < end, f"still waiting; the browser says {self.errors()}"
            time.sleep(0.1)

    def errors(self) -> list[dict[str, Any]]:
        return list(self.browser.get_log("browser"))

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def text(self, name: str) -> str:
        return str(self.run("return document.getElementById(arguments[0]).innerText", name))

    def rows(self, name: str) -> list[list[str]]:
        """The cells of a table's body."""
        found = self.run(
            """return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)]
            .map((row) => [...row.cells].map((cell) => cell.innerText))""",
            name,
        )
        return list(found)

    def traces(self, name: str) -> list[dict[str, Any]]:
        """The traces that plotly has drawn with marks, as plain data."""
        found = self.run(
            """const { data } = document.getElementById(arguments[0]);
            return JSON.stringify(data.filter((trace) => trace.mode === "markers"))""",
            name,
        )
        return list(json.loads(found))

    def choose(self, name: str, label: str) -> None:
        """Choose the option of this label as a reader does."""
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support.ui import Select

        Select(self.browser.find_element(By.ID, name)).select_by_visible_text(label)

    def go(self, name: str) -> None:
        """Follow the link to one of the pages."""
        from selenium.webdriver.common.by import By

        selector = f"#pages a[data-name={name}]"
        self.browser.find_element(By.CSS_SELECTOR, selector).click()
        self.until(
            lambda: self.run(
                "return document.querySelector(`[data-page=${arguments[0]}]`).checkVisibility()",
                name,
            )
        )

    def resize(self, width: int, height: int = 1200) -> None:
        """Give the page a width in CSS pixels, which may be less than a window can have."""
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def press(self, *keys: str) -> None:
        """Press keys one after another, wherever the focus is."""
        from selenium.webdriver import ActionChains

        chain = ActionChains(self.browser)
        for key in keys:
            chain = chain.send_keys(key)
        chain.perform()

    def click(self, name: str) -> None:
        """Click as a reader does: the browser saves no second file that only a script asked for."""
        from selenium.webdriver.common.by import By

        element = self.browser.find_element(By.ID, name)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def click_network(self, network: str) -> None:
        """Click the network's point of the scatter."""
        from selenium.webdriver import ActionChains

        point = self.until(
            lambda: self.run(
                """return [...document.querySelectorAll("#scatter .points path")]
                .find((path) => path.__data__.data === arguments[0])""",
                network,
            )
        )
        self.run("arguments[0].scrollIntoView({block: 'center'})", point)
        ActionChains(self.browser).move_to_element(point).pause(0.3).click().perform()

    def requests(self) -> list[str]:
        """Addresses that were asked for since the last call."""
        messages = [
            json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")
        ]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="module", params=["dash", "static"])
def page(request: pytest.FixtureRequest, browser: Any, downloads: Path) -> Page:
    """Each of the two pages, opened once for all tests of a module."""
    dash = request.param == "dash"
    if dash:
        origin = request.getfixturevalue("served")
    else:
        origin = request.getfixturevalue("static_file").as_uri()
    opened = Page(browser, downloads, origin, dash)
    browser.set_script_timeout(PATIENCE)
    browser.get("about:blank")
    opened.requests()
    browser.get(origin)
    opened.until(lambda: opened.run("return document.body.dataset.ready"))
    return opened
