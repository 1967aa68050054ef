// The list follows what arrives, unless somebody is at work in it or has switched that off.
const EVERY_MS = 5000, AWAKE_MS = 30 * 60 * 1000, KEY = "hand-in-refresh";
const box = document.getElementById("refresh");
let touched = Date.now();
for (const event of ["pointerdown", "keydown"]) window.addEventListener(event, () => { touched = Date.now(); });

const isAtWork = () => {
  const list = document.getElementById("arrivals");
  return list.contains(document.activeElement) || list.querySelector("details[open], input[name=original]:checked");
};

async function refresh() {
  const response = await fetch(location.href).catch(() => null);
  if (!response?.ok || isAtWork()) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  if (fresh.getElementById("arrivals") === null || isAtWork()) return;
  const wanted = document.getElementById("refresh")?.checked;
  for (const id of ["standing", "arrivals"]) {
    const now = document.getElementById(id), then = fresh.getElementById(id);
    if (now.innerHTML !== then.innerHTML) now.replaceWith(document.adoptNode(then));
  }
  for (const one of document.querySelectorAll(".scripted")) one.hidden = false;
  set(wanted);
}

function set(wanted) {
  const now = document.getElementById("refresh");
  if (now === null) return;
  now.checked = wanted;
  now.onchange = () => localStorage.setItem(KEY, now.checked ? "on" : "off");
}

if (box) set(localStorage.getItem(KEY) !== "off");
document.addEventListener("handed-in", refresh);
// A page that nobody touches lets the session end.
setInterval(() => {
  if (document.getElementById("refresh")?.checked && !document.hidden && Date.now() - touched < AWAKE_MS) refresh();
}, EVERY_MS);
// One of the last cases is picked for the chosen files.
document.addEventListener("click", (event) => {
  const pick = event.target.closest?.("[data-pick]");
  if (pick === null || pick === undefined) return;
  const input = document.querySelector('.linking input[name="case"]');
  input.value = pick.dataset.pick;
  input.focus();
});
