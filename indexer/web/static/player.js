// The player of one original: its own bar, clocks and marks over the browser's player, which stays where no script runs.

import { call } from "./pages.js";
import { Frames, clock, fetched, length, moment } from "./frames.js";
import { Lane, Sprites } from "./lane.js";
import { inWords } from "./strip.js";
import { Notes } from "./notes.js";
import { Watched } from "./watched.js";

const RATES = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4];

export class Player {
  constructor(box) {
    this.box = box;
    this.media = box.querySelector("video, audio");
    this.about = JSON.parse(box.dataset.player);
    this.words = JSON.parse(box.dataset.words);
    this.isOwn = false;
    // Null where there are none; until that is known, undefined.
    this.frames = undefined;
    this.shownS = 0;
    this.loop = [];
    this.silent = [];
    this.skips = false;
    this.wanted = null;
    this.isTold = false;
    this.$ = (name) => box.querySelector(`[data-is="${name}"]`);
  }

  begin() {
    this.media.removeAttribute("controls");
    this.box.classList.add("alive");
    this.lane = new Lane(this);
    this.followShown();
    const from = Number(this.box.dataset.t);
    if (from > 0) this.whenReady(() => this.goTo(from));
    for (const name of ["play", "pause", "ratechange", "volumechange", "seeked", "timeupdate", "durationchange", "ended"])
      this.media.addEventListener(name, () => this.paint());
    this.media.addEventListener("timeupdate", () => this.keepInside());
    this.media.addEventListener("click", () => this.toggle());
    this.media.addEventListener("error", () => { this.$("said").textContent = this.words.broken; });
    for (const button of this.box.querySelectorAll("[data-do]")) button.addEventListener("click", () => this.act(button.dataset.do));
    this.$("rate").addEventListener("change", (event) => { this.media.playbackRate = Number(event.target.value); });
    this.watched = new Watched(this.media, this.about.original, {
      spans: (from, to) => (this.frames === null ? [[from, to]] : this.frames?.spans(from, to)), isOwn: () => this.isOwn,
      before: this.about.watched ?? [],
      changed: () => this.paintWatched(),
    });
    this.whenReady(() => this.learn());
    this.paint();
  }

  whenReady(then) {
    if (this.media.readyState >= 1) then(); else this.media.addEventListener("loadedmetadata", then, { once: true });
  }

  // What is not needed to begin comes when the recording can be played.
  async learn() {
    const { about } = this;
    const frames = about.frame_times ? Frames.from(about.frame_times).catch(() => null) : null;
    const [wave, scenes, loud, map, flaws] = await Promise.all([
      fetched(about.waveform), fetched(about.scenes), fetched(about.loudness), fetched(about.sprites_map, "text"),
      fetched(`/api/originals/${about.original}/marks`),
    ]);
    this.frames = await frames;
    if (!this.frames?.there.length) this.frames = null;
    this.silent = loud?.silent ?? [];
    const marks = [
      ...(flaws ?? []).map((flaw) => ({ ...flaw, to: flaw.to ?? undefined })),
      ...(this.frames?.holes() ?? []).map(([at, to]) => ({ kind: "hole", at, to })),
      ...(this.frames?.lacks() ?? []).map(([at, to]) => ({ kind: "undecoded", at, to })),
      ...(scenes?.black ?? []).map(([at, to]) => ({ kind: "black", at, to })),
      ...(scenes?.frozen ?? []).map(([at, to]) => ({ kind: "frozen", at, to })),
      ...this.silent.map(([at, to]) => ({ kind: "silent", at, to })),
      ...(scenes?.scenes ?? []).map((at) => ({ kind: "scene", at })),
    ].sort((one, other) => one.at - other.at);
    this.lane.show(wave, marks, map && new Sprites(map, about.sheets));
    this.paintWatched();
    this.box.dispatchEvent(new CustomEvent("learnt"));
    this.paint();
  }

  get length() {
    return Number.isFinite(this.media.duration) ? this.media.duration : this.about.length_s ?? 0;
  }

  // What of the original is shown: seconds from its first picture, its picture's number and PTS, and when that was.
  get instant() {
    const number = this.frames ? this.frames.numberAt(this.shownS, this.isOwn) : null;
    const at = number === null ? this.shownS : this.frames.seconds[number];
    return { number, at, pts: number === null ? null : this.frames.pts[number] * this.frames.unit, time: this.timeAt(at) };
  }

  timeAt(at) {
    return this.about.start_ms === null ? null : moment(this.about.start_ms + at * 1000, this.about.offset_min);
  }

  // The browser says which picture is really on the screen; where it cannot, where it plays.
  followShown() {
    if (!("requestVideoFrameCallback" in this.media)) {
      const follow = () => { [this.shownS, this.wanted] = [this.media.currentTime, null]; };
      for (const name of ["timeupdate", "seeked"]) this.media.addEventListener(name, follow);
      return;
    }
    const next = (_, shown) => {
      this.shows(shown.mediaTime);
      this.media.requestVideoFrameCallback(next);
    };
    this.media.requestVideoFrameCallback(next);
    this.media.addEventListener("seeked", () => this.afterSeek());
  }

  shows(second) {
    this.shownS = second;
    // Keys come faster than pictures: until the last that was asked for is there, steps count from it.
    if (!this.media.seeking && this.media.readyState >= 2) [this.wanted, this.isTold] = [null, true];
    this.paint();
  }

  // A picture that comes while the browser tells of the one before is told of by nobody; where nothing plays it is the
  // one at the current time.
  afterSeek() {
    this.isTold = false;
    const rest = () => {
      if (!this.isTold && this.media.paused && !this.media.seeking) this.shows(this.media.currentTime);
    };
    requestAnimationFrame(() => requestAnimationFrame(rest));
  }

  // Seconds of what is played.
  seek(second) {
    this.media.currentTime = Math.min(Math.max(0, second), this.length || 0);
  }

  // Seconds of the original from its first picture.
  goTo(at) {
    if (!this.frames) return this.seek(at);
    this.showNumber(this.frames.numberAt(at, true));
  }

  showNumber(number) {
    this.wanted = number;
    this.media.currentTime = this.frames.secondOf(number, this.isOwn);
  }

  step(by) {
    this.media.pause();
    if (!this.frames) return this.seek(this.media.currentTime + by / 25);
    const from = this.wanted ?? this.frames.numberAt(this.shownS, this.isOwn);
    this.showNumber(this.frames.beside(from, by, this.isOwn));
  }

  toggle() {
    if (this.media.paused) this.media.play().catch((error) => { this.$("said").textContent = String(error.message ?? error); });
    else this.media.pause();
  }

  faster(by) {
    const now = RATES.indexOf(this.media.playbackRate);
    this.media.playbackRate = RATES[Math.min(RATES.length - 1, Math.max(0, (now < 0 ? 3 : now) + by))];
  }

  // The first press keeps A, the second B, the third lets go of both.
  markLoop() {
    const at = this.media.currentTime;
    if (this.loop.length === 2) this.loop = [];
    else this.loop = [...this.loop, at].sort((a, b) => a - b);
    if (this.loop.length === 2 && this.loop[1] - this.loop[0] < 0.04) this.loop = [];
    this.paint();
  }

  keepInside() {
    const at = this.media.currentTime;
    if (this.loop.length === 2 && (at >= this.loop[1] || at < this.loop[0] - 0.5)) this.media.currentTime = this.loop[0];
    if (!this.skips || this.media.paused) return;
    const silent = this.silent.find(([from, to]) => at >= from + 0.3 && at < to - 0.5);
    if (silent) this.media.currentTime = silent[1] - 0.3;
  }

  change() {
    if (!this.about.own) return;
    const { at, number } = this.instant, wasPlaying = !this.media.paused;
    this.wanted ??= number;
    this.isOwn = !this.isOwn;
    this.media.src = this.isOwn ? this.about.own : this.about.proxy;
    this.media.addEventListener("loadedmetadata", () => {
      if (this.wanted === null) this.goTo(at); else this.showNumber(this.wanted);
      if (wasPlaying) this.media.play();
    }, { once: true });
    this.paint();
  }

  captions() {
    const [track] = this.media.textTracks;
    if (track) track.mode = track.mode === "showing" ? "hidden" : "showing";
    this.paint();
  }

  jumpMark(by) {
    const marks = this.lane.marks.map((mark) => mark.at), at = this.media.currentTime;
    const to = by > 0 ? marks.find((one) => one > at + 0.1) : marks.filter((one) => one < at - 0.5).pop();
    if (to !== undefined) this.goTo(to);
  }

  fullscreen() {
    if (document.fullscreenElement) document.exitFullscreen(); else this.box.requestFullscreen?.();
  }

  act(name, share) {
    const acts = {
      play: () => this.toggle(), back: () => this.step(-1), on: () => this.step(1), loop: () => this.markLoop(),
      mute: () => { this.media.muted = !this.media.muted; }, skip: () => { this.skips = !this.skips; this.paint(); },
      captions: () => this.captions(), own: () => this.change(), full: () => this.fullscreen(),
      back10: () => this.seek(this.media.currentTime - 10), on10: () => this.seek(this.media.currentTime + 10),
      back5: () => this.seek(this.media.currentTime - 5), on5: () => this.seek(this.media.currentTime + 5),
      back60: () => this.seek(this.media.currentTime - 60), on60: () => this.seek(this.media.currentTime + 60),
      backTenth: () => this.seek(this.media.currentTime - this.length / 10),
      onTenth: () => this.seek(this.media.currentTime + this.length / 10),
      share: () => this.seek(this.length * share), begin: () => this.seek(0), end: () => this.seek(this.length),
      slower: () => this.faster(-1), faster: () => this.faster(1),
      markBack: () => this.jumpMark(-1), markOn: () => this.jumpMark(1), keys: () => this.help(),
    };
    if (acts[name]) acts[name](); else this.box.dispatchEvent(new CustomEvent("act", { detail: name }));
  }

  // Whether this recording and this browser have it.
  has(name) {
    const isVideo = this.media.tagName === "VIDEO";
    const needs = {
      back: isVideo, on: isVideo, skip: this.silent.length > 0, captions: this.media.textTracks.length > 0,
      own: Boolean(this.about.own), markBack: this.lane.marks.length > 0, markOn: this.lane.marks.length > 0,
      full: isVideo && document.fullscreenEnabled, bookmark: Boolean(this.takes?.bookmark), note: Boolean(this.takes?.note),
      snapshot: Boolean(this.takes?.snapshot), cite: Boolean(this.takes?.cite), case: Boolean(this.takes?.case),
    };
    return needs[name] ?? true;
  }

  help() {
    const dialog = this.$("keys");
    if (dialog.open) return dialog.close();
    dialog.querySelector("dl").replaceChildren(...KEYS.filter((one) => one.said && this.has(one.act)).flatMap((one) => {
      const keys = document.createElement("dt"), does = document.createElement("dd");
      keys.append(...one.said.split(" ").map((key) => Object.assign(document.createElement("kbd"), { textContent: key })));
      does.textContent = this.words.keys[one.word ?? one.act];
      return [keys, does];
    }));
    dialog.showModal();
  }

  paint() {
    const { media, words } = this, now = this.instant;
    this.$("play").textContent = media.paused ? `▶ ${words.play}` : `❚❚ ${words.pause}`;
    this.$("at").textContent = `${length(media.currentTime)} / ${length(this.length)}`;
    this.$("pts").textContent = now.pts === null ? clock(now.at) : `${clock(now.pts)} · ${words.picture} ${now.number + 1}`;
    this.$("time").textContent = now.time === null ? words.undated : now.time;
    const rate = this.$("rate");
    if (rate.value !== String(media.playbackRate)) rate.value = String(media.playbackRate);
    this.$("mute").textContent = media.muted ? `○ ${words.muted}` : `♪ ${words.sound}`;
    this.$("loop").textContent = `⟲ ${["A–B", `A ${length(this.loop[0] ?? 0)} –`, `${length(this.loop[0] ?? 0)}–${length(this.loop[1] ?? 0)}`][this.loop.length]}`;
    this.press("loop", this.loop.length === 2);
    this.press("skip", this.skips);
    this.press("captions", media.textTracks[0]?.mode === "showing");
    this.press("own", this.isOwn);
    for (const label of document.querySelectorAll("[data-shown]")) label.hidden = (label.dataset.shown === "own") !== this.isOwn;
    for (const button of this.box.querySelectorAll("[data-do]")) button.hidden = !this.has(button.dataset.do);
    this.lane.paint();
  }

  press(name, isOn) {
    this.$(name)?.setAttribute("aria-pressed", String(isOn));
  }

  // What of it this person has played so far, drawn and in words.
  paintWatched() {
    this.lane.showWatched(this.watched.stretches);
    this.$("watched").textContent = inWords(this.watched, this.length, this.words);
  }
}

// said: as the help writes it. word: what it is called there, where other than its act.
const KEYS = [
  { key: " ", act: "play", said: "Space" }, { key: "k", act: "play" },
  { key: "ArrowLeft", act: "back10", said: "← →", word: "ten" }, { key: "ArrowRight", act: "on10" },
  { key: "ArrowLeft", shift: true, act: "back5", said: "Shift+← Shift+→", word: "five" }, { key: "ArrowRight", shift: true, act: "on5" },
  { key: "ArrowLeft", ctrl: true, act: "back60", said: "Ctrl+← Ctrl+→", word: "sixty" }, { key: "ArrowRight", ctrl: true, act: "on60" },
  { key: ",", act: "back", said: ", .", word: "frame" }, { key: ".", act: "on" },
  { key: "[", act: "backTenth", said: "[ ]", word: "tenth" }, { key: "]", act: "onTenth" },
  { digits: true, act: "share", said: "1–9" }, { key: "Home", act: "begin", said: "Home End", word: "ends" }, { key: "End", act: "end" },
  { key: "<", act: "slower", said: "< >", word: "rate" }, { key: ">", act: "faster" },
  { key: "PageUp", act: "markBack", said: "PageUp PageDown", word: "marks" }, { key: "PageDown", act: "markOn" },
  { key: "l", act: "loop", said: "l" }, { key: "m", act: "mute", said: "m" }, { key: "x", act: "skip", said: "x" },
  { key: "c", act: "captions", said: "c" }, { key: "o", act: "own", said: "o" }, { key: "f", act: "full", said: "f" },
  { key: "b", act: "bookmark", said: "b" }, { key: "n", act: "note", said: "n" }, { key: "s", act: "snapshot", said: "s" },
  { key: "y", act: "cite", said: "y" }, { key: "/", act: "search", said: "/" },
  { key: "c", after: "g", act: "case", said: "g c" }, { key: "?", act: "keys", said: "?" },
];

// Keys that a person presses outside of fields and dialogs.
export function listen(player) {
  let before = "", beforeAt = 0;
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.altKey || event.metaKey || target.closest("textarea, select, input:not([type=range]), dialog[open]")) return;
    if (event.key === " " && target.closest("button, a, summary")) return;
    const after = performance.now() - beforeAt < 1500 ? before : "";
    [before, beforeAt] = [event.key, performance.now()];
    const found = KEYS.find((one) =>
      (one.digits ? /^[1-9]$/.test(event.key) : one.key === event.key) && (one.after ?? "") === (one.after ? after : "")
      && Boolean(one.ctrl) === event.ctrlKey && (one.shift === undefined ? !event.shiftKey || event.key.length === 1 : one.shift === event.shiftKey)
      && (one.after || after !== "g"));
    if (!found || !player.has(found.act)) return;
    event.preventDefault();
    if (found.act === "search") location.assign("/search");
    else player.act(found.act, Number(event.key) / 10);
  });
}

const box = document.querySelector("[data-player]");
if (box) {
  const player = new Player(box);
  player.begin();
  new Notes(player, document.querySelector("[data-notes]"));
  listen(player);
  window.player = player;
}
for (const button of document.querySelectorAll("[data-own-picture]")) {
  const picture = document.querySelector("img.view"), copy = picture.src;
  button.addEventListener("click", () => {
    const isOwn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOwn));
    picture.src = isOwn ? button.dataset.ownPicture : copy;
    for (const label of document.querySelectorAll("[data-shown]")) label.hidden = (label.dataset.shown === "own") !== isOwn;
  });
}
