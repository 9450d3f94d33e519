// The choosers of the page without a server; what they show is drawn by view.js.
(() => {
  const { page, columns, networks } = JSON.parse(document.getElementById("data").textContent);
  const draw = window.dash_clientside.gengap;
  const at = (id) => document.getElementById(id);

  // view.js describes elements as Dash does; here they become the browser's own.
  function element(node) {
    if (Array.isArray(node)) {
      const fragment = document.createDocumentFragment();
      node.forEach((child) => fragment.append(element(child)));
      return fragment;
    }
    if (node === null || typeof node !== "object") return document.createTextNode(node ?? "");
    const { children, className } = node.props;
    const made = document.createElement(node.type);
    if (className) made.className = className;
    if (children !== undefined) made.append(element(children));
    return made;
  }

  const show = (id, node) => at(id).replaceChildren(element(node));
  const plot = (id, figure) => Plotly.react(at(id), figure.data, figure.layout, page.config);

  function offer(id, options, value) {
    at(id).replaceChildren(...options.map((option) => new Option(option.label, option.value)));
    at(id).value = value;
  }

  const column = () => columns[at("measure").value]?.[at("component").value];

  function showScatter() {
    plot("scatter", draw.scatter(column(), at("colour").value, at("network").value, page));
  }

  function showHeldOut() {
    const [figure, style] = draw.heldOut(
      at("predictor").value, at("colour").value, at("network").value, page);
    Object.assign(at("held-out-frame").style, style);
    if (style.display !== "none") plot("held-out", figure);
  }

  function showPredictions() {
    const [figure, note, style] = draw.predictions(page);
    Object.assign(at("predictions-frame").style, style);
    if (style.display !== "none") plot("predictions", figure);
    at("predictions-note").textContent = note;
    show("prediction-table", draw.predictionTable(page));
  }

  function showPoints() {
    showScatter();
    showHeldOut();
  }

  function showColumn() {
    show("statistics", draw.statistics(column()));
    show("table", draw.table(column(), page));
    showScatter();
  }

  function showMeasure() {
    const [options, value, style] = draw.components(at("measure").value, page);
    offer("component", options, value);
    Object.assign(at("component-chooser").style, style);
    showColumn();
  }

  function showDraw() {
    const [figure, note, style] = draw.diagrams(networks[at("network").value], at("draw").value);
    Object.assign(at("diagrams-frame").style, style);
    if (style.display !== "none") plot("diagrams", figure);
    at("diagrams-note").textContent = note;
  }

  function showNetwork() {
    const chosen = networks[at("network").value];
    const [options, value, style] = draw.draws(chosen);
    offer("draw", options, value);
    Object.assign(at("draw-chooser").style, style);
    show("facts", draw.facts(chosen));
    show("measures", draw.measures(chosen));
    showDraw();
  }

  function chooseNetwork(name) {
    at("network").value = name;
    showNetwork();
    showPoints();
  }

  function save({ content, filename, type }) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = filename;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  at("title").textContent = page.task;
  at("heading").textContent = page.heading;
  show("verdict", draw.verdict(page));
  show("notes", draw.notes(page));
  show("board", draw.board(page));
  offer("measure", page.measure_options, page.measure);
  offer("colour", page.colour_options, page.colour);
  offer("network", page.network_options, page.networks[0]);
  offer("predictor", page.predictor_options, page.predictor_options[0]?.value);
  at("measure").onchange = showMeasure;
  at("component").onchange = showColumn;
  at("colour").onchange = showPoints;
  at("predictor").onchange = showHeldOut;
  at("network").onchange = () => chooseNetwork(at("network").value);
  at("draw").onchange = showDraw;
  at("download").onclick = () => save(draw.csv(1, column(), page));
  ["verdict", "measure-chooser", "colour-chooser", "scatter-frame", "board-frame"]
    .forEach((id) => Object.assign(at(id).style, draw.evaluatedOnly(page)));
  showMeasure();
  showNetwork();
  showHeldOut();
  showPredictions();
  ["scatter", "held-out", "predictions"].forEach((id) => at(id).on?.("plotly_click", (click) => {
    const name = draw.clicked(click);
    if (name !== undefined) chooseNetwork(name);
  }));
})();
