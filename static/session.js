/* The session of this tab: every request carries its token, and the portal's page renews a token that has expired. */
"use strict";
callbook.session = (() => {
  const meta = document.querySelector('meta[name="session"]');
  const { base, memberId, lifetime } = document.documentElement.dataset;
  let token = meta.content;
  let endsAt = performance.now() + Number(lifetime) * 1000;
  let renewal = null;

  async function askForToken() {
    const auth = await callbook.frame.refreshAuth();
    if (!auth) return false;
    const answer = await fetch(`${base}/session`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ member_id: memberId, auth_id: auth.AUTH_ID, lang: document.documentElement.lang }),
    });
    if (!answer.ok) return false;
    const session = await answer.json();
    token = meta.content = session.token;
    endsAt = performance.now() + session.expires_in * 1000;
    return true;
  }

  /* Renew the session; requests at the same time share one renewal. */
  function renew() {
    renewal ??= askForToken().catch(() => false).finally(() => { renewal = null; });
    return renewal;
  }

  function attempt(url, options) {
    return fetch(url, { ...options, headers: { ...options.headers, Authorization: `Bearer ${token}` } });
  }

  /* As fetch. It renews the session a minute before its end, so that an open tab never meets a 401, and once after a 401. */
  async function authorizedFetch(url, options = {}) {
    if (performance.now() > endsAt - 60000) await renew();
    const answer = await attempt(url, options);
    return answer.status === 401 && await renew() ? attempt(url, options) : answer;
  }

  return { fetch: authorizedFetch };
})();

/* The portal gives the frame the height that the page asks for, so that it has no scroll bar of its own. */
new ResizeObserver(() => {
  callbook.frame.fit(Math.ceil(document.body.getBoundingClientRect().height));
}).observe(document.body);
