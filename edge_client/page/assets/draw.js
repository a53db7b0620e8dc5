// Paper to write on: what is written is read whenever the pen rests.

import { ask } from "./api.js";
import { $, attempt } from "./dom.js";
import { formula } from "./maths.js";
import { drawBoxes } from "./overlay.js";
import { Panel } from "./panel.js";

const REST_MS = 380;
const BUSY_MS = 1000;
const AWAY_MS = 3000;
const LEAST_STEP = 1.5;

export class Draw {
  constructor(device) {
    this.device = device;
    this.canvas = $("canvas");
    this.strokes = [];
    this.stroke = null;
    this.pointer = null;
    this.name = null;
    this.drawn = 0;
    this.timer = 0;
    this.reading = false;
    this.again = false;
    this.alone = false;
    this.size = { width: 0, height: 0 };
    this.panel = new Panel($("draw-panel"), {
      labels: device.labels,
      changed: (panel) => drawBoxes($("draw-overlay"), panel.chosen ? panel.reading : null, { chosen: panel.chosen, partner: panel.partner }),
    });
    $("paper-example").append(formula({ text: "3x^2+5=17", labels: ["3", "x", "2", "+", "5", "=", "1", "7"], confidences: Array(8).fill(1), row: [0, 1, { raised: [2] }, 3, 4, 5, 6, 7] }));
    this.canvas.addEventListener("pointerdown", (event) => this.begin(event));
    this.canvas.addEventListener("pointermove", (event) => this.go(event));
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, (event) => this.end(event));
    this.canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    $("undo").addEventListener("click", () => this.undo());
    $("clear").addEventListener("click", () => this.clear());
    new ResizeObserver(() => this.fit()).observe($("paper"));
    new MutationObserver(() => this.paint()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  show() {
    this.fit();
  }

  hide() {}

  key(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      this.undo();
      return true;
    }
    return this.panel.key(event);
  }

  // -- the pen --------------------------------------------------------------------------------------------------------

  begin(event) {
    if (this.pointer !== null || event.button !== 0) return;
    if (this.strokes.length >= this.device.most_strokes) return;
    event.preventDefault();
    this.pointer = event.pointerId;
    // A pen that leaves the paper goes on writing.
    this.canvas.setPointerCapture(event.pointerId);
    this.stroke = [];
    this.strokes.push(this.stroke);
    clearTimeout(this.timer);
    this.add(event);
    this.paint();
    this.tools();
  }

  go(event) {
    if (event.pointerId !== this.pointer) return;
    const before = this.stroke.length;
    // Between two frames the pen has been at more places than one. (Only secure pages are told of them.)
    const all = event.getCoalescedEvents?.() ?? [];
    for (const one of all.length ? all : [event]) this.add(one);
    this.ink(Math.max(0, before / 2 - 2));
  }

  end(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.stroke = null;
    this.rest();
  }

  add(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = round((event.clientX - box.left) / this.scale);
    const y = round((event.clientY - box.top) / this.scale);
    const [lastX, lastY] = this.stroke.slice(-2);
    if (this.stroke.length && Math.hypot(x - lastX, y - lastY) < LEAST_STEP) return;
    this.stroke.push(x, y);
  }

  undo() {
    if (!this.strokes.length || this.pointer !== null) return;
    this.strokes.pop();
    this.paint();
    this.tools();
    if (this.strokes.length) this.rest();
    else this.clear();
  }

  clear() {
    this.strokes = [];
    this.name = null;
    this.again = false;
    this.drawn += 1;
    clearTimeout(this.timer);
    this.panel.show(null);
    this.fit();
    this.tools();
  }

  // -- paper and ink --------------------------------------------------------------------------------------------------

  /** The paper keeps its own measure while there is something on it: a phone that is turned shows it smaller. */
  fit() {
    const box = $("paper").getBoundingClientRect();
    if (!box.width || !box.height) return;
    if (!this.strokes.length) this.size = { width: Math.round(box.width), height: Math.round(box.height) };
    const dense = Math.min(3, devicePixelRatio || 1);
    this.canvas.width = Math.round(box.width * dense);
    this.canvas.height = Math.round(box.height * dense);
    this.scale = Math.min(box.width / this.size.width, box.height / this.size.height);
    this.dense = dense;
    Object.assign($("draw-overlay").style, { width: `${this.size.width * this.scale}px`, height: `${this.size.height * this.scale}px` });
    this.paint();
  }

  paint() {
    const pen = this.pen();
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    for (const stroke of this.strokes) this.trace(this.pen(), stroke, 0);
    $("paper-hint").hidden = $("draw-how").hidden = this.strokes.length > 0;
  }

  ink(from) {
    this.trace(this.pen(), this.stroke, Math.floor(from));
  }

  pen() {
    const pen = this.canvas.getContext("2d");
    const scale = (this.scale || 1) * (this.dense || 1);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.strokeStyle = pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--pen");
    pen.lineWidth = this.device.pen_width;
    pen.lineCap = pen.lineJoin = "round";
    return pen;
  }

  trace(pen, stroke, from) {
    pen.beginPath();
    if (stroke.length === 2) {
      pen.arc(stroke[0], stroke[1], pen.lineWidth * 0.75, 0, 2 * Math.PI);
      pen.fill();
      return;
    }
    pen.moveTo(stroke[2 * from], stroke[2 * from + 1]);
    for (let at = from + 1; at < stroke.length / 2; at += 1) pen.lineTo(stroke[2 * at], stroke[2 * at + 1]);
    pen.stroke();
  }

  tools() {
    $("undo").disabled = $("clear").disabled = this.strokes.length === 0;
  }

  // -- reading --------------------------------------------------------------------------------------------------------

  rest() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.read(), REST_MS);
  }

  /** Have it read; while one reading is under way, only the newest drawing waits. */
  async read() {
    if (this.pointer !== null || !this.strokes.length) return;
    if (this.reading) {
      this.again = true;
      return;
    }
    this.reading = true;
    const drawn = this.drawn;
    $("draw-reading").hidden = false;
    const json = { ...this.size, strokes: this.strokes };
    if (this.name) json.reading = this.name;
    let again_ms = 0;
    const answer = await attempt(async () => {
      try {
        const found = await ask("/api/drawings", { method: "POST", json });
        this.alone = false;
        return found;
      } catch (error) {
        // Whoever does not answer is asked again, and a person told of it once.
        again_ms = { 0: AWAY_MS, 503: BUSY_MS }[error.status] ?? 0;
        const known = error.status === 503 || (error.status === 0 && this.alone);
        this.alone = error.status === 0;
        if (known) return undefined;
        throw error;
      }
    });
    this.reading = false;
    if (again_ms) this.timer = setTimeout(() => this.read(), again_ms);
    $("draw-reading").hidden = true;
    if (answer && drawn === this.drawn) {
      this.name = answer.reading.id;
      this.panel.show(answer.reading);
    }
    if (this.again) {
      this.again = false;
      this.read();
    }
  }
}

const round = (value) => Math.round(value * 10) / 10;
