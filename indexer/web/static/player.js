// The player: begins at the second asked for, and tells how many seconds were watched.

import { call } from "./pages.js";

const player = document.querySelector("#player");
if (player) {
  const from = Number(player.dataset.t);
  if (from > 0) player.addEventListener("loadedmetadata", () => { player.currentTime = from; }, { once: true });
  let last = null, watched = 0;
  player.addEventListener("timeupdate", () => {
    if (last !== null && !player.paused) watched += Math.max(0, Math.min(player.currentTime - last, 2));
    last = player.currentTime;
  });
  const tell = () => {
    if (watched < 0.5) return;
    const seconds = watched;
    watched = 0;
    call("POST", `/api/originals/${player.dataset.original}/watched`, { seconds }).catch(() => { watched += seconds; });
  };
  setInterval(tell, 5000);
  player.addEventListener("pause", tell);
}
