// The lane below the picture: waveform, marks, what is looped, where it plays, and a small picture under the pointer.

import { clock, length } from "./frames.js";
import { bars, drawn } from "./strip.js";

const HEIGHT = 48, ALL_HEIGHT = 74, MARKS_LISTED = 300;

// The small pictures of a WebVTT map. sheets: name -> address.
export class Sprites {
  constructor(text, sheets) {
    this.cues = text.split(/\n\n+/).slice(1).flatMap((cue) => {
      const said = /^([\d:.]+) --> ([\d:.]+)\n(.+)#xywh=(\d+),(\d+),(\d+),(\d+)/.exec(cue);
      if (!said || !sheets[said[3]]) return [];
      const [x, y, width, height] = said.slice(4).map(Number);
      return [{ from: seconds(said[1]), sheet: sheets[said[3]], x, y, width, height }];
    });
  }

  // Fills the element with the picture of this second.
  show(element, at) {
    let found = this.cues[0];
    for (const cue of this.cues) if (cue.from <= at) found = cue; else break;
    if (!found) return;
    Object.assign(element.style, {
      backgroundImage: `url("${found.sheet}")`, backgroundPosition: `-${found.x}px -${found.y}px`,
      width: `${found.width}px`, height: `${found.height}px`,
    });
  }
}

function grouped(marks) {
  const found = new Map();
  for (const mark of marks) found.set(mark.kind, [...(found.get(mark.kind) ?? []), mark]);
  return found;
}

const seconds = (text) => text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);

// Marks by class, those first that say that something is lacking. Each has a pattern of its own; see `_player.html`.
const KINDS = [
  "missing", "gap", "clock_step", "broken_off", "undecoded", "hole", "overlap", "unknown", "black", "scene", "frozen", "soundless", "silent",
];
const OF_SOUND = new Set(["soundless", "silent"]);
// Places are drawn so wide, and found by a pointer that is so near.
const PLACE_PX = 9, NEAR_PX = 5;

export class Lane {
  constructor(player) {
    this.player = player;
    this.every = [];
    this.hidden = new Set();
    this.sprites = null;
    this.width = 1000;
    [this.wave, this.notes, this.stretches] = [null, [], []];
    [this.svg, this.range, this.preview] = [player.$("lane"), player.$("range"), player.$("preview")];
    this.range.addEventListener("input", () => player.seek(Number(this.range.value) / 1000 * player.length));
    this.range.addEventListener("pointermove", (event) => this.peep(event));
    this.range.addEventListener("pointerleave", () => { this.preview.hidden = true; });
    new ResizeObserver(() => this.resize()).observe(this.svg);
  }

  // Hatches and shapes keep their form however wide the lane is.
  resize() {
    const width = Math.round(this.svg.clientWidth);
    if (!width || width === this.width) return;
    this.width = width;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${ALL_HEIGHT}`);
    this.draw();
    this.showNotes(this.notes);
    this.showWatched(this.stretches);
    this.paint();
  }

  x(at) {
    return this.player.length ? Math.min(at / this.player.length, 1) * this.width : 0;
  }

  // Those of the classes that are switched on, as they lie in the recording.
  get marks() { return this.every.filter((mark) => !this.hidden.has(mark.kind)); }

  show(wave, marks, sprites) {
    [this.wave, this.every, this.sprites] = [wave, marks, sprites];
    this.draw();
    this.showLegend();
    this.list();
  }

  draw() {
    this.svg.querySelector("g.wave").replaceChildren(...(this.wave ? [drawn("path", { d: this.outline(this.wave) })] : []));
    this.svg.querySelector("g.marks").replaceChildren(
      ...this.marks.sort((one, other) => KINDS.indexOf(other.kind) - KINDS.indexOf(one.kind)).map((mark) => this.drawnMark(mark)),
    );
  }

  // A column a picture point: the lowest and highest of what falls into it.
  outline(wave) {
    const perS = wave.sample_rate / wave.samples_per_pixel, upper = [], lower = [];
    for (let x = 0; x < this.width; x++) {
      const from = Math.floor(x / this.width * this.player.length * perS), to = Math.floor((x + 1) / this.width * this.player.length * perS);
      let low = 0, high = 0;
      for (let pair = from; pair <= to && pair < wave.length; pair++) {
        low = Math.min(low, wave.data[2 * pair]);
        high = Math.max(high, wave.data[2 * pair + 1]);
      }
      upper.push(`${x},${(HEIGHT / 2 - high / 128 * HEIGHT / 2).toFixed(1)}`);
      lower.push(`${x},${(HEIGHT / 2 - low / 128 * HEIGHT / 2).toFixed(1)}`);
    }
    return `M${upper.join("L")}L${lower.reverse().join("L")}Z`;
  }

  // Stretches lie below the sound, those of the pictures over those of the sound. A place stands through all of it.
  drawnMark(mark) {
    const x = this.x(mark.at), fill = `url(#mark-${mark.kind})`;
    if (mark.kind === "scene") return drawn("rect", { x, y: HEIGHT + 1, width: 1.5, height: 7, class: "mark-scene" });
    if (mark.to !== undefined) {
      const y = HEIGHT + (OF_SOUND.has(mark.kind) ? 8.5 : 1);
      return drawn("rect", { x, y, width: Math.max(3, this.x(mark.to) - x), height: 6.5, fill, class: "mark" });
    }
    return drawn("rect", { x: Math.min(x, this.width - PLACE_PX), y: 0, width: PLACE_PX, height: HEIGHT + 15, fill, class: "mark" });
  }

  // What each pattern means and how often it is there; a press leaves a class out, of the lane and of the keys too.
  showLegend() {
    const { words } = this.player, counts = grouped(this.every);
    this.player.$("legend").replaceChildren(...KINDS.filter((kind) => counts.has(kind)).map((kind) => {
      const button = document.createElement("button"), swatch = drawn("svg", { width: 18, height: 12, "aria-hidden": "true" });
      swatch.append(kind === "scene" ? drawn("rect", { x: 8, y: 2, width: 2, height: 8, class: "mark-scene" })
        : drawn("rect", { x: 0.5, y: 0.5, width: 17, height: 11, fill: `url(#mark-${kind})`, class: "mark" }));
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      button.append(swatch, ` ${words.marks[kind]} ${counts.get(kind).length}`);
      button.addEventListener("click", () => {
        const isHidden = !this.hidden.delete(kind);
        if (isHidden) this.hidden.add(kind);
        button.setAttribute("aria-pressed", String(!isHidden));
        this.draw();
        this.list();
      });
      return button;
    }));
  }

  list() {
    const { words } = this.player, details = this.player.$("marks"), { marks } = this;
    details.hidden = !marks.length;
    details.querySelector("summary").textContent = words.marksListed.replace("{count}", marks.length);
    details.querySelector("ul").replaceChildren(...marks.slice(0, MARKS_LISTED).map((mark) => {
      const item = document.createElement("li"), button = document.createElement("button");
      button.type = "button";
      button.className = "quiet";
      button.textContent = mark.to === undefined ? clock(mark.at) : `${clock(mark.at)} – ${clock(mark.to)}`;
      button.addEventListener("click", () => this.player.goTo(mark.at));
      item.append(button, ` ${this.said(mark)}`);
      if (mark.name) {
        const other = document.createElement("a");
        [other.href, other.textContent] = [`/originals/${mark.other}`, mark.name];
        item.append(" → ", other);
      }
      return item;
    }));
  }

  said(mark) {
    const { words } = this.player;
    return mark.why ? `${words.marks[mark.kind]} · ${mark.why}` : words.marks[mark.kind];
  }

  // What was played of it: seconds from and to, and the speed.
  showWatched(stretches) {
    this.stretches = stretches;
    this.svg.querySelector("g.watched").replaceChildren(...bars(stretches, (at) => this.x(at), HEIGHT + 18));
  }

  // Where a note stands; those shown before go.
  showNotes(notes) {
    this.notes = notes;
    this.svg.querySelector("g.notes").replaceChildren(...notes.map((note) => drawn("path", {
      d: note.to_s === null ? `M${this.x(note.at_s) - 4},0h8l-4,9z` : `M${this.x(note.at_s)},0H${this.x(note.to_s)}v4H${this.x(note.at_s)}z`,
    })));
  }

  peep(event) {
    const box = this.range.getBoundingClientRect(), share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const at = share * this.player.length, [picture, text, marks] = this.preview.children;
    this.preview.hidden = false;
    if (this.sprites) this.sprites.show(picture, at); else picture.hidden = true;
    text.textContent = length(at);
    const x = share * this.width, near = this.marks.filter((mark) => this.x(mark.at) - NEAR_PX <= x && x <= this.x(mark.to ?? mark.at) + NEAR_PX);
    marks.textContent = [...new Set(near.filter((mark) => mark.kind !== "scene").map((mark) => this.said(mark)))].slice(0, 3).join("\n");
    const half = this.preview.offsetWidth / 2;
    this.preview.style.left = `${Math.min(box.width - half, Math.max(half, share * box.width)) - half}px`;
  }

  paint() {
    const { player } = this, at = player.media.currentTime, x = this.x(at);
    this.svg.querySelector(".now").setAttribute("x", x - 1);
    this.svg.querySelector(".done").setAttribute("width", x);
    const [from, to] = player.loop, loop = this.svg.querySelector(".loop");
    loop.setAttribute("x", this.x(from ?? 0));
    loop.setAttribute("width", from === undefined ? 0 : Math.max(2, this.x(to ?? from) - this.x(from)));
    if (document.activeElement !== this.range || !this.range.matches(":active")) this.range.value = player.length ? at / player.length * 1000 : 0;
    this.range.setAttribute("aria-valuetext", `${clock(at)} / ${length(player.length)}`);
  }
}
