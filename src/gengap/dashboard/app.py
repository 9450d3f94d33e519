"""The Dash app: it reads a task folder and changes nothing."""

from __future__ import annotations

import logging
import socket
from typing import Any, cast

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html
from flask import Response
from werkzeug.serving import BaseWSGIServer, make_server

from gengap.dashboard import content
from gengap.dashboard.static import ASSETS
from gengap.dashboard.view import View
from gengap.errors import GengapError

MOST_BARS = 4000
"""Most bars of one dimension of one network; more would slow the browser down."""
EVALUATED_ONLY = ("verdict", "measure-chooser", "colour-chooser", "scatter-frame", "board-frame")
"""Parts of the page that a task without gaps does not have."""
# The browser itself refuses all requests to other servers.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:"
)


def make_app(view: View) -> Dash:
    """Make the app of one task; ``app.server`` is its WSGI application."""
    app = Dash(
        __name__,
        assets_folder=str(ASSETS),
        title=f"{view.name} · gengap",
        update_title="",
        add_log_handler=False,
    )
    app.layout = _layout(content.page(view))
    _answer_from_tables(app, view)
    _draw_in_browser(app)

    app.server.after_request(_keep_to_this_server)
    return app


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


def _layout(page: content.Content) -> html.Div:
    first = page["networks"][0]
    return html.Div(
        className="dashboard",
        children=[
            dcc.Store("page", data=page),
            dcc.Store("column"),
            dcc.Store("chosen"),
            dcc.Download("file"),
            html.Header([html.H1(page["task"], id="title"), html.P(page["heading"], id="heading")]),
            html.Div(id="verdict", className="panel"),
            html.Div(id="notes", className="notes"),
            html.Div(
                className="choosers",
                children=[
                    _chooser("measure", page["measure_options"], page["measure"], wide=True),
                    _chooser("component"),
                    _chooser("colour", page["colour_options"], page["colour"], label="colour by"),
                    _chooser("network", page["network_options"], first),
                ],
            ),
            html.Div(
                className="panels",
                children=[
                    _panel(html.Div(id="statistics"), _graph("scatter"), name="scatter-frame"),
                    _panel(
                        html.Div(id="facts"),
                        _chooser("draw", label="draw of neurons"),
                        html.Div(_graph("diagrams"), id="diagrams-frame"),
                        html.P(id="diagrams-note"),
                    ),
                    _panel(
                        html.H2("Predictions from a reference"),
                        html.P(id="predictions-note"),
                        _graph("predictions"),
                        html.Div(id="prediction-table", className="scrolled"),
                        name="predictions-frame",
                    ),
                    _panel(
                        html.H2("Leaderboard"),
                        html.Div(id="board", className="scrolled"),
                        name="board-frame",
                    ),
                    _panel(
                        html.H2("Predictions of networks held out"),
                        _chooser(
                            "predictor",
                            page["predictor_options"],
                            next((option["value"] for option in page["predictor_options"]), None),
                            label="predicted from",
                        ),
                        _graph("held-out"),
                        name="held-out-frame",
                    ),
                    _panel(
                        html.H2(["Networks ", html.Button("Download as CSV", id="download")]),
                        html.Div(id="table", className="scrolled"),
                    ),
                    _panel(
                        html.H2("Measures of the network"),
                        html.Div(id="measures", className="scrolled"),
                    ),
                ],
            ),
        ],
    )


def _chooser(
    name: str,
    options: list[dict[str, str]] | None = None,
    value: str | None = None,
    *,
    label: str | None = None,
    wide: bool = False,
) -> html.Div:
    return html.Div(
        id=f"{name}-chooser",
        className="chooser wide" if wide else "chooser",
        children=[
            html.Label(label or name, htmlFor=name),
            dcc.Dropdown(id=name, options=options or [], value=value, clearable=False),
        ],
    )


def _graph(name: str) -> dcc.Graph:
    return dcc.Graph(id=name, config=cast(Any, content.CONFIG))


def _panel(*children: Any, name: str | None = None) -> html.Section:
    named: Any = {} if name is None else {"id": name}
    return html.Section(list(children), className="panel", **named)


def _answer_from_tables(app: Dash, view: View) -> None:
    @app.callback(Output("column", "data"), Input("measure", "value"), Input("component", "value"))
    def column(measure: str | None, component: str) -> content.Content | None:
        return None if measure is None else content.column(view, measure, component)

    @app.callback(Output("chosen", "data"), Input("network", "value"))
    def network(name: str) -> content.Content:
        return content.network(view, name, MOST_BARS)


def _draw_in_browser(app: Dash) -> None:
    """Bind the functions of ``assets/view.js`` to what they take and show."""

    def bind(function: str, outputs: Any, *arguments: Input | State, at_once: bool = True) -> None:
        cast(Any, app).clientside_callback(
            ClientsideFunction("gengap", function),
            outputs,
            *arguments,
            prevent_initial_call=not at_once,
        )

    page, column, chosen = State("page", "data"), Input("column", "data"), Input("chosen", "data")
    for name in ("verdict", "notes", "board"):
        bind(name, Output(name, "children"), Input("page", "data"))
    bind("predictionTable", Output("prediction-table", "children"), Input("page", "data"))
    bind(
        "predictions",
        [
            Output("predictions", "figure"),
            Output("predictions-note", "children"),
            Output("predictions-frame", "style"),
        ],
        Input("page", "data"),
    )
    for name in EVALUATED_ONLY:
        bind("evaluatedOnly", Output(name, "style"), Input("page", "data"))
    bind("components", _choices("component"), Input("measure", "value"), page)
    bind("statistics", Output("statistics", "children"), column)
    bind("table", Output("table", "children"), column, page)
    bind(
        "scatter",
        Output("scatter", "figure"),
        column,
        Input("colour", "value"),
        Input("network", "value"),
        page,
    )
    bind(
        "heldOut",
        [Output("held-out", "figure"), Output("held-out-frame", "style")],
        Input("predictor", "value"),
        Input("colour", "value"),
        Input("network", "value"),
        page,
    )
    bind("clicked", Output("network", "value"), Input("scatter", "clickData"), at_once=False)
    bind("facts", Output("facts", "children"), chosen)
    bind("measures", Output("measures", "children"), chosen)
    bind("draws", _choices("draw"), chosen)
    bind(
        "diagrams",
        [
            Output("diagrams", "figure"),
            Output("diagrams-note", "children"),
            Output("diagrams-frame", "style"),
        ],
        chosen,
        Input("draw", "value"),
    )
    bind(
        "csv",
        Output("file", "data"),
        Input("download", "n_clicks"),
        State("column", "data"),
        page,
        at_once=False,
    )


def _choices(name: str) -> list[Output]:
    return [
        Output(name, "options"),
        Output(name, "value"),
        Output(f"{name}-chooser", "style"),
    ]
