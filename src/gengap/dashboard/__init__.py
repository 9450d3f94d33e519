"""The dashboard: a task's measures against its gap, as a Dash app and as one HTML file.

``gengap dashboard results/<task>`` serves the app; ``write_static_page`` writes the file.
Both are the same page: their tables come from :mod:`gengap.dashboard.view`, ``assets/view.js``
draws them, and ``assets/page.js`` does what a reader chooses. ``page_data`` reads the tables of a
file again.
"""

from __future__ import annotations

from gengap.dashboard.static import page_data, static_page, write_static_page
from gengap.dashboard.view import View, read_view

__all__ = ["View", "page_data", "read_view", "static_page", "write_static_page"]
