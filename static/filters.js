/* The filters' form: fields that depend on each other, the count of set filters, and removing them. */
"use strict";
(() => {
  const { form } = callbook.log;
  const count = new Intl.NumberFormat(document.documentElement.lang);

  function isSet(control) {
    return control.type === "checkbox" ? control.checked : control.value !== "";
  }

  /* Show how many filters are set in each closed menu. */
  function showCounts() {
    for (const menu of form().querySelectorAll("[data-counts]")) {
      const set = [...menu.querySelectorAll(".filter")].filter(isSet).length;
      menu.querySelector(".count").textContent = set ? count.format(set) : "";
    }
    const more = [...form().querySelectorAll("#more-filters .filter")].filter(isSet).length;
    form().querySelector("[data-more-count]").textContent = more ? count.format(more) : "";
  }

  function show() {
    document.getElementById("dates").hidden = form().elements.period.value !== "free";
    showCounts();
  }

  function submit() {
    show();
    form().requestSubmit();
  }

  function remove(field, value) {
    for (const control of form().elements) {
      if (control.name !== field) continue;
      if (control.type !== "checkbox") control.value = "";
      else if (control.value === value) control.checked = false;
    }
    const { period, from, to } = form().elements;
    if (period.value === "free" && !from.value && !to.value) period.value = "";
  }

  function clear() {
    for (const control of form().querySelectorAll(".filter, #q")) {
      if (control.type === "checkbox") control.checked = false;
      else control.value = "";
    }
  }

  function toggleMore(toggle) {
    const more = document.getElementById("more-filters");
    more.hidden = !more.hidden;
    toggle.setAttribute("aria-expanded", String(!more.hidden));
  }

  document.addEventListener("click", ({ target }) => {
    const button = target.closest?.("button");
    if (!button) return;
    if (button.id === "more-toggle") toggleMore(button);
    else if ("clear" in button.dataset) { clear(); submit(); }
    else if ("remove" in button.dataset) { remove(button.dataset.remove, button.dataset.value); submit(); }
    else if ("sort" in button.dataset) { form().elements.sort.value = button.dataset.sort; submit(); }
  });
  document.addEventListener("input", (event) => { if (event.target.form === form()) show(); });
  document.addEventListener("htmx:after:swap", show);
  show();
  callbook.filters = { show, submit };
})();
