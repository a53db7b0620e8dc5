// A photograph: taken, chosen, dropped or pasted; read once; its boxes can be tapped.

import { ask } from "./api.js";
import { $, attempt, h, toast } from "./dom.js";
import { drawBoxes } from "./overlay.js";
import { Panel } from "./panel.js";

export class Photo {
  constructor(device) {
    this.device = device;
    this.panel = new Panel($("photo-panel"), { labels: device.labels, changed: () => this.boxes() });
    this.preview = "";
    $("photo-take").addEventListener("click", () => $("photo-camera").click());
    $("photo-choose").addEventListener("click", () => $("photo-file").click());
    $("photo-again").addEventListener("click", () => this.reset());
    for (const id of ["photo-camera", "photo-file"]) {
      $(id).addEventListener("change", (event) => {
        const [file] = event.target.files;
        event.target.value = "";
        if (file) this.read(file);
      });
    }
    for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
      $("drop").addEventListener(name, (event) => {
        event.preventDefault();
        $("drop").classList.toggle("over", over);
        if (name === "drop" && event.dataTransfer.files[0]) this.read(event.dataTransfer.files[0]);
      });
    }
    document.addEventListener("paste", (event) => {
      if (this.shown && event.clipboardData.files[0]) this.read(event.clipboardData.files[0]);
    });
  }

  show() {
    this.shown = true;
  }

  hide() {
    this.shown = false;
  }

  key(event) {
    return this.panel.key(event);
  }

  reset() {
    this.panel.show(null);
    $("photo-stage").hidden = true;
    $("photo-tools").hidden = true;
    $("drop").hidden = false;
    URL.revokeObjectURL(this.preview);
    $("photo-take").focus();
  }

  async read(file) {
    if (file.size > this.device.photo_bytes) {
      toast(`This file has ${Math.round(file.size / 1048576)} MB; at most ${this.device.photo_bytes / 1048576} MB are read.`, { bad: true });
      return;
    }
    $("toasts").replaceChildren(); // what was wrong with the file before
    this.panel.show(null);
    URL.revokeObjectURL(this.preview);
    this.preview = URL.createObjectURL(file);
    const picture = h("img", { src: this.preview, alt: "the picture", onerror: () => picture.remove() });
    $("drop").hidden = true;
    $("photo-stage").hidden = false;
    $("photo-stage").replaceChildren(h("div", { class: "fitted" }, picture, h("div", { class: "sweep" })));
    const type = file.type.startsWith("image/") ? file.type : "application/octet-stream";
    const answer = await attempt(() => ask("/api/photos", { method: "POST", body: file, type }));
    if (!answer) {
      this.reset();
      return;
    }
    const reading = answer.reading;
    const overlay = h("div", { class: "overlay" });
    const shown = h("img", { src: reading.picture, alt: "the picture, with a box around every symbol", width: reading.width, height: reading.height });
    await shown.decode().catch(() => {});
    $("photo-stage").replaceChildren(h("div", { class: "fitted" }, shown, overlay));
    $("photo-tools").hidden = false;
    this.overlay = overlay;
    this.panel.show(reading);
    URL.revokeObjectURL(this.preview);
  }

  boxes() {
    const { reading, chosen, partner } = this.panel;
    if (this.overlay && reading) drawBoxes(this.overlay, reading, { chosen, partner, pick: (place) => this.panel.pick(place) });
  }
}
