/* The panel of one call: opens from a row of the log, follows changes of the call, sends its commands to the portal. */
"use strict";
(() => {
  const panel = document.getElementById("call");
  const content = panel.querySelector("[data-content]");
  const { base } = document.documentElement.dataset;
  const ON_DEVICE = "METHOD_NOT_SUPPORTED_ON_DEVICE";
  let shown = null; // The call that the panel shows, by Bitrix24's id.
  let opener = null; // The call whose row opened the panel, and gets the focus back.
  let asked = 0;
  const served = new Map(); // Each part of the panel as the server wrote it.

  function address(callId, rest = "", parameters = {}) {
    const query = new URLSearchParams(parameters);
    const zone = document.querySelector("[name=zone]")?.value;
    if (zone) query.set("zone", zone);
    return `${base}/log/calls/${encodeURIComponent(callId)}${rest}?${query}`;
  }

  function showView(name) {
    content.replaceChildren(panel.querySelector(`template[data-view="${name}"]`).content.cloneNode(true));
  }

  async function fetchFragment(url) {
    const answer = await callbook.session.fetch(url);
    if (!answer.ok) return { failure: answer.status === 404 ? "gone" : answer.status === 401 ? "over" : "failed" };
    const holder = document.createElement("template");
    holder.innerHTML = await answer.text();
    return { fragment: holder.content };
  }

  async function load(callId, parameters) {
    const turn = ++asked;
    let answer;
    try {
      answer = await fetchFragment(address(callId, "", parameters));
    } catch {
      answer = { failure: "failed" };
    }
    return turn === asked && panel.open ? answer : null; // Else the user has opened another call meanwhile.
  }

  async function show(callId) {
    shown = callId;
    showView("loading");
    const answer = await load(callId);
    if (!answer) return;
    if (answer.failure) showView(answer.failure);
    else fill(answer.fragment);
    content.scrollTop = 0;
    panel.querySelector("#call-title").focus({ preventScroll: true });
    equip();
    if (content.querySelector("[data-old]")) refresh({ fresh: "1" }); // The server reads its late facts meanwhile.
  }

  function fill(fragment) {
    served.clear();
    for (const part of fragment.querySelectorAll("[data-part]")) served.set(part.dataset.part, part.outerHTML);
    content.replaceChildren(fragment);
  }

  /* Replace only the parts that have changed, so that the focus and a playing recording stay. */
  async function refresh(parameters) {
    if (!panel.open || !content.querySelector("[data-part]")) return;
    const callId = shown;
    const answer = await load(callId, parameters);
    /* A later request has replaced this one. It may have read the call before the late facts came: read again. */
    if (!answer && parameters && shown === callId) { refresh(); return; }
    if (!answer || answer.failure && answer.failure !== "gone") return; // The next change tries again.
    if (answer.failure) { showView("gone"); return; }
    merge(answer.fragment);
    equip();
  }

  function merge(fragment) {
    const gone = new Map([...content.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
    let before = null;
    for (const fresh of [...fragment.querySelectorAll("[data-part]")]) {
      const { part } = fresh.dataset;
      const old = gone.get(part);
      gone.delete(part);
      before = old ? replacePart(old, fresh) : addPart(before, fresh);
    }
    for (const [part, element] of gone) { served.delete(part); element.remove(); }
  }

  function addPart(before, fresh) {
    served.set(fresh.dataset.part, fresh.outerHTML);
    before ? before.after(fresh) : content.prepend(fresh);
    return fresh;
  }

  function replacePart(old, fresh) {
    if (served.get(fresh.dataset.part) === fresh.outerHTML || "kept" in old.dataset) return old;
    served.set(fresh.dataset.part, fresh.outerHTML);
    const focused = [...old.querySelectorAll("*")].indexOf(document.activeElement);
    old.replaceWith(fresh);
    if (focused >= 0) [...fresh.querySelectorAll("*")][focused]?.focus({ preventScroll: true });
    return fresh;
  }

  function equip() {
    for (const player of content.querySelectorAll("[data-recording]:not([data-equipped])")) {
      player.dataset.equipped = "";
      const link = `${base}/api/v1/calls/${encodeURIComponent(shown)}/recording?leg=${player.dataset.recording}`;
      callbook.play(player, link, panel.querySelector('template[data-note="unplayable"]').content.textContent);
    }
    fillTranscript();
  }

  /* Only Bitrix24 knows whether there is a transcript, so Callbook asks it once each time the panel opens. */
  async function fillTranscript() {
    const place = content.querySelector("[data-transcript]:not([data-equipped])");
    if (!place) return;
    place.dataset.equipped = "";
    try {
      const { fragment } = await fetchFragment(address(shown, "/transcript"));
      place.replaceChildren(fragment ?? panel.querySelector('template[data-note="unread"]').content.cloneNode(true));
    } catch {
      place.replaceChildren(panel.querySelector('template[data-note="unread"]').content.cloneNode(true));
    }
  }

  function open(callId) {
    opener = callId;
    place(frameView);
    document.body.classList.add("has-panel");
    panel.showModal();
    watch();
    show(callId);
  }

  function findRow(callId) {
    return document.querySelector(`tr[data-call-id="${CSS.escape(callId)}"]`);
  }

  panel.addEventListener("close", () => {
    asked++;
    content.replaceChildren();
    document.body.classList.remove("has-panel");
    findRow(opener)?.querySelector("[data-open]")?.focus({ preventScroll: true });
  });

  /* The portal gives our frame its whole height and scrolls around it, so "the window" is the part of the frame
     that is in view. Only an observer knows that part, and tells it only when it begins to observe. */
  let frameView = { top: 0, height: innerHeight };
  const LEAST_HEIGHT = 320;
  const observer = new IntersectionObserver(([entry]) => {
    const { top, height } = entry.intersectionRect;
    if (height > 0) place({ top: Math.max(0, top), height: Math.max(height, LEAST_HEIGHT) });
  });

  function place(view) {
    frameView = view;
    panel.style.setProperty("--panel-top", `${view.top}px`);
    panel.style.setProperty("--panel-height", `${view.height}px`);
  }

  function watch() {
    observer.unobserve(document.documentElement);
    observer.observe(document.documentElement);
    if (panel.open) setTimeout(watch, 250);
  }
  watch();

  document.addEventListener("callbook:open", ({ detail }) => open(detail.callId));

  function note(name) {
    const place = content.querySelector("p[data-note]");
    if (!place) return;
    place.textContent = panel.querySelector(`template[data-note="${name}"]`).content.textContent;
    place.hidden = false;
  }

  async function openPath(button) {
    const answer = await callbook.frame.openPath(button.dataset.openPath);
    if (answer?.result === "close") refresh(); // The user may have given the call to another card.
    if (answer?.result !== "error") return;
    const isOnDevice = answer.errorCode === ON_DEVICE;
    if (isOnDevice) document.documentElement.dataset.without = "paths";
    note(isOnDevice ? "path-on-device" : "path-refused");
  }

  /* If the browser refuses to copy, show the link, so that the user can copy it by hand. */
  function copyLink(button) {
    const field = content.querySelector("[data-link]");
    field.hidden = false;
    const isCopied = callbook.copy(field);
    note(isCopied ? "copied" : "not-copied");
    if (!isCopied) return;
    field.hidden = true;
    button.focus();
  }

  async function showMore(button) {
    button.disabled = true;
    const { more, after } = button.dataset;
    try {
      const { fragment } = await fetchFragment(address(shown, "/neighbours", { side: more, after }));
      if (!fragment || !button.isConnected) return;
      const first = fragment.querySelector("[data-call]");
      button.closest("[data-part]").dataset.kept = "";
      button.closest("li").replaceWith(fragment);
      first?.focus({ preventScroll: true });
    } catch { /* Offline: the button is still there. */ } finally {
      button.disabled = false;
    }
  }

  panel.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (event.target === panel) panel.close(); // The shade around the panel.
    else if (!button) return;
    else if (button.matches("[data-close]")) panel.close();
    else if (button.matches("[data-again]")) show(shown);
    else if (button.matches("[data-call]")) show(button.dataset.call);
    else if (button.matches("[data-more]")) showMore(button);
    else if (button.matches("[data-open-path]")) openPath(button);
    else if (button.matches("[data-copy-link]")) copyLink(button);
    else if (button.matches("[data-dial]")) {
      callbook.frame.dial(button.dataset.dial);
      note("dialled");
    }
  });

  document.addEventListener("callbook:changed", () => refresh());
  if (panel.dataset.wanted) open(panel.dataset.wanted); // A link has opened the page for this call.

  /* Ask the portal to open an empty path, which opens nothing. The code of the refusal tells Bitrix24's mobile
     app, which cannot open cards, from a browser. */
  callbook.frame.probePath().then((answer) => {
    if (answer?.errorCode === ON_DEVICE) document.documentElement.dataset.without = "paths";
  });
})();
