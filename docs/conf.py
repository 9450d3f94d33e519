"""The documentation site: ``make docs`` builds it, with warnings as errors."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path[:0] = [str(DOCS / "extensions"), str(ROOT / "src")]

from pygments.lexers.special import TextLexer  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

import gengap  # noqa: E402

project = "gengap"
author = "The gengap authors"
copyright = "The gengap authors"
release = gengap.__version__
language = "en-GB"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "formulas",
    "command_line",
    "config_keys",
    "references",
]
exclude_patterns = ["build", "examples", "extensions", "**/*.py.md5"]
templates_path = ["templates"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!gengap\.).*")]
smartquotes = False
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

add_module_names = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
maximum_signature_line_length = 88

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "filename_pattern": r"\.py$",
    "image_scrapers": ("matplotlib", "library_figures.scrape"),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "min_reported_time": 10_000,
    "show_memory": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "gengap"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/favicon.svg"
# Pages that are opened as files may not fetch others.
html_show_search_summary = False
html_copy_source = False
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_sidebars: dict[str, list[str]] = {"index": [], "getting-started": [], "measures": []}
html_theme_options = {
    "github_url": "https://github.com/gengap/gengap",
    "show_prev_next": True,
    "navigation_with_keys": True,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": {"**": ["page-toc"]},
}

logging.getLogger("matplotlib").setLevel(logging.ERROR)


def setup(app: Sphinx) -> None:
    """Let blocks of CSV be shown as text."""
    app.add_lexer("csv", TextLexer)
