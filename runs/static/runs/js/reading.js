// Goes on to the columns as soon as a file is read. Without this script there is a link to them.

const looked = new MutationObserver(() => {
  const next = document.querySelector("[data-next]");
  if (next) location.replace(next.href);
  if (document.getElementById("upload-refused")) document.getElementById("cancel")?.remove();
});
looked.observe(document.querySelector("main"), { childList: true, subtree: true });
