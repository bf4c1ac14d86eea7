/* Columns and theme: a choice shows at once, and the server stores it for this user. */
"use strict";
(() => {
  const { base } = document.documentElement.dataset;
  const { form } = callbook.log;

  /* Store a choice. If the server refuses it, it still holds in this tab, and the menu says why. */
  async function keep(choice) {
    const answer = await callbook.session.fetch(`${base}/log/preferences`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(choice),
    }).catch(() => null);
    const isRefused = answer && !answer.ok;
    document.getElementById("choice-refused").textContent = isRefused ? (await answer.json()).detail : "";
  }

  function applyColumns() {
    const columns = [...document.querySelectorAll("#columns li")]
      .filter((item) => item.querySelector("input").checked).map((item) => item.dataset.column);
    form().elements.columns.value = columns.join(",");
    callbook.filters.submit();
    if (!form().elements.view.value) keep({ columns }); // A saved view has columns of its own.
  }

  function move(button) {
    const item = button.closest("li");
    const other = button.dataset.move === "up" ? item.previousElementSibling : item.nextElementSibling;
    if (!other) return;
    if (button.dataset.move === "up") other.before(item);
    else other.after(item);
    button.focus();
    if (item.querySelector("input").checked) applyColumns();
  }

  document.addEventListener("click", ({ target }) => {
    const button = target.closest?.("[data-move]");
    if (button) move(button);
  });
  document.addEventListener("change", ({ target }) => {
    if (target.closest("#columns")) applyColumns();
    if (target.name === "theme") {
      document.documentElement.dataset.theme = target.value;
      keep({ theme: target.value });
    }
  });
})();
