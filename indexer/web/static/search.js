// Hits over time, counted only when somebody opens it (each bar is a search of its own) and while it is left open:
// each bar is a link that narrows the search to its time.

import { call } from "./pages.js";

const HEIGHT = 44, LABEL_PX = 46, OPEN = "over-time";

function bar(one, most) {
  const item = document.createElement("li"), link = document.createElement(one.hits ? "a" : "span"), label = document.createElement("span");
  const drawn = document.createElement("span");
  if (one.hits) link.href = one.href;
  link.title = one.words;
  link.setAttribute("aria-label", one.words);
  drawn.className = "bar";
  drawn.style.height = `${one.hits ? Math.max(2, Math.round(one.hits / most * HEIGHT)) : 0}px`;
  label.className = "when";
  label.textContent = one.label;
  link.append(drawn);
  item.append(link, label);
  return item;
}

async function show(details) {
  const said = details.querySelector("[role=status]"), figure = details.querySelector("figure");
  said.hidden = false;
  let found;
  try {
    found = await call("GET", `/api/search/over-time${location.search}`);
  } catch (error) {
    said.textContent = error.message;
    return;
  }
  said.hidden = true;
  const list = figure.querySelector("ol"), most = Math.max(1, ...found.bars.map((one) => one.hits));
  list.replaceChildren(...found.bars.map((one) => bar(one, most)));
  figure.querySelector("figcaption span").textContent = found.undated ? `· ${details.dataset.undated.replace("{count}", found.undated)}` : "";
  figure.hidden = false;
  // As many labels as there is room for.
  const label = () => {
    const every = Math.max(1, Math.ceil(found.bars.length * LABEL_PX / list.clientWidth));
    [...list.children].forEach((item, place) => { item.lastChild.hidden = place % every > 0; });
  };
  new ResizeObserver(label).observe(list);
}

const details = document.querySelector("[data-over-time]");
if (details) {
  let asked = false;
  const opened = () => {
    sessionStorage.setItem(OPEN, details.open ? "open" : "");
    if (!details.open || asked) return;
    asked = true;
    show(details);
  };
  details.hidden = false;
  details.addEventListener("toggle", opened);
  // Opening it here is told as a toggle too.
  details.open = sessionStorage.getItem(OPEN) === "open";
}
