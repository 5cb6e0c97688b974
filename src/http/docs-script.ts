// What the docs page does in the browser: it opens the operation that the address names, finds operations, and sends what a form
// says. Plain JavaScript as text, since no build step stands between here and a browser. Credentials stay in their fields.

export const SCRIPT = String.raw`
"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) named.open = true;
  named?.scrollIntoView();
}
addEventListener("hashchange", openNamed);
openNamed();

const search = document.getElementById("search");
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/);
  for (const link of all("nav a[data-text]")) {
    link.hidden = !words.every((word) => link.dataset.text.includes(word));
  }
});

function requestOf(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = {};
  for (const { name, value } of all("#credentials input")) if (value !== "") headers[name] = value;
  if (headers.Authorization) headers.Authorization = "Bearer " + headers.Authorization;
  for (const field of all("[data-in]", form)) {
    if (field.dataset.in === "path") path = path.replace("{" + field.name + "}", encodeURIComponent(field.value));
    else if (field.value === "") continue;
    else if (field.dataset.in === "query") query.set(field.name, field.value);
    else headers[field.name] = field.value;
  }
  const body = form.elements.namedItem("body")?.value;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (form.elements.namedItem("stream")?.checked) headers.Accept = "text/event-stream";
  const url = path + (query.size > 0 ? "?" + query : "");
  return [url, { method: form.dataset.method, headers, body }];
}

function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function show(response, output) {
  const told = ["etag", "location", "retry-after", "allow"].filter((name) => response.headers.has(name));
  const head = [response.status + " " + response.statusText, ...told.map((name) => name + ": " + response.headers.get(name))];
  output.textContent = head.join("\n") + "\n\n";
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    output.textContent += readable(await response.text());
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    output.textContent = (output.textContent + part.value).slice(-100000);
    output.scrollTop = output.scrollHeight;
  }
}

async function send(form) {
  const output = form.querySelector("pre");
  const stop = form.querySelector("[data-stop]");
  const sending = new AbortController();
  stop.onclick = () => sending.abort(new Error("stopped"));
  stop.hidden = false;
  output.hidden = false;
  output.textContent = "…";
  try {
    const [url, init] = requestOf(form);
    await show(await fetch(url, { ...init, signal: sending.signal }), output);
  } catch (error) {
    output.textContent += "\n" + error.message;
  } finally {
    stop.hidden = true;
  }
}

for (const form of all("form")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send(form);
  });
}
`;
