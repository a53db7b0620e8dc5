// The samples on this device: how many of each label, what they look like, and how to be rid of them.

import { ask } from "./api.js";
import { $, attempt, button, figure, h, plural, toast } from "./dom.js";
import { single } from "./maths.js";
import { spoken } from "./signs.js";

const AT_ONCE = 60;

export class Samples {
  constructor(device) {
    this.device = device;
    this.root = $("samples");
    this.counts = device.samples;
    this.label = null;
    this.open = null;
    this.samples = [];
    this.shown = false;
    $("delete-all").addEventListener("click", () => this.askDeleteAll());
    $("ask-delete").addEventListener("close", () => $("ask-delete").returnValue === "yes" && this.deleteAll());
  }

  async show() {
    this.shown = true;
    await this.load();
  }

  hide() {
    this.shown = false;
  }

  key(event) {
    if (event.key === "Escape" && this.open !== null) {
      this.choose(null);
      return true;
    }
    return false;
  }

  told(counts) {
    this.counts = counts;
    if (this.shown) this.load();
  }

  async load() {
    const found = await this.fetched(0, Math.max(AT_ONCE, this.samples.length));
    if (!found) {
      if (!this.root.childElementCount) {
        this.root.append(h("div", { class: "notice" }, h("p", {}, "The samples could not be fetched."), button("Try again", { onclick: () => this.load() })));
      }
      return;
    }
    this.samples = found;
    this.draw();
  }

  async more() {
    const found = await this.fetched(this.samples.length, AT_ONCE);
    if (!found) return;
    const known = new Set(this.samples.map((sample) => sample.number));
    this.samples.push(...found.filter((sample) => !known.has(sample.number)));
    this.draw();
  }

  async fetched(offset, limit) {
    const query = new URLSearchParams({ offset, limit: Math.min(limit, 200), ...(this.label === null ? {} : { label: this.label }) });
    return (await attempt(() => ask(`/api/samples?${query}`)))?.samples;
  }

  // -- deleting -------------------------------------------------------------------------------------------------------

  async remove(sample) {
    if (!(await attempt(() => ask(`/api/samples/${sample.number}`, { method: "DELETE" })))) return;
    this.samples = this.samples.filter((one) => one !== sample);
    this.open = null;
    this.counts.total -= 1;
    this.counts.labels[sample.label] -= 1;
    this.draw();
    $("h-samples").focus();
    toast("Sample deleted");
  }

  askDeleteAll() {
    $("delete-words").textContent = `${plural(this.counts.total, "sample")} of your handwriting leave this device for good. What it has learnt from them stays in its weights. Export them first if you want to keep them.`;
    $("ask-delete").returnValue = "no";
    $("ask-delete").showModal();
  }

  async deleteAll() {
    const answer = await attempt(() => ask("/api/samples", { method: "DELETE", json: { delete: "all" } }));
    if (!answer) return;
    this.label = this.open = null;
    this.counts = { total: 0, labels: {}, today: 0 };
    this.samples = [];
    this.draw();
    toast(`${plural(answer.deleted, "sample")} deleted`);
  }

  // -- drawing --------------------------------------------------------------------------------------------------------

  async choose(label) {
    if (this.open !== null && label === null) this.open = null;
    else {
      this.label = this.label === label ? null : label;
      this.open = null;
      this.samples = [];
      await this.load();
    }
    this.draw();
  }

  draw() {
    const { total, labels, today } = this.counts;
    const known = [...this.device.labels, ...Object.keys(labels).filter((label) => !this.device.labels.includes(label))];
    $("export").toggleAttribute("hidden", total === 0);
    $("delete-all").disabled = total === 0;
    this.root.replaceChildren(
      h("dl", { class: "figures three" },
        figure("samples", total.toLocaleString("en"), "on this device alone"),
        figure("today", today.toLocaleString("en"), "added by you"),
        figure("labels", `${known.filter((label) => labels[label]).length} of ${known.length}`, "have samples")),
      this.balance(known, labels),
      this.gallery(total));
  }

  balance(known, labels) {
    const most = Math.max(1, ...Object.values(labels));
    const mean = this.counts.total / known.length;
    const rows = known.map((label) => {
      const count = labels[label] ?? 0;
      const kind = count === 0 ? "none" : count < mean / 3 ? "few" : "";
      return h("li", { class: kind }, h("button",
        { type: "button", "aria-pressed": String(this.label === label), "aria-label": `${spoken(label)}: ${plural(count, "sample")}`, onclick: () => this.choose(label) },
        single(label), h("span", { class: "track" }, h("i", { style: { width: `${(100 * count) / most}%` } })), h("span", { class: "count" }, count.toLocaleString("en"))));
    });
    return h("div", { class: "card" }, h("h2", {}, "Balance"), this.advice(known, labels), h("ul", { class: "balance" }, rows));
  }

  advice(known, labels) {
    if (!this.counts.total) return h("p", { class: "soft" }, "Put a reading right, and every symbol of it becomes a sample here.");
    const rare = [...known].sort((one, other) => (labels[one] ?? 0) - (labels[other] ?? 0)).slice(0, 4);
    const words = rare.flatMap((label, at) => [at ? ", " : "", single(label)]);
    return h("p", { class: "soft" }, "The network learns best from a little of everything. Fewest are ", words, ".");
  }

  gallery(total) {
    if (!total) return "";
    const title = this.label === null ? ["All samples"] : ["Samples of ", single(this.label)];
    const count = this.label === null ? total : this.counts.labels[this.label] ?? 0;
    return h("div", { class: "card" },
      h("div", { class: "view-head" }, h("h2", {}, title), this.label !== null && button("Show all", { onclick: () => this.choose(this.label) })),
      this.samples.length ? h("ul", { class: "gallery" }, this.samples.map((sample) => this.tile(sample))) : h("p", { class: "soft" }, "There is none yet."),
      this.samples.length < count && h("p", { class: "more" }, button("Show more", { onclick: () => this.more() })));
  }

  tile(sample) {
    const picture = h("img", { class: "ink", src: `/api/samples/${sample.number}/picture?${Math.round(sample.added_unix_s)}`, alt: "", loading: "lazy", width: 45, height: 45 });
    if (this.open !== sample.number) {
      return h("li", { class: "sample" }, h("button",
        { type: "button", "aria-label": `${spoken(sample.label)}, sample ${sample.number}`, onclick: () => this.unfold(sample.number) }, picture, single(sample.label)));
    }
    const when = new Date(sample.added_unix_s * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
    const origin = { canvas: "drawn on this page", photo: "from a photograph", camera: "from the camera" }[sample.source] ?? `from ${sample.source}`;
    return h("li", { class: "sample open" }, picture,
      h("div", { class: "about" }, h("p", {}, h("b", {}, "Said to be "), single(sample.label)), h("p", { class: "soft" }, `${when}, ${origin}${sample.writer ? `, written by ${sample.writer}` : ""}`)),
      h("div", { class: "tools" },
        button("Delete", { name: "bin", kind: "danger solid", onclick: () => this.remove(sample) }),
        button("Keep", { onclick: () => this.unfold(null) })));
  }

  unfold(number) {
    const before = this.open;
    this.open = number;
    this.draw();
    if (number !== null) this.root.querySelector(".sample.open button").focus();
    else this.root.querySelector(`[aria-label$="sample ${before}"]`)?.focus();
  }
}
