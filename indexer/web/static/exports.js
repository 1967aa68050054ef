// How far a package is, until it can be taken.
import { call } from "./pages.js";

const EVERY_MS = 2000;
// Signed out, or there is nothing to follow any more: it is not asked again. Other failures pass.
const OVER = [401, 404];

async function follow(place) {
  const bar = place.querySelector("progress"), percent = place.querySelector("[data-percent]");
  for (;;) {
    await new Promise((go) => setTimeout(go, EVERY_MS));
    const told = await call("GET", `/api/exports/${place.dataset.package}/package`).catch((error) => error);
    if (OVER.includes(told.status)) return place.replaceChildren(`⚠ ${place.dataset.over}`);
    if (told instanceof Error) continue;
    if (told.state === "ready" || told.state === "failed") return location.reload();
    bar.max = told.of_bytes || 1;
    bar.value = told.done_bytes;
    percent.textContent = `${Math.floor((100 * told.done_bytes) / bar.max)} %`;
  }
}

for (const place of document.querySelectorAll("[data-package]")) follow(place);
