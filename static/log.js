/* The log: requests carry the session, failures become something to read, new calls slide in. */
"use strict";
(() => {
  const log = document.getElementById("log");
  const filters = document.getElementById("filters");
  const status = document.getElementById("status");
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  /* What the user reads instead of an answer that failed; its button asks for the same again. */
  function failure(kind, url, target) {
    const content = document.getElementById(`failed-${kind}`).content.cloneNode(true);
    content.querySelector("button")?.setAttribute("hx-get", url);
    content.querySelector("button")?.setAttribute("hx-target", target);
    const holder = document.createElement("div");
    holder.append(content);
    return new Response(holder.innerHTML, { status: 200, headers: { "Content-Type": "text/html" } });
  }

  async function fetchFragment(url, options) {
    const target = new URL(url, location).searchParams.has("cursor") ? "#more" : "#log";
    let answer;
    try {
      answer = await callbook.session.fetch(url, options);
    } catch (error) {
      if (options?.signal?.aborted) throw error;
      return failure("offline", url, target);
    }
    if (answer.ok) return answer;
    if (url.includes("/log/operators")) return new Response(null, { status: 204 });
    return failure(answer.status === 401 ? "session" : answer.status === 400 ? "filter" : "server", url, target);
  }

  /* These listeners stand before htmx begins: its script comes after this one. */
  document.addEventListener("htmx:config:request", ({ detail }) => { detail.ctx.fetch = fetchFragment; });
  document.addEventListener("htmx:before:request", () => log.setAttribute("aria-busy", "true"));
  document.addEventListener("htmx:finally:request", () => {
    log.removeAttribute("aria-busy");
    if (isBehind) refresh();
  });

  /* A portal that tells no time zone: the browser's, once, before anything else is asked. */
  const zone = filters.elements.zone;
  if (zone) {
    zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
    document.getElementById("zone").textContent = zone.value;
    filters.addEventListener("htmx:after:init", () => filters.requestSubmit(), { once: true });
  }

  const period = filters.elements.period;
  const showDates = () => {
    document.getElementById("dates").hidden = period.value !== "free";
    filters.classList.toggle("is-set", [...new FormData(filters)].some(([name, value]) => name !== "zone" && value));
  };
  filters.addEventListener("input", showDates);
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("reset", () => setTimeout(showDates));
  log.addEventListener("click", (event) => {
    if (event.target.closest("[data-reset]")) filters.reset();
  });

  /* New calls. The head of the list as it is now replaces the head that is shown, row by row. */
  let isBehind = false;
  let isRefreshing = false;
  let isHeadVisible = true;

  function setBehind(value) {
    isBehind = value;
    status.toggleAttribute("data-behind", value);
  }

  async function refresh() {
    setBehind(true);
    if (isRefreshing || !isHeadVisible || document.hidden || log.hasAttribute("aria-busy")) return;
    setBehind(false);
    isRefreshing = true;
    const asked = new URLSearchParams(new FormData(filters)).toString();
    try {
      const shown = log.querySelectorAll("tr[data-id]").length;
      const limit = Math.min(Math.max(shown, 50), 200);
      const answer = await callbook.session.fetch(`${filters.getAttribute("hx-get")}?${asked}&limit=${limit}`);
      if (answer.ok && !log.hasAttribute("aria-busy")
          && asked === new URLSearchParams(new FormData(filters)).toString()) {
        const fresh = document.createElement("template");
        fresh.innerHTML = await answer.text();
        merge(fresh.content);
      }
    } catch {
      setBehind(true); // Offline: the next event, or the next tick, tries again.
    } finally {
      isRefreshing = false;
    }
  }

  function merge(fresh) {
    const rows = document.getElementById("rows");
    const freshRows = [...fresh.querySelectorAll("tr[data-id]")];
    const shown = new Map([...log.querySelectorAll("tr[data-id]")].map((row) => [row.dataset.id, row]));
    const isShared = freshRows.some((row) => shown.has(row.dataset.id));
    replacePart("history", fresh);
    replacePart("notice", fresh);
    replacePart("doubt", fresh);
    if (!rows || !isShared) {
      if (!rows && !freshRows.length) return;
      log.replaceChildren(...fresh.childNodes);
      htmx.process(log);
      return;
    }
    const hasMore = fresh.querySelector("#more [hx-get]") !== null;
    const height = rows.getBoundingClientRect().height;
    const arrived = replaceHead(rows, freshRows, shown, hasMore);
    if (!hasMore) replaceMore(fresh);
    if (arrived.length) slideIn(rows, arrived, rows.getBoundingClientRect().height - height);
  }

  /* What stands above the rows, when it says something else. */
  function replacePart(id, content) {
    const shown = document.getElementById(id);
    const fresh = content.querySelector(`#${id}`);
    if (shown && fresh && shown.outerHTML !== fresh.outerHTML) shown.replaceWith(fresh.cloneNode(true));
  }

  function replaceHead(rows, freshRows, shown, hasMore) {
    const last = freshRows.findLastIndex((row) => shown.has(row.dataset.id));
    const kept = new Set(freshRows.map((row) => row.dataset.id));
    const end = hasMore ? shown.get(freshRows[last].dataset.id) : null;
    const order = [...shown.values()];
    for (const row of end ? order.slice(0, order.indexOf(end) + 1) : order) {
      if (!kept.has(row.dataset.id)) row.remove();
    }
    const arrived = [];
    let place = rows.firstElementChild;
    for (const row of freshRows) {
      const old = shown.get(row.dataset.id);
      if (old && old.innerHTML !== row.innerHTML) old.innerHTML = row.innerHTML;
      if (!old) arrived.push(row);
      const current = old ?? row;
      if (current === place) place = place.nextElementSibling;
      else rows.insertBefore(current, place);
    }
    return arrived;
  }

  function replaceMore(fresh) {
    const more = document.getElementById("more");
    const freshMore = fresh.querySelector("#more");
    if (more && freshMore && more.innerHTML !== freshMore.innerHTML) more.replaceWith(freshMore);
  }

  function slideIn(rows, arrived, grownBy) {
    for (const row of arrived) {
      row.classList.add("is-new");
      row.addEventListener("animationend", () => row.classList.remove("is-new"), { once: true });
    }
    if (still.matches || grownBy <= 0) return;
    rows.animate(
      [{ transform: `translateY(-${grownBy}px)` }, { transform: "none" }],
      { duration: 280, easing: "cubic-bezier(.2, .7, .3, 1)" },
    );
  }

  /* Rows that arrive above what somebody reads would push it away: they wait until the head is in view. */
  new IntersectionObserver(([entry]) => {
    isHeadVisible = entry.isIntersecting;
    if (isHeadVisible && isBehind) refresh();
  }).observe(document.getElementById("head"));

  callbook.follow(refresh, (state) => {
    if (status.dataset.state !== state) status.dataset.state = state;
  });
})();
