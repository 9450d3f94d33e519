// The page without a server: its data and code (plotly, view.js, page.js) lie compressed in it.
(async () => {
  async function unpacked(id) {
    const packed = atob(document.getElementById(id).textContent);
    const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
    return new Response(
      new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }
  const script = document.createElement("script");
  script.textContent = await unpacked("code");
  document.head.append(script);
  const { page, distinct, columns, large, networks } = JSON.parse(await unpacked("data"));

  // The values of all measures of a network are those of the columns.
  const measured = Object.entries(page.measures).map(([name, { label, family, components }]) => (
    { family, label, components, columns: columns[name].map((i) => distinct[i]), count: components.length }
  )).sort((a, b) => (a.family < b.family ? -1 : Number(a.family > b.family)));
  const source = {
    column: async (measure, component) =>
      distinct[columns[measure][page.measures[measure].components.indexOf(component)]],
    network: async (name) => {
      const position = page.networks.indexOf(name);
      const measures = measured.map(({ columns: parts, ...entry }) =>
        ({ ...entry, values: parts.map((part) => part.values[position]) }));
      return { ...networks[name], measures: [...measures, ...large] };
    },
  };
  await window.gengap.start(page, source);
})();
