/* The stream of /live, only while the tab is visible. It says when to read again, and carries no data. */
"use strict";
callbook.follow = (lookAtList, show) => {
  const url = `${document.documentElement.dataset.base}/live`;
  const POLL_MS = 15000;
  const TURN_MS = 60000; // A tab that was sent to polling asks for a stream again after this time.
  let stream = null;
  let timer = 0;
  let failures = 0;

  /* Tell the page's list, and all else that is open on the page, to read again. */
  function look() {
    lookAtList();
    document.dispatchEvent(new Event("callbook:changed"));
  }

  async function listen() {
    clearTimeout(timer);
    stream?.abort();
    stream = new AbortController();
    const { signal } = stream;
    let ending = "lost";
    try {
      const answer = await callbook.session.fetch(url, { signal });
      if (answer.ok) ending = await readEvents(answer.body.getReader());
      else ending = answer.status === 401 ? "over" : "lost";
    } catch { /* Aborted, or the network is gone: the code below finds out which. */ }
    if (!signal.aborted) resume(ending);
  }

  async function readEvents(reader) {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return "lost";
      text += decoder.decode(value, { stream: true });
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        failures = 0;
        show("live");
        if (event.startsWith("event: changed")) look();
        if (event.startsWith("event: poll")) return "poll";
        if (event.startsWith("event: expired")) return "expired";
      }
    }
  }

  function resume(ending) {
    if (ending === "over") { show("over"); return; }
    if (ending === "poll") { poll(performance.now() + TURN_MS); return; }
    if (ending === "expired") { timer = setTimeout(listen); return; }
    if (++failures > 1) show("lost");
    timer = setTimeout(listen, Math.min(30000, 500 * 2 ** failures) * (0.7 + 0.6 * Math.random()));
  }

  function poll(until) {
    show("polling");
    timer = setTimeout(() => {
      look();
      if (performance.now() < until) poll(until);
      else listen();
    }, POLL_MS);
  }

  function switchOnOff() {
    clearTimeout(timer);
    if (document.hidden) stream?.abort();
    else listen();
  }

  document.addEventListener("visibilitychange", switchOnOff);
  addEventListener("pagehide", () => stream?.abort());
  switchOnOff();
};
