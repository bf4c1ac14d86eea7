/* A recording's player. A media element sends no session, so it plays a link of its own, which lives for ten
   minutes. After that the player asks for a new link, and the recording goes on from its place. */
"use strict";
callbook.play = (player, linkAddress, sorry) => {
  const audio = player.querySelector("audio");
  const note = player.querySelector("[data-player-note]");
  let hasRetried = false;

  function say(text) {
    note.textContent = text;
    note.hidden = !text;
  }

  async function load(at) {
    try {
      const answer = await callbook.session.fetch(linkAddress, { method: "POST" });
      const told = await answer.json();
      if (!answer.ok) { say(told.detail); return false; }
      audio.src = told.url;
      if (at) audio.currentTime = at;
      return true;
    } catch {
      say(sorry);
      return false;
    }
  }

  /* Show the server's refusal, because a media element tells only that it failed. */
  async function explain() {
    try {
      const answer = await fetch(audio.src, { headers: { Range: "bytes=0-0" } });
      say(answer.ok ? sorry : (await answer.json()).detail);
    } catch {
      say(sorry);
    }
  }

  audio.addEventListener("error", async () => {
    const { currentTime } = audio;
    if (hasRetried) { explain(); return; }
    hasRetried = true;
    if (await load(currentTime)) audio.play().catch(() => { /* The element's error event follows. */ });
  });
  audio.addEventListener("playing", () => { hasRetried = false; say(""); });
  load(0);
};
