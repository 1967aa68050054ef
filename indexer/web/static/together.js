// Recordings in step by their corrected clocks. The first leads; the others follow it, by small changes of speed or a jump.

import { call } from "./pages.js";
import { moment } from "./frames.js";

const EVERY_MS = 100, JUMP_S = 0.3, FINE_S = 0.015, BEND = 0.12;

class Camera {
  constructor(box, about) {
    Object.assign(this, { box, about, nudgeS: about.nudge_s, media: box.querySelector("video, audio") });
    this.$ = (name) => box.querySelector(`[data-is="${name}"]`);
    // A jump takes its time: the next one is led by what the last one took.
    this.leadS = 0.05;
    this.media.addEventListener("seeking", () => { this.jumpedAt = performance.now(); });
    this.media.addEventListener("seeked", () => {
      if (this.jumpedAt) this.leadS = Math.min(0.5, (performance.now() - this.jumpedAt) / 1000);
    });
  }

  get startMs() { return this.about.start_ms + this.nudgeS * 1000; }
  get length() { return Number.isFinite(this.media.duration) ? this.media.duration : this.about.length_s ?? 0; }
  get nowMs() { return this.startMs + this.media.currentTime * 1000; }

  at(ms) { return (ms - this.startMs) / 1000; }
  covers(ms) { const at = this.at(ms); return at >= 0 && at < this.length; }
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
    [this.playing, this.rate] = [false, 1];
    this.ms = this.main.startMs + Number(section.dataset.t) * 1000;
    this.$ = (name) => section.querySelector(`.controls [data-is="${name}"]`);
    section.addEventListener("click", (event) => this.pressed(event));
    this.$("rate").addEventListener("change", (event) => { this.rate = Number(event.target.value); });
    this.$("range").addEventListener("input", (event) => {
      const [from, to] = this.span;
      this.goTo(from + event.target.value / 1000 * (to - from));
    });
    document.addEventListener("keydown", (event) => this.key(event));
    this.tellWatched();
    this.last = performance.now();
    setInterval(() => this.tick(), EVERY_MS);
    this.tick();
  }

  get span() {
    return [Math.min(...this.cameras.map((one) => one.startMs)), Math.max(...this.cameras.map((one) => one.startMs + one.length * 1000))];
  }

  goTo(ms) {
    const [from, to] = this.span;
    this.ms = Math.min(Math.max(ms, from), to);
    for (const one of this.cameras) if (one.covers(this.ms)) one.media.currentTime = one.at(this.ms);
    this.paint();
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
    if (name === "play") this.playing = !this.playing;
    if (name === "back" || name === "on") {
      this.playing = false;
      this.goTo(this.ms + (name === "on" ? 40 : -40));
    }
    this.tick();
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

  // The clock that all follow: the main one's while it records, else the time that goes by.
  tick() {
    const now = performance.now(), passed = now - this.last;
    this.last = now;
    if (this.playing) {
      const leads = this.main.covers(this.ms) && !this.main.media.paused && !this.main.media.seeking && !this.main.media.ended;
      if (leads) this.ms = this.main.nowMs;
      else if (!this.main.covers(this.ms) || this.main.media.ended) this.ms += passed * this.rate;
      if (this.ms >= this.span[1]) this.playing = false;
    }
    for (const one of this.cameras) this.lead(one);
    this.paint();
  }

  lead(one) {
    const { media } = one, wanted = one.at(this.ms);
    one.isThere = one.covers(this.ms);
    one.apartS = one.isThere ? media.currentTime - wanted : null;
    if (media.readyState < 1) return;
    if (!one.isThere || !this.playing) {
      if (!media.paused) media.pause();
      if (one.isThere && !media.seeking && Math.abs(one.apartS) > 0.02) media.currentTime = wanted;
      return;
    }
    if (media.paused && !media.ended) media.play().catch((error) => { this.$("said").textContent = error.message; });
    if (one === this.main || media.seeking) { if (one === this.main) media.playbackRate = this.rate; return; }
    if (Math.abs(one.apartS) > JUMP_S) media.currentTime = Math.min(one.length, wanted + one.leadS * this.rate);
    const bend = Math.abs(one.apartS) < FINE_S ? 0 : Math.min(BEND, Math.max(-BEND, -one.apartS));
    media.playbackRate = this.rate * (1 + bend);
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
      one.$("role").textContent = !one.isThere ? `◌ ${words.absent}` : one === this.main ? `★ ${words.main}` : `→ ${words.follows}`;
      one.$("clock").textContent = one.about.undated ? words.undated : one.isThere ? moment(one.nowMs, offset) : "";
      one.$("apart").textContent = one.isThere && one !== this.main ? words.apart.replace("{seconds}", (one.apartS ?? 0).toFixed(2)) : "";
      if (one.$("nudge")) one.$("nudge").textContent = words.nudged.replace("{seconds}", one.nudgeS.toFixed(2));
    }
  }

  tellWatched() {
    setInterval(() => {
      if (!this.playing) return;
      for (const one of this.cameras) {
        if (one.isThere) call("POST", `/api/originals/${one.about.original}/watched`, { seconds: 5 * this.rate }).catch(() => {});
      }
    }, 5000);
  }
}

const section = document.querySelector("[data-cameras]");
if (section) window.together = new Together(section);
