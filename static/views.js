/* Saved views: the server draws the menu and, when one is opened, the whole log. */
"use strict";
(() => {
  const { base } = document.documentElement.dataset;
  const { form } = callbook.log;
  const place = document.getElementById("views");

  /* The body of the answer, or null; after a refusal, or without an answer, the menu says why. */
  async function ask(url, options) {
    const failure = place.querySelector(".view-failure");
    const answer = await callbook.session.fetch(`${base}${url}`, options).catch(() => null);
    if (answer?.ok) return answer.text();
    failure.textContent = answer ? (await answer.json()).detail : failure.dataset.offline;
    return null;
  }

  async function open(viewId) {
    const asked = new URLSearchParams({ view: viewId, zone: form().elements.zone?.value ?? "" });
    const text = await ask(`/log/panel?${asked}`);
    if (text === null) return;
    const panel = document.getElementById("panel");
    panel.innerHTML = text;
    place.replaceChildren(panel.querySelector("#views-answer").content);
    panel.querySelector("#views-answer").remove();
    place.querySelector("summary").focus();
    htmx.process(panel);
    callbook.filters.show();
    callbook.rows.rove();
    callbook.summary.load(true);
  }

  /* The set filters as the server stores them: several choices of one filter are one list. */
  function describe(viewForm) {
    const parameters = {};
    for (const [name, value] of new FormData(form())) {
      if (value) parameters[name] = name in parameters ? `${parameters[name]},${value}` : value;
    }
    const { columns = "" } = parameters;
    const { name, shared } = viewForm.elements;
    return { name: name.value, is_shared: shared.checked, parameters, columns: columns.split(",") };
  }

  async function send(method, url, body) {
    const headers = { "Content-Type": "application/json" };
    const text = await ask(url, { method, headers, body: body && JSON.stringify(body) });
    if (text === null) return;
    place.innerHTML = text;
    form().elements.view.value = place.querySelector("details").dataset.view;
    place.querySelector("summary").focus();
  }

  function copyLink() {
    const said = place.querySelector(".view-link [role=status]");
    const { copied, refused } = said.dataset;
    said.textContent = callbook.copy(document.getElementById("view-link")) ? copied : refused;
  }

  place.addEventListener("click", ({ target }) => {
    const { openView, deleteView, copyLink: isCopy } = target.closest("button")?.dataset ?? {};
    if (isCopy !== undefined) copyLink();
    if (openView !== undefined) open(openView);
    if (deleteView !== undefined) send("DELETE", `/log/views/${deleteView}`);
  });
  place.addEventListener("submit", (event) => {
    const viewId = event.submitter?.value ?? "new";
    const isNew = viewId === "new";
    send(isNew ? "POST" : "PUT", isNew ? "/log/views" : `/log/views/${viewId}`, describe(event.target));
  });
})();
