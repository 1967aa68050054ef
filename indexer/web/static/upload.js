// Handing in from any page: files that are dropped or chosen are sent in pieces. A lost connection is waited for, and
// whoever loads the page again and chooses the same files goes on where they stopped.
import { sign } from "./pages.js";

const AT_ONCE = 2, SAMPLE_BYTES = 256 * 1024, FIRST_WAIT_MS = 1000, LONGEST_WAIT_MS = 30000;
const dock = document.getElementById("uploads"), said = dock.dataset, list = dock.querySelector("ul");
const waiting = [], all = [];
let busy = 0;

const table = new Uint32Array(256).map((_, at) => {
  let value = at;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) value = table[(value ^ bytes[at]) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

// A piece sent, with the share of it that is on its way told meanwhile: `fetch` tells nothing of that.
const sent = (path, headers, piece, moved) => new Promise((answered, failed) => {
  const request = new XMLHttpRequest();
  request.open("PATCH", path);
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  request.upload.onprogress = (event) => moved(event.loaded);
  request.onload = () => answered(new Response(request.responseText || null, { status: request.status, statusText: request.statusText }));
  request.onerror = request.ontimeout = request.onabort = () => failed(new TypeError("nobody answers"));
  request.send(piece);
});

const bytesOf = async (file, from, to) => new Uint8Array(await file.slice(from, to).arrayBuffer());
const pause = (ms) => new Promise((go) => {
  const timer = setTimeout(go, ms);
  window.addEventListener("online", () => (clearTimeout(timer), go()), { once: true });
});

// What the page says beside its files of what they show.
const stated = () => Object.fromEntries([...document.querySelectorAll("[data-stated]")].map((one) => [one.dataset.stated, one.value.trim()]));

class Sending {
  constructor(file, folder) {
    Object.assign(this, { file, folder, stated: stated(), state: "waits" });
    this.row = document.createElement("li");
    this.name = Object.assign(document.createElement("strong"), { textContent: (folder ? folder + "/" : "") + file.name });
    this.bar = Object.assign(document.createElement("progress"), { max: file.size || 1, value: 0 });
    this.word = Object.assign(document.createElement("span"), { className: "soft" });
    this.row.append(this.name, " ", this.word, this.bar);
    list.append(this.row);
    this.tell("waits", said.waits);
  }

  tell(state, word) {
    this.state = state;
    this.word.textContent = word;
    this.bar.hidden = state === "safe" || state === "failed";
    this.row.className = state === "safe" ? "ok" : state === "failed" ? "alarm" : "";
    const safe = all.filter((one) => one.state === "safe").length;
    dock.querySelector(".summary").textContent = said.summary.replace("{safe}", safe).replace("{all}", all.length);
    dock.querySelector("[data-close]").hidden = all.some((one) => !["safe", "failed"].includes(one.state));
  }

  fail(word) {
    this.tell("failed", "✗ " + word);
    const again = Object.assign(document.createElement("button"), { type: "button", textContent: said.retry });
    again.addEventListener("click", () => { again.remove(); this.tell("waits", said.waits); waiting.push(this); next(); });
    this.row.append(again);
  }

  // The answer to the request, however often the connection is lost meanwhile.
  async asked(method, path, headers = {}, body = undefined, moved = undefined) {
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      try {
        const all = { "X-CSRF-Token": sign(), ...headers };
        const response = await (moved ? sent(path, all, body, moved) : fetch(path, { method, headers: all, body }));
        if (![429, 502, 503, 504].includes(response.status)) return response;
        const why = await response.clone().json().catch(() => null);
        if (why?.error && method === "POST" && path === "/api/uploads") return response;
      } catch { /* nobody answers: it is asked again */ }
      this.tell("again", "○ " + said.again);
      await pause(wait);
    }
  }

  async answered(...request) {
    const response = await this.asked(...request);
    const answer = await response.json().catch(() => ({}));
    if (!response.ok && response.status !== 409) throw new Error((document.documentElement.lang.startsWith("zh") && answer.zh) || answer.error || response.statusText);
    return { ...answer, status_code: response.status };
  }

  async begin() {
    const { file, folder } = this;
    const ends = [await bytesOf(file, 0, SAMPLE_BYTES), await bytesOf(file, Math.max(0, file.size - SAMPLE_BYTES), file.size)];
    const wanted = { name: file.name, size: file.size, modified_ms: Math.max(0, file.lastModified || 0), folder, sample: ends.map(crc32).join("-"), ...this.stated };
    return this.answered("POST", "/api/uploads", { "Content-Type": "application/json" }, JSON.stringify(wanted));
  }

  async run() {
    // No second try makes it fuller.
    if (!this.file.size) return this.tell("failed", "✗ " + said.empty);
    let begun = await this.begin();
    if (begun.tail && begun.state !== "safe" && crc32(await bytesOf(this.file, begun.offset - begun.tail, begun.offset)) !== begun.tail_crc32) {
      await this.answered("DELETE", `/api/uploads/${begun.id}`);
      begun = await this.begin();
    }
    if (begun.state === "safe") return this.end(begun, said.known);
    await this.send(begun.id, begun.offset, begun.piece);
  }

  async send(id, offset, pieceBytes) {
    for (;;) {
      while (offset < this.file.size) {
        const tell = (count) => {
          this.bar.value = count;
          this.tell("sends", `${said.sends} ${Math.floor((100 * count) / this.file.size)} %`);
        };
        tell(offset);
        const piece = await bytesOf(this.file, offset, offset + pieceBytes);
        const headers = { "Content-Type": "application/octet-stream", "Upload-Offset": String(offset), "Upload-Checksum": String(crc32(piece)) };
        offset = (await this.answered("PATCH", `/api/uploads/${id}`, headers, piece, (count) => tell(offset + Math.min(count, piece.length)))).offset;
      }
      this.bar.value = offset;
      this.tell("checks", said.checks);
      const told = await this.answered("POST", `/api/uploads/${id}/finish`);
      if (told.status_code === 200) return this.end(told, said.safe);
      offset = told.offset;
    }
  }

  end(told, word) {
    if (told.state !== "safe") {
      const [why, remedy] = document.documentElement.lang.startsWith("zh") ? [told.why_zh, told.do_zh] : [told.why, told.do];
      return this.fail(`${said.refused} ${why}\n${said.remedy} ${remedy}`);
    }
    this.tell("safe", "✓ " + (told.status === "duplicate" && word === said.safe ? said.twin : word));
    document.dispatchEvent(new Event("handed-in"));
  }
}

async function next() {
  while (busy < AT_ONCE && waiting.length) {
    const one = waiting.shift();
    busy++;
    one.run().catch((error) => one.fail(error.message)).finally(() => { busy--; next(); });
  }
}

// files: pairs of a File and the folder that it lay in.
export function handIn(files) {
  if (!files.length) return;
  dock.hidden = false;
  for (const [file, folder] of files) {
    const one = new Sending(file, folder);
    all.push(one);
    waiting.push(one);
  }
  next();
}

const folderOf = (file) => (file.webkitRelativePath || "").split("/").slice(0, -1).join("/");

async function below(entry, folder = "") {
  if (entry.isFile) return [[await new Promise((found, failed) => entry.file(found, failed)), folder]];
  const reader = entry.createReader(), inside = folder ? `${folder}/${entry.name}` : entry.name, files = [];
  for (;;) {
    const some = await new Promise((found, failed) => reader.readEntries(found, failed));
    if (!some.length) return files;
    for (const one of some) files.push(...(await below(one, inside)));
  }
}

// A page that takes dropped files for something else says so with `data-drop` around the place.
const isOurs = (event) => event.dataTransfer?.types.includes("Files") && !event.defaultPrevented && !event.target.closest?.("[data-drop]");
const drop = document.getElementById("drop");
let inside = 0;
window.addEventListener("dragenter", (event) => { if (isOurs(event)) { inside++; drop.hidden = false; } });
window.addEventListener("dragleave", () => { inside = Math.max(0, inside - 1); drop.hidden = !inside; });
window.addEventListener("dragover", (event) => { if (isOurs(event)) event.preventDefault(); });
window.addEventListener("drop", async (event) => {
  inside = 0;
  drop.hidden = true;
  if (!isOurs(event)) return;
  event.preventDefault();
  const entries = [...event.dataTransfer.items].map((one) => one.webkitGetAsEntry?.()).filter(Boolean);
  const files = entries.length ? (await Promise.all(entries.map((one) => below(one)))).flat() : [...event.dataTransfer.files].map((file) => [file, ""]);
  handIn(files);
});

for (const button of document.querySelectorAll("[data-choose]")) {
  const input = Object.assign(document.createElement("input"), { type: "file", multiple: true, hidden: true });
  if (button.dataset.choose === "folder") input.webkitdirectory = true;
  button.after(input);
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => { handIn([...input.files].map((file) => [file, folderOf(file)])); input.value = ""; });
}
for (const one of document.querySelectorAll(".scripted")) one.hidden = false;

dock.querySelector("[data-close]").addEventListener("click", () => { dock.hidden = true; });
window.addEventListener("beforeunload", (event) => {
  if (all.some((one) => !["safe", "failed"].includes(one.state))) { event.preventDefault(); event.returnValue = said.leave; }
});
