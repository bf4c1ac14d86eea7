/* The tab in a CRM card: its list is kept live as the log's is, by asking the CRM anew which calls are the card's. */
"use strict";
callbook.card = (() => {
  const REST_MS = 30000; // Between two looks: each costs the portal a request of the few that it admits.

  /* What the server asks the CRM with: the token of the portal's page. */
  async function proof() {
    const auth = await callbook.frame.readAuth();
    return auth ? { auth_id: auth.AUTH_ID } : {};
  }

  /* The first look at once, the next ones not before the rest is over. The page itself is new as it comes. */
  function pace(look) {
    let isNew = true;
    let timer = 0;
    let freeAt = 0;
    return () => {
      if (isNew) { isNew = false; return; }
      timer ||= setTimeout(() => {
        timer = 0;
        freeAt = performance.now() + REST_MS;
        look();
      }, Math.max(0, freeAt - performance.now()));
    };
  }

  return { pace, proof };
})();
