// The lane below the picture: waveform, marks, what is looped, where it plays, and a small picture under the pointer.

import { clock, length } from "./frames.js";

const SVG = "http://www.w3.org/2000/svg", WIDTH = 1000, HEIGHT = 48, MARKS_LISTED = 300;
// Beyond this what was watched is told as fast; see pipeline/watched.py.
export const FAST = 2;

const drawn = (name, attributes) => {
  const one = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  return one;
};

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

const seconds = (text) => text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);

export class Lane {
  constructor(player) {
    this.player = player;
    this.marks = [];
    this.sprites = null;
    [this.svg, this.range, this.preview] = [player.$("lane"), player.$("range"), player.$("preview")];
    this.range.addEventListener("input", () => player.seek(Number(this.range.value) / 1000 * player.length));
    this.range.addEventListener("pointermove", (event) => this.peep(event));
    this.range.addEventListener("pointerleave", () => { this.preview.hidden = true; });
  }

  x(at) {
    return this.player.length ? at / this.player.length * WIDTH : 0;
  }

  show(wave, marks, sprites) {
    [this.marks, this.sprites] = [marks, sprites];
    this.svg.querySelector("g.wave").replaceChildren(...(wave ? [drawn("path", { d: this.outline(wave) })] : []));
    this.svg.querySelector("g.marks").replaceChildren(...marks.map((mark) => this.drawnMark(mark)));
    this.list();
  }

  // A column a picture point: the lowest and highest of what falls into it.
  outline(wave) {
    const perS = wave.sample_rate / wave.samples_per_pixel, upper = [], lower = [];
    for (let x = 0; x < WIDTH; x++) {
      const from = Math.floor(x / WIDTH * this.player.length * perS), to = Math.floor((x + 1) / WIDTH * this.player.length * perS);
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

  drawnMark(mark) {
    const x = this.x(mark.at), width = mark.to === undefined ? 1.5 : Math.max(2, this.x(mark.to) - x);
    return drawn("rect", { x, y: HEIGHT, width, height: 10, class: `mark-${mark.kind}` });
  }

  list() {
    const { words } = this.player, counts = {};
    for (const mark of this.marks) counts[mark.kind] = (counts[mark.kind] ?? 0) + 1;
    const details = this.player.$("marks");
    details.hidden = !this.marks.length;
    details.querySelector("summary").replaceChildren(...Object.entries(counts).map(([kind, count]) => {
      const one = document.createElement("span");
      one.className = `legend legend-${kind}`;
      one.textContent = `${words.marks[kind]} ${count}`;
      return one;
    }));
    details.querySelector("ul").replaceChildren(...this.marks.slice(0, MARKS_LISTED).map((mark) => {
      const item = document.createElement("li"), button = document.createElement("button");
      button.type = "button";
      button.className = "quiet";
      button.textContent = mark.to === undefined ? clock(mark.at) : `${clock(mark.at)} – ${clock(mark.to)}`;
      button.addEventListener("click", () => this.player.goTo(mark.at));
      item.append(button, ` ${words.marks[mark.kind]}`);
      return item;
    }));
  }

  // What was played of it: seconds from and to, and the speed.
  showWatched(stretches) {
    this.svg.querySelector("g.watched").replaceChildren(...stretches.map(([from, to, rate]) => drawn("rect", {
      x: this.x(from), y: HEIGHT + 13, width: Math.max(0.5, this.x(to) - this.x(from)), height: 6, class: rate > FAST ? "fast" : "usual",
    })));
  }

  // Where a note stands; those shown before go.
  showNotes(notes) {
    this.svg.querySelector("g.notes").replaceChildren(...notes.map((note) => drawn("path", {
      d: note.to_s === null ? `M${this.x(note.at_s) - 4},0h8l-4,9z` : `M${this.x(note.at_s)},0H${this.x(note.to_s)}v4H${this.x(note.at_s)}z`,
    })));
  }

  peep(event) {
    const box = this.range.getBoundingClientRect(), share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const at = share * this.player.length, [picture, text] = this.preview.children;
    this.preview.hidden = false;
    if (this.sprites) this.sprites.show(picture, at); else picture.hidden = true;
    text.textContent = length(at);
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
