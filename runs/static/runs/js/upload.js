// Shows how far an upload has come, and refuses a file that is too large before it is sent.
// Without this script the form is sent by the browser alone, and the server says the same.

const form = document.getElementById("upload");
const field = form.elements.file;
const button = form.querySelector("[type=submit]");
const progress = form.querySelector("progress");
const told = form.querySelector("output");
const most = Number(form.dataset.most);

const isTooLarge = () => field.files.length > 0 && field.files[0].size > most;

function check() {
  told.textContent = isTooLarge()
    ? `Expected a file of at most ${most.toLocaleString("en")} bytes, this one has ${field.files[0].size.toLocaleString("en")}; send fewer rows.`
    : "";
  field.toggleAttribute("aria-invalid", isTooLarge());
}

function show(request) {
  const page = new DOMParser().parseFromString(request.responseText, "text/html");
  const main = page.querySelector("main");
  if (request.status < 400 || !main) {
    location.assign(request.responseURL || location.href);
    return;
  }
  form.querySelectorAll(".field__error").forEach((old) => old.remove());
  document.querySelectorAll("main > .message").forEach((old) => old.remove());
  main.querySelectorAll(":scope > .message").forEach((one) => form.before(document.adoptNode(one)));
  document.querySelector("main > [role=alert]")?.scrollIntoView();
  wait(false);
}

function wait(isSending) {
  button.disabled = isSending;
  progress.hidden = !isSending;
  told.textContent = "";
}

function send(event) {
  event.preventDefault();
  check();
  if (isTooLarge()) return;
  const request = new XMLHttpRequest();
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    progress.value = (100 * loaded) / total;
    told.textContent = loaded < total ? `${Math.round(progress.value)} %` : "Sent.";
  });
  request.addEventListener("load", () => show(request));
  request.addEventListener("error", () => {
    wait(false);
    told.textContent = "The connection was lost, nothing was kept; try again.";
  });
  wait(true);
  request.open("POST", location.href);
  request.send(new FormData(form));
}

field.addEventListener("change", check);
form.addEventListener("submit", send);
