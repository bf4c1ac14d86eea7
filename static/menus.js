/* Menus that open below their button, one at a time. Escape, a click elsewhere or leaving closes one. */
"use strict";
(() => {
  const MARGIN = 12;
  const opened = () => [...document.querySelectorAll("details.menu[open]")];

  function closeOthers(target) {
    for (const menu of opened()) if (!menu.contains(target)) menu.open = false;
  }

  /* Keep a panel within the frame, on either side. */
  document.addEventListener("toggle", ({ target }) => {
    const panel = target.matches("details.menu[open]") && target.querySelector(".menu-panel");
    if (!panel) return;
    panel.style.translate = "";
    const { left, right } = panel.getBoundingClientRect();
    const shift = Math.max(MARGIN - left, 0) || Math.min(document.documentElement.clientWidth - MARGIN - right, 0);
    if (shift) panel.style.translate = `${shift}px`;
  }, true);
  document.addEventListener("pointerdown", ({ target }) => closeOthers(target));
  document.addEventListener("focusin", ({ target }) => closeOthers(target));
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" ? event.target.closest?.("details.menu[open]") : null;
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
    event.stopPropagation();
  });
  /* The portal's page has the focus now. */
  addEventListener("blur", () => closeOthers(document.activeElement));
})();
