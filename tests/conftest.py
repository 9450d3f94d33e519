"""Fixtures that every room's tests may use."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before anything loads a library that computes: workers side by side share the cores, and the
# processes that tests start inherit this.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from tests.workflow.runs import REDUCED, Run

ROOT = Path(__file__).parents[1]
MARKERS = {"browser": "slow", "shared": "real_data", "snakemake": "workflow"}
"""The marker that a test gets because it uses a fixture."""
LONGEST = (
    "slurm/test_slurm.py", "workflow/test_ballester2023.py", "workflow/test_foreign_networks.py",
    # A worker whose module has no more than two tests left, as that of SLURM, reserves another.
    "workflow/test_across_tasks.py", "workflow/test_reruns.py", "workflow/test_bad_input.py",
    "workflow/test_experiments.py", "workflow/test_draws.py", "workflow/test_checkpoints.py",
    "workflow/test_together.py",
)  # fmt: skip
"""Modules to start with: that of SLURM, which mostly waits, and those that compute most."""
CHROMIUM = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1500,1300",
)  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of a fixture, and put the modules that take longest first.

    Workers take one module after the other, so that a long one at the end would keep one worker
    busy alone.
    """
    for item in items:
        for fixture, marker in MARKERS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)
    running = {item.path for item in items if item.get_closest_marker("workflow")}
    longest = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (longest.get(item.path, len(longest)), item.path not in running))


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that gives a folder of this name; the first worker that asks for it fills it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def folder(name: str, fill: Callable[[Path], None]) -> Path:
        path, full = base / name, base / f"{name}.full"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not full.exists():
                path.mkdir()
                fill(path)
                full.touch()
        return path

    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def cpu_or_gpu(request: pytest.FixtureRequest) -> str:
    """Each device in turn: what a test of the GPU does wrong itself shows on the CPU, too."""
    import torch

    name: str = request.param
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return name


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The rules of the workflow, as Snakemake parses them."""
    # Here, since most tests need no Snakemake.
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            snakefile=ROOT / "Snakefile",
            workdir=tmp_path_factory.mktemp("parsed"),
        )
        return list(workflow._workflow.rules)


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """A function that gives a folder of real data beside the checkout, by its path there.

    The test is skipped where there is no such folder.
    """

    def part(name: str) -> Path:
        folder = ROOT.parent / "shared" / name
        if not folder.is_dir():
            pytest.skip(f"real data are not here ({folder} does not exist)")
        return folder

    return part


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which ``browser`` saves files."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator[Any]:
    """A headless Chromium without a profile; each module has its own, with its own size and log."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*CHROMIUM, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


@pytest.fixture(scope="session")
def snakemake(root: Path) -> Run:
    """Run Snakemake on this checkout with its results in another folder."""

    def run(
        folder: Path,
        *arguments: str,
        config: Path | None = REDUCED,
        checkout: Path = root,
        cores: int = 2,
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(checkout / "Snakefile")]
        command += ["--directory", str(folder), "--cores", str(cores), "--nocolor", *arguments]
        if config:
            command += ["--configfile", str(config)]
        environment = os.environ | {"PYTHONHASHSEED": "random"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root)

    return run


@pytest.fixture(scope="session")
def finished(
    snakemake: Run, made_once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A finished run of the reduced task; tests read it and do not change it.

    Snakemake locks the folder in which it runs, so each worker has its copy.
    """

    def run(folder: Path) -> None:
        result = snakemake(folder)
        assert result.returncode == 0, result.stderr
        (folder / "output.txt").write_text(result.stdout + result.stderr)

    copy = tmp_path_factory.mktemp("finished")
    return shutil.copytree(made_once("reduced", run), copy, dirs_exist_ok=True)


def seeded_network(spec: dict[str, Any], seed: int = 0, initialisation: str = "glorot") -> Any:
    """A network of random weights from its spec."""
    # Here, since most tests need no torch.
    from gengap.networks import build, initialise
    from gengap.seeding import torch_generator

    network = build(spec)
    initialise(network, initialisation, torch_generator(seed, "test"))
    return network.eval()


@pytest.fixture
def random_split() -> Callable[..., Any]:
    """A function that makes a split of random inputs with random labels."""
    from gengap.datasets import Split

    def make(
        count: int = 23, shape: tuple[int, ...] = (4,), classes: int = 3, seed: int = 0
    ) -> Split:
        rng = np.random.default_rng(seed)
        inputs = rng.standard_normal((count, *shape), np.float32)
        return Split(inputs, rng.integers(0, classes, count), classes)

    return make


@pytest.fixture
def seeded() -> Callable[..., Any]:
    """The maker of networks of random weights."""
    return seeded_network
