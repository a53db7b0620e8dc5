// Drawing expressions: rows of signs, superscripts and fractions with a bar.

import { h, sentence, sureness } from "./dom.js";
import { OPENING, glyph, kind } from "./signs.js";

/** Draw a line that was read. Every sign carries the index of its symbol. */
export function formula(line, { chosen = -1, mark = true } = {}) {
  const sign = (index) => ({ label: line.labels[index], index, sure: mark ? sureness(line.confidences[index]) : "" });
  const nodes = (row) =>
    row.map((part) => {
      if (typeof part === "number") return sign(part);
      if (part.raised) return { raised: nodes(part.raised) };
      return { bar: sign(part.bar), over: nodes(part.over), under: nodes(part.under) };
    });
  return h("span", { class: "formula", role: "img", "aria-label": line.text }, drawRow(nodes(line.row), chosen));
}

/** Draw one label. */
export const single = (label) => h("span", { class: "formula" }, h("span", { class: kind(label) === "letter" ? "letter" : "" }, glyph(label)));

function drawRow(nodes, chosen) {
  const row = h("span", { class: "row" });
  const tall = tallBrackets(nodes);
  nodes.forEach((node, at) => row.append(drawNode(node, { chosen, tall: tall.get(at), prefix: isPrefix(nodes, at) })));
  return row;
}

function drawNode(node, { chosen, tall, prefix }) {
  if (node.raised) return h("span", { class: "raised" }, drawRow(node.raised, chosen));
  if (node.over) {
    const rule = h("span", { class: classes("rule sign", node.bar, chosen), "data-symbol": node.bar.index });
    return h("span", { class: "over-under" }, drawRow(node.over, chosen), rule, drawRow(node.under, chosen));
  }
  // A sign before its number, as in −3, stands close to it.
  const spacing = prefix && kind(node.label) === "infix" ? "plain" : kind(node.label);
  const drawn = h("span", { class: classes(`sign ${spacing}`, node, chosen), "data-symbol": node.index }, glyph(node.label));
  if (tall) {
    drawn.classList.add("tall");
    drawn.style.setProperty("--stretch", tall);
  }
  return drawn;
}

const classes = (base, { index, sure }, chosen) =>
  [base, sure !== "sure" && sure, index >= 0 && index === chosen && "chosen"].filter(Boolean).join(" ");

const isPrefix = (nodes, at) => at === 0 || ["infix"].includes(nodes[at - 1].label && kind(nodes[at - 1].label)) || nodes[at - 1].label in OPENING;

/** Brackets around something tall are as tall: which ones, and by how much they are stretched. */
function tallBrackets(nodes) {
  const tall = new Map();
  const open = [];
  nodes.forEach((node, at) => {
    if (node.label in OPENING) open.push(at);
    else if (open.length && OPENING[nodes[open.at(-1)].label] === node.label) {
      const from = open.pop();
      const height = Math.max(...nodes.slice(from + 1, at).map(heightOf), 1);
      if (height > 1.2) tall.set(from, Math.min(height, 3)).set(at, Math.min(height, 3));
    }
  });
  return tall;
}

const heightOf = (node) =>
  node.over ? Math.max(...node.over.map(heightOf), 1) * 0.85 + Math.max(...node.under.map(heightOf), 1) * 0.85 : 1;

// -- values, which come as ASCII --------------------------------------------------------------------------------------

const MATHS = /^[\d\sa-zA-Z+\-*/^().=!]+$/;

/** Draw ASCII such as `(-1+sqrt(5))/2`; what is no expression stays text. */
export function asciiFormula(text) {
  const nodes = MATHS.test(text) ? new Ascii(text).all() : null;
  return h("span", { class: "formula", role: "img", "aria-label": text }, nodes ? drawRow(nodes, -1) : text);
}

class Ascii {
  constructor(text) {
    this.tokens = text.match(/\d+(?:\.\d+)?|sqrt|[a-zA-Z]|\S/g) ?? [];
    this.at = 0;
  }

  all() {
    try {
      const nodes = this.sum();
      return this.at === this.tokens.length ? nodes : null;
    } catch {
      return null;
    }
  }

  get next() {
    return this.tokens[this.at];
  }

  take(token) {
    if (token !== undefined && this.next !== token) throw new Error("no expression");
    return this.tokens[this.at++];
  }

  sum() {
    const nodes = [];
    for (;;) {
      while (["+", "-", "="].includes(this.next)) nodes.push(leaf(this.take()));
      nodes.push(...this.product());
      if (!["+", "-", "="].includes(this.next)) return nodes;
    }
  }

  product() {
    let nodes = this.power();
    for (;;) {
      if (this.next === "*") nodes.push(leaf(this.take() && "times"), ...this.power());
      else if (this.next === "/") {
        this.take();
        nodes = [{ bar: { label: "-", index: -1, sure: "sure" }, over: unwrapped(nodes), under: unwrapped(this.power()) }];
      } else if (this.next !== undefined && /^[\da-zA-Z(]/.test(this.next)) nodes.push(...this.power());
      else return nodes;
    }
  }

  power() {
    const nodes = this.atom();
    while (this.next === "!") nodes.push(leaf(this.take()));
    if (this.next === "^") {
      this.take();
      nodes.push({ raised: unwrapped(this.atom()) });
    }
    return nodes;
  }

  atom() {
    if (this.next === "(") {
      this.take();
      const inner = this.sum();
      this.take(")");
      return [leaf("("), ...inner, leaf(")")];
    }
    if (this.next === "sqrt") {
      const root = leaf(this.take());
      const under = this.atom();
      // A root of one number needs no brackets.
      return [root, ...(under.length === 3 ? unwrapped(under) : under)];
    }
    if (this.next === undefined || !/^[\da-zA-Z]/.test(this.next)) throw new Error("no expression");
    return [leaf(this.take())];
  }
}

const leaf = (label) => ({ label, index: -1, sure: "sure" });

function unwrapped(nodes) {
  if (nodes[0]?.label !== "(" || nodes.at(-1)?.label !== ")") return nodes;
  let depth = 0;
  for (const [at, node] of nodes.entries()) {
    depth += node.label === "(" ? 1 : node.label === ")" ? -1 : 0;
    if (depth === 0 && at < nodes.length - 1) return nodes;
  }
  return nodes.slice(1, -1);
}

/** Say what a line comes to, under it, unless it says so itself: `x=5`. */
export function valueElement({ text: line, value: text, kind }) {
  if (text && text.replaceAll(" ", "") === line) return "";
  const box = h("div", { class: "line-value" });
  if (!text) return box; // its place is kept: it may come in a moment
  if (kind === "number" || kind === "form") {
    const about = text.startsWith("about ");
    box.append(h("span", { class: "soft" }, about ? "≈" : "="), asciiFormula(about ? text.slice(6) : text));
  } else if (kind === "solutions" && /^[a-zA-Z] (=|is about) /.test(text)) {
    text.split(" or ").forEach((solution, at) => {
      if (at) box.append(h("span", { class: "or" }, "or"));
      const [name, relation, number] = solution.split(/ (=|is about) /);
      box.append(asciiFormula(name), h("span", { class: "soft" }, relation === "=" ? "=" : "≈"), asciiFormula(number));
    });
  } else {
    box.classList.add("none");
    box.append(sentence(text));
  }
  return box;
}
