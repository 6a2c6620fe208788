/*
The page of a run:
[data-step-cursor]  has charts over steps. A click or an arrow key in one, or a choice in #step, sets the step looked
                    at, also in the address; all are drawn for it. The page of a live run is opened anew.
[data-copies]       copies the text of the element that it names.
[data-follow]       while ticked, the element that it names shows its end.
*/

const find = (id, page = document) => page.getElementById(id);
const area = document.querySelector("[data-step-cursor]");
const field = find("step");
let waiting, asked;

const stepOf = (x) => Number(String(x).replaceAll("\u202f", ""));

/* Of a chart over steps, in order. */
function stepsOf(plot) {
  if (plot.layout?.xaxis?.title?.text !== "step") return [];
  const all = plot._fullData.flatMap((trace) => Array.from(trace.x ?? [], stepOf));
  return [...new Set(all)].sort((one, other) => one - other);
}

function lookAt(step, plot) {
  field.value = step;
  clearTimeout(waiting);
  waiting = setTimeout(() => open(step, plot), 150);
}

async function open(step, plot) {
  const address = new URL(location.href);
  address.searchParams.set("step", step);
  if (document.querySelector("main [data-live-url]")) {
    if (plot) address.hash = plot.closest("figure").id;
    location.assign(address);
    return;
  }
  history.replaceState(null, "", address);
  const mine = (asked = {});
  const answer = await fetch(address).catch(() => ({}));
  if (!answer.ok || answer.redirected) return location.assign(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (mine === asked) show(page); // else another was asked for
}

function show(page) {
  const parts = ["#gradient-words", "#run-tabs"];
  for (const { id } of area.querySelectorAll("figure[data-chart]")) {
    const spec = find(`${id}-spec`, page);
    if (spec) find(id).dispatchEvent(new CustomEvent("chart:replace", { detail: JSON.parse(spec.textContent) }));
    parts.push(...["title", "summary", "table"].map((part) => `#${id} .chart__${part}`));
  }
  for (const part of parts) {
    const [old, fresh] = [document, page].map((one) => one.querySelector(part));
    if (old && fresh) old.innerHTML = fresh.innerHTML;
  }
}

function listen(figure) {
  const plot = figure.querySelector("[data-chart-plot]");
  if (plot.tabIndex === 0 || !stepsOf(plot).length) return;
  plot.tabIndex = 0;
  plot.on("plotly_click", ({ points }) => lookAt(stepOf(points[0].x), plot));
  plot.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const steps = stepsOf(plot);
    const now = Number(field.value || steps.at(-1));
    const next = way > 0 ? steps.find((step) => step > now) : steps.findLast((step) => step < now);
    if (next >= 0) lookAt(next, plot);
  });
  if (location.hash === `#${figure.id}`) plot.focus();
}

if (area && field) {
  const hear = () => area.querySelectorAll("figure[data-drawn]").forEach(listen);
  new MutationObserver(hear).observe(area, { subtree: true, attributeFilter: ["data-drawn"] });
  hear();
  field.addEventListener("change", () => field.value && lookAt(field.value));
}

document.querySelector("#run-tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

for (const button of document.querySelectorAll("[data-copies]")) {
  const { copies } = button.dataset;
  button.hidden = !navigator.clipboard; // for safe connections only
  button.onclick = async () => {
    await navigator.clipboard.writeText(find(copies).textContent);
    find(`${copies}-copied`).textContent = "copied";
  };
}

for (const box of document.querySelectorAll("[data-follow]")) {
  const lines = find(box.dataset.follow);
  const follow = () => box.checked && lines.scrollTo(0, lines.scrollHeight);
  box.closest("label").hidden = false;
  box.onchange = follow;
  new MutationObserver(follow).observe(lines, { childList: true });
  follow();
}
