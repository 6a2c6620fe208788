/*
Saves a chart as CSV, JSON, PNG or as a page of its own. Loaded by charts.js when somebody first asks for one;
the event chart:download carries the figure as Python made it (data, layout), and as it is painted.
*/

const SAVERS = {
  csv: (chart) => saveText(chart, "text/csv", `${rows(chart).map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`),
  json: (chart) => saveText(chart, "application/json", json({ data: chart.data, layout: chart.layout })),
  png: async (chart) => {
    const { clientWidth: width, clientHeight: height, data, layout } = chart.plot;
    const picture = { data, layout: { ...layout, ...titled(chart) } };
    save(chart, await globalThis.Plotly.toImage(picture, { format: "png", width, height: height + 60, scale: 2 }));
  },
  html: async (chart) => saveText(chart, "text/html", await page(chart)),
};

document.addEventListener("chart:download", ({ target, detail }) => {
  const title = target.querySelector(".chart__title").textContent;
  SAVERS[detail.kind]({ figure: target, title, ...detail });
});

function save({ figure, kind }, address) {
  const link = document.createElement("a");
  link.href = address;
  link.download = `${figure.id}.${kind}`;
  link.click();
}

function saveText(chart, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  save(chart, address);
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

const json = (value) => JSON.stringify(value, (key, part) => (key[0] === "_" ? undefined : part)); // the library's notes
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function titled({ title, layout }) {
  return {
    title: { text: escaped(title), x: 0.02, font: { size: 14 }, automargin: true },
    legend: { orientation: "h", y: -0.25 },
    showlegend: Boolean(layout.showlegend),
  };
}

/* One file that needs nothing else: the library stands in it, and no name can end a script early. */
async function page(chart) {
  const { figure, painted, theme, title } = chart;
  const answer = await fetch(document.querySelector("script[data-plotly]").dataset.plotly);
  const library = (await answer.text()).replaceAll("</script", "<\\/script");
  const { data, layout, config } = painted;
  const parts = json([data, { ...layout, ...titled(chart) }, config]).replaceAll("<", "\\u003c");
  const words = [...figure.querySelectorAll(".chart__summary, .chart__caption")].map(({ textContent }) => escaped(textContent));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<body style="margin: 16px; font: 14px sans-serif; background: ${theme.card}; color: ${theme.text}">
<div id="chart" style="height: 80vh"></div>
<p>${words.join("</p>\n<p>")}</p>
<script>${library}</script>
<script>Plotly.newPlot("chart", ...${parts})</script>
`;
}

/* Tables */

function rows({ data, layout, title, whole }) {
  const titleOf = (axis) => layout[axis]?.title?.text || title;
  const heat = data.filter((trace) => trace.type === "heatmap" && trace.meta?.role !== "zero");
  if (heat.length) return [[titleOf("yaxis"), titleOf("xaxis"), heat[0].colorbar?.title?.text ?? "value"], ...heat.flatMap((trace) => cells(trace, layout))];
  const lies = data.some((trace) => trace.orientation === "h");
  const [along, up] = lies ? ["yaxis", "xaxis"] : ["xaxis", "yaxis"];
  const body = [];
  const bands = {}; // they lie behind all lines, and belong to the one that is hidden with them
  for (const trace of data) {
    const role = trace.meta?.role;
    const values = lies ? trace.x : (trace.customdata ?? trace.y);
    if (role === "edge") bands[trace.legendgroup] = [values];
    else if (role === "band") bands[trace.legendgroup].push(values);
    else if (role !== "broken") {
      let [low, high] = (role === "line" && bands[trace.legendgroup]) || [[], []];
      const { array, arrayminus } = trace.error_x ?? trace.error_y ?? {};
      if (array) [low, high] = [values.map((at, i) => less(at, arrayminus[i])), values.map((at, i) => less(at, array[i], -1))];
      (lies ? trace.y : trace.x).forEach((at, i) => {
        if (at !== null) body.push([trace.ids?.[i] ?? trace.name, tick(layout, along, at), values[i], low[i], high[i]]);
      });
    }
  }
  const run = whole && data.find((trace) => trace.meta?.source)?.meta.source[0];
  if (run) body.push([`lowest and highest of each column; every point: ${location.origin}/r/${run}/points.csv`]);
  return [["series", titleOf(along), titleOf(up), "low", "high"], ...body];
}

const less = (value, part, sign = 1) => (part === null ? null : value - sign * part);

function cells(trace, layout) {
  const values = trace.customdata ?? trace.z;
  return trace.y.flatMap((row, i) => trace.x.map((column, j) => [tick(layout, "yaxis", row), tick(layout, "xaxis", column), values[i][j]]));
}

/* A place on an axis of names is written as its name alone, whatever else its tick says. */
function tick(layout, key, value) {
  const { [key]: axis, meta } = layout;
  if (!axis?.ticktext || axis.type === "log") return value; // whose ticks are numbers, written for people
  const index = axis.tickvals.indexOf(Math.round(value));
  return index < 0 ? value : (meta?.[key]?.[index] ?? axis.ticktext[index].split("<br>")[0]);
}

function cell(value) {
  const text = value === null || value === undefined ? "" : String(value).replaceAll("&lt;", "<").replaceAll("&amp;", "&");
  // A spreadsheet would run a text that begins like a formula.
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
