/* The settings take the place of the log, which stays behind them as it is. */
"use strict";
(() => {
  const { base } = document.documentElement.dataset;
  const place = document.getElementById("portal-settings");
  const opener = document.getElementById("open-settings");
  const address = () => `${base}/settings?zone=${encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone)}`;

  function close() {
    document.body.classList.remove("is-in-settings");
    place.hidden = true;
    place.replaceChildren();
    opener.focus();
  }

  function fail() {
    place.replaceChildren(document.getElementById("failed-settings").content.cloneNode(true));
    const back = opener.cloneNode(true);
    back.removeAttribute("id");
    back.dataset.closeSettings = "";
    place.prepend(back);
    back.focus();
  }

  /* Show the server's page: the form is stored, a field is refused, or a removal is to be confirmed. */
  async function show(asked) {
    const answer = await asked.catch(() => null);
    if (!answer || !(answer.headers.get("Content-Type") ?? "").startsWith("text/html")) { fail(); return; }
    const drawn = new DOMParser().parseFromString(await answer.text(), "text/html");
    place.replaceChildren(...drawn.body.childNodes);
    const zone = place.querySelector("#settings-form").dataset.zone;
    if (zone) document.getElementById("zone").textContent = zone;
    const wrong = place.querySelector("[aria-invalid='true'], [name='confirm_removal']");
    const note = place.querySelector("[data-said]");
    (wrong ?? note ?? place.querySelector("h1")).focus();
    (wrong ?? place).scrollIntoView({ block: wrong ? "center" : "start" });
  }

  opener.addEventListener("click", async () => {
    opener.disabled = true;
    await show(callbook.session.fetch(address()));
    opener.disabled = false;
    place.hidden = false;
    document.body.classList.add("is-in-settings");
    place.querySelector("h1")?.focus();
    scrollTo(0, 0);
  });
  place.addEventListener("click", ({ target }) => {
    if (target.closest("[data-close-settings]")) close();
  });
  place.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") close();
  });
  place.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    if (form.getAttribute("aria-busy") === "true") return;
    form.setAttribute("aria-busy", "true");
    await show(callbook.session.fetch(address(), { method: "POST", body: new URLSearchParams(new FormData(form)) }));
  });
})();
