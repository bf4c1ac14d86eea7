/* The wizard: shows the server's progress, and moves on to the app when every step is done. */
"use strict";
(() => {
  const { base } = document.documentElement.dataset;
  const wizard = document.getElementById("wizard");
  const POLL_MS = 700;

  function show(steps) {
    for (const step of steps) {
      const item = wizard.querySelector(`[data-step="${step.name}"]`);
      if (!item) continue;
      item.dataset.state = step.state;
      item.querySelector(".remedy").textContent = step.remedy;
      item.querySelector(".code").textContent = step.message;
    }
    /* Without events the log stays empty, so the user cannot continue without that step. */
    document.getElementById("finish").hidden = steps.some(
      (step) => step.name === "events" && step.state === "failed");
    const states = steps.map((step) => step.state);
    wizard.dataset.state = states.includes("failed") && !states.includes("running") ? "failed"
      : states.every((state) => state === "done" || state === "skipped") ? "done" : "running";
  }

  async function follow() {
    try {
      const answer = await callbook.session.fetch(`${base}/install/progress`);
      if (answer.ok) show(await answer.json());
      wizard.classList.toggle("is-lost", !answer.ok);
    } catch {
      wizard.classList.add("is-lost");
    }
    if (wizard.dataset.state === "done") finish();
    else if (wizard.dataset.state === "running") setTimeout(follow, POLL_MS);
  }

  /* The portal does not answer: it reloads this frame with the app. */
  function finish() { callbook.frame.finishInstall(); }

  document.getElementById("retry").addEventListener("click", async () => {
    wizard.dataset.state = "running";
    for (const item of wizard.querySelectorAll('[data-state="failed"]')) item.dataset.state = "running";
    try {
      await callbook.session.fetch(`${base}/install/retry`, { method: "POST" });
    } catch {
      wizard.classList.add("is-lost");
    }
    follow();
  });
  document.getElementById("finish").addEventListener("click", finish);
  follow();
})();
