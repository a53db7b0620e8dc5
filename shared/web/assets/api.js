// Speaking with whoever serves the page: a device or an aggregator.

import { sentence } from "./dom.js";

const { server } = document.documentElement.dataset;

export class Refusal extends Error {
  constructor(status, line) {
    super(line);
    this.status = status;
  }
}

/** Ask: JSON there and back; an error carries the server's own line. */
export async function ask(path, { method = "GET", json, body, type, signal } = {}) {
  const headers = json !== undefined ? { "content-type": "application/json" } : type ? { "content-type": type } : {};
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: json !== undefined ? JSON.stringify(json) : body });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, `The ${server} does not answer. Is it still running?`);
  }
  if (answer.status === 401) {
    location.reload();
    throw new Refusal(401, "Please log in again.");
  }
  if (!answer.ok) throw new Refusal(answer.status, await reason(answer));
  return answer.json();
}

async function reason(answer) {
  try {
    const line = (await answer.json()).error;
    return `${sentence(line)}.`;
  } catch {
    return `The ${server} answered with ${answer.status}.`;
  }
}

/** Listen to the news; `gone` and `back` tell of the connection. */
export function listen(handlers, { gone, back }) {
  const source = new EventSource("/api/news");
  source.onopen = back;
  source.onerror = () => {
    gone();
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(handlers, { gone, back }), 3000);
  };
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }
  addEventListener("pagehide", () => source.close(), { once: true });
  return source;
}
