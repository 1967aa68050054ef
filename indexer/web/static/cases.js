// The list of cases: how each stands is worked out anew, so it comes after the page.

import { call } from "./pages.js";

const TOGETHER = 4;
const cells = [...document.querySelectorAll("[data-light]")];

for (let first = 0; first < cells.length; first += TOGETHER) {
  const some = cells.slice(first, first + TOGETHER);
  const asked = some.map((cell) => `case=${encodeURIComponent(cell.dataset.light)}`).join("&");
  const found = await call("GET", `/api/cases/lights?${asked}`).catch(() => ({}));
  for (const cell of some) {
    const light = found[cell.dataset.light];
    const span = document.createElement("span");
    span.className = light ? `light ${light.light}` : "soft";
    span.textContent = light ? `${light.sign} ${light.words}` : "—";
    cell.replaceChildren(span);
  }
}
