// What every page has: calls that carry the session's sign, and suggestions while somebody types.

export const sign = () => document.querySelector('meta[name="csrf"]')?.content ?? "";

// The answer of our own API as data. Throws an Error with the server's sentence and the answer's `status`.
export async function call(method, address, data, more = {}) {
  const response = await fetch(address, {
    method,
    headers: { "X-CSRF-Token": sign(), ...(data === undefined ? {} : { "Content-Type": "application/json" }) },
    body: data === undefined ? undefined : JSON.stringify(data),
    ...more,
  });
  const said = await response.json().catch(() => ({}));
  if (response.ok) return said;
  const sentence = (document.documentElement.lang.startsWith("zh") && said.zh) || said.error || response.statusText;
  throw Object.assign(new Error(sentence), { status: response.status });
}

function suggest(input) {
  const list = document.createElement("datalist");
  list.id = "suggestions";
  input.after(list);
  input.setAttribute("list", list.id);
  let timer, asked = "";
  input.addEventListener("input", () => {
    clearTimeout(timer);
    const typed = input.value.trim();
    if (!typed || typed === asked) return;
    timer = setTimeout(async () => {
      asked = typed;
      const found = await call("GET", `/api/suggest?q=${encodeURIComponent(typed)}`).catch(() => []);
      if (input.value.trim() !== typed) return;
      list.replaceChildren(...found.map((one) => Object.assign(document.createElement("option"), { value: one.value })));
    }, 150);
  });
}

for (const input of document.querySelectorAll("[data-suggest]")) suggest(input);
