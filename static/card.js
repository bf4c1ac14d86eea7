/* The tab in a CRM card: its list is kept live as the log's is, by asking the CRM anew which calls are the card's. */
"use strict";
callbook.card = (() => {
  const REST_MS = 30000; // Between two looks: each costs the portal a request of the few that it admits.

  /* What the server asks the CRM with: the token of the portal's page. */
  async function proof() {
    const auth = await callbook.frame.readAuth();
    return auth ? { auth_id: auth.AUTH_ID } : {};
  }

  /* Looks at news at once, but not before the rest is over. The page itself is new as it comes, so the first
     news, that there is a stream, waits for a rest: of what came before the stream it may be the only news. */
  function pace(look) {
    let isNew = true;
    let timer = 0;
    let dueAt = 0;
    let freeAt = 0;
    return () => {
      const now = performance.now();
      const at = isNew ? now + REST_MS : Math.max(now, freeAt);
      isNew = false;
      if (timer && dueAt <= at) return;
      clearTimeout(timer);
      dueAt = at;
      timer = setTimeout(() => {
        timer = 0;
        freeAt = performance.now() + REST_MS;
        look();
      }, at - now);
    };
  }

  return { pace, proof };
})();
