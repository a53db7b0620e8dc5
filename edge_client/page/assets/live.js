// What the camera sees: one frame at a time, the next one asked for when the last is shown.

import { ask } from "./api.js";
import { $, attempt, button, h, icon, percent, sentence, sureness } from "./dom.js";
import { formula, valueElement } from "./maths.js";
import { drawBoxes } from "./overlay.js";
import { Panel, meter } from "./panel.js";

const AFTER_TROUBLE_MS = 1500;

export class Live {
  constructor(device) {
    this.device = device;
    this.root = $("live");
    this.shown = false;
    this.frozen = false;
    this.asking = null;
    this.seq = 0;
    this.news = device.live;
    if (!device.live.camera) {
      this.root.replaceChildren(noCamera());
      return;
    }
    this.canvas = h("canvas", { role: "img", "aria-label": "what the camera sees", width: 16, height: 9 });
    this.chip = h("span", { class: "chip" }, "…");
    this.note = h("p", { class: "over-note", hidden: true });
    this.fitted = h("div", { class: "fitted" }, this.canvas);
    this.stage = h("div", { class: "stage waiting" }, this.fitted, this.chip, this.note);
    this.freeze = button("Correct this", { name: "draw", kind: "primary", disabled: true, onclick: () => this.stop() });
    this.hint = h("p", { class: "soft" });
    this.tools = h("div", { class: "live-tools" }, this.freeze, this.hint);
    this.lines = h("div", { class: "lines" });
    const below = h("div", {});
    this.panel = new Panel(below, { labels: device.labels, changed: () => this.boxes() });
    this.root.replaceChildren(this.stage, this.tools, this.lines, below);
    document.addEventListener("visibilitychange", () => this.watch());
    this.told(device.live);
  }

  show() {
    this.shown = true;
    this.watch();
  }

  hide() {
    this.shown = false;
    this.asking?.abort();
  }

  key(event) {
    return this.frozen && this.panel.key(event);
  }

  // -- frames ---------------------------------------------------------------------------------------------------------

  async watch() {
    if (!this.device.live.camera || this.asking || !this.shown || this.frozen || document.hidden) return;
    this.asking = new AbortController();
    try {
      while (this.shown && !this.frozen && !document.hidden) await this.frame(this.asking.signal);
    } catch (error) {
      if (error.name !== "AbortError") setTimeout(() => this.watch(), AFTER_TROUBLE_MS);
    } finally {
      this.asking = null;
    }
  }

  async frame(signal) {
    const answer = await fetch(`/api/live/frame?after=${this.seq}`, { signal });
    if (answer.status === 204) return;
    if (!answer.ok) throw new Error(`frame: ${answer.status}`);
    const picture = await createImageBitmap(await answer.blob());
    if (this.frozen) return;
    this.seq = Number(answer.headers.get("x-frame"));
    if (this.canvas.width !== picture.width || this.canvas.height !== picture.height) {
      this.canvas.width = picture.width;
      this.canvas.height = picture.height;
    }
    this.canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    this.stage.classList.remove("waiting");
  }

  // -- what is read ---------------------------------------------------------------------------------------------------

  told(news) {
    this.news = news;
    if (!news.camera || !this.canvas || this.frozen) return;
    const lines = news.lines ?? [];
    this.freeze.disabled = !lines.length;
    // Frames a second and weights stand on the picture itself.
    this.chip.hidden = news.seq > 0;
    this.chip.textContent = "Waiting for the camera";
    this.note.hidden = !news.status;
    this.note.textContent = sentence(news.status);
    this.hint.textContent = lines.length ? "Stops the picture, so that you can put it right." : "Hold written maths in front of the camera; it is shown once it is read the same a few times.";
    this.lines.replaceChildren(...lines.map((line) => liveLine(line)));
  }

  /** Keep what is seen at this moment, to put it right. */
  async stop() {
    const answer = await attempt(() => ask("/api/live/freeze", { method: "POST", json: {} }));
    if (!answer) return;
    this.frozen = true;
    this.asking?.abort();
    const { reading } = answer;
    this.overlay = h("div", { class: "overlay" });
    const picture = h("img", { src: reading.picture, alt: "the picture that was stopped, with a box around every symbol", width: reading.width, height: reading.height });
    await picture.decode().catch(() => {});
    this.fitted.replaceChildren(picture, this.overlay);
    this.chip.hidden = this.note.hidden = true;
    this.lines.replaceChildren();
    this.tools.replaceChildren(button("Back to the live view", { name: "back", onclick: () => this.go() }));
    this.panel.show(reading, { begin: true });
    this.panel.focus();
  }

  go() {
    this.frozen = false;
    this.overlay = null;
    this.panel.show(null);
    this.fitted.replaceChildren(this.canvas);
    this.chip.hidden = false;
    this.tools.replaceChildren(this.freeze, this.hint);
    this.told(this.news);
    this.watch();
  }

  boxes() {
    const { reading, chosen, partner } = this.panel;
    if (this.overlay && reading) drawBoxes(this.overlay, reading, { chosen, partner, pick: (place) => this.panel.pick(place) });
  }
}

function liveLine(line) {
  return h("article", { class: "card line" },
    h("div", { class: "line-head" },
      h("div", { class: "line-read" }, formula(line)),
      h("div", { class: "line-sure" }, h("span", { class: `gauge ${sureness(line.confidence)}` }, h("span", {}, h("b", {}, percent(line.confidence)), " sure"), meter(line.confidence))),
      valueElement(line)));
}

function noCamera() {
  return h("div", { class: "card no-camera" },
    icon("live", "large"),
    h("h2", {}, "This device has no camera"),
    h("p", { class: "soft" }, "Start it with one to see and read what lies in front of it: ", h("code", {}, "inkfleet device --source 0"), ". A Pi camera, a video, a folder of pictures or a stream will do too."),
    h("p", { class: "soft" }, "Drawing and photographs work without."),
    h("div", { class: "tools centred" },
      h("a", { class: "button primary", href: "#draw" }, icon("draw"), "Draw"),
      h("a", { class: "button", href: "#photo" }, icon("photo"), "Photo")));
}
