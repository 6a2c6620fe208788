/*
Draws every figure[data-chart] out of the data block beside it. Python leaves the colours out: a trace says what
it is (meta.role, meta.series) and gets the theme's colour here, again whenever the theme changes.

Other modules speak to a chart through events on its figure:
  chart:replace  detail = a whole figure
  chart:append   detail = per trace, in order, [[x...], [y...]] or null
  chart:marks    detail = shapes and annotations of the layout
and through one on the document: charts:added, where there are new figures; chart:download asks downloads.js.
*/

const CONFIG = {
  displayModeBar: false,
  displaylogo: false,
  plotlyServerURL: "",
  responsive: true,
  scrollZoom: false,
  showSendToCloud: false,
};
const STOPS = [
  "#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838",
];
const CIVIDIS = STOPS.map((colour, index) => [index / (STOPS.length - 1), colour]);
const TYPED = {
  f8: Float64Array, f4: Float32Array, i4: Int32Array, i2: Int16Array, i1: Int8Array,
  u4: Uint32Array, u2: Uint16Array, u1: Uint8Array,
};
const charts = new Map();
let theme;
let library;
let downloads;

/* Theme */

function readTheme() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name) => {
    probe.style.color = `var(--${name})`; // light-dark() is resolved only where it is used
    return getComputedStyle(probe).color;
  };
  const names = ["text", "muted", "card", "line", "control", "critical", "warning", "link"];
  const read = Object.fromEntries(names.map((name) => [name, colour(name)]));
  read.series = [1, 2, 3, 4, 5, 6].map((number) => colour(`series-${number}`));
  read.font = getComputedStyle(document.body).fontFamily;
  probe.remove();
  return read;
}

function faded(colour, alpha) {
  const [red, green, blue] = colour.match(/[\d.]+/g);
  return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}

/* Black or white, as it can be read: the luminance of the scale rises evenly. */
const inkOn = (share) => (share < 0.5 ? "#fff" : "#000");

/* Between two colours that all tell apart. */
function onScale(share) {
  const [from, to] = theme.series.map((colour) => colour.match(/\d+/g));
  return `rgb(${from.map((part, at) => part * (1 - share) + to[at] * share)})`;
}

function heatBar(bar) {
  const font = { color: theme.muted, size: 11 };
  return { exponentformat: "e", ...bar, outlinewidth: 0, len: 1.04, tickfont: font, title: { ...bar?.title, font } };
}

const ROLES = {
  line: (trace, colour) => ({ line: { ...trace.line, color: colour }, marker: { size: 6, color: colour } }),
  pair: (trace, colour) => ({ line: { ...trace.line, color: colour }, marker: { ...trace.marker, color: colour } }),
  faint: (trace, colour) => ({ line: { ...trace.line, color: faded(colour, 0.35) } }),
  edge: (trace, colour) => ({ line: { ...trace.line, color: faded(colour, 0) } }),
  band: (trace, colour) => ({ line: { ...trace.line, color: faded(colour, 0) }, fillcolor: faded(colour, 0.18) }),
  mean: (trace, colour) => ({
    marker: { ...trace.marker, color: colour },
    error_y: { ...trace.error_y, color: colour },
  }),
  bar: (trace, colour) => ({ marker: { ...trace.marker, color: colour }, error_x: { ...trace.error_x, color: theme.text } }),
  bin: (trace) => ({ line: { ...trace.line, color: onScale(trace.meta.share) } }),
  ghost: (trace) => ({ line: { ...trace.line, color: faded(theme.muted, 0.25) } }),
  muted: (trace) => ({ marker: { ...trace.marker, color: faded(theme.muted, 0.55) } }),
  broken: (trace) => ({ marker: { ...trace.marker, color: theme.critical }, line: { ...trace.line, color: theme.critical } }),
  heat: (trace) => ({ colorscale: CIVIDIS, colorbar: heatBar(trace.colorbar) }),
  cell: (trace) => ({ textfont: { ...trace.textfont, color: trace.customdata.map(inkOn) } }),
  tint: (trace, colour) => ({ colorscale: [[0, faded(colour, 0)], [1, faded(colour, 0.7)]] }),
  zero: () => ({ colorscale: [[0, theme.critical], [1, theme.critical]] }),
};

function paintTrace(trace) {
  const { role = "line", series = 0 } = trace.meta ?? {};
  return { ...trace, ...ROLES[role](trace, theme.series[series]) };
}

const NAMED = { critical: "critical", warning: "warning", info: "link", hatch: "control", best: "text" };

function paintLayout(layout) {
  const axis = {
    automargin: true,
    exponentformat: "e", // any other may write powers as superscripts, whose style the policy blocks
    gridcolor: theme.line,
    linecolor: theme.control,
    zerolinecolor: theme.line,
    tickfont: { color: theme.muted, size: 11 },
    title: { font: { color: theme.muted, size: 12 }, standoff: 8 },
  };
  const touch = matchMedia("(pointer: coarse)").matches;
  return {
    ...layout,
    showlegend: false, // ours is HTML: it wraps, and its buttons can be reached
    autosize: true,
    dragmode: touch ? false : "zoom", // a finger scrolls the page
    shapes: (layout.shapes ?? []).map((shape) => ({
      ...shape, line: { ...shape.line, color: theme[NAMED[shape.name] ?? "muted"] },
    })),
    annotations: (layout.annotations ?? []).map((note) => ({
      ...note,
      font: { ...note.font, color: theme[NAMED[note.name] ?? "muted"] },
      bgcolor: ["missing", "tick"].includes(note.name) ? theme.card : undefined,
    })),
    template: {
      layout: {
        font: { family: theme.font, size: 12, color: theme.text },
        paper_bgcolor: theme.card,
        plot_bgcolor: theme.card,
        margin: { l: 48, r: 12, t: 14, b: 36 },
        xaxis: { ...axis, exponentformat: "SI", showline: true, ticks: "outside", tickcolor: theme.control, ticklen: 4 },
        yaxis: axis,
        hoverlabel: { bgcolor: theme.card, bordercolor: theme.control, font: { color: theme.text, size: 12 } },
      },
    },
  };
}

/* Drawing */

function load(address, type = "") {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.type = type;
    script.src = address;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`cannot load ${address}`));
    document.head.append(script);
  });
}

async function draw(chart) {
  const something = chart.spec.data?.length > 0;
  for (const part of chart.figure.querySelectorAll("[data-chart-plot], [data-chart-tools]")) part.hidden = !something;
  for (const part of chart.figure.querySelectorAll("[data-chart-empty]")) part.hidden = something;
  if (!something) return;
  const data = chart.spec.data.map((trace, index) => ({
    ...paintTrace(trace),
    ...chart.closer?.[index],
    visible: !chart.hiddenGroups.has(trace.legendgroup),
  }));
  await globalThis.Plotly.react(chart.plot, data, paintLayout(chart.spec.layout), CONFIG);
  if (!chart.listens) chart.plot.on("plotly_relayout", (change) => zoomed(chart, change));
  chart.listens = true;
  // The container is the image that assistive technology reads; what is in it has no names.
  for (const child of chart.plot.children) child.setAttribute("aria-hidden", "true");
  drawLegend(chart);
  chart.figure.dataset.drawn = "";
}

function drawLegend(chart) {
  const { figure, spec } = chart;
  const legend = figure.querySelector("[data-chart-legend]");
  const named = spec.data.filter((trace) => trace.showlegend !== false && trace.type === "scatter");
  legend.hidden = !spec.layout.showlegend || named.length < 2;
  if (legend.hidden || legend.children.length === named.length) return;
  legend.replaceChildren(...named.map((trace) => legendButton(chart, trace)));
}

const STROKES = { solid: "", dash: "6 3", dot: "2 2", dashdot: "6 3 2 3" };

function legendButton(chart, trace) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "legend-button";
  button.setAttribute("aria-pressed", "true");
  button.innerHTML = '<svg viewBox="0 0 18 8" aria-hidden="true"><path d="M0 4H18"/></svg>';
  button.firstChild.style.color = `var(--series-${trace.meta.series + 1})`;
  button.querySelector("path").setAttribute("stroke-dasharray", STROKES[trace.line?.dash ?? "solid"]);
  button.append(trace.name.replaceAll("&lt;", "<").replaceAll("&amp;", "&"));
  button.addEventListener("click", () => {
    const shown = chart.hiddenGroups.delete(trace.legendgroup);
    if (!shown) chart.hiddenGroups.add(trace.legendgroup);
    button.setAttribute("aria-pressed", String(shown));
    draw(chart);
  });
  return button;
}

function setUp(figure) {
  const plot = figure.querySelector("[data-chart-plot]");
  const block = document.getElementById(`${figure.id}-spec`);
  if (!plot || !block) return [];
  const chart = { figure, plot, spec: JSON.parse(block.textContent), hiddenGroups: new Set() };
  charts.set(figure, chart);
  figure.addEventListener("chart:replace", ({ detail }) => { chart.spec = detail; refresh(chart); });
  figure.addEventListener("chart:marks", ({ detail }) => { Object.assign(chart.spec.layout, detail); refresh(chart); });
  figure.addEventListener("chart:append", ({ detail }) => { append(chart, detail); refresh(chart); });
  const tools = figure.querySelector("[data-chart-tools]");
  tools.addEventListener("click", ({ target }) => {
    const { chartAction, kind } = target.closest("button")?.dataset ?? {};
    if (chartAction === "reset") reset(chart);
    if (kind) download(chart, kind);
  });
  tools.addEventListener("submit", (event) => {
    event.preventDefault();
    zoomTo(chart, new FormData(event.target));
  });
  tools.addEventListener("beforetoggle", ({ target }) => openMenu(target), true);
  return [chart];
}

function refresh(chart) {
  if (globalThis.Plotly) return draw(chart);
}

function append(chart, updates) {
  updates.forEach((update, index) => {
    const trace = chart.spec.data[index];
    if (!update || !trace) return;
    trace.x = plain(trace.x).concat(update[0]);
    const log = chart.spec.layout.yaxis?.type === "log"; // where Plotly would draw 0 as a fall without end
    trace.y = plain(trace.y).concat(log ? update[1].map((value) => (value > 0 ? value : null)) : update[1]);
    if (trace.customdata) trace.customdata = plain(trace.customdata).concat(update[1]);
    if (trace.mode === "markers" && trace.meta?.role === "line" && trace.x.length > 1) {
      trace.mode = "lines";
      trace.cliponaxis = true;
    }
    if (trace.x.at(-1) > 8) delete chart.spec.layout.xaxis?.dtick; // a tick at every step, while they are few
  });
}

/* Zoom: lines that show only a part of their points get those of what is looked at */

const ZOOM_MS = 150;
const ROOM = 0.05; // of the width, on either side: a line goes on beyond the edge

function zoomed(chart, change) {
  const edges = change["xaxis.range"] ?? [change["xaxis.range[0]"], change["xaxis.range[1]"]];
  const whole = change["xaxis.autorange"];
  if (!whole && edges[0] === undefined) return;
  clearTimeout(chart.zooming);
  chart.request?.abort();
  if (!whole) chart.zooming = setTimeout(() => lookCloser(chart, ...edges.map(Number)), ZOOM_MS);
  else if (chart.closer) {
    chart.closer = null;
    draw(chart);
  }
}

async function lookCloser(chart, low, high) {
  const sources = chart.spec.data.map((trace) => trace.meta?.source).filter(Boolean);
  if (!sources.length) return;
  const room = (high - low) * ROOM;
  const all = (place) => [...new Set(sources.map((source) => source[place]))];
  const query = new URLSearchParams({
    runs: all(0),
    metrics: all(1).map((name) => name.replaceAll("%", "%25").replaceAll(",", "%2C")),
    from: Math.floor(low - room),
    to: Math.ceil(high + room),
    px: Math.min(Math.max(Math.round(chart.plot.clientWidth / 2), 50), 1000),
  });
  chart.request = new AbortController();
  try {
    const answer = await fetch(`${chart.figure.dataset.seriesUrl}?${query}`, { signal: chart.request.signal });
    if (!answer.ok) return; // what is drawn stays
    const { series } = await answer.json();
    const log = chart.spec.layout.yaxis?.type === "log";
    chart.closer = chart.spec.data.map(({ meta }) => {
      const [run, metric, layer] = meta?.source ?? [];
      const found = series.find((one) => one.run === run && one.metric === metric && one.layer === layer);
      return found && lineOf(found, log);
    });
    markBreaks(chart);
    await draw(chart);
  } catch (error) {
    if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error; // no network: it stays
  }
}

/* Both values of a column stand at its first step; the line enters at the end that faces the column before. */
function lineOf(found, log) {
  const steps = plain(found.steps);
  const [low, high, mean] = ["minimum", "maximum", "mean"].map((name) => plain(found[name] ?? found.values));
  const flags = found.flags ? plain(found.flags) : [];
  const height = (value) => (Number.isFinite(value) && (!log || value > 0) ? value : null);
  const [x, y] = [[], []];
  steps.forEach((step, at) => {
    const rises = (mean[at + 1] ?? mean[at]) >= (mean[at - 1] ?? mean[at]);
    const values = high[at] > low[at] ? (rises ? [low[at], high[at]] : [high[at], low[at]]) : [low[at]];
    if (flags[at]) values.push(NaN);
    for (const value of values) {
      x.push(step);
      y.push(height(value));
    }
  });
  return { x, y, customdata: undefined, mode: x.length > 1 ? "lines" : "markers" };
}

/* A mark stands where its line breaks off first, as closely as is known. */
function markBreaks({ closer, spec }) {
  const at = spec.data.findIndex((trace) => trace.meta?.role === "broken");
  if (at < 0) return;
  const marks = spec.data.flatMap((trace, index) => {
    if (trace.meta?.role !== "line") return [];
    const [x, y] = closer[index] ? [closer[index].x, closer[index].y] : [plain(trace.x), plain(trace.y)];
    const gap = y.indexOf(null);
    return gap < 0 ? [] : [[x[gap], y[gap - 1] ?? y[gap + 1] ?? null, `${trace.name}: not drawn at ${x[gap]}`]];
  });
  const [x, y, text] = [0, 1, 2].map((place) => marks.map((mark) => mark[place]));
  closer[at] = { x, y, text, marker: { symbol: "x", size: 9, color: theme.critical } };
}

/* Buttons */

function reset({ plot, spec }) {
  const free = ["xaxis", "yaxis"].filter((axis) => !spec.layout[axis]?.fixedrange);
  globalThis.Plotly.relayout(plot, Object.fromEntries(free.map((axis) => [`${axis}.autorange`, true])));
}

async function download({ figure, plot, spec, closer }, kind) {
  await (downloads ??= load(figure.dataset.downloads, "module"));
  const data = spec.data.map((trace, index) => unpacked({ ...trace, ...closer?.[index] }));
  const painted = { data: data.map(paintTrace), layout: paintLayout(spec.layout), config: CONFIG };
  const detail = { kind, plot, data, layout: spec.layout, painted, whole: !closer, theme };
  figure.dispatchEvent(new CustomEvent("chart:download", { bubbles: true, detail }));
}

const unpacked = (trace) => Object.fromEntries(Object.entries(trace).map(([key, part]) => [key, part?.bdata ? plain(part) : part]));

function openMenu(menu) {
  const { right, bottom } = menu.previousElementSibling.getBoundingClientRect();
  const room = document.documentElement.clientWidth - right;
  Object.assign(menu.style, { position: "absolute", inset: `${bottom + scrollY}px ${room}px auto auto` });
}

function zoomTo({ plot }, form) {
  const log = plot.layout.xaxis.type === "log"; // whose range is of exponents
  const range = ["from", "to"].map((name) => (log ? Math.log10(form.get(name)) : Number(form.get(name))));
  if (range[0] < range[1]) globalThis.Plotly.relayout(plot, { "xaxis.range": range });
}

function plain(values) {
  if (Array.isArray(values)) return values;
  const bytes = Uint8Array.from(atob(values.bdata), (letter) => letter.charCodeAt(0));
  const flat = Array.from(new TYPED[values.dtype](bytes.buffer));
  if (!values.shape) return flat;
  const [count, width] = values.shape.split(",").map(Number);
  return Array.from({ length: count }, (_, row) => flat.slice(row * width, (row + 1) * width));
}

/* Start */

async function drawNew() {
  const figures = [...document.querySelectorAll("figure[data-chart]")];
  const found = figures.filter((figure) => !charts.has(figure)).flatMap(setUp);
  if (!found.length) return;
  theme ??= readTheme();
  await (library ??= load(document.querySelector("script[data-plotly]").dataset.plotly));
  for (const chart of found) {
    await draw(chart);
    await new Promise((resolve) => setTimeout(resolve)); // let the page breathe between two charts
  }
}

async function start() {
  document.addEventListener("charts:added", drawNew);
  await drawNew();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    theme = readTheme();
    charts.forEach(refresh);
  });
}

start();
