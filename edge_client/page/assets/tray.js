// The tray in which one symbol is put right: what it may be, and what else can be done with its box.

import { button, fewPercent, h, icon, percent } from "./dom.js";
import { single } from "./maths.js";
import { spoken } from "./signs.js";

const MOST_CHOICES = 9;

/** Draw the tray of a panel's chosen symbol. */
export function tray(panel, symbol) {
  return h("div", { class: "tray", role: "region", "aria-label": "Put the symbol right", "aria-busy": String(panel.busy) }, panel.joining ? joining(panel) : choosing(panel, symbol));
}

function choosing(panel, symbol) {
  const alternatives = symbol.alternatives.slice(0, MOST_CHOICES);
  return [
    head(panel, symbol, symbol.learnt ? "You have said what this is; say it again to change it." : `${percent(symbol.confidence)} sure. Which is it?`),
    h("div", { class: "choices" },
      choice(panel, symbol.label, symbol.confidence, "↵", "read"),
      alternatives.map(({ label, confidence }, at) => choice(panel, label, confidence, String(at + 1)))),
    h("div", { class: "tools" },
      button("Split", { name: "split", key: "S", onclick: () => panel.split(), title: "The box covers two symbols" }),
      button("Join", { name: "join", key: "J", onclick: () => panel.join(), title: "The box is a part of a symbol" }),
      button("Throw away", { name: "bin", key: "Del", kind: "danger", onclick: () => panel.discard(), title: "It is no symbol" })),
    h("h4", {}, "Any other"),
    h("div", { class: "labels" }, panel.labels.map((label) => anyLabel(panel, label, symbol.label))),
  ];
}

function joining(panel) {
  const { line, symbol } = panel.partner;
  const other = panel.reading.lines[line].symbols[symbol];
  return [
    head(panel, panel.chosenSymbol, ["Tap the box it belongs to. Now chosen: ", single(other.label), "."]),
    h("div", { class: "tools" },
      button("Join these two", { name: "join", key: "Enter", kind: "primary", onclick: () => panel.join() }),
      button("Do not join", { key: "Esc", onclick: () => panel.cancel() })),
  ];
}

function head(panel, symbol, words) {
  return h("div", { class: "tray-head" },
    h("div", { class: "tray-ink" }, h("img", { class: "ink", src: symbol.picture, alt: "the symbol as it was written" })),
    h("div", {}, h("h3", {}, "Read as ", single(symbol.label)), h("p", {}, words)),
    h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => panel.cancel() }, icon("close")));
}

function choice(panel, label, share, key, kind = "") {
  return h("button",
    { type: "button", class: `choice ${kind}`.trim(), "data-label": label, "aria-label": `${spoken(label)}, ${fewPercent(share)}`, "aria-keyshortcuts": key === "↵" ? "Enter" : key, onclick: () => panel.confirm(label) },
    h("kbd", { "aria-hidden": "true" }, key), single(label), h("small", {}, fewPercent(share)));
}

function anyLabel(panel, label, read) {
  return h("button", { type: "button", class: "label", "data-label": label, "aria-label": spoken(label), "aria-current": label === read ? "true" : null, onclick: () => panel.confirm(label) }, single(label));
}
