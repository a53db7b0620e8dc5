// What was read, line by line; a symbol that is tapped is put right in the tray below its line.

import { ask } from "./api.js";
import { attempt, button, h, icon, percent, plural, say, sureness, toast } from "./dom.js";
import { formula, single, valueElement } from "./maths.js";
import { spoken } from "./signs.js";
import { tray } from "./tray.js";

export class Panel {
  /**
   * @param root where it is drawn
   * @param labels all that a symbol can be
   * @param changed told whenever the reading or the chosen symbol is another
   */
  constructor(root, { labels, changed = () => {} }) {
    this.root = root;
    this.labels = labels;
    this.changed = changed;
    this.reading = null;
    this.chosen = null;
    this.partner = null;
    this.busy = false;
    this.today = null;
    this.steps = 0;
  }

  /** Show a reading; what was chosen stays chosen if it is still there. */
  show(reading, { begin = false } = {}) {
    const before = this.chosenSymbol;
    const another = reading?.id !== this.reading?.id;
    this.reading = reading;
    this.partner = null;
    if (another) this.steps = 0;
    this.chosen = before && !another ? this.find(before.box) : null;
    if (begin && reading?.lines.length) this.chosen = this.leastSure(0) ?? { line: 0, symbol: 0 };
    this.draw();
    if (reading) say(this.summary());
  }

  get chosenSymbol() {
    return this.chosen && this.reading?.lines[this.chosen.line]?.symbols[this.chosen.symbol];
  }

  get chosenLine() {
    return this.reading?.lines[this.chosen?.line ?? 0];
  }

  // -- what a person does ---------------------------------------------------------------------------------------------

  pick(place) {
    if (this.joining && place && place.line === this.chosen.line && place.symbol !== this.chosen.symbol) {
      this.partner = place;
      this.join();
      return;
    }
    const same = place && this.chosen && place.line === this.chosen.line && place.symbol === this.chosen.symbol;
    this.chosen = same ? null : place;
    this.partner = null;
    this.draw({ focus: true });
    if (this.chosenSymbol) say(`${spoken(this.chosenSymbol.label)}, ${percent(this.chosenSymbol.confidence)} sure`);
  }

  get joining() {
    return this.partner !== null;
  }

  confirm(label) {
    if (!this.chosen) return undefined;
    return this.step("confirm", { symbol: this.chosen.symbol, label }, { onwards: true });
  }

  allRight(line = this.chosen?.line ?? 0) {
    return this.step("right", {}, { line, close: true });
  }

  split() {
    return this.chosen && this.step("split", { symbol: this.chosen.symbol });
  }

  discard() {
    return this.chosen && this.step("discard", { symbol: this.chosen.symbol });
  }

  undo() {
    return this.steps > 0 && this.step("undo", {}, { back: true });
  }

  join() {
    if (!this.chosen) return undefined;
    if (!this.joining) {
      this.partner = this.nearest();
      if (!this.partner) toast("There is no other symbol in this line to join.", { bad: true });
      else say(`Join with ${spoken(this.reading.lines[this.partner.line].symbols[this.partner.symbol].label)}? Enter joins.`);
      this.draw({ focus: true });
      return undefined;
    }
    return this.step("join", { symbols: [this.chosen.symbol, this.partner.symbol] });
  }

  /** Tell the device, and show what has come of it. */
  async step(what, told, { line = this.chosen?.line ?? 0, onwards = false, close = false, back = false } = {}) {
    if (this.busy || !this.reading) return;
    this.busy = true;
    this.draw();
    const focused = this.root.contains(document.activeElement);
    const { id, revision } = this.reading;
    const box = this.chosenSymbol?.box;
    const answer = await attempt(() => ask(`/api/readings/${id}/${what}`, { method: "POST", json: { revision, line, ...told } }));
    this.busy = false;
    this.partner = null;
    if (!answer) {
      this.draw({ focus: focused });
      return;
    }
    this.steps += back ? -1 : 1;
    this.reading = answer.reading;
    this.today = answer.today;
    if (close) this.chosen = null;
    else if (onwards) this.chosen = this.leastSure(line);
    else if (this.reading.lines[line]?.symbols.length) this.chosen = this.find(box) ?? this.leastSure(line);
    else this.chosen = null;
    this.draw({ focus: focused || !this.chosen });
    this.tell(what, answer);
  }

  tell(what, { added }) {
    const lineDone = this.chosen === null;
    if (what === "undo") toast("Undone.");
    else if (added.added || added.alike) {
      const known = added.alike && !added.added ? "Already known: nothing stored twice" : `${plural(added.added, "sample")} added`;
      toast(`${known} · ${this.today.toLocaleString("en")} today`);
    }
    say(lineDone ? `Line done. ${this.summary()}` : this.summary());
  }

  // -- keys -----------------------------------------------------------------------------------------------------------

  /** Take a key; return whether it meant something here. */
  key(event) {
    if (!this.reading?.lines.length || event.ctrlKey || event.metaKey || event.altKey) return false;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (/^[1-9]$/.test(key) && this.chosen && !this.joining) {
      const choice = this.chosenSymbol.alternatives[Number(key) - 1];
      if (choice) this.confirm(choice.label);
      return Boolean(choice);
    }
    if (key === "Enter" && !this.ownsEnter(event.target)) return false;
    const does = {
      ArrowLeft: () => this.move(-1),
      ArrowRight: () => this.move(1),
      ArrowUp: () => this.moveLine(-1),
      ArrowDown: () => this.moveLine(1),
      Enter: () => (this.joining ? this.join() : this.chosen ? this.confirm(this.chosenSymbol.label) : this.begin()),
      a: () => this.allRight(),
      s: () => this.split(),
      j: () => this.join(),
      Delete: () => this.discard(),
      Backspace: () => this.discard(),
      z: () => this.undo(),
      Escape: () => this.chosen && this.cancel(),
    }[key];
    if (!does) return false;
    return does() !== null;
  }

  /** Enter on another button is that button's own. */
  ownsEnter(target) {
    return target === document.body || target.closest?.(".symbol") || !target.closest?.("button, a, input, summary");
  }

  begin(line = 0) {
    this.chosen = this.leastSure(line) ?? { line, symbol: 0 };
    this.draw({ focus: true });
  }

  cancel() {
    if (this.joining) this.partner = null;
    else this.chosen = null;
    this.draw({ focus: true });
  }

  move(by) {
    if (!this.chosen) {
      this.begin();
      return;
    }
    const count = this.chosenLine.symbols.length;
    const next = (index) => (index + by + count) % count;
    if (this.joining) {
      let index = next(this.partner.symbol);
      if (index === this.chosen.symbol) index = next(index);
      this.partner = { line: this.chosen.line, symbol: index };
    } else this.chosen = { line: this.chosen.line, symbol: next(this.chosen.symbol) };
    this.draw({ focus: true });
  }

  moveLine(by) {
    if (this.reading.lines.length < 2 || this.joining) return null;
    const count = this.reading.lines.length;
    this.begin(((this.chosen?.line ?? (by > 0 ? -1 : 0)) + by + count) % count);
    return undefined;
  }

  // -- finding symbols ------------------------------------------------------------------------------------------------

  /** The symbol that is least sure and of which nobody has said anything. */
  leastSure(line) {
    const open = (this.reading.lines[line]?.symbols ?? []).map((symbol, index) => ({ symbol, index })).filter((one) => !one.symbol.said);
    if (!open.length) return null;
    const least = open.reduce((one, other) => (other.symbol.confidence < one.symbol.confidence ? other : one));
    return { line, symbol: least.index };
  }

  nearest() {
    const { line, symbol } = this.chosen;
    const symbols = this.reading.lines[line].symbols;
    const away = (index) => gap(symbols[symbol].box, symbols[index].box);
    const others = symbols.map((_, index) => index).filter((index) => index !== symbol);
    if (!others.length) return null;
    return { line, symbol: others.reduce((one, other) => (away(other) < away(one) ? other : one)) };
  }

  find(box) {
    if (!box) return null;
    let best = null;
    this.reading?.lines.forEach((line, at) =>
      line.symbols.forEach((symbol, index) => {
        const share = overlap(box, symbol.box);
        if (share > (best?.share ?? 0.3)) best = { share, place: { line: at, symbol: index } };
      }),
    );
    return best?.place ?? null;
  }

  // -- drawing --------------------------------------------------------------------------------------------------------

  draw({ focus = false } = {}) {
    if (!this.reading) this.root.replaceChildren();
    else if (!this.reading.lines.length) {
      this.root.replaceChildren(h("div", { class: "card nothing" }, h("p", {}, this.steps ? "Nothing is left of this reading." : "No maths is found here."), this.steps > 0 && this.undoButton()));
    } else {
      const scrolled = [...this.root.querySelectorAll(".line-read")].map((element) => element.scrollLeft);
      this.root.replaceChildren(h("div", { class: "lines" }, ...this.reading.lines.map((line, at) => this.drawLine(line, at))), this.drawToday());
      this.root.querySelectorAll(".line-read").forEach((element, at) => element.scrollTo(scrolled[at] ?? 0, 0));
    }
    if (focus) this.focus();
    this.changed(this);
  }

  focus() {
    const wanted = this.root.querySelector('.symbol.partner, .symbol[aria-pressed="true"]') ?? this.root.querySelector(".symbol");
    wanted?.focus({ preventScroll: true });
    // On a phone the tray lies over the lower half of the page: the line it belongs to moves above it.
    const narrow = matchMedia("(max-width: 40rem)").matches;
    const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
    const tray = this.root.querySelector(".tray");
    if (narrow) tray?.closest(".line").scrollIntoView({ block: "start", behavior });
    else tray?.scrollIntoView({ block: "nearest", behavior });
  }

  drawLine(line, at) {
    const chosen = this.chosen?.line === at ? this.chosen.symbol : -1;
    const read = h("div", { class: "line-read", onclick: (event) => this.tapped(event, at) }, formula(line, { chosen }));
    read.firstElementChild.classList.add("tappable");
    const sure = sureness(line.confidence);
    return h(
      "article", { class: "card line", "data-line": at, "aria-label": `Line ${at + 1}: ${line.text}` },
      h("div", { class: "line-body" },
        h("div", { class: "line-head" }, read,
          h("div", { class: "line-sure" }, h("span", { class: `gauge ${sure}`, title: "how likely the whole line is right" },
            h("span", {}, h("b", {}, percent(line.confidence)), " sure"), meter(line.confidence))),
          valueElement(line)),
        h("div", { class: "symbols", role: "group", "aria-label": "Symbols; choose one to put it right" },
          line.symbols.map((symbol, index) => this.drawSymbol(symbol, { line: at, symbol: index }))),
        h("div", { class: "tools line-tools" }, this.lineTools(line, at))),
      chosen >= 0 && tray(this, line.symbols[chosen]),
    );
  }

  lineTools(line, at) {
    if (line.symbols.every((symbol) => symbol.learnt)) {
      return [h("span", { class: "done" }, icon("check"), "Learnt"), this.steps > 0 && this.undoButton()];
    }
    return [
      button("All right", { name: "check", key: "A", kind: "primary", disabled: this.busy, onclick: () => this.allRight(at) }),
      this.chosen?.line !== at && button("Correct", { name: "draw", disabled: this.busy, onclick: () => this.begin(at) }),
      this.steps > 0 && this.undoButton(),
    ];
  }

  undoButton() {
    return button("Undo", { name: "undo", key: "Z", disabled: this.busy, onclick: () => this.undo() });
  }

  drawSymbol(symbol, place) {
    const here = (other) => other && other.line === place.line && other.symbol === place.symbol;
    const sure = symbol.learnt ? "learnt" : sureness(symbol.confidence);
    const chosen = Boolean(here(this.chosen));
    const first = place.symbol === 0 && this.chosen?.line !== place.line;
    const state = symbol.learnt ? "learnt" : `${percent(symbol.confidence)} sure`;
    return h(
      "button",
      {
        type: "button", class: `symbol ${sure}${here(this.partner) ? " partner" : ""}`, "aria-pressed": String(chosen),
        "aria-label": `${spoken(symbol.label)}, ${state}`, tabindex: chosen || first ? "0" : "-1", onclick: () => this.pick(place),
      },
      h("img", { class: "ink", src: symbol.picture, alt: "", draggable: "false" }),
      h("span", { class: "formula" }, single(symbol.label).firstElementChild, sure === "unsure" && "?"),
      symbol.learnt ? h("span", { class: "badge" }, icon("check")) : h("span", { class: "foot" }, bar(symbol.confidence)),
    );
  }

  drawToday() {
    if (!this.today) return "";
    return h("p", { class: "learnt-today" }, icon("check"), `${plural(this.today, "sample")} added today, to learn from.`);
  }

  tapped(event, line) {
    const sign = event.target.closest("[data-symbol]");
    if (sign && Number(sign.dataset.symbol) >= 0) this.pick({ line, symbol: Number(sign.dataset.symbol) });
  }

  summary() {
    if (!this.reading.lines.length) return "No maths is found here.";
    return this.reading.lines.map((line) => `${line.labels.map(spoken).join(" ")}. ${line.value ?? ""}`).join(" ");
  }
}

export const meter = (share) => h("span", { class: "meter", role: "presentation" }, bar(share));

const bar = (share) => h("i", { style: { width: `${Math.max(2, share * 100)}%` } });

const gap = (one, other) =>
  Math.hypot(
    Math.max(0, Math.max(one[0], other[0]) - Math.min(one[0] + one[2], other[0] + other[2])),
    Math.max(0, Math.max(one[1], other[1]) - Math.min(one[1] + one[3], other[1] + other[3])),
  );

function overlap(one, other) {
  const wide = Math.min(one[0] + one[2], other[0] + other[2]) - Math.max(one[0], other[0]);
  const high = Math.min(one[1] + one[3], other[1] + other[3]) - Math.max(one[1], other[1]);
  const shared = Math.max(0, wide) * Math.max(0, high);
  return shared / (one[2] * one[3] + other[2] * other[3] - shared);
}

