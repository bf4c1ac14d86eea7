/* The tab in a CRM card. Its list is live like the log's: it asks the CRM again which calls belong to the card. */
"use strict";
callbook.card = (() => {
  const REST_MS = 30000; // Between two looks, as each costs the portal one of its few requests.

  /* The token of the portal's page, by which the server asks the CRM. */
  async function proof() {
    const auth = await callbook.frame.readAuth();
    return auth ? { auth_id: auth.AUTH_ID } : {};
  }

  /* Look at news at once, but not before the rest is over. The page is new when it comes, so the first news (a
     stream has begun) waits for one rest. It may be the only news of a call that came before the stream. */
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
