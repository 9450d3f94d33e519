"""The site: built without a warning, its links, and how it looks in a browser, opened as files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest

pytestmark = pytest.mark.slow

PHONE, SCREEN = 400, 1400


@dataclass
class Page(HTMLParser):
    """What a page names, links and loads."""

    names: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value is not None}
        self.names.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("img", "script", "iframe") and "src" in given:
            self.loaded.append(given["src"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon"):
            self.loaded.append(given["href"])


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; examples are shown without being run, which another test does."""
    pytest.importorskip("sphinx_gallery", reason="sphinx-gallery is not installed")
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    # Sphinx writes pages beside those of the source, so that it gets a copy.
    ignored = shutil.ignore_patterns("build", "gallery", "generated")
    shutil.copytree(root / "docs", source / "docs", ignore=ignored)
    for name in ("README.md", "CONTRIBUTING.md", "CITATION.cff"):
        shutil.copy(root / name, source / name)
    shutil.copytree(root / "studies", source / "studies")
    for name in ("src", "workflow"):
        (source / name).symlink_to(root / name)
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    command += ["--define", "plot_gallery=0", str(source / "docs"), str(built)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return built


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    parsed = {}
    for path in sorted(site.rglob("*.html")):
        if path.relative_to(site).parts[0] != "_static":
            parsed[path] = Page()
            parsed[path].feed(path.read_text(encoding="utf-8"))
    assert len(parsed) > 50
    return parsed


def test_no_link_is_broken(pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        for link in page.links:
            if ":" in link.partition("/")[0]:
                continue
            target, anchor = urldefrag(link)
            file = (path.parent / unquote(target)).resolve() if target else path
            missing = not file.exists()
            if missing or (anchor and file in pages and unquote(anchor) not in pages[file].names):
                broken.append(f"{path.name}: {link}")
    assert not broken


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        for source in page.loaded:
            assert "//" not in source, f"{path.name}: {source}"
            assert (path.parent / source.partition("?")[0]).exists(), f"{path.name}: {source}"


def test_formulas_are_mathml(site: Path) -> None:
    for page in ("measures.html", "explanation/gap.html"):
        assert "<math" in (site / page).read_text(encoding="utf-8")


def resize(browser: Any, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def faults(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] != "INFO"]


def test_pages_fit_every_screen_without_an_error(
    pages: dict[Path, Page], site: Path, browser: Any
) -> None:
    wide, failed = [], []
    for path in pages:
        if path.relative_to(site).parts[:2] == ("_modules", "gengap"):
            continue  # source text, all of one make
        browser.get(path.as_uri())
        for width in (SCREEN, PHONE):
            resize(browser, width)
            script = "return document.documentElement.scrollWidth - window.innerWidth"
            if browser.execute_script(script) > 0:
                wide.append(f"{path.name} at {width}")
        failed += [f"{path.name}: {message}" for message in faults(browser)]
    assert not wide
    assert not failed


def test_search_works_from_files(site: Path, browser: Any) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    browser.get(f"{(site / 'search.html').as_uri()}?q=effective_dimensionality")
    found = WebDriverWait(browser, 60).until(
        lambda opened: opened.find_elements("css selector", "#search-results li a")
    )
    assert any("curvature" in link.get_attribute("href") for link in found)
    assert not faults(browser)
