// What the pages show, from the content that content.py makes: figures and tables.
// Figures are plotly's {data, layout}; tables and the like are elements.
(() => {
  const ALL_DRAWS = "all";
  const PAIR = ["#0072B2", "#D55E00"];
  const MARKS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "pentagon", "star"];
  const INTERVAL = "rgba(140, 140, 140, 0.22)";

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // An element with attributes and children; a function is a listener.
  function h(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") made.addEventListener(name, value);
      else if (value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.flat());
    return made;
  }

  const digits = (value) =>
    value === null || value === undefined ? "none"
    : typeof value === "boolean" ? (value ? "yes" : "no")
    : typeof value === "number" ? String(Number(value.toPrecision(5))).replace("-", "−")
    : value;

  const cell = (value) => h("td", typeof value === "number" ? { class: "number" } : {}, digits(value));

  // A table whose rows have {key, cells}; rows with a key can be chosen.
  const table = (heads, rows) => h("table", { role: "grid" },
    h("thead", {}, h("tr", {}, heads.map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map(({ key, cells }) =>
      h("tr", { "data-key": key ?? null }, cells.map(cell)))));

  const axis = (text, more = {}) => ({
    gridcolor: colour("grid"), zeroline: false, linecolor: colour("axis"), showline: true,
    ticks: "outside", tickcolor: colour("axis"), automargin: true,
    title: { text, standoff: 8, font: { size: 14 } }, ...more,
  });

  function layout(x, y, more = {}) {
    const font = {
      family: "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", size: 13,
      color: colour("ink"),
    };
    return {
      font, autosize: true, hovermode: "closest", clickmode: "event",
      margin: { l: 50, r: 12, t: 28, b: 44 },
      hoverlabel: { bgcolor: colour("paper"), bordercolor: colour("axis"), font, align: "left" },
      plot_bgcolor: colour("paper"), paper_bgcolor: colour("paper"),
      xaxis: x, yaxis: y, showlegend: false, ...more,
    };
  }

  const above = (text) => ({ text, font: { size: 12 }, x: 0.02, y: 0.99, yanchor: "top" });
  const below = (more = {}) => ({ orientation: "h", x: 0, y: -0.2, yanchor: "top", ...more });
  // Above a figure whose ticks may be long.
  const over = { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" };
  const line = (x, y, more = {}) => ({
    type: "scatter", mode: "lines", x, y, hoverinfo: "skip", showlegend: false,
    line: { color: colour("ink"), width: 1.2 }, ...more,
  });

  const named = (page, measure, component) => {
    const { label, components } = page.measures[measure];
    return components.length > 1 ? `${label} [${component}]` : label;
  };
  const columnName = (page, measure, component) =>
    (page.measures[measure].components.length > 1 ? `${measure}[${component}]` : measure);

  // The networks that have both a value and a gap, by id: [value, gap, hover].
  function points(values, label, page) {
    const drawn = new Map();
    page.networks.forEach((name, i) => {
      if (values[i] !== null && page.gaps[i] !== null) {
        drawn.set(name, [values[i], page.gaps[i], `${page.hover[i]}<br>${label}: ${digits(values[i])}`]);
      }
    });
    return drawn;
  }

  function trace(names, drawn, marker, name) {
    const shown = names.filter((network) => drawn.has(network));
    const part = (index) => shown.map((network) => drawn.get(network)[index]);
    return {
      type: "scatter", mode: "markers", name, x: part(0), y: part(1), text: part(2),
      customdata: shown, hovertemplate: "%{text}<extra></extra>",
      marker: { size: 10, line: { color: colour("edge"), width: 0.8 }, ...marker(shown) },
    };
  }

  // The networks as markers, in the colours of a hyper-parameter, of clusters, or all in grey.
  function coloured(page, drawn, colouring, more = () => ({})) {
    if (!colouring) return [trace(page.networks, drawn, () => ({ color: colour("axis") }), "")];
    if (!colouring.numbers) {
      return colouring.groups.map((group) => trace(group.networks, drawn,
        () => ({ color: group.colour, symbol: group.symbol }), group.label));
    }
    return [trace(page.networks, drawn, (shown) => ({
      color: shown.map((name) => colouring.numbers[name]), colorscale: colouring.scale,
      ...more(colouring),
    }), "")];
  }

  const circled = (drawn, network) => (drawn.has(network) ? [{
    type: "scatter", mode: "markers", x: [drawn.get(network)[0]], y: [drawn.get(network)[1]],
    hoverinfo: "skip", showlegend: false,
    marker: { size: 19, symbol: "circle-open", color: colour("ink"), line: { width: 2 } },
  }] : []);

  const byCluster = (page, clusters) => (clusters ? {
    title: "cluster",
    numbers: null,
    groups: page.clusters.map((group, cluster) => ({
      ...group, networks: page.networks.filter((_, i) => clusters[i] === cluster),
    })),
  } : null);

  function scatter(page, column, { measure, component, colour: by, network }) {
    const label = named(page, measure, component);
    const colouring = page.colours[by] ?? byCluster(page, column.clusters);
    const drawn = points(column.values, label, page);
    const missing = page.networks.length - drawn.size;
    const remarks = [
      missing ? `${drawn.size} of ${page.networks.length} networks have this measure` : "",
      page.measures[measure].constant.includes(component) ? "the same for all networks" : "",
      colouring ? "" : "the evaluation has no clusters of this component",
    ].filter(Boolean);
    const explained = ({ title: text }) => ({
      colorbar: { title: { text, side: "right" }, thickness: 12, outlinewidth: 0 },
    });
    return {
      data: [
        ...(column.line ? [line(...column.line)] : []),
        ...coloured(page, drawn, colouring, explained),
        ...circled(drawn, network),
      ],
      layout: layout(axis(label), axis(page.gap_label), {
        title: above(remarks.join("; ")),
        showlegend: Boolean(colouring && !colouring.numbers),
        legend: below({
          title: { text: colouring ? `${colouring.title} ` : "", side: "left", font: { size: 13 } },
        }),
      }),
    };
  }

  // Each network's gap against its prediction while it was held out.
  function heldOut(page, { predictor, colour: by, network }) {
    const shown = page.held_out[predictor];
    const drawn = points(shown.values, "predicted", page);
    const both = [...drawn.values()].flatMap(([x, y]) => [x, y]);
    const margin = 0.04 * (Math.max(...both) - Math.min(...both) || 1);
    const ends = [Math.min(...both) - margin, Math.max(...both) + margin];
    const shifted = (shift, more) =>
      line(ends, ends.map((end) => end + shift), { line: { width: 0 }, ...more });
    return {
      data: [
        ...(shown.half === null ? [] : [
          shifted(-shown.half), shifted(shown.half, { fill: "tonexty", fillcolor: INTERVAL }),
        ]),
        line(ends, ends),
        ...coloured(page, drawn, page.colours[by]).map((part) => ({ ...part, showlegend: false })),
        ...circled(drawn, network),
      ],
      layout: layout(
        axis(`predicted from ${shown.label}, held out`, { range: ends }),
        axis(`measured ${page.gap_label}`, { range: ends }),
        { title: above(`${shown.title}; grey: the 90 % interval of one network`) },
      ),
    };
  }

  function heldOutTable(page, { predictor }) {
    const { values, half } = page.held_out[predictor];
    const rows = page.networks.flatMap((name, i) => {
      const [predicted, gap] = [values[i], page.gaps[i]];
      if (predicted === null) return [];
      const ends = half === null ? [null, null] : [predicted - half, predicted + half];
      const inside = half === null || gap === null ? "" : Math.abs(gap - predicted) <= half;
      return [{ key: name, cells: [name, gap, predicted, ...ends, inside] }];
    });
    return table(["network", "measured gap", "predicted", "low", "high", "inside"], rows);
  }

  // One value a row, with its interval.
  function intervals(rows, text, guide) {
    const shown = rows.filter((row) => row.value !== null).reverse();
    const reach = (row, end, sign) => (row[end] === null ? 0 : sign * (row[end] - row.value));
    return {
      data: [{
        type: "scatter", mode: "markers", x: shown.map((row) => row.value),
        y: shown.map((row) => row.label), marker: { size: 9, color: PAIR[0] },
        hovertemplate: "%{y}: %{x:.3f}<extra></extra>",
        error_x: {
          type: "data", symmetric: false, width: 0, thickness: 3, color: "rgba(0, 114, 178, 0.45)",
          array: shown.map((row) => reach(row, "high", 1)),
          arrayminus: shown.map((row) => reach(row, "low", -1)),
        },
      }],
      layout: layout(axis(text), axis("", { ticks: "", showline: false, type: "category" }), {
        margin: { l: 20, r: 12, t: 8, b: 44 },
        shapes: guide.map((x, i) => ({
          type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1,
          line: { color: colour(i ? "ink" : "axis"), width: 1, dash: i ? "dash" : "solid" },
        })),
      }),
    };
  }

  const combinations = (page) => intervals(
    page.together.combinations, "R² on networks held out ± deviation over repeats",
    [0, page.together.combinations[0]?.value ?? 0],
  );
  const importance = (page) => intervals(page.together.importance, "loss of R²", [0]);

  function curves(page) {
    const data = page.together.curves.flatMap((curve) => {
      const color = curve.colour;
      const bound = (y, more) => line(curve.networks, y, { line: { width: 0 }, ...more });
      return [
        bound(curve.low), bound(curve.high, { fill: "tonexty", fillcolor: `${color}33` }),
        {
          type: "scatter", mode: "lines+markers", name: curve.label, x: curve.networks,
          y: curve.r2_mean, text: curve.width_90.map((width) => `90 % interval: ${digits(width)} wide`),
          hovertemplate: "%{x} networks: R² %{y:.2f}<br>%{text}<extra></extra>",
          line: { color }, marker: { size: 8 },
        },
      ];
    });
    return {
      data,
      layout: layout(axis("networks to learn from"), axis("R² on networks held out"),
        { showlegend: true, legend: below() }),
    };
  }

  // The gaps that networks are predicted to have from a reference.
  function predictions(page) {
    const shown = page.predictions;
    const lows = shown.y.map((gap, i) => gap - shown.below[i]);
    const bottom = Math.min(0, ...lows, ...shown.measured.y,
      ...shown.declined.flatMap((part) => part.y.filter((value) => value !== null)));
    const marks = (name, x, y, text, marker, more = {}) => ({
      type: "scatter", mode: "markers", name, x, y, text, customdata: x,
      hovertemplate: "network %{x}: %{y:.4f}<br>%{text}<extra></extra>", marker, ...more,
    });
    const data = [
      marks("predicted", shown.x, shown.y, shown.x.map(() => "predicted"),
        { size: 8, color: shown.colour }, {
          error_y: {
            type: "data", symmetric: false, array: shown.above, arrayminus: shown.below, width: 0,
          },
        }),
      marks("measured", shown.measured.x, shown.measured.y, shown.measured.x.map(() => "measured"),
        { size: 12, symbol: "line-ew-open", color: colour("ink"), line: { width: 2 } }),
      ...shown.declined.map((part) => marks(`declined: ${part.kind}`, part.x,
        part.y.map((value) => value ?? bottom), part.reasons,
        { size: 9, symbol: "x-thin-open", color: part.colour, line: { width: 2 } })),
    ].filter((part) => part.x.length);
    const order = { type: "category", categoryorder: "array", categoryarray: shown.networks };
    return {
      data,
      layout: layout(axis("network, by its predicted gap", order), axis(page.gap_label),
        { showlegend: true, legend: below() }),
    };
  }

  const predictionTable = (page) => table(page.predictions.columns, page.predictions.rows.map(
    (row) => ({ key: row[0], cells: row.map((value) => value ?? "") })));

  const largestOf = ({ diagrams: { dimensions } }) => dimensions
    .flatMap((part) => [...part.births, ...part.deaths])
    .reduce((most, value) => Math.max(most, value ?? 0), 0) || 1;

  // The diagrams of a network; `largest` makes the axes of two networks equal.
  function diagrams(network, draw, largest = largestOf(network)) {
    const { dimensions } = network.diagrams;
    const infinity = largest * 1.08;
    const guide = (x, y, dash) => line(x, y, { line: { color: colour("axis"), width: 1, dash } });
    const data = [guide([0, largest], [0, largest], "solid")];
    const infinite = dimensions.some((part) => part.deaths.includes(null));
    if (infinite) data.push(guide([0, largest], [infinity, infinity], "dash"));
    dimensions.forEach((part) => {
      const chosen = part.draws.map((_, i) => i)
        .filter((i) => draw === ALL_DRAWS || String(part.draws[i]) === draw);
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
    return {
      data,
      layout: layout(
        axis("birth", { range, constrain: "domain" }),
        axis("death", { range, scaleanchor: "x", constrain: "domain" }),
        {
          margin: { l: 50, r: 12, t: 10, b: 44 }, showlegend: true,
          legend: { x: 0.98, xanchor: "right", y: 0.04, yanchor: "bottom", itemsizing: "constant" },
          annotations: infinite
            ? [{ x: largest, y: infinity, text: "∞", showarrow: false, xanchor: "left", xshift: 4 }] : [],
        },
      ),
    };
  }

  function diagramsNote({ diagrams: { missing, draws, dimensions } }) {
    if (missing) return missing;
    const drawn = dimensions.reduce((sum, part) => sum + part.draws.length, 0);
    const total = dimensions.reduce((sum, part) => sum + part.total, 0);
    const counts = dimensions.map((part) => `${part.total} bars in ${part.label}`).join(", ");
    return `${draws === 1 ? "One draw" : `${draws} draws`} of neurons; ${counts}.`
      + (drawn < total ? ` ${drawn} of ${total} bars are drawn, evenly spaced by length.` : "");
  }

  const drawOptions = ({ diagrams: { draws } }) => [
    { value: ALL_DRAWS, label: "all draws" },
    ...[...Array(draws).keys()].map((i) => ({ value: String(i), label: `draw ${i + 1}` })),
  ];

  // The singular values of both networks' kernels.
  function spectra(pair) {
    const data = pair.flatMap((network, which) =>
      Object.entries(network.spectra).map(([kernel, { total, values }], layer) => ({
        type: "scatter", mode: "lines+markers", name: `network ${network.name}`, y: values,
        legendgroup: which, showlegend: layer === 0,
        x: values.map((_, i) => i / Math.max(1, values.length - 1)),
        meta: [kernel, total],
        hovertemplate: `network ${network.name}, %{meta[0]}<br>%{y:.4g}, one of %{meta[1]}<extra></extra>`,
        line: { color: PAIR[which], width: 1 },
        marker: { size: 5, symbol: MARKS[layer % MARKS.length] },
      })));
    return {
      data,
      layout: layout(axis("rank, as a share of all"), axis("singular value", { type: "log" }),
        { showlegend: true, legend: over }),
    };
  }

  // The five numbers of the negative log margins at each layer, of both networks.
  function margins(pair) {
    const layers = [...new Set(pair.flatMap((network) => Object.keys(network.margins)))];
    const part = (network, which, low, high, width) => {
      const shown = layers.filter((layer) => network.margins[layer]);
      const x = shown.flatMap((layer) => {
        const place = layers.indexOf(layer) + (which ? 0.15 : -0.15);
        return [place, place, null];
      });
      const y = shown.flatMap((layer) => [network.margins[layer][low], network.margins[layer][high], null]);
      return line(x, y, { line: { color: PAIR[which], width } });
    };
    const data = pair.flatMap((network, which) => {
      const shown = layers.filter((layer) => network.margins[layer]);
      return [
        part(network, which, 0, 4, 2), part(network, which, 1, 3, 12),
        {
          type: "scatter", mode: "markers", name: `network ${network.name}`,
          x: shown.map((layer) => layers.indexOf(layer) + (which ? 0.15 : -0.15)),
          y: shown.map((layer) => network.margins[layer][2]),
          hovertemplate: `network ${network.name}<br>median %{y:.3f}<extra></extra>`,
          marker: { size: 9, color: colour("paper"), line: { color: PAIR[which], width: 2 } },
        },
      ];
    });
    const ticks = { tickvals: layers.map((_, i) => i), ticktext: layers };
    return {
      data,
      layout: layout(axis("layer", ticks), axis("negative log margin"),
        { showlegend: true, legend: over }),
    };
  }

  const cards = (page, column, { measure }) => {
    const { statistics } = page.measures[measure];
    const tau = column.tau === undefined ? [] : [{
      label: "Kendall’s τ",
      value: column.tau === null ? "not defined" : column.tau.toFixed(2).replace("-", "−"),
      detail: "of this component; no interval, since the vector is ranked as a whole",
    }];
    return h("div", { class: "cards" }, [...statistics, ...tau].map((entry) =>
      h("div", { class: "card" }, ["label", "value", "detail"].map((name) =>
        h("div", { class: name }, entry[name])))));
  };

  const paragraphs = (texts) => texts.map((text) => h("p", {}, text));

  const verdict = (page) => [
    ...paragraphs(page.verdict.slice(0, 1)),
    h("details", {}, h("summary", {}, "The whole text"), paragraphs(page.verdict.slice(1))),
  ];

  const board = (page) => table(page.board_columns, page.board.map(({ measure, cells }) =>
    ({ key: measure, cells: cells.map((value) => value ?? "") })));

  const facts = (network) => [
    h("h2", {}, `Network ${network.name}`),
    h("dl", {}, network.facts.map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
  ];

  function measures(network) {
    const value = (entry) => {
      if (entry.count === 1) return digits(entry.values[0]);
      if (!entry.values.length) return `${entry.count} components, in measures.csv`;
      return h("details", {},
        h("summary", {}, `${entry.count} components`),
        h("table", {}, h("tbody", {}, entry.values.map((part, i) =>
          h("tr", {}, [entry.components[i], part].map(cell))))));
    };
    return h("table", {},
      h("thead", {}, h("tr", {}, ["family", "measure", "value"].map((name) =>
        h("th", { scope: "col" }, name)))),
      h("tbody", {}, network.measures.map((entry) => h("tr", {},
        h("td", {}, entry.family), h("td", {}, entry.label), h("td", { class: "number" }, value(entry))))));
  }

  // The measures of two networks that are one number.
  function both([first, second]) {
    const other = new Map(second.measures.map((entry) => [entry.label, entry]));
    const rows = first.measures.filter((entry) => entry.count === 1).map((entry) => {
      const [left, right] = [entry.values[0], other.get(entry.label).values[0]];
      const known = left !== null && right !== null;
      return { cells: [entry.family, entry.label, left, right, known ? right - left : null] };
    });
    return table(
      ["family", "measure", `network ${first.name}`, `network ${second.name}`, "difference"], rows,
    );
  }

  // A task that is only predicted has no column, since no measure is held against a gap.
  const header = (page, column, { measure, component }) =>
    [...page.columns, ...(column ? [columnName(page, measure, component), "cluster"] : [])];
  const row = (page, column, i) =>
    [...page.rows[i], ...(column ? [column.values[i], column.clusters?.[i] ?? null] : [])];

  // The gap and the measure come first, since a narrow window shows no more.
  function networkTable(page, column, state) {
    const names = header(page, column, state);
    const first = [names.indexOf("gap"), ...(column ? [names.length - 2] : [])];
    const order = [...first, ...names.keys()].filter((place, i, all) => all.indexOf(place) === i);
    return table(["network", ...order.map((place) => names[place].replaceAll("_", " "))], page.networks.map((name, i) => {
      const cells = row(page, column, i);
      return { key: name, cells: [name, ...order.map((place) => cells[place])] };
    }));
  }

  function csv(page, column, state) {
    const field = (value) => {
      const text = value === null ? "" : String(value);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    const lines = [
      ["network", ...header(page, column, state)],
      ...page.networks.map((name, i) => [name, ...row(page, column, i)]),
    ].map((cells) => cells.map(field).join(","));
    const name = column ? [columnName(page, state.measure, state.component)] : [];
    return { content: `${lines.join("\n")}\n`, filename: [page.task, ...name, "csv"].join(".") };
  }

  window.gengap = Object.assign(window.gengap ?? {}, {
    view: {
      board, both, cards, combinations, csv, curves, diagrams, diagramsNote, drawOptions, facts,
      h, heldOut, heldOutTable, importance, largestOf, margins, measures, networkTable, paragraphs,
      predictionTable, predictions, scatter, spectra, verdict,
    },
  });
})();
