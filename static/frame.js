/* The bridge to the portal's page around this frame (docs/bitrix24.md, "The parent frame").
   The portal ignores commands that it does not know, so nothing here waits for an answer for ever. */
"use strict";
window.callbook = {};

/* Copy a field's text; returns whether that worked, else the text is selected. By the old command, because the
   clipboard interface is closed to frames of other sites unless the portal opens it. */
callbook.copy = (field) => {
  field.focus();
  field.select();
  return document.execCommand("copy");
};

callbook.frame = (() => {
  const appSid = window.name.split("|")[2] || new URLSearchParams(location.search).get("APP_SID") || "";
  const portal = document.querySelector('meta[name="portal"]')?.content ?? "";
  const waiting = new Map();
  let count = 0;

  addEventListener("message", (event) => {
    if (event.origin !== portal || event.source !== parent || typeof event.data !== "string") return;
    const end = event.data.indexOf(":");
    const resolve = waiting.get(event.data.slice(0, end));
    if (!resolve) return;
    waiting.delete(event.data.slice(0, end));
    try { resolve(JSON.parse(event.data.slice(end + 1))); } catch { resolve(null); }
  });

  /* command:JSON:callbackId:APP_SID; the JSON is left out if there are no parameters. */
  function send(command, params) {
    const id = `callbook${++count}`;
    if (parent !== window && portal) {
      parent.postMessage([command, params && JSON.stringify(params), id, appSid].filter(Boolean).join(":"), portal);
    }
    return id;
  }

  /* The portal's answer, or null if none comes in time. */
  function ask(command, params, patienceMs = 4000) {
    return new Promise((resolve) => {
      const id = send(command, params);
      waiting.set(id, resolve);
      if (patienceMs < Infinity) setTimeout(() => { waiting.delete(id); resolve(null); }, patienceMs);
    });
  }

  return {
    refreshAuth: () => ask("refreshAuth"),
    /* The pair of tokens that the portal's page has, fresh or not. */
    readAuth: () => ask("getInitData"),
    finishInstall: () => { send("setInstallFinish"); },
    /* The portal answers when the user closes the slider, or refuses at once. */
    openPath: (path) => ask("openPath", { path }, Infinity),
    /* The portal refuses at once and says why, because there is no such page. */
    probePath: () => ask("openPath", { path: "" }),
    dial: (phone) => { send("imPhoneTo", { phone }); },
    fit: (height) => { send("resizeWindow", { width: "100%", height }); },
  };
})();
