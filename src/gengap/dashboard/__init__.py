"""The dashboard: a task's measures against its gap, as a Dash app and as one HTML file.

``gengap dashboard results/<task>`` serves the app; ``write_static_page`` writes the file.
Both take their tables from :mod:`gengap.dashboard.view` and draw them with ``assets/view.js``.
"""

from __future__ import annotations

from gengap.dashboard.static import static_page, write_static_page
from gengap.dashboard.view import View, read_view

__all__ = ["View", "read_view", "static_page", "write_static_page"]
