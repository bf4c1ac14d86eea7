/* New calls slide in: the head of the list as it is now replaces the shown head, row by row. */
"use strict";
(() => {
  const { ask, query, table } = callbook.log;
  const status = document.getElementById("status");
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  let isBehind = false;
  let isRefreshing = false;
  let isHeadVisible = true;

  function setBehind(value) {
    isBehind = value;
    status.toggleAttribute("data-behind", value);
  }

  async function refresh() {
    setBehind(true);
    if (isRefreshing || !isHeadVisible || document.hidden || table().hasAttribute("aria-busy")) return;
    setBehind(false);
    isRefreshing = true;
    let isLost = false;
    const asked = query();
    try {
      const shown = table().querySelectorAll("tr[data-id]").length;
      const limit = Math.min(Math.max(shown, 50), 200);
      const answer = await ask({ limit, ...await callbook.card?.proof() });
      if (answer.ok && !table().hasAttribute("aria-busy") && asked === query()) {
        const fresh = document.createElement("template");
        fresh.innerHTML = await answer.text();
        fresh.content.querySelector("hx-partial")?.remove(); // The filters are the same.
        merge(fresh.content);
        callbook.rows.rove();
        callbook.summary?.refresh();
      }
    } catch {
      isLost = true;
      setBehind(true); // Offline: the next event, or the next tick, tries again.
    } finally {
      isRefreshing = false;
    }
    if (isBehind && !isLost) refresh(); // News came while this list was on its way.
  }

  function merge(fresh) {
    const rows = document.getElementById("rows");
    const freshRows = [...fresh.querySelectorAll("tr[data-id]")];
    const shown = new Map([...table().querySelectorAll("tr[data-id]")].map((row) => [row.dataset.id, row]));
    const isShared = freshRows.some((row) => shown.has(row.dataset.id));
    replacePart("history", fresh);
    replacePart("notice", fresh);
    replacePart("doubt", fresh);
    replacePart("activities", fresh);
    if (!rows || !isShared) {
      if (!rows && !freshRows.length) return;
      table().replaceChildren(...fresh.childNodes);
      htmx.process(table());
      return;
    }
    const hasMore = fresh.querySelector("#more button") !== null;
    const height = rows.getBoundingClientRect().height;
    const arrived = replaceHead(rows, freshRows, shown, hasMore);
    if (!hasMore) replaceMore(fresh);
    if (arrived.length) slideIn(rows, arrived, rows.getBoundingClientRect().height - height);
  }

  /* Replace a part above the rows if its content has changed. */
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
      if (old && !isSame(old, row)) replaceCells(old, row);
      if (!old) arrived.push(row);
      const current = old ?? row;
      if (current === place) place = place.nextElementSibling;
      else rows.insertBefore(current, place);
    }
    return arrived;
  }

  /* Rows that differ only in their tab stop are alike. */
  function isSame(old, row) {
    return old.innerHTML.replaceAll('tabindex="0"', 'tabindex="-1"') === row.innerHTML;
  }

  function replaceCells(old, row) {
    const isFocused = old.contains(document.activeElement);
    old.innerHTML = row.innerHTML;
    if (isFocused) old.querySelector("[data-open]").focus();
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

  /* New rows above would push away the rows that the user reads, so they wait until the head is in view. */
  new IntersectionObserver(([entry]) => {
    isHeadVisible = entry.isIntersecting;
    if (isHeadVisible && isBehind) refresh();
  }).observe(document.getElementById("head"));

  document.addEventListener("callbook:idle", () => { if (isBehind) refresh(); });
  callbook.follow(callbook.card?.pace(refresh) ?? refresh, (state) => {
    if (status.dataset.state !== state) status.dataset.state = state;
  });
})();
