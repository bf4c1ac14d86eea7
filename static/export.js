/* Exports of the log: the file has the filtered calls, and is saved once its last line says that it is whole. */
"use strict";
(() => {
  const root = document.getElementById("export");
  const opener = document.getElementById("export-open");
  const menu = document.getElementById("export-menu");
  const panel = document.getElementById("export-panel");
  const said = document.getElementById("export-said");
  const bar = panel.querySelector("progress");
  const { base } = document.documentElement.dataset;
  const numbers = new Intl.NumberFormat(document.documentElement.lang);
  let controller = null;

  function openMenu(isOpen) {
    menu.hidden = !isOpen;
    opener.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) return;
    show("idle"); // The user has read the result of the last export.
    menu.querySelector("[data-kind]").focus();
  }

  function chooseColumns(chosen) {
    for (const item of menu.querySelectorAll("[data-columns]")) item.ariaChecked = String(item === chosen);
  }

  function show(state, text) {
    panel.hidden = state === "idle";
    panel.dataset.state = state;
    said.textContent = text ?? "";
    opener.disabled = state === "running";
    if (state !== "running") controller = null;
  }

  function showProgress({ rows, of }) {
    if (of) { bar.max = of; bar.value = rows; }
    const [done, total] = [rows, of].map((number) => (number === null ? "…" : numbers.format(number)));
    said.textContent = root.dataset.progress.replace("{done}", done).replace("{total}", total);
  }

  /* Each part of the file follows a line with the number of calls so far and the length of the part in bytes. */
  function makeReader() {
    const decoder = new TextDecoder();
    const reader = { parts: [], isWhole: false, read };
    let line = "";
    let missing = 0;

    function readPart(chunk) {
      const part = chunk.subarray(0, missing);
      reader.parts.push(part);
      missing -= part.length;
      return part.length;
    }

    function readLine(chunk) {
      const end = chunk.indexOf(10);
      line += decoder.decode(end < 0 ? chunk : chunk.subarray(0, end));
      if (end < 0) return chunk.length;
      const progress = JSON.parse(line);
      line = "";
      missing = progress.bytes;
      reader.isWhole = progress.end;
      showProgress(progress);
      return end + 1;
    }

    function read(chunk) {
      for (let rest = chunk; rest.length;) rest = rest.subarray(missing ? readPart(rest) : readLine(rest));
    }

    return reader;
  }

  function save(answer, parts) {
    const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition"))[1];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(parts));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    show("done", root.dataset.done.replace("{name}", name));
  }

  async function receive(answer) {
    const reader = makeReader();
    for (let source = answer.body.getReader(), step; !(step = await source.read()).done;) reader.read(step.value);
    if (!reader.isWhole) throw new Error("cut off");
    save(answer, reader.parts);
  }

  async function run(kind) {
    const { signal } = controller = new AbortController();
    bar.removeAttribute("value");
    show("running", root.dataset.begin);
    try {
      const asked = new URLSearchParams(new FormData(document.getElementById("filters")));
      if (menu.querySelector('[data-columns="all"]').ariaChecked === "true") asked.delete("columns");
      const answer = await callbook.session.fetch(`${base}/log/export/${kind}?${asked}`, { signal });
      if (answer.ok) await receive(answer);
      else show("failed", (await answer.json()).detail);
    } catch {
      show(signal.aborted ? "idle" : "failed", root.dataset.failed);
    }
  }

  opener.addEventListener("click", () => openMenu(menu.hidden));
  menu.addEventListener("click", ({ target }) => {
    const item = target.closest("button");
    const kind = item?.dataset.kind;
    if (item?.dataset.columns) chooseColumns(item);
    if (!kind) return;
    openMenu(false);
    opener.focus();
    run(kind);
  });
  root.addEventListener("keydown", (event) => {
    if (menu.hidden) return;
    const items = [...menu.querySelectorAll("button")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
    else if (event.key === "Escape") { openMenu(false); opener.focus(); }
    else return;
    event.preventDefault();
  });
  root.addEventListener("focusout", ({ relatedTarget }) => { if (!root.contains(relatedTarget)) openMenu(false); });
  document.getElementById("export-cancel").addEventListener("click", () => controller?.abort());
  document.getElementById("export-close").addEventListener("click", () => show("idle"));
})();
