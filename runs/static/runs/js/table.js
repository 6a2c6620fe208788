/*
The runs table by keyboard: j and k walk its rows, x ticks one, s pins it, c compares what is ticked, Escape
clears the ticks. [data-all] ticks every row of the page, [data-more] opens a phone's filters.
*/
const rows = () => [...document.querySelectorAll("tr:has([name=runs])")];
const boxes = () => [...document.querySelectorAll("[name=runs]")];
const here = () => document.activeElement?.closest("tr");

function walk(by) {
  const all = rows();
  const next = Math.min(all.length - 1, Math.max(0, all.indexOf(here()) + by));
  all[next]?.querySelector("th a")?.focus();
}

const press = (selector, within = document) => within?.querySelector(selector)?.click();
const KEYS = {
  j: () => walk(1),
  k: () => walk(-1),
  x: () => press("[name=runs]", here()),
  s: () => press("[name=pin]", here()),
  c: () => press("[name=action][value=compare]"),
  Escape: () => boxes().forEach((box) => { box.checked = false; }),
};

document.addEventListener("key", ({ detail: event }) => {
  if (!KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

document.querySelector("[data-all]")?.addEventListener("change", (event) => {
  boxes().forEach((box) => { box.checked = event.target.checked; });
});

document.querySelector("[data-more]")?.addEventListener("click", ({ target }) => {
  target.setAttribute("aria-expanded", target.getAttribute("aria-expanded") === "false");
});
