// The state of the page, which its address keeps, and the parts that are drawn from it.
(() => {
  const at = (id) => document.getElementById(id);
  const CHOICES = ["measure", "component", "colour", "network", "other", "draw", "predictor"];
  const TITLES = {
    measures: "Measures", together: "All measures together", predictions: "Predictions",
    networks: "Networks", compare: "Compare two networks",
  };
  // Rows of these tables choose a measure or a network.
  const LISTS = {
    board: "measure", table: "network", "held-out-table": "network", "prediction-table": "network",
  };

  // `source` has column(measure, component) and network(name), each a promise of content.py's.
  window.gengap ??= {};
  window.gengap.start = (page, source) => {
    const { view } = window.gengap;
    const evaluated = page.measure !== null;
    const pages = Object.keys(TITLES).filter((name) =>
      name === "predictions" ? page.predictions : evaluated || !["measures", "together"].includes(name));
    const first = {
      page: pages[0], measure: page.measure ?? "", component: "", colour: page.colour ?? "",
      network: page.networks[0], other: page.networks[1] ?? page.networks[0], draw: "all",
      predictor: page.predictor_options[0]?.value ?? "",
    };
    const state = { ...first };

    const options = {
      measure: () => page.measure_options,
      component: () => {
        const { components = [], constant = [] } = page.measures[state.measure] ?? {};
        return components.map((name) => ({
          value: name, label: constant.includes(name) ? `${name} (constant)` : name,
        }));
      },
      colour: () => page.colour_options,
      network: () => page.network_options,
      other: () => page.network_options,
      predictor: () => page.predictor_options,
    };

    function offer(name, offered) {
      const chooser = at(name);
      const texts = offered.map(({ value, label }) => `${value}\n${label}`).join("\n");
      if (chooser.dataset.offered !== texts) {
        chooser.replaceChildren(...offered.map(({ value, label }) => new Option(label, value)));
        chooser.dataset.offered = texts;
      }
      chooser.value = state[name];
    }

    // An address may name what this task does not have.
    function mend() {
      if (!pages.includes(state.page)) state.page = first.page;
      for (const name of ["measure", "colour", "network", "other", "predictor"]) {
        if (!options[name]().some(({ value }) => value === state[name])) state[name] = first[name];
      }
      const measure = page.measures[state.measure];
      if (measure && !measure.components.includes(state.component)) state.component = measure.best;
    }

    function address(more = {}) {
      const shown = { ...state, ...more };
      const names = ["page", ...CHOICES].filter((name) =>
        shown[name] !== first[name] && (name !== "component" || state.measure !== first.measure
          || shown.component !== page.measures[first.measure]?.best));
      return `#${new URLSearchParams(names.map((name) => [name, shown[name]]))}`;
    }

    function readAddress() {
      const asked = new URLSearchParams(location.hash.slice(1));
      Object.assign(state, first, Object.fromEntries(
        [...asked].filter(([name]) => name in state)));
    }

    // A frame of another document, as in the report, may have no address of its own.
    function writeAddress() {
      try {
        history.replaceState(null, "", address());
      } catch {
        // The page works the same; it cannot be linked to.
      }
    }

    const show = (id, ...nodes) => at(id).replaceChildren(...nodes.flat());
    const plot = (id, figure) => {
      at(id).hidden = false;
      return Plotly.react(at(id), figure.data, figure.layout, page.config);
    };
    const column = () => (evaluated ? source.column(state.measure, state.component) : null);
    const network = () => source.network(state.network);
    const pair = () => Promise.all([network(), source.network(state.other)]);

    function plotDiagrams(id, chosen, draw, largest) {
      if (chosen.diagrams.missing) at(id).hidden = true;
      else plot(id, view.diagrams(chosen, draw, largest));
    }

    // Of each part: the pages that have it, what it depends on, what it loads, how it is shown.
    const parts = [
      [["measures"], [], null, () => show("verdict", view.verdict(page))],
      [["measures"], [], null, () => show("board", view.board(page))],
      [["measures"], ["measure", "component"], column, (values) =>
        show("statistics", view.cards(page, values, state))],
      [["measures"], ["measure", "component", "colour", "network"], column, (values) =>
        plot("scatter", view.scatter(page, values, state))],
      [["measures"], ["network"], network, (chosen) => show("facts", view.facts(chosen))],
      [["measures"], ["network", "draw"], network, (chosen) => {
        offer("draw", view.drawOptions(chosen));
        at("draw-chooser").hidden = chosen.diagrams.draws < 2;
        at("diagrams-note").textContent = view.diagramsNote(chosen);
        plotDiagrams("diagrams", chosen, state.draw);
      }],
      [["together"], ["predictor", "colour", "network"], null, () =>
        plot("held-out", view.heldOut(page, state))],
      [["together"], ["predictor"], null, () =>
        show("held-out-table", view.heldOutTable(page, state))],
      [["together"], [], null, () => plot("combinations", view.combinations(page))],
      [["together"], [], null, () => plot("importance", view.importance(page))],
      [["together"], [], null, () => {
        plot("curves", view.curves(page));
        at("curves-note").textContent = page.on_size;
      }],
      [["predictions"], [], null, () => {
        at("predictions-note").textContent = page.predictions.said;
        plot("predictions", view.predictions(page));
      }],
      [["predictions"], [], null, () => show("prediction-table", view.predictionTable(page))],
      [["networks"], ["measure", "component"], column, (values) =>
        show("table", view.networkTable(page, values, state))],
      [["networks"], ["network"], network, (chosen) => {
        at("measures-title").textContent = `Measures of network ${chosen.name}`;
        show("measures", view.measures(chosen));
      }],
      [["compare"], ["network", "other"], pair, (both) => {
        const largest = Math.max(...both.map(view.largestOf));
        both.forEach((chosen, which) => {
          const name = ["first", "second"][which];
          show(`${name}-facts`, view.facts(chosen));
          at(`${name}-note`).textContent = view.diagramsNote(chosen);
          plotDiagrams(`${name}-diagrams`, chosen, "all", largest);
        });
        const lacking = (what) => both.filter((chosen) => !Object.keys(chosen[what]).length)
          .map(({ name }) => name);
        for (const [what, why] of [
          ["spectra", "the weights are not at hand, or too large for their singular values"],
          ["margins", "the family margins was not computed"],
        ]) {
          const names = lacking(what);
          at(`${what}-note`).textContent = names.length
            ? `Nothing to draw of network ${names.join(" and ")}: ${why}.` : "";
          if (names.length < 2) plot(what, view[what](both));
          else at(what).hidden = true;
        }
        show("both", view.both(both));
      }],
      // After the tables, of which they mark a row.
      ...Object.entries(LISTS).map(([id, name]) => [
        pages, ["page", "measure", "component", "predictor", "network"], null,
        () => mark(id, state[name]),
      ]),
    ].map(([on, keys, load, draw]) => ({ on, keys, load, draw, drawn: null }));

    // The chosen row of a list is the one that Tab reaches; if none is, the first.
    function mark(id, key) {
      const rows = [...at(id).querySelectorAll("tr[data-key]")];
      const chosen = rows.find((row) => row.dataset.key === key);
      for (const row of rows) {
        row.tabIndex = row === (chosen ?? rows[0]) ? 0 : -1;
        row.setAttribute("aria-selected", String(row === chosen));
      }
    }

    async function draw(part) {
      const signature = JSON.stringify(part.keys.map((name) => state[name]));
      if (part.drawn === signature) return;
      part.drawn = signature;
      const loaded = part.load ? await part.load() : null;
      // Another choice may have been made meanwhile.
      if (part.drawn === signature) await part.draw(loaded);
    }

    async function update() {
      mend();
      for (const [name, offered] of Object.entries(options)) offer(name, offered());
      for (const chooser of document.querySelectorAll("[data-pages]")) {
        chooser.hidden = !chooser.dataset.pages.split(" ").includes(state.page);
      }
      for (const id of ["measure-chooser", "colour-chooser"]) at(id).hidden ||= !evaluated;
      at("component-chooser").hidden ||= (page.measures[state.measure]?.components.length ?? 0) < 2;
      for (const panels of document.querySelectorAll("[data-page]")) {
        panels.hidden = panels.dataset.page !== state.page;
      }
      for (const link of at("pages").children) {
        link.href = address({ page: link.dataset.name });
        if (link.dataset.name === state.page) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
      }
      const shown = parts.filter((part) => part.on.includes(state.page));
      const marks = shown.filter((part) => part.on === pages);
      await Promise.all(shown.filter((part) => part.on !== pages).map(draw));
      await Promise.all(marks.map(draw));
    }

    function choose(changes) {
      // Components and draws belong to what they were chosen for.
      if ("measure" in changes && changes.measure !== state.measure) state.component = "";
      if ("network" in changes) state.draw = "all";
      Object.assign(state, changes);
      mend();
      writeAddress();
      return update();
    }

    function redraw() {
      for (const part of parts) part.drawn = null;
      return update();
    }

    function save({ content, filename }) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([content], { type: "text/csv" }));
      link.download = filename;
      link.click();
      URL.revokeObjectURL(link.href);
    }

    at("title").textContent = page.task;
    at("heading").textContent = page.heading;
    show("notes", view.paragraphs(page.notes));
    show("pages", pages.map((name) => view.h("a", {
      "data-name": name, href: "#",
      click: (event) => {
        event.preventDefault();
        choose({ page: name });
      },
    }, TITLES[name])));
    for (const name of CHOICES) {
      at(name).addEventListener("change", () => choose({ [name]: at(name).value }));
    }
    at("download").addEventListener("click", async () =>
      save(view.csv(page, await column(), state)));
    for (const [id, name] of Object.entries(LISTS)) {
      const rowOf = (event) => event.target.closest("tr[data-key]");
      at(id).addEventListener("click", (event) => {
        const row = rowOf(event);
        if (row) choose({ [name]: row.dataset.key });
      });
      at(id).addEventListener("keydown", (event) => {
        const row = rowOf(event);
        if (!row) return;
        const rows = [...at(id).querySelectorAll("tr[data-key]")];
        const place = {
          ArrowDown: rows.indexOf(row) + 1, ArrowUp: rows.indexOf(row) - 1, Home: 0,
          End: rows.length - 1,
        }[event.key];
        if (event.key === "Enter" || event.key === " ") choose({ [name]: row.dataset.key });
        else if (place === undefined) return;
        else rows[place]?.focus();
        event.preventDefault();
      });
    }
    const resized = new ResizeObserver((entries) => {
      for (const { target } of entries) {
        if (target.offsetParent && target.classList.contains("js-plotly-plot")) {
          Plotly.Plots.resize(target);
        }
      }
    });
    for (const figure of document.querySelectorAll(".figure")) resized.observe(figure);
    addEventListener("hashchange", () => {
      readAddress();
      update();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    readAddress();
    return update().then(() => {
      for (const id of ["scatter", "held-out", "predictions"]) onClick(id);
      document.body.dataset.ready = "yes";
    });

    // A point chooses its network. A figure can be listened to once it is drawn.
    function onClick(id) {
      const figure = at(id);
      const listen = () => figure.on("plotly_click", (click) => {
        const name = click.points[0]?.customdata;
        if (name !== undefined) choose({ network: name });
      });
      if (figure.on) listen();
      else {
        const waiting = new MutationObserver(() => {
          if (!figure.on) return;
          waiting.disconnect();
          listen();
        });
        waiting.observe(figure, { childList: true, attributes: true });
      }
    }
  };
})();
