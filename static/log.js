/* The log: requests carry the session, failures become sentences, the focus stays in its place. */
"use strict";
callbook.log = (() => {
  const form = () => document.getElementById("filters");
  const table = () => document.getElementById("log");
  const query = () => new URLSearchParams(new FormData(form())).toString();

  /* The list for the form's filters, and the further fields to send with them. */
  function ask(extra) {
    const asked = new URLSearchParams(new FormData(form()));
    for (const [name, value] of Object.entries(extra)) asked.set(name, value);
    const address = form().getAttribute("hx-post");
    return address ? callbook.session.fetch(address, { method: "POST", body: asked })
      : callbook.session.fetch(`${form().getAttribute("hx-get")}?${asked}`);
  }

  /* The sentences in place of a failed answer; their button sends the same request again. */
  function failure(kind, url, target, isPost) {
    const content = document.getElementById(`failed-${kind}`).content.cloneNode(true);
    const button = content.querySelector("button");
    button?.setAttribute(isPost ? "hx-post" : "hx-get", url);
    button?.setAttribute("hx-target", target);
    if (isPost) button?.setAttribute("form", form().id);
    const holder = document.createElement("div");
    holder.append(content);
    return new Response(holder.innerHTML, { status: 200, headers: { "Content-Type": "text/html" } });
  }

  async function fetchFragment(url, options) {
    const target = new URL(url, location).searchParams.has("cursor") ? "#more" : "#log";
    const isExtra = !url.includes("/rows"); // The list can do without its answer.
    const isPost = options?.method === "POST";
    let answer;
    try {
      answer = await callbook.session.fetch(url, options);
    } catch (error) {
      if (options?.signal?.aborted) throw error;
      return isExtra ? new Response(null, { status: 204 }) : failure("offline", url, target, isPost);
    }
    if (answer.ok) return answer;
    if (isExtra) return new Response(null, { status: 204 });
    const kind = answer.status === 401 ? "session" : answer.status === 400 ? "filter" : "server";
    return failure(kind, url, target, isPost);
  }

  /* These listeners are there before htmx begins, because its script comes after this one. */
  document.addEventListener("htmx:config:request", ({ detail }) => { detail.ctx.fetch = fetchFragment; });
  document.addEventListener("htmx:before:request", ({ target }) => {
    if (!target.closest("[hidden]")) table().setAttribute("aria-busy", "true");
  });
  document.addEventListener("htmx:finally:request", () => {
    table().removeAttribute("aria-busy");
    document.dispatchEvent(new Event("callbook:idle"));
  });

  /* A swap may remove the focused element: then the same one in the new content gets the focus, else the nearest. */
  let focused = "";
  document.addEventListener("htmx:before:swap", () => { focused = document.activeElement?.id ?? ""; });
  document.addEventListener("htmx:after:swap", () => {
    if (!focused || document.activeElement !== document.body) return;
    const again = document.getElementById(focused) ?? document.querySelector(".chip:last-of-type")
      ?? document.getElementById("more-toggle");
    again.focus();
  });

  /* Say a change to screen readers. */
  function say(text) { document.getElementById("announcement").textContent = text; }

  document.addEventListener("submit", (event) => event.preventDefault());

  /* If the portal tells no time zone, send the browser's before any other request. */
  const { zone } = form().elements;
  if (zone) {
    zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
    document.getElementById("zone").textContent = zone.value;
    form().addEventListener("htmx:after:init", () => form().requestSubmit(), { once: true });
  }

  return { form, table, query, ask, say };
})();
