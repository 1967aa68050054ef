// A clip, photo or sound that is dropped on the search page: where it comes from, with pictures of both side by side.

import { call, sign } from "./pages.js";
import { clock } from "./frames.js";

const PAIRS_SHOWN = 3, WAIT_MS = 10000;
const made = (name, values = {}, ...inside) => {
  const one = Object.assign(document.createElement(name), values);
  one.append(...inside);
  return one;
};

// What shows pictures of an address, or null where the browser cannot.
async function source(address, isPhoto) {
  const one = made(isPhoto ? "img" : "video", isPhoto ? {} : { muted: true, preload: "auto" });
  const ready = new Promise((resolve) => {
    one.addEventListener(isPhoto ? "load" : "loadeddata", () => resolve(one), { once: true });
    one.addEventListener("error", () => resolve(null), { once: true });
    setTimeout(() => resolve(null), WAIT_MS);
  });
  one.src = address;
  const found = await ready;
  return found && (isPhoto || found.videoWidth) ? found : null;
}

// The picture of this second, on a canvas.
async function picture(from, at) {
  if (from.tagName === "VIDEO" && Math.abs(from.currentTime - at) > 0.001) {
    const sought = new Promise((resolve) => { from.addEventListener("seeked", resolve, { once: true }); setTimeout(resolve, WAIT_MS); });
    from.currentTime = at;
    await sought;
  }
  const [width, height] = [from.videoWidth || from.naturalWidth, from.videoHeight || from.naturalHeight];
  const canvas = made("canvas", { width: 320, height: Math.round(320 * height / width) });
  canvas.getContext("2d").drawImage(from, 0, 0, canvas.width, canvas.height);
  return canvas;
}

class Match {
  constructor(section) {
    this.section = section;
    this.words = JSON.parse(section.dataset.words);
    this.list = section.querySelector("ol");
    const input = section.querySelector("input");
    input.addEventListener("change", () => input.files[0] && this.ask(input.files[0]));
    section.addEventListener("dragover", (event) => event.preventDefault());
    section.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files[0]) this.ask(event.dataTransfer.files[0]);
    });
  }

  say(text) {
    this.section.querySelector('[data-is="said"]').textContent = text;
  }

  async ask(file) {
    this.list.replaceChildren();
    this.say(`⧗ ${file.name}: ${this.words.asking}`);
    const body = new FormData();
    body.append("file", file);
    const answer = await fetch("/api/match", { method: "POST", headers: { "X-CSRF-Token": sign() }, body }).catch((error) => error);
    const told = await answer.json?.().catch(() => ({})) ?? { error: String(answer) };
    if (!answer.ok) return this.say(`⚠ ${(document.documentElement.lang.startsWith("zh") && told.zh) || told.error || answer.statusText}`);
    this.say([file.name, told.rows.length ? "" : this.words.none, told.not_asked.length ? `⚠ ${this.words.late}` : ""].filter(Boolean).join(" · "));
    this.list.replaceChildren(...told.rows.map((row) => this.drawn(row, file)));
  }

  drawn(row, file) {
    const { words } = this, address = `/originals/${row.original}?t=${row.offset_s}`;
    const span = row.by === "photo" ? `${clock(row.query_offset_s)} = ${clock(row.offset_s)}`
      : `${clock(row.query_offset_s)} – ${clock(row.query_offset_s + row.length_s)} = ${clock(row.offset_s)} – ${clock(row.offset_s + row.length_s * row.speed)}`;
    const verdict = words.verdicts[row.by === "photo" ? "same picture" : row.verdict];
    const edits = row.transform.split(" ").map((word) => words.edits[word] ?? word).join(" ");
    const pairs = made("div", { className: "pairs" });
    const body = made("div", {},
      made("h2", {}, made("a", { href: address, textContent: row.name })),
      made("p", { className: "facts", textContent: [verdict, row.heard ? words.heard : "", span].filter(Boolean).join(" · ") }),
      made("p", { className: "soft", textContent: `${words.strength} ${row.score.toFixed(2)} · ${edits}` }), pairs);
    if (row.pairs.length) {
      const button = made("button", { type: "button", textContent: words.compare });
      button.addEventListener("click", () => { button.disabled = true; this.compare(row, file, pairs).catch((error) => { pairs.textContent = `⚠ ${error.message}`; button.disabled = false; }); });
      body.append(button);
    }
    const poster = made("a", { className: "picture", href: address, tabIndex: -1 });
    if (row.poster) poster.append(made("img", { src: row.poster, alt: "" }));
    return made("li", { className: "hit" }, poster, body);
  }

  // Opening the original's pictures is a look, with the purpose of the session.
  async compare(row, file, place) {
    await call("POST", `/api/originals/${row.original}/looks`);
    const { derivatives, kind } = await call("GET", `/api/originals/${row.original}`);
    const isPhoto = kind === "photo", shown = derivatives.find((one) => one.role === (isPhoto ? "view" : "proxy"));
    const own = URL.createObjectURL(file);
    const [theirs, yours] = await Promise.all([shown ? source(shown.at, isPhoto) : null, source(own, file.type.startsWith("image/"))]);
    if (!yours) place.append(made("p", { className: "warn", textContent: `⚠ ${this.words.unshown}` }));
    for (const pair of row.pairs.slice(0, PAIRS_SHOWN)) {
      const couple = made("div", { className: "pair" });
      for (const [from, at, name] of [[yours, pair.query_s, this.words.yours], [theirs, pair.original_s, this.words.theirs]])
        if (from) couple.append(made("figure", {}, await picture(from, at), made("figcaption", { textContent: `${name} ${clock(at)}` })));
      place.append(couple);
    }
    URL.revokeObjectURL(own);
  }
}

for (const section of document.querySelectorAll("[data-match]")) new Match(section);
