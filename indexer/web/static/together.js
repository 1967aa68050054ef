// Recordings in step by their corrected clocks. The first leads. The others follow it by small changes of their speed;
// where one has nothing to show or is far off, all stand until all can go on together.

import { call } from "./pages.js";
import { Frames, moment } from "./frames.js";
import { Strip, inWords } from "./strip.js";
import { Watched } from "./watched.js";

const EVERY_MS = 50;
// Beyond this all stop and are put in place. Within it a follower goes slower or faster by GAIN of what it is apart, so
// that a third of it is left after a third of a second; whose sound is on is bent no more than a listener bears.
const JUMP_S = 0.3, FINE_S = 0.01, GAIN = 3, BEND_SILENT = 0.5, BEND_HEARD = 0.05;
// Where it stands to be put in place again, and what pictures may be late by before they are believed over the clock.
const PLACED_S = 0.03, LATE_S = 0.05, PICTURES = 8, PICTURE_S = 0.04;

class Camera {
  constructor(box, about) {
    Object.assign(this, { box, about, nudgeS: about.nudge_s, media: box.querySelector("video, audio"), late: [], isThere: false, frames: about.frame_times ? undefined : null });
    if (about.frame_times) Frames.from(about.frame_times).then((frames) => { this.frames = frames.there.length ? frames : null; }, () => { this.frames = null; });
    this.$ = (name) => box.querySelector(`[data-is="${name}"]`);
    this.strip = new Strip(this.$("strip"));
    this.follow();
    for (const name of ["seeking", "play", "pause", "ratechange"]) this.media.addEventListener(name, () => { this.late = []; });
  }

  get startMs() { return this.about.start_ms + this.nudgeS * 1000; }
  get length() { return Number.isFinite(this.media.duration) ? this.media.duration : this.about.length_s ?? 0; }
  get nowMs() { return this.startMs + this.shownS * 1000; }
  // At its end there is nothing further to wait for.
  get isReady() { return !this.media.seeking && (this.media.readyState >= 3 || this.media.error || this.length - this.media.currentTime < 0.3); }

  at(ms) { return (ms - this.startMs) / 1000; }
  covers(ms) { const at = this.at(ms); return at >= 0 && at < this.length; }

  // How late each picture came by the clock of its player: the least of the last few is what all are late by.
  follow() {
    const { media } = this;
    if (!("requestVideoFrameCallback" in media)) return;
    const next = (now, shown) => {
      if (!media.paused && !media.seeking) {
        const due = media.currentTime + (shown.expectedDisplayTime - performance.now()) / 1000 * media.playbackRate;
        this.late = [...this.late.slice(1 - PICTURES), due - shown.mediaTime];
      }
      media.requestVideoFrameCallback(next);
    };
    media.requestVideoFrameCallback(next);
  }

  // The second that its pictures show.
  get shownS() {
    const late = this.late.length < PICTURES ? 0 : Math.min(...this.late);
    return this.media.currentTime - (late > LATE_S ? late : 0);
  }

  place(ms, within = PLACED_S) {
    const at = Math.min(Math.max(this.at(ms), 0), this.length);
    if (this.media.readyState >= 1 && !this.media.seeking && Math.abs(this.media.currentTime - at) > within) this.media.currentTime = at;
  }

  // What of it this person has played so far, drawn and in words.
  paintWatched(words) {
    this.strip.show(this.watched.stretches, this.length);
    const said = inWords(this.watched, this.length, words), place = this.$("watched");
    if (place.textContent !== said) place.textContent = said;
  }

  isPlaced(ms) { return Math.abs(this.media.currentTime - this.at(ms)) <= 2 * PLACED_S; }
}

class Together {
  constructor(section) {
    this.section = section;
    this.words = JSON.parse(section.dataset.words);
    const given = JSON.parse(section.dataset.cameras), main = given[0];
    this.cameras = given.map((about) => new Camera(section.querySelector(`[data-camera="${about.original}"]`), {
      ...about, undated: about.start_ms === null, start_ms: about.start_ms ?? main.start_ms ?? 0, offset_min: main.offset_min ?? 0,
    }));
    [this.main] = this.cameras;
    [this.playing, this.held, this.rate] = [false, false, 1];
    this.ms = this.main.startMs + Number(section.dataset.t) * 1000;
    this.$ = (name) => section.querySelector(`.controls [data-is="${name}"]`);
    section.addEventListener("click", (event) => this.pressed(event));
    this.$("rate").addEventListener("change", (event) => { this.rate = Number(event.target.value); });
    this.$("range").addEventListener("input", (event) => {
      const [from, to] = this.span;
      this.goTo(from + event.target.value / 1000 * (to - from));
    });
    document.addEventListener("keydown", (event) => this.key(event));
    for (const one of this.cameras) {
      one.watched = new Watched(one.media, one.about.original, {
        spans: (from, to) => (one.frames === null ? [[from, to]] : one.frames?.spans(from, to)), rate: () => this.rate,
        before: one.about.watched ?? [], changed: () => one.paintWatched(this.words),
      });
      one.media.addEventListener("durationchange", () => one.paintWatched(this.words));
      one.paintWatched(this.words);
    }
    this.last = performance.now();
    for (const one of this.cameras) for (const name of ["waiting", "seeked", "canplay", "ended"]) one.media.addEventListener(name, () => this.tick());
    setInterval(() => this.tick(), EVERY_MS);
    this.tick();
  }

  get span() {
    return [Math.min(...this.cameras.map((one) => one.startMs)), Math.max(...this.cameras.map((one) => one.startMs + one.length * 1000))];
  }

  goTo(ms) {
    const [from, to] = this.span;
    this.ms = Math.min(Math.max(ms, from), to);
    this.held = true;
    for (const one of this.cameras) one.place(this.ms, 0);
    this.tick();
  }

  pressed(event) {
    const button = event.target.closest("button"), box = button?.closest("[data-camera]");
    if (!button) return;
    const camera = this.cameras.find((one) => one.box === box), act = button.dataset.do;
    if (camera && button.dataset.nudge) this.nudge(camera, Number(button.dataset.nudge));
    else if (camera && act === "sound") {
      camera.media.muted = !camera.media.muted;
      button.setAttribute("aria-pressed", String(!camera.media.muted));
    } else if (camera && act === "keep") this.keep(camera);
    else this.act(act);
  }

  act(name) {
    if (name === "play") [this.playing, this.held] = [!this.playing, true];
    if (name === "back" || name === "on") {
      this.playing = false;
      this.step(name === "on" ? 1 : -1);
    }
    this.tick();
  }

  // To the next picture of the main one where it is known when each is shown, else by what one usually lasts.
  async step(by) {
    const { main } = this, { frame_times: times } = main.about;
    this.frames ??= times ? await Frames.from(times).catch(() => null) : null;
    if (!this.frames?.there.length || !main.covers(this.ms)) return this.goTo(this.ms + by * PICTURE_S * 1000);
    const number = this.frames.beside(this.frames.numberAt(main.at(this.ms), false), by, false);
    this.goTo(main.startMs + this.frames.secondOf(number, false) * 1000);
  }

  key(event) {
    if (event.altKey || event.metaKey || event.target.closest("textarea, select, input:not([type=range])")) return;
    if (event.key === " " && event.target.closest("button, a")) return;
    const steps = { ArrowLeft: -10, ArrowRight: 10 }, scale = event.shiftKey ? 0.5 : event.ctrlKey ? 6 : 1;
    const acts = { " ": "play", ",": "back", ".": "on" };
    if (steps[event.key]) this.goTo(this.ms + steps[event.key] * scale * 1000);
    else if (acts[event.key] && !event.ctrlKey) this.act(acts[event.key]);
    else return;
    event.preventDefault();
  }

  nudge(camera, by) {
    camera.nudgeS = Math.round((camera.nudgeS + by) * 1000) / 1000;
    this.goTo(this.ms);
  }

  async keep(camera) {
    const { original } = camera.about;
    const note = { kind: "nudge", at_s: Math.max(0, camera.at(this.ms)), beside: this.main.about.original, offset_s: camera.nudgeS, shared: true };
    try {
      await call("POST", `/api/originals/${original}/notes`, note);
      this.$("said").textContent = this.words.kept;
    } catch (error) { this.$("said").textContent = `⚠ ${error.message}`; }
  }

  // The clock that all follow is the main one's while it records, else the time that goes by.
  tick() {
    const now = performance.now(), passed = now - this.last, { main } = this;
    this.last = now;
    if (this.playing && !this.held) {
      if (main.isThere && main.covers(main.nowMs)) this.ms = main.nowMs;
      else this.ms += passed * this.rate;
      if (this.ms >= this.span[1]) this.playing = false;
    }
    for (const one of this.cameras) {
      one.isThere = one.covers(this.ms);
      one.apartS = one.isThere ? one.shownS - one.at(this.ms) : null;
    }
    if (!this.playing) this.stand();
    else if (this.held) this.release();
    else this.go();
    this.paint();
  }

  get there() { return this.cameras.filter((one) => one.isThere && !one.media.error); }

  stand() {
    for (const one of this.cameras) {
      if (!one.media.paused) one.media.pause();
      one.place(this.ms);
    }
  }

  // All stand until everyone who records then is in place and has what comes next.
  release() {
    this.stand();
    if (!this.there.every((one) => one.isReady && one.isPlaced(this.ms))) return;
    this.held = false;
    for (const one of this.there) this.start(one);
  }

  start(one) {
    one.media.playbackRate = this.rate;
    one.media.play().catch((error) => {
      // Stopped again before it began.
      if (error.name !== "AbortError") [this.playing, this.$("said").textContent] = [false, error.message];
    });
  }

  go() {
    if (this.there.some((one) => !one.isReady || (one !== this.main && Math.abs(one.apartS) > JUMP_S))) {
      this.held = true;
      this.stand();
      return;
    }
    for (const one of this.cameras) {
      if (!one.isThere) {
        if (!one.media.paused) one.media.pause();
        one.place(this.ms);
      } else if (one.media.paused && !one.media.ended) this.start(one);
      else one.media.playbackRate = this.rate * (1 + (one === this.main ? 0 : bend(one)));
    }
  }

  paint() {
    const { words } = this, [from, to] = this.span, offset = this.main.about.offset_min;
    this.$("play").textContent = this.playing ? `❚❚ ${words.pause}` : `▶ ${words.play}`;
    this.$("now").textContent = moment(this.ms, offset);
    const range = this.$("range");
    if (!range.matches(":active")) range.value = to > from ? (this.ms - from) / (to - from) * 1000 : 0;
    range.setAttribute("aria-valuetext", moment(this.ms, offset));
    for (const one of this.cameras) {
      one.box.classList.toggle("absent", !one.isThere);
      one.strip.point(one.media.currentTime, one.length);
      one.$("role").textContent = one.media.error ? `⚠ ${words.broken}` : !one.isThere ? `◌ ${words.absent}` : this.playing && !one.isReady ? `⧗ ${words.loads}` : one === this.main ? `★ ${words.main}` : `→ ${words.follows}`;
      one.$("clock").textContent = one.about.undated ? words.undated : one.isThere ? moment(one.nowMs, offset) : "";
      one.$("apart").textContent = one.isThere && one !== this.main ? words.apart.replace("{seconds}", (Math.round((one.apartS ?? 0) * 100) / 100 || 0).toFixed(2)) : "";
      if (one.$("nudge")) one.$("nudge").textContent = words.nudged.replace("{seconds}", one.nudgeS.toFixed(2));
    }
  }
}

// The share by which a follower's speed differs.
function bend(one) {
  const most = one.media.muted ? BEND_SILENT : BEND_HEARD;
  return Math.abs(one.apartS) < FINE_S ? 0 : Math.round(100 * Math.min(most, Math.max(-most, -one.apartS * GAIN))) / 100;
}

const section = document.querySelector("[data-cameras]");
if (section) window.together = new Together(section);
