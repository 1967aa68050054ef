// The timeline of a case: lanes on corrected time, from days down to frames. By mouse: drag, wheel with Ctrl, click.
// By keyboard: + − zoom, arrows move, [ ] leap from recording to recording, 0 shows all; Tab goes from one to the next,
// Enter opens it, and b all of that instant side by side.

import { call } from "./pages.js";

const SVG = "http://www.w3.org/2000/svg";
const NAMES_PX = 150, LANE_PX = 34, HEAD_PX = 26, BAR_PX = 16, LEAST_PX = 3, NARROW_PX = 600;
const TOGETHER = 4; // recordings side by side at the most
const SHORTEST_MS = 200; // five frames of a usual camera
const STEPS_S = [0.04, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800, 2592000];

const box = document.querySelector("#lanes");
if (box) call("GET", box.dataset.address).then((data) => draw(box, data)).catch((error) => { box.textContent = `⚠ ${error.message}`; });

function element(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function clock(zone) {
  const whole = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
  const day = { format: (ms) => whole.format(ms).slice(5, 10) }, time = { format: (ms) => whole.format(ms).slice(-8) };
  const fraction = (ms) => `.${String(Math.floor(((ms % 1000) + 1000) % 1000)).padStart(3, "0")}`;
  return {
    day: (ms) => day.format(ms),
    tick: (ms, step_s) => (step_s >= 86400 ? day.format(ms) : step_s >= 60 ? time.format(ms).slice(0, 5) : time.format(ms) + (step_s < 1 ? fraction(ms) : "")),
    full: (ms) => `${day.format(ms)} ${time.format(ms)}${fraction(ms)}`,
  };
}

function length(ms) {
  const seconds = Math.round(ms / 1000), minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes % 60)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

// Of an RFC 3339 time: `+08:00` at its end.
function offset_ms(text) {
  const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)$/.exec(text) ?? [0, "+", 0, 0];
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60000;
}

function draw(box, data) {
  for (const lane of data.lanes) for (const one of [...lane.stretches, ...lane.holes]) {
    one.low = Date.parse(one.from);
    one.high = Date.parse(one.to);
  }
  const first = Date.parse(data.from), last = Date.parse(data.to), margin = Math.max((last - first) * 0.03, 1000);
  const whole = [first - margin, last + margin], said = clock(data.zone);
  let [low, high] = whole;
  const height = HEAD_PX + data.lanes.length * LANE_PX;
  const svg = element("svg", { class: "lanes", height, tabindex: "0", role: "group", "aria-label": box.dataset.keys });
  const hint = Object.assign(document.createElement("p"), { className: "hint soft" });
  hint.setAttribute("role", "status");
  const side = Object.assign(document.createElement("a"), { className: "side", hidden: true });
  box.append(buttons(), svg, key(), hint, side);
  hint.textContent = box.dataset.keys;
  let width = 0, names = NAMES_PX, drags = null, moved = false;

  function buttons() {
    const row = Object.assign(document.createElement("div"), { className: "steps" });
    const words = box.dataset.steps.split("|");
    const steps = data.lanes.filter((one) => one.kind === "activity").flatMap((one) => one.stretches).slice(0, 8);
    const acts = [["+", () => zoom(0.5)], ["−", () => zoom(2)], ["←", () => move(-0.25)], ["→", () => move(0.25)], ["0", all]];
    const button = (textContent, onclick) => Object.assign(document.createElement("button"), { type: "button", textContent, onclick });
    row.append(...acts.map(([key, act], at) => button(`${key} ${words[at]}`, act)));
    row.append(...steps.map((one) => button(`${one.name} ${said.day(one.low)}`, () => around(one))));
    return row;
  }

  // Each pattern that stands in the drawing, in words.
  function key() {
    const list = Object.assign(document.createElement("ul"), { className: "key" });
    list.setAttribute("aria-label", box.dataset.key);
    const entry = (words, ...drawn) => {
      const item = document.createElement("li");
      item.append(element("svg", { width: 22, height: 12, class: "lanes", "aria-hidden": "true" }, ...drawn), ` ${words}`);
      list.append(item);
    };
    const stretches = data.lanes.flatMap((one) => one.stretches), holes = new Map();
    for (const one of data.lanes.flatMap((each) => each.holes)) holes.set(one.class, one.words);
    if (stretches.some((one) => one.proposed)) entry(`◇ ${box.dataset.proposed}`, element("rect", { class: "stretch proposed", x: 1, y: 1, width: 20, height: 10 }));
    if (stretches.some((one) => one.uncertainty_s > 2)) entry(box.dataset.unsure, element("line", { class: "unsure", x1: 0, x2: 22, y1: 6, y2: 6 }));
    for (const [name, words] of holes) if (name !== "file_split") entry(words, element("rect", { class: "hole", width: 22, height: 12, fill: `url(#hatch-${name})` }));
    return list;
  }

  const x = (ms) => names + ((ms - low) / (high - low)) * (width - names);
  const at = (px) => low + ((px - names) / (width - names)) * (high - low);

  function show(from, to) {
    const longest = whole[1] - whole[0], span = Math.min(Math.max(to - from, SHORTEST_MS), longest);
    const middle = (from + to) / 2;
    low = Math.min(Math.max(middle - span / 2, whole[0]), whole[1] - span);
    high = low + span;
    redraw();
  }
  function zoom(by, around = (low + high) / 2) {
    show(around - (around - low) * by, around + (high - around) * by);
  }
  function move(share) {
    show(low + (high - low) * share, high + (high - low) * share);
  }
  function all() {
    show(...whole);
  }
  // Keeps the scale; from gap to gap of a case that lasts for months nothing else finds the next recording.
  function leap(by) {
    const middle = (low + high) / 2, half = (high - low) / 2, near = half / 50;
    const begins = data.lanes.flatMap((one) => one.stretches.map((each) => each.low)).sort((one, other) => one - other);
    const to = by > 0 ? begins.find((one) => one > middle + near) : begins.filter((one) => one < middle - near).pop();
    if (to !== undefined) show(to - half, to + half);
  }
  function around(one) {
    const margin = Math.max((one.high - one.low) * 0.1, 30000);
    show(one.low - margin, one.high + margin);
  }

  function redraw() {
    width = svg.clientWidth || 600;
    names = width < NARROW_PX ? 0 : NAMES_PX;
    const held = document.activeElement?.closest?.(".lanes a")?.dataset.place;
    svg.replaceChildren(...ticks(), ...data.lanes.flatMap(lane));
    if (held) svg.querySelector(`a[data-place="${held}"]`)?.focus({ preventScroll: true });
  }

  function ticks() {
    const enough = (high - low) / 1000 / Math.max(2, (width - names) / 95);
    const step_s = STEPS_S.find((one) => one >= enough) ?? STEPS_S.at(-1), step = step_s * 1000;
    const shift = offset_ms(data.from); // whole hours and days begin by the bureau's clock
    const made = [];
    for (let ms = Math.ceil((low + shift) / step) * step - shift; ms < high; ms += step) {
      made.push(element("line", { class: "rule", x1: x(ms), x2: x(ms), y1: HEAD_PX - 6, y2: height }));
      const label = element("text", { class: "tick", x: x(ms) + 3, y: HEAD_PX - 10 });
      label.textContent = (step_s < 86400 && (made.length === 1) ? `${said.day(ms)} ` : "") + said.tick(ms, step_s);
      made.push(label);
    }
    return made;
  }

  function lane(one, row) {
    const top = HEAD_PX + row * LANE_PX, middle = top + LANE_PX / 2 - BAR_PX / 2 + (names ? 0 : 6);
    const group = element("g", { class: one.kind });
    if (row % 2 === 0) group.append(element("rect", { class: "shade", x: 0, y: top, width, height: LANE_PX }));
    one.stretches.forEach((each, place) => group.append(...stretch(each, middle, `${row}-${place}`)));
    for (const each of one.holes) group.append(...hole(each, middle));
    if (names) group.append(element("rect", { class: row % 2 ? "back" : "shade", x: 0, y: top, width: names, height: LANE_PX }));
    const label = element("text", { class: "name halo", x: 6, y: names ? top + LANE_PX / 2 + 4 : top + 10 });
    label.textContent = names && one.name.length > 18 ? `${one.name.slice(0, 17)}…` : one.name;
    label.append(element("title", {}, one.name));
    group.append(label);
    return [group];
  }

  function seen(each) {
    if (each.high < low || each.low > high) return null;
    const from = Math.max(x(each.low), names), to = Math.min(x(each.high), width);
    return { from, wide: Math.max(to - from, LEAST_PX) };
  }

  function stretch(each, top, place) {
    const part = seen(each);
    if (!part) return [];
    const share = each.share === null ? "" : ` ${(each.share * 100).toFixed(1)} %`;
    const sign = each.fulfilled === null ? "" : each.fulfilled ? "✓ " : "✗ ";
    const words = `${sign}${each.proposed ? "◇ " : ""}${each.name}${share}`;
    const told = `${words} ${said.full(each.low)} – ${said.full(each.high)} (${length(each.high - each.low)})`
      + (each.uncertainty_s > 2 ? ` ±${Math.round(each.uncertainty_s)} s` : "") + (each.proposed ? ` · ${box.dataset.proposed}` : "");
    const bar = element("rect", { class: each.proposed ? "stretch proposed" : "stretch", x: part.from, y: top, width: part.wide, height: BAR_PX });
    const made = [];
    const unsure = (each.uncertainty_s * 1000 / (high - low)) * (width - names);
    if (unsure > 2) made.push(element("line", { class: "unsure", x1: Math.max(part.from - unsure, names), x2: part.from + part.wide + unsure, y1: top + BAR_PX + 2, y2: top + BAR_PX + 2 }));
    if (each.original) {
      const link = element("a", { href: address(each), "aria-label": told, "data-place": place }, bar);
      link.addEventListener("focus", () => {
        hint.textContent = told;
        beside(Math.min(Math.max((low + high) / 2, each.low), each.high), each);
      });
      link.addEventListener("click", (event) => {
        if (moved) event.preventDefault();
        else if (event.shiftKey) {
          event.preventDefault();
          beside(at(inside(event)), each);
          sideBySide();
        }
        else if (event.detail) link.setAttribute("href", address(each, at(inside(event))));
      });
      made.push(link);
    } else made.push(bar);
    bar.append(element("title", {}, told));
    if (part.wide > 60) {
      const label = element("text", { class: each.proposed ? "halo" : "inside", x: part.from + 4, y: top + 12 });
      const letters = Math.floor((part.wide - 8) / 8);
      label.textContent = words.length > letters ? `${words.slice(0, Math.max(letters - 1, 1))}…` : words;
      made.push(label);
    }
    return made;
  }

  // Leads to what every device shows at this instant, the one pointed at first.
  function beside(ms, first) {
    const all = data.lanes.flatMap((one) => (one.kind === "device" ? one.stretches : []));
    const there = all.filter((one) => one !== first && one.original && one.low <= ms && one.high >= ms);
    if (first?.original && all.includes(first)) there.unshift(first);
    side.hidden = !there.length;
    if (!there.length) return;
    const [main] = there, from_s = main.begins_s + Math.max(ms - main.low, 0) / 1000;
    side.href = `/originals/together?${there.slice(0, TOGETHER).map((one) => `of=${one.original}`).join("&")}&t=${from_s.toFixed(2)}`;
    side.textContent = `▥ ${box.dataset.beside} ${said.full(ms)} (${there.length})`;
  }
  const sideBySide = () => { if (!side.hidden) location.assign(side.href); };

  function address(each, ms = each.low) {
    const from_s = each.begins_s + Math.min(Math.max(ms - each.low, 0), each.high - each.low) / 1000;
    return `/originals/${each.original}${from_s > 0.05 ? `?t=${from_s.toFixed(2)}` : ""}`;
  }

  function hole(each, top) {
    const part = seen(each);
    // A switch of files is milliseconds long: it is drawn where the zoom comes to it.
    if (!part || (each.class === "file_split" && part.wide <= LEAST_PX)) return [];
    const told = `${each.words} ${length(each.high - each.low)} ${said.full(each.low)} – ${said.full(each.high)} ${each.reason || each.why}`;
    const made = [element("rect", { class: "hole", x: part.from, y: top, width: part.wide, height: BAR_PX, fill: `url(#hatch-${each.class})` }, element("title", {}, told))];
    if (part.wide > 56) {
      const label = element("text", { class: "halo", x: part.from + 4, y: top + 12 });
      label.textContent = `${each.words} ${length(each.high - each.low)}`;
      made.push(label);
    }
    return made;
  }

  const inside = (event) => event.clientX - svg.getBoundingClientRect().left;

  const KEYS = { "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "−": () => zoom(2), "0": all, b: sideBySide, "[": () => leap(-1), "]": () => leap(1), ArrowLeft: () => move(-0.25), ArrowRight: () => move(0.25) };
  svg.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    // What has the focus stays in the middle, so that zooming comes to its frames.
    const held = document.activeElement.closest?.("a[data-place]");
    if (held && "+=-−".includes(event.key)) {
      const [row, place] = held.dataset.place.split("-").map(Number), one = data.lanes[row].stretches[place];
      const span = (high - low) * ("+=".includes(event.key) ? 0.5 : 2), edge = Math.min(Math.max((low + high) / 2, one.low), one.high);
      show(edge - span / 2, edge + span / 2);
    } else act();
  });
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 0.8 : 1.25, at(inside(event)));
  }, { passive: false });
  svg.addEventListener("pointerdown", (event) => {
    drags = { from: inside(event), low, high };
    moved = false;
  });
  window.addEventListener("pointermove", (event) => {
    if (!drags) {
      if (svg.contains(event.target)) hint.textContent = said.full(at(inside(event)));
      return;
    }
    const by = ((drags.from - inside(event)) / (width - names)) * (drags.high - drags.low);
    if (Math.abs(drags.from - inside(event)) < 4 && !moved) return;
    moved = true;
    show(drags.low + by, drags.high + by);
  });
  window.addEventListener("pointerup", (event) => {
    if (drags && !moved && !event.target.closest("a")) beside(at(inside(event)));
    drags = null;
  });
  svg.addEventListener("dragstart", (event) => event.preventDefault());
  new ResizeObserver(redraw).observe(svg);
  redraw();
}
