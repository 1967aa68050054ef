// What was played of a recording: as bars on a strip, and in words.

import { length } from "./frames.js";

const SVG = "http://www.w3.org/2000/svg";
export const BAR = 6;
// Beyond this what was watched is told as fast; see pipeline/watched.py.
const FAST = 2;

export function drawn(name, attributes) {
  const one = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  return one;
}

// A bar for each stretch. x: where a second stands.
export function bars(stretches, x, y) {
  return stretches.map(([from, to, rate]) => drawn("rect", {
    x: x(from), y, width: Math.max(0.5, x(to) - x(from)), height: BAR, class: rate > FAST ? "fast" : "usual",
  }));
}

// How much of so many seconds this person has played.
export function inWords(watched, all, words) {
  const seen = Math.min(watched.playedS(), all), fast = seen - watched.playedS(FAST);
  if (seen < 0.5) return `○ ${words.unwatched}`;
  const share = all ? Math.floor(seen / all * 100 + 1e-6) : 0;
  const said = words.watched.replace("{seen}", length(seen)).replace("{all}", length(all)).replace("{share}", `${share} %`);
  return `◉ ${said}${fast < 1 ? "" : words.watchedFast.replace("{fast}", length(fast))}`;
}

// The strip alone, without the lane; its patterns keep their form however wide it is.
export class Strip {
  constructor(svg) {
    [this.svg, this.width, this.shown, this.drawn, this.at] = [svg, 1000, null, "", null];
    new ResizeObserver(() => this.resize()).observe(svg);
  }

  resize() {
    const width = Math.round(this.svg.clientWidth);
    if (!width || width === this.width) return;
    this.width = width;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${BAR + 2}`);
    if (this.shown) this.show(...this.shown);
  }

  // all: seconds of the whole.
  show(stretches, all) {
    this.shown = [stretches, all];
    const x = (at) => Math.round(at / all * this.width * 2) / 2, drawn = all ? stretches.map(([from, to, rate]) => [x(from), x(to), rate]).join() : "";
    // Several play at once: what would look the same is not drawn again.
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.svg.querySelector("g.watched").replaceChildren(...(all ? bars(stretches, x, 1) : []));
  }

  // Where it plays.
  point(at, all) {
    const x = all ? Math.round(Math.min(1, Math.max(0, at / all)) * this.width) - 1 : 0;
    if (x !== this.at) this.svg.querySelector(".now").setAttribute("x", x);
    this.at = x;
  }
}
