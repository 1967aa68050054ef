// Which stretches of an original really played, told to the log of looks. A seek, a loop's leap and what stands still
// are no playing, nor are pictures of a page that nobody sees.

import { call } from "./pages.js";

// The browser tells of its progress four times a second, and of a pause only after a seek that follows it at once.
const LOOK_MS = 100, EVERY_MS = 5000, TOLD_MS = 30000, TOLD_S = 0.5, SLACK_S = 0.5, STRETCHES_MOST = 400;

export class Watched {
  // spans: what of the original plays between these seconds of the copy, nothing while it is not known; isOwn: whether
  // the original itself plays; rate: how fast, as the person chose it.
  constructor(media, original, { spans, isOwn = () => false, rate = () => media.playbackRate, before = [], changed = () => {} }) {
    Object.assign(this, { media, original, spans, isOwn, rate, kept: before, changed, held: [], pieces: [], seconds: 0, last: null, toldMs: performance.now() });
    for (const name of ["pause", "ended", "ratechange"]) media.addEventListener(name, () => this.follow());
    media.addEventListener("timeupdate", () => {
      this.follow();
      this.changed();
    });
    setInterval(() => this.follow(), LOOK_MS);
    for (const name of ["seeking", "emptied"]) media.addEventListener(name, () => { this.last = null; });
    document.addEventListener("visibilitychange", () => {
      this.follow();
      if (document.hidden) this.tell(true);
    });
    addEventListener("pagehide", () => this.tell(true));
    setInterval(() => this.tell(false), EVERY_MS);
  }

  // From where it was when it was last looked at to where it is, if it played from there to here.
  follow() {
    const { media, last } = this, now = { at: media.currentTime, ms: performance.now(), rate: this.rate(), isOwn: this.isOwn() };
    const isSeen = media.tagName !== "VIDEO" || !document.hidden;
    this.last = media.paused || media.seeking || !isSeen ? null : now;
    this.settle();
    if (!last || media.seeking || last.isOwn !== now.isOwn) return;
    const by = now.at - last.at;
    if (by <= 0 || by > (now.ms - last.ms) / 1000 * 2 * Math.max(last.rate, now.rate) + SLACK_S) return;
    const latest = this.held.at(-1);
    if (latest && latest.rate === last.rate && latest.isOwn === last.isOwn && latest.to === last.at) latest.to = now.at;
    else this.held.push({ from: last.at, to: now.at, rate: last.rate, isOwn: last.isOwn });
    this.settle();
  }

  // What is held back becomes seconds of the original, as soon as it is known which.
  settle() {
    while (this.held.length) {
      const { from, to, rate, isOwn } = this.held[0], spans = isOwn ? [[from, to]] : this.spans(from, to);
      if (!spans) return;
      this.held.shift();
      for (const [low, high] of spans) {
        const latest = this.pieces.at(-1);
        if (latest && latest[2] === rate && Math.abs(latest[1] - low) < 0.01) latest[1] = high;
        else this.pieces.push([low, high, rate]);
        this.seconds += high - low;
      }
    }
  }

  get stretches() { return [...this.kept, ...this.pieces]; }

  // Seconds of it that were played no faster than so much, those twice played counted once.
  playedS(fastest = Infinity) {
    let sum = 0, end = -Infinity;
    for (const [from, to] of this.stretches.filter((one) => one[2] <= fastest).sort((one, other) => one[0] - other[0])) {
      sum += Math.max(0, to - Math.max(from, end));
      end = Math.max(end, to);
    }
    return sum;
  }

  async tell(isEnd) {
    this.settle();
    const { pieces, seconds } = this, isDue = this.media.paused || performance.now() - this.toldMs >= TOLD_MS;
    if (!pieces.length || (!isEnd && (!isDue || seconds < TOLD_S))) return;
    [this.pieces, this.seconds, this.toldMs] = [[], 0, performance.now()];
    const before = this.kept;
    this.kept = [...before, ...pieces];
    try {
      // The page may be left meanwhile.
      const said = await call("POST", `/api/originals/${this.original}/watched`, { seconds: Math.min(seconds, 3600), stretches: pieces }, { keepalive: true });
      this.kept = said.stretches;
      this.changed();
    } catch {
      this.kept = before;
      [this.pieces, this.seconds] = [[...pieces, ...this.pieces].slice(-STRETCHES_MOST), seconds + this.seconds];
    }
  }
}
