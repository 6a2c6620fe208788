/*
The page of a run:
[data-step-cursor]  has charts over steps. A click in one, or an arrow key in one that has the focus, sets the step
                    looked at, in the address and in #step; the charts are then drawn for it. The page of a run
                    that is live is opened anew, so that its news are of that step, too.
[data-copies]       a button that copies the text of the element that it names.
[data-follow]       while it is ticked, the element that it names shows its end, however it grows.
*/

const find = (id, page = document) => page.getElementById(id);
const area = document.querySelector("[data-step-cursor]");
const field = find("step");
let waiting;
let asked;

/* The steps of a chart, in order; none of one that is over something else. */
function stepsOf(plot) {
  if (plot.layout?.xaxis?.title?.text !== "step") return [];
  const all = plot._fullData.flatMap((trace) => Array.from(trace.x ?? []));
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
  if (document.querySelector("[data-live-url]")) {
    address.hash = plot.closest("figure").id;
    location.assign(address);
    return;
  }
  history.replaceState(null, "", address);
  asked?.abort();
  asked = new AbortController();
  try {
    const answer = await fetch(address, { signal: asked.signal });
    if (!answer.ok || answer.redirected) throw new TypeError();
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address); // which says what is wrong
  }
}

function show(page) {
  const parts = ["gradient-words", "run-tabs"];
  for (const figure of area.querySelectorAll("figure[data-chart]")) {
    const spec = find(`${figure.id}-spec`, page);
    if (spec) figure.dispatchEvent(new CustomEvent("chart:replace", { detail: JSON.parse(spec.textContent) }));
    parts.push(`${figure.id}-title`, `${figure.id}-summary`);
  }
  for (const id of parts) {
    const [old, fresh] = [find(id), find(id, page)];
    if (old && fresh) old.innerHTML = fresh.innerHTML;
  }
}

function listen(figure) {
  const plot = figure.querySelector("[data-chart-plot]");
  if (plot.tabIndex === 0 || !stepsOf(plot).length) return;
  plot.tabIndex = 0;
  plot.on("plotly_click", ({ points }) => lookAt(points[0].x, plot));
  plot.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const steps = stepsOf(plot);
    const now = Number(field.value || steps.at(-1));
    const next = way > 0 ? steps.find((step) => step > now) : steps.findLast((step) => step < now);
    if (next !== undefined) lookAt(next, plot);
  });
  if (location.hash === `#${figure.id}`) plot.focus();
}

if (area && field) {
  const hear = () => area.querySelectorAll("figure[data-drawn]").forEach(listen);
  new MutationObserver(hear).observe(area, { subtree: true, attributeFilter: ["data-drawn"] });
  hear();
}

// On a phone the row of tabs is wider than the page.
document.querySelector("#run-tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

for (const button of document.querySelectorAll("[data-copies]")) {
  const { copies } = button.dataset;
  button.hidden = !navigator.clipboard; // which only a safe connection has
  button.onclick = async () => {
    await navigator.clipboard.writeText(find(copies).textContent);
    find(`${copies}-copied`).textContent = "copied";
  };
}

for (const box of document.querySelectorAll("[data-follow]")) {
  const lines = find(box.dataset.follow);
  const follow = () => { if (box.checked) lines.scrollTop = lines.scrollHeight; };
  box.closest("label").hidden = false;
  box.onchange = follow;
  new MutationObserver(follow).observe(lines, { childList: true });
  follow();
}
