/* The line that sums up the calls of the list. Counting takes longer than listing, so it comes after the rows. */
"use strict";
callbook.summary = (() => {
  const SHARE = 20; // While calls arrive, one part in 20 of the time goes into counting.
  let pending = null;
  let timer = 0;
  let freeAt = 0;

  async function load(isSaid) {
    clearTimeout(timer);
    timer = 0;
    pending?.abort();
    const { signal } = pending = new AbortController();
    const began = performance.now();
    const summary = document.getElementById("summary");
    try {
      const answer = await callbook.session.fetch(`${summary.dataset.url}?${callbook.log.query()}`, { signal });
      const text = answer.ok ? await answer.text() : "";
      if (signal.aborted) return;
      if (summary.innerHTML !== text) summary.innerHTML = text;
      if (isSaid) callbook.log.say(summary.firstElementChild?.dataset.announcement ?? "");
    } catch { /* Offline, or a later request has replaced this one. */ }
    freeAt = performance.now() + Math.max(1000, SHARE * (performance.now() - began));
  }

  /* Count again soon after calls arrive, but not too often. */
  function refresh() {
    if (!timer) timer = setTimeout(() => load(false), Math.max(0, freeAt - performance.now()));
  }

  document.addEventListener("htmx:after:swap", ({ detail }) => {
    if (detail.ctx.target?.id === "log") load(true);
  });
  load(false);
  return { load, refresh };
})();
