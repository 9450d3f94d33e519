// What both pages show, from the content that content.py makes: figures, tables, the CSV file.
// Figures are plotly's {data, layout}; elements are described as Dash describes its own.
(() => {
  const INK = "#222222";
  const PALE = "#E6E6E6";
  const GREY = "#8C8C8C";
  const HEIGHT = 460; // pixels
  const ALL_DRAWS = "all";
  const FONT = { family: "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", size: 13, color: INK };
  const HOVER = { bgcolor: "white", bordercolor: GREY, font: FONT, align: "left" };
  const AXIS = {
    gridcolor: PALE, zeroline: false, linecolor: GREY, showline: true, ticks: "outside",
    tickcolor: GREY, automargin: true,
  };

  const title = (text) => ({ text, standoff: 8, font: { size: 14 } });

  const h = (type, children, className) => ({
    namespace: "dash_html_components",
    type,
    props: className === undefined ? { children } : { children, className },
  });

  const digits = (value) =>
    value === null ? "none"
    : typeof value === "boolean" ? (value ? "yes" : "no")
    : typeof value === "number" ? String(Number(value.toPrecision(5))).replace("-", "−")
    : value;

  const heads = (names) => h("Thead", h("Tr", names.map((name) => h("Th", name))));
  const cells = (values) => h("Tr", values.map((value) =>
    h("Td", digits(value), typeof value === "number" ? "number" : "")));
  const hidden = (yes) => ({ display: yes ? "none" : "" });

  // The networks that have both a value and a gap, by id: [value, gap, hover].
  function points(column, page) {
    const found = new Map();
    page.networks.forEach((name, i) => {
      if (column.values[i] !== null && page.gaps[i] !== null) {
        const value = `<br>${column.label}: ${digits(column.values[i])}`;
        found.set(name, [column.values[i], page.gaps[i], page.hover[i] + value]);
      }
    });
    return found;
  }

  function trace(names, drawn, marker, name) {
    const kept = names.filter((network) => drawn.has(network));
    const part = (index) => kept.map((network) => drawn.get(network)[index]);
    return {
      type: "scatter", mode: "markers", name, x: part(0), y: part(1), text: part(2),
      customdata: kept, hovertemplate: "%{text}<extra></extra>",
      marker: { size: 10, line: { color: "white", width: 0.8 }, ...marker(kept) },
    };
  }

  // The networks as markers, in the colours of a hyper-parameter, of clusters, or all in grey.
  function coloured(page, drawn, colouring, more) {
    if (!colouring) return [trace(page.networks, drawn, () => ({ color: GREY }), "")];
    if (!colouring.numbers) {
      return colouring.groups.map((group) => trace(group.networks, drawn,
        () => ({ color: group.colour, symbol: group.symbol }), group.label));
    }
    return [trace(page.networks, drawn, (kept) => ({
      color: kept.map((name) => colouring.numbers[name]), colorscale: colouring.scale,
      ...more(colouring),
    }), "")];
  }

  function scatter(column, colour, network, page) {
    if (!column) return { data: [], layout: {} };
    const colouring = page.colours[colour] ?? column.colouring;
    const drawn = points(column, page);
    const data = [];
    if (column.line) {
      data.push({
        type: "scatter", mode: "lines", x: column.line[0], y: column.line[1], hoverinfo: "skip",
        showlegend: false, line: { color: INK, width: 1.2 },
      });
    }
    const explained = ({ title: text }) => ({
      colorbar: { title: { text, side: "right" }, thickness: 12, outlinewidth: 0 },
    });
    data.push(...coloured(page, drawn, colouring, explained));
    if (drawn.has(network)) {
      const [x, y] = drawn.get(network);
      data.push({
        type: "scatter", mode: "markers", x: [x], y: [y], hoverinfo: "skip", showlegend: false,
        marker: { size: 19, symbol: "circle-open", color: INK, line: { width: 2 } },
      });
    }
    const missing = page.networks.length - drawn.size;
    const remarks = [
      missing ? `${drawn.size} of ${page.networks.length} networks have this measure` : "",
      colouring ? "" : "the evaluation has no clusters of this component",
    ];
    return {
      data,
      layout: {
        font: FONT, height: HEIGHT, margin: { l: 60, r: 12, t: 26, b: 96 }, hovermode: "closest", hoverlabel: HOVER,
        plot_bgcolor: "white", paper_bgcolor: "white", clickmode: "event",
        title: {
          text: remarks.filter(Boolean).join("; "),
          font: { size: 12 }, x: 0.02, y: 0.99, yanchor: "top",
        },
        xaxis: { ...AXIS, title: title(column.label) },
        yaxis: { ...AXIS, title: title(page.gap_label) },
        showlegend: Boolean(colouring && !colouring.numbers),
        legend: {
          orientation: "h", x: 0, y: -0.2, yanchor: "top",
          title: { text: colouring ? `${colouring.title} ` : "", side: "left", font: { size: 13 } },
          itemclick: "toggle",
        },
      },
    };
  }

  // Each network's gap against its prediction while it was held out.
  function heldOut(predictor, colour, network, page) {
    const found = page.held_out[predictor];
    if (!found) return [{ data: [], layout: {} }, hidden(true)];
    const colouring = page.colours[colour];
    const drawn = points({ values: found.values, label: "predicted" }, page);
    const both = [...drawn.values()].flatMap(([x, y]) => [x, y]);
    const margin = 0.04 * (Math.max(...both) - Math.min(...both) || 1);
    const ends = [Math.min(...both) - margin, Math.max(...both) + margin];
    const guide = (shift, more) => ({
      type: "scatter", mode: "lines", x: ends, y: ends.map((end) => end + shift), hoverinfo: "skip",
      showlegend: false, line: { color: INK, width: shift ? 0 : 1.2 }, ...more,
    });
    const data = found.half === null ? [] : [
      guide(-found.half, {}),
      guide(found.half, { fill: "tonexty", fillcolor: "rgba(140, 140, 140, 0.18)" }),
    ];
    data.push(guide(0, {}));
    coloured(page, drawn, colouring, () => ({}))
      .forEach((part) => data.push({ ...part, showlegend: false }));
    if (drawn.has(network)) {
      const [x, y] = drawn.get(network);
      data.push({
        type: "scatter", mode: "markers", x: [x], y: [y], hoverinfo: "skip", showlegend: false,
        marker: { size: 19, symbol: "circle-open", color: INK, line: { width: 2 } },
      });
    }
    return [{
      data,
      layout: {
        font: FONT, height: HEIGHT, margin: { l: 60, r: 12, t: 26, b: 50 }, hovermode: "closest", hoverlabel: HOVER,
        plot_bgcolor: "white", paper_bgcolor: "white", clickmode: "event",
        title: {
          text: `${found.title}; grey: the 90 % interval of one network`,
          font: { size: 12 }, x: 0.02, y: 0.99, yanchor: "top",
        },
        xaxis: { ...AXIS, range: ends, title: title(`predicted from ${found.label}, held out`) },
        yaxis: { ...AXIS, range: ends, title: title(`measured ${page.gap_label}`) },
      },
    }, hidden(false)];
  }

  // The gaps that networks are predicted to have from a reference, and the table of them.
  function predictions(page) {
    const found = page.predictions;
    if (!found) return [{ data: [], layout: {} }, "", hidden(true)];
    const lows = found.y.map((gap, i) => gap - found.below[i]);
    const bottom = Math.min(0, ...lows, ...found.measured.y,
      ...found.declined.flatMap((part) => part.y.filter((value) => value !== null)));
    const marks = (name, x, y, text, marker, more) => ({
      type: "scatter", mode: "markers", name, x, y, text, customdata: x,
      hovertemplate: "network %{x}: %{y:.4f}<br>%{text}<extra></extra>", marker, ...more,
    });
    const data = [
      marks("predicted", found.x, found.y, found.x.map(() => "predicted"),
        { size: 8, color: found.colour }, {
          error_y: {
            type: "data", symmetric: false, array: found.above, arrayminus: found.below, width: 0,
          },
        }),
      marks("measured", found.measured.x, found.measured.y, found.measured.x.map(() => "measured"),
        { size: 12, symbol: "line-ew-open", color: INK, line: { width: 2 } }, {}),
      ...found.declined.map((part) => marks(`declined: ${part.kind}`, part.x,
        part.y.map((value) => value ?? bottom), part.reasons,
        { size: 9, symbol: "x-thin-open", color: part.colour, line: { width: 2 } }, {})),
    ].filter((trace) => trace.x.length);
    const layout = {
      font: FONT, height: HEIGHT, margin: { l: 60, r: 12, t: 10, b: 60 }, hovermode: "closest",
      hoverlabel: HOVER, plot_bgcolor: "white", paper_bgcolor: "white", clickmode: "event",
      xaxis: {
        ...AXIS, type: "category", categoryorder: "array", categoryarray: found.networks,
        title: title("network, by its predicted gap"),
      },
      yaxis: { ...AXIS, title: title(page.gap_label) },
      legend: { orientation: "h", x: 0, y: -0.2, yanchor: "top" },
    };
    return [{ data, layout }, found.said, hidden(false)];
  }

  const predictionTable = (page) => (page.predictions
    ? h("Table", [heads(page.predictions.columns), h("Tbody",
      page.predictions.rows.map((row) => cells(row.map((value) => value ?? ""))))]) : "");

  const evaluatedOnly = (page) => hidden(page.measure === null);

  function diagrams(network, draw) {
    const found = network.diagrams;
    if (found.missing) return [{ data: [], layout: {} }, found.missing, hidden(true)];
    const finite = found.dimensions.flatMap((part) =>
      [...part.births, ...part.deaths].filter((value) => value !== null));
    const largest = finite.reduce((most, value) => Math.max(most, value), 0) || 1;
    const infinity = largest * 1.08;
    const guide = (x, y, dash) => ({
      type: "scatter", mode: "lines", x, y, hoverinfo: "skip", showlegend: false,
      line: { color: GREY, width: 1, dash },
    });
    const data = [guide([0, largest], [0, largest], "solid")];
    const infinite = found.dimensions.some((part) => part.deaths.includes(null));
    if (infinite) data.push(guide([0, largest], [infinity, infinity], "dash"));
    let kept = 0;
    let total = 0;
    found.dimensions.forEach((part) => {
      const chosen = part.draws.map((_, i) => i)
        .filter((i) => draw === ALL_DRAWS || String(part.draws[i]) === draw);
      kept += part.draws.length;
      total += part.total;
      data.push({
        type: "scatter", mode: "markers", name: part.label,
        x: chosen.map((i) => part.births[i]),
        y: chosen.map((i) => part.deaths[i] ?? infinity),
        text: chosen.map((i) => `${part.label}, draw ${part.draws[i] + 1}<br>birth ${part.births[i]}, `
          + `death ${part.deaths[i] ?? "∞"}`),
        hovertemplate: "%{text}<extra></extra>",
        marker: {
          size: 6, symbol: `${part.symbol}-open`, color: part.colour,
          opacity: Math.min(0.9, Math.max(0.25, 300 / Math.max(1, chosen.length))),
        },
      });
    });
    const range = [-0.04 * largest, 1.14 * largest];
    const layout = {
      font: FONT, height: HEIGHT, margin: { l: 60, r: 12, t: 10, b: 50 }, hovermode: "closest", hoverlabel: HOVER,
      plot_bgcolor: "white", paper_bgcolor: "white",
      xaxis: { ...AXIS, range, title: title("birth"), constrain: "domain" },
      yaxis: { ...AXIS, range, title: title("death"), scaleanchor: "x", constrain: "domain" },
      legend: { x: 0.98, xanchor: "right", y: 0.04, yanchor: "bottom", itemsizing: "constant" },
      annotations: infinite
        ? [{ x: largest, y: infinity, text: "∞", showarrow: false, xanchor: "left", xshift: 4 }] : [],
    };
    const counts = found.dimensions.map((part) => `${part.total} bars in ${part.label}`).join(", ");
    const note = `${found.draws === 1 ? "One draw" : `${found.draws} draws`} of neurons; ${counts}.`
      + (kept < total ? ` ${kept} of ${total} bars are drawn, evenly spaced by length.` : "");
    return [{ data, layout }, note, hidden(false)];
  }

  function draws(network) {
    const each = [...Array(network.diagrams.draws).keys()];
    const options = [
      { value: ALL_DRAWS, label: "all draws" },
      ...each.map((i) => ({ value: String(i), label: `draw ${i + 1}` })),
    ];
    return [options, ALL_DRAWS, hidden(network.diagrams.draws < 2)];
  }

  function components(measure, page) {
    const names = page.measures[measure] ?? [];
    return [names.map((name) => ({ value: name, label: name })), names[0], hidden(names.length < 2)];
  }

  const statistics = (column) => h("Div", (column?.statistics ?? []).map((entry) => h("Div", [
    h("Div", entry.label, "label"), h("Div", entry.value, "value"), h("Div", entry.detail, "detail"),
  ], "card")), "cards");

  const verdict = (page) => page.verdict.map((paragraph) => h("P", paragraph));

  const board = (page) =>
    h("Table", [heads(page.board_columns), h("Tbody", page.board.map((row) =>
      cells(row.map((value) => value ?? ""))))]);

  const notes = (page) => page.notes.map((note) => h("P", note));

  const facts = (network) => [
    h("H2", `Network ${network.name}`),
    h("Dl", network.facts.map(([name, value]) => h("Div", [h("Dt", name), h("Dd", value)]))),
  ];

  function measures(network) {
    const value = (entry) => {
      if (entry.count === 1) return digits(entry.values[0]);
      if (!entry.values.length) return `${entry.count} components, in measures.csv`;
      const rows = entry.values.map((part, i) => cells([entry.components[i], part]));
      return h("Details", [
        h("Summary", `${entry.count} components`), h("Table", h("Tbody", rows)),
      ]);
    };
    return h("Table", [
      heads(["family", "measure", "value"]),
      h("Tbody", network.measures.map((entry) => h("Tr", [
        h("Td", entry.family), h("Td", entry.label), h("Td", value(entry), "number"),
      ]))),
    ]);
  }

  // A task that is only predicted has no column, since no measure is held against a gap.
  const header = (column, page) =>
    ["network", ...page.columns, ...(column ? [column.name, "cluster"] : [])];
  const rows = (column, page) => page.networks.map((name, i) =>
    [name, ...page.rows[i], ...(column ? [column.values[i], column.clusters[i]] : [])]);

  const table = (column, page) =>
    h("Table", [heads(header(column, page)), h("Tbody", rows(column, page).map(cells))]);

  function csv(clicks, column, page) {
    if (!clicks) return window.dash_clientside.no_update;
    const field = (value) => {
      const text = value === null ? "" : String(value);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const lines = [header(column, page), ...rows(column, page)].map((row) => row.map(field).join(","));
    return {
      content: `${lines.join("\n")}\n`,
      filename: [page.task, column?.name, "csv"].filter(Boolean).join("."),
      type: "text/csv",
    };
  }

  // The network under a click; a click on nothing changes nothing.
  const clicked = (click) =>
    click?.points?.[0]?.customdata ?? window.dash_clientside.no_update;

  window.dash_clientside = Object.assign(window.dash_clientside ?? {}, {
    gengap: {
      board, clicked, components, csv, diagrams, draws, evaluatedOnly, facts, heldOut, measures,
      notes, predictionTable, predictions, scatter, statistics, table, verdict,
    },
  });
})();
