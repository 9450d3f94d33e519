"""The Dash app: it reads a task folder and changes nothing."""

from __future__ import annotations

import logging
import socket
from typing import Any, cast

from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from flask import Response
from werkzeug.serving import BaseWSGIServer, make_server

from gengap.dashboard import content
from gengap.dashboard.static import ASSETS, filled_template
from gengap.dashboard.view import View
from gengap.errors import GengapError

MOST_BARS = 4000
"""Most bars of one dimension of one network; more would slow the browser down."""
# The browser itself refuses all requests to other servers.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:"
)
HEAD = "{%metas%}{%favicon%}{%css%}"
END = "<div hidden>{%app_entry%}</div>{%config%}{%scripts%}{%renderer%}"


def make_app(view: View) -> Dash:
    """Make the app of one task.

    The markup is that of the static page. What ``assets/page.js`` needs to know of a measure or a
    network it writes into the store ``question``; the answer comes through the store ``answer``.

    Args:
        view: the task.

    Returns:
        The app; its ``server`` is the WSGI application.
    """
    app = Dash(
        __name__,
        assets_folder=str(ASSETS),
        title=f"{view.name} · gengap",
        update_title="",
        add_log_handler=False,
        index_string=filled_template(view.name, HEAD, END),
    )
    app.layout = html.Div(
        [
            dcc.Store("page", data=content.page(view)),
            dcc.Store("question"),
            dcc.Store("answer"),
        ]
    )

    @app.callback(Output("answer", "data"), Input("question", "data"), prevent_initial_call=True)
    def answer(question: dict[str, str]) -> content.Content:
        return {"key": question["key"], "content": _answer(view, question)}

    # Functions of assets/server.js.
    bind = cast(Any, app).clientside_callback
    bind(ClientsideFunction("gengap", "start"), Input("page", "data"))
    bind(
        ClientsideFunction("gengap", "answer"),
        Input("answer", "data"),
        prevent_initial_call=True,
    )
    app.server.after_request(_keep_to_this_server)
    return app


def _answer(view: View, question: dict[str, str]) -> content.Content:
    if "network" in question:
        name = question["network"]
        measures = content.measures_of(view, name)
        return {**content.network(view, name, MOST_BARS), "measures": measures}
    return content.column(view, question["measure"], question["component"])


def _keep_to_this_server(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    return response


def make_dashboard_server(view: View, host: str, port: int) -> BaseWSGIServer:
    """Make a server that is bound to a host and port.

    Args:
        view: the task.
        host: name or address to listen on.
        port: 0 takes any free one.

    Returns:
        The server; ``serve_forever`` starts it.

    Raises:
        GengapError: the port is taken or not allowed, or the host is not this machine's.
    """
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise GengapError(
            f"Cannot serve on {host}, port {port} ({reason}): choose another --port or --host."
        ) from error
    with listening:
        application = make_app(view).server
        return make_server(host, port, application, threaded=True, fd=listening.fileno())
