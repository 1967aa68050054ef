// Bookmarks, notes, citations and pictures taken, beside the player.

import { call } from "./pages.js";
import { clock } from "./frames.js";

// Copies the text; on a plain http page, where browsers give no clipboard, through a selection.
export async function copyText(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const field = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

export class Notes {
  constructor(player, panel) {
    Object.assign(this, { player, panel, words: player.words });
    this.address = `/api/originals/${player.about.original}/notes`;
    this.list = panel.querySelector("ol");
    this.dialog = panel.querySelector("dialog");
    const may = panel.dataset;
    player.takes = {
      bookmark: may.annotate, note: may.annotate, snapshot: may.take && player.media.tagName === "VIDEO", cite: true, case: may.case,
    };
    player.box.addEventListener("act", (event) => this.act(event.detail));
    player.box.addEventListener("learnt", () => this.draw());
    for (const button of panel.querySelectorAll("[data-do]")) {
      button.hidden = !player.has(button.dataset.do);
      button.addEventListener("click", () => this.act(button.dataset.do));
    }
    this.dialog.querySelector("form").addEventListener("submit", (event) => {
      if (event.submitter?.value === "keep") this.keepNote();
    });
    this.notes = [];
    this.load();
  }

  say(text) {
    this.player.$("said").textContent = text;
  }

  act(name) {
    const acts = {
      bookmark: () => this.keep({ kind: "bookmark", at_s: this.player.instant.at, shared: false }),
      note: () => this.openNote(), cite: () => this.copy(this.citation()), snapshot: () => this.take(),
      case: () => location.assign(`/cases/${encodeURIComponent(this.panel.dataset.case)}`),
    };
    acts[name]?.();
  }

  async load() {
    this.notes = await call("GET", this.address).catch((error) => { this.say(error.message); return []; });
    this.draw();
  }

  async keep(note) {
    try {
      await call("POST", this.address, note);
      await this.load();
    } catch (error) { this.say(`⚠ ${error.message}`); }
  }

  // The stretch that is looped where there is one, else the picture that is shown.
  openNote() {
    const { player } = this, [from, to] = player.loop;
    player.media.pause();
    this.span = to === undefined ? { at_s: player.instant.at } : { at_s: this.atOf(from), to_s: this.atOf(to) };
    this.dialog.querySelector("output").textContent = Object.values(this.span).map(clock).join(" – ");
    this.dialog.querySelector("textarea").value = "";
    this.dialog.showModal();
  }

  atOf(second) {
    const { frames, isOwn } = this.player;
    return frames ? frames.seconds[frames.numberAt(second, isOwn)] : second;
  }

  keepNote() {
    const text = this.dialog.querySelector("textarea").value, shared = this.dialog.querySelector("input").checked;
    this.keep({ kind: "note", ...this.span, text, shared });
  }

  citation() {
    const { about, instant } = this.player;
    const values = { sha256: about.sha256, pts: clock(instant.pts ?? instant.at), at: `${instant.time} ±${Number(about.uncertainty_s).toFixed(1)} s` };
    const sentence = instant.time === null ? this.words.citeUndated : this.words.cite;
    return sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  async copy(text) {
    await copyText(text);
    this.say(`${this.words.copied}: ${text}`);
  }

  draw() {
    this.panel.querySelector(".none").hidden = this.notes.length > 0;
    this.list.replaceChildren(...this.notes.map((note) => this.drawn(note)));
    if (this.player.length) this.player.lane.showNotes(this.notes);
  }

  drawn(note) {
    const item = document.createElement("li"), { words } = this;
    const line = (className, text) => Object.assign(document.createElement("p"), { className, textContent: text });
    const button = (text, does) => {
      const one = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: text });
      one.addEventListener("click", does);
      return one;
    };
    const jump = button([note.pts, note.to_pts].filter(Boolean).join(" – "), () => this.player.goTo(note.at_s));
    jump.classList.add("number");
    const kind = { bookmark: `▾ ${words.bookmark}`, nudge: `⇄ ${words.nudged} ${note.offset_s} s` }[note.kind];
    if (kind) item.append(line("soft", kind));
    item.prepend(jump, ...(note.text ? [line("text", note.text)] : []));
    item.append(line("soft", [note.corrected, note.by, note.shared ? words.shared : words.mine].filter(Boolean).join(" · ")));
    if (note.was) item.append(line("warn", `⚠ ${words.was.replace("{at}", note.was)}`));
    item.append(button(words.copy, () => this.copy(note.text ? `${note.citation}: ${note.text}` : note.citation)));
    if (note.mine) item.append(button(words.withdraw, async () => { await call("DELETE", `${this.address}/${note.id}`).catch((error) => this.say(error.message)); this.load(); }));
    return item;
  }

  // The picture that is shown, with its citation written below it, as a file.
  async take() {
    const { player } = this, { media } = player;
    media.pause();
    const canvas = document.createElement("canvas"), drawing = canvas.getContext("2d");
    const [width, height] = [media.videoWidth, media.videoHeight], size = Math.max(12, Math.round(width / 60));
    try {
      const told = await call("POST", `/api/originals/${player.about.original}/snapshots`, { at_s: player.instant.at, shown: player.isOwn ? "own" : "copy" });
      const font = `${size}px "Noto Sans CJK SC", "Microsoft YaHei", sans-serif`;
      drawing.font = font;
      const lines = told.lines.flatMap((line) => wrapped(drawing, line, width - size));
      [canvas.width, canvas.height] = [width, height + Math.round(size * (lines.length + 0.5) * 1.4)];
      drawing.fillStyle = "#fff";
      drawing.fillRect(0, 0, canvas.width, canvas.height);
      drawing.drawImage(media, 0, 0, width, height);
      [drawing.fillStyle, drawing.font] = ["#000", font];
      lines.forEach((line, number) => drawing.fillText(line, size / 2, height + size * 1.4 * (number + 1)));
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
      const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: told.name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    } catch (error) { this.say(`⚠ ${error.message}`); }
  }
}

// The line in pieces no wider than this many points.
function wrapped(drawing, line, width) {
  const pieces = [""];
  for (const letter of line) {
    if (drawing.measureText(pieces.at(-1) + letter).width > width) pieces.push("");
    pieces[pieces.length - 1] += letter;
  }
  return pieces;
}
