/* A recording's player. A media element sends no session, so it plays a link of its own, which lives for ten
   minutes: one that is over is asked for again, and the recording goes on where it was. */
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

  /* What the server said instead of the recording, for the eye: a media element tells only that it failed. */
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
    if (await load(currentTime)) audio.play().catch(() => { /* Its own error event tells. */ });
  });
  audio.addEventListener("playing", () => { hasRetried = false; say(""); });
  load(0);
};
