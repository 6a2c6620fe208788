/*
Keeps a page up to date by asking, while somebody looks at it.

[data-live-url]   asked every second with ?after=<data-live-after, then the last answer's "next">; it answers
                  {"charts": {id: {"append": [[xs, ys] or null per trace]}}, "replace": {id: figure},
                   "marks": {"ids": [id], "layout": {}}, "fragments": {id: html}, "next": cursor, "over": bool}.
                  It stops when over. Where a figure is replaced that the page has not, its #gallery is fetched anew.
[data-poll-url]   asked every data-poll-seconds (default 3); the answer is the element's new HTML. Rows with an id
                  are exchanged one by one. It stops at the answer's header X-Over: 1, or when data-poll-over is set.
#live-state       says how it stands. Seconds tick in sight only; a screen reader hears when the state changes.
*/

const LIVE_MS = 1000;
const RETRY_MS = 5000;
const state = document.getElementById("live-state");
const seen = document.createElement("span");
const heard = document.createElement("span");
let updatedAt = 0;
let trouble = "";

if (state) {
  seen.setAttribute("aria-hidden", "true");
  heard.className = "hidden";
  heard.setAttribute("aria-live", "polite");
  state.replaceChildren(seen, heard);
}

function announce(kind, words) {
  if (!state) return;
  state.dataset.state = kind;
  seen.textContent = words;
  const spoken = { live: "Live updates are on.", paused: words, over: words }[kind];
  if (heard.textContent !== spoken) heard.textContent = spoken;
}

function tick() {
  if (trouble) announce("paused", trouble);
  else if (updatedAt) announce("live", `live · updated ${Math.round((Date.now() - updatedAt) / 1000)} s ago`);
}

function whenVisible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function ask(address) {
  const answer = await fetch(address, { headers: { "X-Requested-With": "fetch" }, cache: "no-store" });
  if (answer.redirected) throw new Error("signed out, reload the page");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return answer;
}

/* Ask again and again; `once` says whether it is over. */
async function repeat(ms, once) {
  for (let over = false; !over; ) {
    await whenVisible();
    try {
      over = await once();
      updatedAt = Date.now();
      trouble = "";
    } catch (error) {
      const known = error.message.startsWith("signed out");
      trouble = known ? `live updates stopped: ${error.message}` : "live updates paused, retrying";
      await pause(RETRY_MS);
    }
    if (!over) await pause(ms);
  }
}

/* Live charts and fragments ------------------------------------------------------------------------------ */

function send(id, kind, detail) {
  document.getElementById(id)?.dispatchEvent(new CustomEvent(`chart:${kind}`, { detail }));
}

const FIELDS = "input[name], select[name]";
const nameOf = (field) => `${field.name} ${field.type === "checkbox" ? field.value : ""}`;

/* Fill in news; what somebody has typed, ticked and opened meanwhile stays. */
function fill(id, html) {
  const element = document.getElementById(id);
  if (!element || element.dataset.html === html) return;
  element.dataset.html = html; // what the server said last; the browser may write the same HTML differently
  const active = document.activeElement;
  const focused = element.contains(active) ? active : null;
  const fields = new Map([...element.querySelectorAll(FIELDS)].map((field) => [nameOf(field), field]));
  const folds = [...element.querySelectorAll("details")];
  element.innerHTML = html;
  for (const field of element.querySelectorAll(FIELDS)) {
    const old = fields.get(nameOf(field));
    if (!old || old.type === "hidden") continue;
    field.checked = old.checked;
    field.value = old.value;
    if (old === focused) field.focus();
  }
  const fresh = [...element.querySelectorAll("details")];
  if (fresh.length === folds.length) fresh.forEach((fold, index) => { fold.open = folds[index].open; });
  if (focused?.id) document.getElementById(focused.id)?.focus();
}

/* Bring in charts that began after the page was loaded; those that it has stay as they are, zoom and all. */
async function grow(ids) {
  const gallery = document.getElementById("gallery");
  if (!gallery || ids.every((id) => document.getElementById(id))) return;
  const page = new DOMParser().parseFromString(await (await ask(location.href)).text(), "text/html");
  const fresh = page.getElementById("gallery");
  if (!fresh) return;
  const focused = gallery.contains(document.activeElement) ? document.activeElement : null;
  document.adoptNode(fresh);
  for (const figure of gallery.querySelectorAll("figure[data-chart]")) {
    fresh.querySelector(`#${CSS.escape(figure.id)}`)?.replaceWith(figure);
  }
  gallery.replaceWith(fresh);
  focused?.focus({ preventScroll: true });
  document.dispatchEvent(new Event("charts:added"));
}

async function live(element) {
  const address = new URL(element.dataset.liveUrl, location.href);
  let after = element.dataset.liveAfter ?? "";
  let marks = "";
  const clock = setInterval(tick, 1000);
  await repeat(LIVE_MS, async () => {
    address.searchParams.set("after", after);
    const news = await (await ask(address)).json();
    for (const [id, chart] of Object.entries(news.charts ?? {})) {
      if (chart.append) send(id, "append", chart.append);
    }
    for (const [id, figure] of Object.entries(news.replace ?? {})) send(id, "replace", figure);
    const marked = JSON.stringify(news.marks);
    if (marks !== marked) news.marks?.ids.forEach((id) => send(id, "marks", news.marks.layout));
    marks = marked;
    for (const [id, html] of Object.entries(news.fragments ?? {})) fill(id, html);
    await grow(Object.keys(news.replace ?? {}));
    after = news.next ?? after;
    return news.over;
  });
  clearInterval(clock);
  announce("over", "the run is over; this is its final state");
}

/* Polled rows -------------------------------------------------------------------------------------------- */

function exchange(element, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = [...template.content.children];
  const old = [...element.children];
  const same = fresh.length === old.length && fresh.every((row, index) => row.id && row.id === old[index].id);
  const checked = new Set([...element.querySelectorAll("input:checked")].map((box) => box.value));
  const keep = (row) => row.querySelectorAll("input[type=checkbox]").forEach((box) => { box.checked = checked.has(box.value); });
  if (!same) {
    element.replaceChildren(...fresh);
    keep(element);
    return;
  }
  fresh.forEach((row, index) => {
    const current = old[index];
    if (current.isEqualNode(row) || current.contains(document.activeElement)) return;
    keep(row);
    current.replaceWith(row);
  });
}

function poll(element) {
  const ms = 1000 * (Number(element.dataset.pollSeconds) || 3);
  const clock = setInterval(tick, 1000);
  return pause(ms).then(() => repeat(ms, async () => {
    const answer = await ask(new URL(element.dataset.pollUrl, location.href));
    exchange(element, await answer.text());
    document.dispatchEvent(new Event("charts:added"));
    return answer.headers.get("X-Over") === "1" || "pollOver" in element.dataset;
  })).then(() => {
    clearInterval(clock);
    announce("over", "all of these are over");
  });
}

document.querySelectorAll("[data-live-url]").forEach(live);
document.querySelectorAll("[data-poll-url]").forEach(poll);
