// Curves and bars over the rounds. A pointer over them, or the arrow keys, tell of a single round.

import { h, s } from "./dom.js";

const HEIGHT = 210;
const LEFT = 46;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 28;
const DOTS_UP_TO = 60;
const LOWEST = [0.96, 0.8, 0.6, 0.2, 0]; // with four steps up to 100 % that are read at a glance

export class Plot {
  /** `words(round)` tells of one round; `legend` names the lines. */
  constructor(root, { empty, words, legend = [] }) {
    this.words = words;
    this.empty = h("p", { class: "soft nothing" }, empty);
    this.frame = h("div", { class: "frame" });
    this.caption = h("p", { class: "soft caption" });
    this.legend = h("p", { class: "legend", hidden: true }, legend.map(([kind, name]) => h("span", {}, h("i", { class: kind }), name)));
    this.rounds = [];
    this.chosen = null;
    root.append(this.empty, this.frame, this.legend, this.caption);
  }

  lines(rounds, { lines, legend, note }) {
    const known = rounds.flatMap((round) => lines.map(([key]) => round[key])).filter((value) => value !== null && value !== undefined);
    this.legend.hidden = !legend;
    this.note = note;
    if (!this.begin(rounds, known.length > 0)) return;
    const low = LOWEST.find((one) => one <= Math.min(...known));
    this.grid(low, 1, (value) => `${Math.round(100 * value)}\u202f%`);
    for (const [key, kind] of lines) {
      const there = rounds.map((round, at) => [this.x(at), round[key]]).filter(([, value]) => value !== null && value !== undefined);
      const path = there.map(([x, value], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${this.y(value).toFixed(1)}`).join("");
      this.chart.append(s("path", { class: `curve ${kind}`, d: path }));
      if (there.length <= DOTS_UP_TO) for (const [x, value] of there) this.chart.append(s("circle", { class: `point ${kind}`, cx: x, cy: this.y(value), r: 3.5 }));
    }
    this.end();
  }

  bars(rounds, { key }) {
    this.legend.hidden = !rounds.some((round) => round.suspects?.length);
    if (!this.begin(rounds, rounds.length > 0)) return;
    const most = Math.max(1, ...rounds.map((round) => round[key] ?? 0));
    const step = Math.max(1, Math.ceil(most / 4));
    this.grid(0, Math.ceil(most / step) * step, (value) => value.toLocaleString("en"), Math.ceil(most / step));
    const wide = Math.max(1, Math.min(34, (this.width - LEFT - RIGHT) / rounds.length - 3));
    rounds.forEach((round, at) => {
      const top = this.y(round[key] ?? 0);
      this.chart.append(s("rect", { class: round.suspects?.length ? "bar-of suspect" : "bar-of", x: this.x(at) - wide / 2, y: top, width: wide, height: Math.max(0, HEIGHT - BOTTOM - top), rx: Math.min(3, wide / 3) }));
    });
    this.end();
  }

  begin(rounds, any) {
    this.rounds = rounds;
    this.empty.hidden = any;
    this.frame.hidden = this.caption.hidden = !any;
    if (!any) return false;
    this.width = Math.min(900, Math.max(240, this.frame.clientWidth || 500));
    this.chart = s("svg", { class: "chart", viewBox: `0 0 ${this.width} ${HEIGHT}`, role: "img", tabindex: "0", "aria-label": `By round; the last: ${this.words(rounds.at(-1))}. The arrow keys tell of the others.` });
    return true;
  }

  x(at) {
    const inner = this.width - LEFT - RIGHT;
    // Every round has a slot of the same width, so that bars and points of two charts stand above each other.
    return LEFT + (inner * (at + 0.5)) / this.rounds.length;
  }

  y(value) {
    return TOP + ((this.high - value) / (this.high - this.low || 1)) * (HEIGHT - TOP - BOTTOM);
  }

  grid(low, high, words, steps = 4) {
    this.low = low;
    this.high = high;
    for (let step = 0; step <= steps; step += 1) {
      const value = low + ((high - low) * step) / steps;
      this.chart.append(s("line", { class: step ? "grid" : "axis", x1: LEFT, x2: this.width, y1: this.y(value), y2: this.y(value) }), label(LEFT - 8, this.y(value) + 4, "end", words(value)));
    }
    const every = Math.ceil(this.rounds.length / Math.max(2, Math.floor((this.width - LEFT) / 46)));
    this.rounds.forEach((round, at) => at % every === 0 && this.chart.append(label(this.x(at), HEIGHT - 8, "middle", round.round)));
  }

  end() {
    this.rule = s("line", { class: "rule", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    this.chart.append(this.rule);
    this.chart.addEventListener("pointermove", (event) => this.point(event));
    this.chart.addEventListener("pointerleave", () => this.choose(null));
    this.chart.addEventListener("keydown", (event) => this.key(event));
    this.chart.addEventListener("blur", () => this.choose(null));
    const focused = this.frame.contains(document.activeElement);
    this.frame.replaceChildren(this.chart);
    if (focused) this.chart.focus({ preventScroll: true });
    this.choose(this.chosen !== null && this.chosen < this.rounds.length ? this.chosen : null);
  }

  point(event) {
    const box = this.chart.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width) * this.width;
    const at = Math.floor(((share - LEFT) / (this.width - LEFT - RIGHT)) * this.rounds.length);
    this.choose(Math.max(0, Math.min(this.rounds.length - 1, at)));
  }

  key(event) {
    const last = this.rounds.length - 1;
    const from = this.chosen ?? last + 1;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    this.choose(Math.max(0, Math.min(last, to)));
    event.preventDefault();
  }

  choose(at) {
    this.chosen = at;
    this.rule.setAttribute("visibility", at === null ? "hidden" : "visible");
    if (at !== null) for (const name of ["x1", "x2"]) this.rule.setAttribute(name, this.x(at));
    this.caption.textContent = at !== null ? this.words(this.rounds[at]) : this.note || this.words(this.rounds.at(-1));
    this.caption.setAttribute("aria-live", at === null ? "off" : "polite");
  }
}

function label(x, y, anchor, words) {
  const text = s("text", { x, y, "text-anchor": anchor });
  text.textContent = words;
  return text;
}
