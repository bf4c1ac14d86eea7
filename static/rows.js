/* The table by keyboard: one row is a tab stop, arrows move it, Enter opens the call of the row. The opener in a
   row is no button element, because a user cannot select a button's text.

   A panel that shows calls listens to `callbook:open`, which bubbles from the row; its detail has `callId`. */
"use strict";
callbook.rows = (() => {
  const PAGE = 10;
  const openers = () => [...document.querySelectorAll("#rows [data-open]")];

  /* Tab reaches exactly one opener: the one that had the focus last, else the first. */
  function rove(chosen) {
    const all = openers();
    const stop = chosen ?? all.find((button) => button.tabIndex === 0) ?? all[0];
    for (const button of all) button.tabIndex = button === stop ? 0 : -1;
  }

  function target(key, all, index) {
    switch (key) {
      case "ArrowDown": return all[index + 1];
      case "ArrowUp": return all[index - 1];
      case "Home": return all[0];
      case "End": return all.at(-1);
      case "PageDown": return all[Math.min(index + PAGE, all.length - 1)];
      case "PageUp": return all[Math.max(index - PAGE, 0)];
      default: return undefined;
    }
  }

  function open(row) {
    row.dispatchEvent(new CustomEvent("callbook:open", { bubbles: true, detail: { callId: row.dataset.callId } }));
  }

  document.addEventListener("keydown", (event) => {
    const button = event.target.closest?.("[data-open]");
    if (!button || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const all = openers();
    const next = target(event.key, all, all.indexOf(button));
    const isOpening = event.key === "Enter" || event.key === " ";
    if (isOpening) open(button.closest("tr"));
    if (next) next.focus();
    if (next || isOpening || event.key.startsWith("Arrow")) event.preventDefault();
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-open]")) rove(event.target);
  });
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.("#rows tr");
    if (!row || event.target.closest("button, a, input, select, audio")) return;
    const selection = getSelection();
    if (selection.isCollapsed || !row.contains(selection.anchorNode)) open(row); // Else the user has selected its text.
  });
  document.addEventListener("htmx:after:swap", () => rove());
  rove();
  return { rove };
})();
