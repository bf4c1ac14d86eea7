/* The tab in a CRM card. Its list is live like the log's: it asks the CRM again which calls belong to the card. */
"use strict";
callbook.card = (() => {
  const REST_MS = 30000; // Between two looks, as each costs the portal one of its few requests.

  /* The token of the portal's page, by which the server asks the CRM. */
  async function proof() {
    const auth = await callbook.frame.readAuth();
    return auth ? { auth_id: auth.AUTH_ID } : {};
  }

  /* Look at news at once, but not within REST_MS of the last look. The first news only says that the stream has
     begun. The page has just been made then, so this look waits for REST_MS. It is not left out, because a call
     may have come after the page was made and before the stream began. */
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
