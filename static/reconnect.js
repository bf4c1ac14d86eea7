/* One click gets a new pair of tokens from the portal's page for Callbook, which has lost its own. */
"use strict";
(() => {
  const { base, memberId } = document.documentElement.dataset;

  async function reconnect() {
    const auth = await callbook.frame.refreshAuth();
    if (!auth) return false;
    const answer = await fetch(`${base}/reconnect`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        member_id: memberId, auth_id: auth.AUTH_ID, refresh_id: auth.REFRESH_ID,
        expires_in: Number(auth.AUTH_EXPIRES) || 3600,
      }),
    });
    return answer.ok && (await answer.json()).token === "ok";
  }

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-reconnect]");
    if (!button || button.disabled) return;
    const bar = button.parentElement;
    bar.removeAttribute("data-failed");
    button.disabled = true;
    const isDone = await reconnect().catch(() => false);
    button.disabled = false;
    if (isDone) bar.remove(); // From now on the stream says when the notice changes.
    else bar.setAttribute("data-failed", "");
  });
})();
