/*
Keeps a page up to date while somebody looks: by one stream of events for all that it shows; by asking while
there is none. News do the same whichever way they came.

[data-live-url]  answers {"charts": {id: {"append": [[xs, ys] or null per trace]}}, "replace": {id: figure},
                 "marks": {"ids": [id], "layout": {}}, "fragments": {id: html}, "next": cursor, "over": bool} to
                 ?after=<data-live-after, then the last "next">. Where a figure is new, #gallery is fetched anew.
[data-poll-url]  answers the element's HTML, in the stream as the fragment "". Rows with an id are exchanged one by
                 one. Over at the header X-Over: 1.
Without a stream asked every data-poll-seconds (3; the first kind 1). The navigation is never over.
#live-state      says how it stands. Seconds tick in sight only; screen readers hear changes.
*/

const LOST_MS = 5000; // without a stream, until we ask
const SILENT_MS = 40_000; // beats come every 15 s
const BACK_MS = 30_000; // of asking, until we try the stream again
const byId = (id) => document.getElementById(id);
const state = byId("live-state");
const seen = document.createElement("span");
const heard = document.createElement("span");
const watched = new Map(); // by address
const going = () => [...watched].filter(([, one]) => !one.over);
const isOver = () => going().every(([, { element }]) => element.closest("nav"));
let updatedAt = 0;
let trouble = "";
let way;

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
  const spoken = kind === "live" ? "Live updates are on." : words;
  if (heard.textContent !== spoken) heard.textContent = spoken;
}

function tick() {
  if (trouble) announce("paused", trouble);
  else if (isOver()) announce("over", "over; this is the final state");
  else if (updatedAt) announce("live", `${way} · updated ${Math.round((Date.now() - updatedAt) / 1000)} s ago`);
}

function heardBy(words) {
  way = words;
  updatedAt = Date.now();
  trouble = "";
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const shown = () => new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));

async function ask(address) {
  const answer = await fetch(address, { cache: "no-store" });
  if (answer.ok && !answer.redirected) return answer;
  throw { isGone: answer.redirected || answer.status === 404 };
}

const send = (id, kind, detail) => byId(id)?.dispatchEvent(new CustomEvent(`chart:${kind}`, { detail }));

const FIELDS = "input[name], select[name]";
const focusedIn = (element) => element.querySelector(":focus");
const nameOf = (field) => `${field.name} ${field.type === "checkbox" ? field.value : ""}`;
const foldOf = (fold) => fold.closest("[id]").id + fold.children[0].textContent;

/* Fill in news; what was typed, ticked and opened meanwhile stays. */
function fill(id, html) {
  const element = byId(id);
  if (!element || element.dataset.html === html) return;
  element.dataset.html = html; // as the server wrote it; the browser may write it differently
  const focused = focusedIn(element);
  const fields = new Map([...element.querySelectorAll(FIELDS)].map((field) => [nameOf(field), field]));
  const folds = new Map([...element.querySelectorAll("details")].map((fold) => [foldOf(fold), fold.open]));
  element.innerHTML = html;
  for (const fold of element.querySelectorAll("details")) fold.open = folds.get(foldOf(fold)) ?? fold.open;
  for (const field of element.querySelectorAll(FIELDS)) {
    const old = fields.get(nameOf(field));
    if (!old || old.type === "hidden") continue;
    field.checked = old.checked;
    field.value = old.value;
    if (old === focused) field.focus();
  }
  if (focused?.id) byId(focused.id)?.focus();
}

/* Bring in charts that began after the page was loaded; those that it has stay as they are, zoom and all. */
async function grow(ids) {
  const gallery = byId("gallery");
  if (!gallery || ids.every(byId)) return;
  const page = new DOMParser().parseFromString(await (await ask(location.href)).text(), "text/html");
  const fresh = page.getElementById("gallery");
  if (!fresh) return;
  const focused = focusedIn(gallery);
  document.adoptNode(fresh);
  for (const figure of gallery.querySelectorAll("figure[data-chart]")) {
    fresh.querySelector(`#${CSS.escape(figure.id)}`)?.replaceWith(figure);
  }
  gallery.replaceWith(fresh);
  focused?.focus({ preventScroll: true });
  document.dispatchEvent(new Event("charts:added"));
}

function exchange(element, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = [...template.content.children];
  const old = [...element.children];
  const isSame = fresh.length === old.length && fresh.every((row, index) => row.id && row.id === old[index].id);
  const checked = new Set([...element.querySelectorAll("input:checked")].map((box) => box.value));
  for (const box of template.content.querySelectorAll("input[type=checkbox]")) box.checked = checked.has(box.value);
  if (!isSame) element.replaceChildren(...fresh);
  else fresh.forEach((row, index) => {
    const current = old[index];
    if (!current.isEqualNode(row) && !focusedIn(current)) current.replaceWith(row);
  });
  document.dispatchEvent(new Event("charts:added"));
}

async function apply(address, { charts = {}, replace = {}, fragments = {}, marks, next, over }) {
  const one = watched.get(address);
  for (const id in charts) send(id, "append", charts[id].append);
  for (const id in replace) send(id, "replace", replace[id]);
  const marked = marks && JSON.stringify(marks);
  if (marked && one.marked !== marked) marks.ids.forEach((id) => send(id, "marks", marks.layout));
  one.marked = marked ?? one.marked;
  for (const id in fragments) id ? fill(id, fragments[id]) : exchange(one.element, fragments[id]);
  one.after = next ?? one.after;
  one.over = over;
  await grow(Object.keys(replace));
}

/* Read the stream, from where the page has read to, until it is lost or hidden. */
function stream() {
  const query = new URLSearchParams(going().map(([address]) => ["topic", address]));
  query.set("after", going().map(([, one]) => one.after).join(";"));
  const source = new EventSource(`/events?${query}`);
  let reading = Promise.resolve();
  return new Promise((resolve) => {
    let timer, isLost;
    const end = () => {
      clearTimeout(timer);
      source.close();
      document.removeEventListener("visibilitychange", end);
      reading.then(resolve);
    };
    const patience = (ms) => {
      clearTimeout(timer);
      timer = setTimeout(end, ms);
    };
    const hear = () => {
      isLost = false;
      heardBy("live");
      patience(SILENT_MS);
    };
    patience(LOST_MS);
    source.onopen = hear;
    source.addEventListener("beat", hear);
    source.onmessage = ({ data }) => {
      hear();
      const news = JSON.parse(data);
      reading = reading.then(() => apply(news.of, news)).catch(end);
    };
    source.onerror = () => { // else the browser comes back by itself
      if (source.readyState === EventSource.CLOSED) end();
      else if (!isLost) patience(LOST_MS);
      isLost = true;
    };
    document.addEventListener("visibilitychange", end);
  });
}

/* Ask for each by itself, for a while. */
async function poll() {
  const until = Date.now() + BACK_MS;
  await Promise.all(going().map(async ([address, one]) => {
    while (!one.over && Date.now() < until && !document.hidden) {
      try {
        const url = new URL(address, location.href);
        if (one.isRun) url.searchParams.set("after", one.after);
        const answer = await ask(url);
        await apply(address, one.isRun ? await answer.json() : {
          fragments: { "": await answer.text() }, over: answer.headers.get("X-Over") === "1",
        });
        heardBy("live by asking");
      } catch ({ isGone }) {
        trouble = isGone ? "signed out, or no longer there: reload the page" : "live updates paused, retrying";
        await pause(LOST_MS);
      }
      await pause(one.ms);
    }
  }));
}

async function keep() {
  setInterval(tick, 1000);
  for (;;) {
    if (document.hidden) await shown();
    await stream();
    if (!document.hidden) await poll();
  }
}

for (const element of document.querySelectorAll("[data-live-url], [data-poll-url]")) {
  const { liveUrl, liveAfter = "", pollUrl, pollSeconds = liveUrl ? 1 : 3 } = element.dataset;
  watched.set(liveUrl ?? pollUrl, { element, after: liveAfter, isRun: !!liveUrl, ms: 1000 * pollSeconds });
}
if (watched.size) keep();
