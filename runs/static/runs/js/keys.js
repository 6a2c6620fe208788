/* A [data-key] is pressed by its key, or entered; "gx" is g, then x. Others: event "key". */
const OFF = "keys-off";
const find = (selector) => document.querySelector(selector);
const form = "input:not([type=checkbox]),select,textarea";
let first = "";

addEventListener("keydown", (event) => {
  const { key, target } = event;
  const field = target.closest?.(form);
  if (key === "Escape") field?.blur();
  if (field || localStorage[OFF] || event.ctrlKey || event.metaKey || event.altKey) return;
  const found = find(`[data-key="${CSS.escape(first + key)}"]`);
  first = key === "g" ? key : "";
  if (!found) return document.dispatchEvent(new CustomEvent("key", { detail: event }));
  event.preventDefault();
  found.matches(form) ? found.focus() : found.click();
});

const box = find("[data-keys]");
if (box) {
  box.checked = !localStorage[OFF];
  box.onchange = () => { localStorage[OFF] = box.checked ? "" : 1; };
}

const copy = find("[data-copy]");
copy?.addEventListener("click", (event) => {
  if (!navigator.clipboard || location.href.length > 1500) return;
  event.preventDefault();
  navigator.clipboard.writeText(location.href).then(() => {
    copy.textContent = find("[data-copied]").textContent = "Link copied";
  });
});
