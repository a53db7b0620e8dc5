// What happened lately, in words, the newest first.

import { h } from "./dom.js";

const SHOWN = 60;

export const timeOf = (unix_s) => new Date(1000 * unix_s).toLocaleTimeString("en-GB");

export class Log {
  constructor(root) {
    this.entries = [];
    this.only = h("input", { type: "checkbox", id: "only-trouble", onchange: () => this.draw() });
    this.list = h("ol", { class: "log" });
    this.empty = h("p", { class: "soft nothing" });
    this.choice = h("label", { class: "only", for: "only-trouble" }, this.only, "only what went wrong");
    root.append(this.choice, h("div", { class: "log-frame", tabindex: "0", role: "group", "aria-label": "What happened" }, this.list), this.empty);
  }

  told(entries) {
    this.entries = entries;
    this.draw();
  }

  draw() {
    const shown = this.entries.filter((entry) => !this.only.checked || entry.trouble).slice(0, SHOWN);
    this.list.replaceChildren(...shown.map((entry) => h("li", { class: entry.trouble ? "trouble" : "" }, h("time", { datetime: new Date(1000 * entry.unix_s).toISOString() }, timeOf(entry.unix_s)), h("span", {}, entry.words))));
    this.list.parentElement.hidden = !shown.length;
    this.choice.hidden = !this.entries.length;
    this.empty.hidden = shown.length > 0;
    this.empty.textContent = this.entries.length ? "Nothing went wrong lately." : "Nothing has happened yet.";
  }
}
