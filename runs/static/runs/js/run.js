/*
What the page of a run does by itself:

[data-step-cursor]  holds charts over steps. A click in one, or the arrow keys while one has the focus, set the
                    step that is looked at: it stands in the address and in #step, and the charts of the page
                    are drawn for it. While the run is live the page is opened anew, so that its news are of
                    that step, too.
[data-copy]         a button that copies the text of the element that it names, and says so in #<name>-copied.
[data-follow]       while this box is ticked, the element that it names shows its end, however it grows.
*/

const WAIT_MS = 150;
const area = document.querySelector("[data-step-cursor]");
const field = document.getElementById("step");
let waiting;
let asked;

/* Steps of a chart, in order; of one that is not over steps none. */
function stepsOf(plot) {
  if (plot.layout?.xaxis?.title?.text !== "step") return [];
  const all = (plot._fullData ?? []).flatMap((trace) => Array.from(trace.x ?? []));
  return [...new Set(all)].sort((one, other) => one - other);
}

function lookAt(step, plot) {
  if (!Number.isFinite(step)) return;
  field.value = step;
  clearTimeout(waiting);
  waiting = setTimeout(() => open(step, plot), WAIT_MS);
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
    if (!answer.ok || answer.redirected) throw new TypeError(`the server answered ${answer.status}`);
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address); // which says what is wrong
  }
}

function show(page) {
  for (const figure of area.querySelectorAll("figure[data-chart]")) {
    const block = page.getElementById(`${figure.id}-spec`);
    if (block) figure.dispatchEvent(new CustomEvent("chart:replace", { detail: JSON.parse(block.textContent) }));
    for (const part of ["title", "summary"]) exchange(page, `${figure.id}-${part}`);
  }
  for (const id of ["gradient-words", "run-tabs"]) exchange(page, id);
}

function exchange(page, id) {
  const [old, fresh] = [document.getElementById(id), page.getElementById(id)];
  if (old && fresh) old.innerHTML = fresh.innerHTML;
}

function listen(figure) {
  const plot = figure.querySelector("[data-chart-plot]");
  if (!stepsOf(plot).length) return;
  plot.tabIndex = 0;
  plot.on("plotly_click", ({ points }) => lookAt(points[0].x, plot));
  plot.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const steps = stepsOf(plot);
    const now = field.value === "" ? steps.at(-1) : Number(field.value);
    const next = way > 0 ? steps.find((step) => step > now) : steps.findLast((step) => step < now);
    if (next !== undefined) lookAt(next, plot);
  });
  if (location.hash === `#${figure.id}`) plot.focus();
}

if (area && field) {
  const heard = new Set();
  const hear = () => {
    for (const figure of area.querySelectorAll("figure[data-drawn]")) {
      if (!heard.has(figure)) listen(figure);
      heard.add(figure);
    }
  };
  new MutationObserver(hear).observe(area, { subtree: true, attributeFilter: ["data-drawn"] });
  hear();
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard; // which only a safe connection has
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    document.getElementById(`${button.dataset.copy}-copied`).textContent = "copied";
  });
}

for (const box of document.querySelectorAll("[data-follow]")) {
  const lines = document.getElementById(box.dataset.follow);
  const follow = () => { if (box.checked) lines.scrollTop = lines.scrollHeight; };
  box.closest("label").hidden = false;
  box.addEventListener("change", follow);
  new MutationObserver(follow).observe(lines, { childList: true });
  follow();
}
