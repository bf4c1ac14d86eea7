/* The line that sums up what is shown. To count takes longer than to show, so it comes after the rows. */
"use strict";
callbook.summary = (() => {
  const SHARE = 20; // Of the time, one part is spent on counting while calls arrive.
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
    } catch { /* Offline or overtaken by the next one. */ }
    freeAt = performance.now() + Math.max(1000, SHARE * (performance.now() - began));
  }

  /* Calls arrived: soon, but only so often. */
  function refresh() {
    if (!timer) timer = setTimeout(() => load(false), Math.max(0, freeAt - performance.now()));
  }

  document.addEventListener("htmx:after:swap", ({ detail }) => {
    if (detail.ctx.target?.id === "log") load(true);
  });
  load(false);
  return { load, refresh };
})();
