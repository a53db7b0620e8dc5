// What the device learns: the round now, its own part in it, what it has gained, and the switch.

import { ask } from "./api.js";
import { $, attempt, figure, h, percent, plural, sentence } from "./dom.js";
import { roundsChart } from "./chart.js";

const ORIGINS = { shipped: "as shipped", fleet: "of the fleet", file: "from a file" };

export class Learning {
  constructor(device) {
    this.root = $("learning");
    this.shown = false;
    this.samples = device.samples;
    this.told(device.learning);
  }

  show() {
    this.shown = true;
    this.draw();
  }

  hide() {
    this.shown = false;
  }

  key() {
    return false;
  }

  counted(samples) {
    this.samples = samples;
    if (this.shown) this.draw();
  }

  told(state) {
    this.state = state;
    if (this.shown) this.draw();
  }

  draw() {
    const focused = document.activeElement?.id === "training-switch";
    const { state } = this;
    this.root.replaceChildren(this.now(), this.figures(), state.fleet !== null ? this.switch() : "", this.rounds());
    if (focused) $("training-switch")?.focus();
  }

  now() {
    const { title, words, kind } = describe(this.state);
    const { progress } = this.state;
    return h("div", { class: "card now" },
      h("h2", {}, h("span", { class: `dot ${kind}` }), title),
      h("p", { class: "soft" }, words),
      progress && h("progress", { max: progress.batches, value: progress.batch, "aria-label": "training" }, `${progress.batch} of ${progress.batches}`),
      progress && h("p", { class: "soft" }, `batch ${progress.batch.toLocaleString("en")} of ${progress.batches.toLocaleString("en")}`));
  }

  figures() {
    const { state } = this;
    const last = [...state.history].reverse().find((round) => round.holdout_after !== null && round.holdout_after !== undefined);
    const weights = state.weights;
    return h("dl", { class: "figures", style: { "margin-top": ".9rem" } },
      figure("round now", state.round ? `${state.round} of ${state.rounds}` : "–", state.run ? `run ${state.run}` : "no run"),
      figure("own accuracy", last ? percent(last.holdout_after) : "–", last ? `before its training ${percent(last.holdout_before)}` : "measured in its first round"),
      figure("samples", this.samples.total.toLocaleString("en"), this.samples.today ? `${this.samples.today.toLocaleString("en")} added today` : "none added today"),
      figure("weights in use", weights ? weights.sha256.slice(0, 7) : "–", weights ? `${ORIGINS[weights.origin] ?? weights.origin}${weights.rounds ? `, after ${plural(weights.rounds, "round")}` : ""}` : "nothing is read yet"));
  }

  rounds() {
    const { history } = this.state;
    if (!history.length) return "";
    const chart = roundsChart(history, { width: Math.min(860, Math.max(250, this.root.clientWidth - 40)) });
    return h("div", { class: "card" },
      h("h2", {}, "This device's rounds"),
      chart && h("p", { class: "soft" }, "Accuracy on samples that it never trains on, before and after its own training."),
      chart,
      chart && h("p", { class: "legend" }, legend("k-before", "before"), legend("k-after", "after"), legend("k-worse", "after, worse")),
      h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table of rounds" }, table(history)));
  }

  switch() {
    const on = !this.state.paused;
    return h("div", { class: "card switch-row" },
      h("div", {}, h("h2", { id: "switch-name" }, "Train on this device"),
        h("p", { class: "soft" }, on ? "It takes part in the fleet's rounds with your samples. Only weights leave it." : "Paused. It goes on reading, and takes new weights from the fleet.")),
      h("button", { type: "button", id: "training-switch", class: "switch", role: "switch", "aria-checked": String(on), "aria-labelledby": "switch-name", onclick: () => this.pause(on) }));
  }

  async pause(paused) {
    const answer = await attempt(() => ask("/api/learning/pause", { method: "POST", json: { paused } }));
    if (answer) this.told(answer);
  }
}

/** Say in a title, a sentence and a colour what the device is about. */
export function describe(state) {
  const round = state.round ? `round ${state.round} of ${state.rounds}` : "a round";
  if (state.fleet === null) return { title: "In no fleet", words: "It reads with the weights it has. What you put right is kept, for the day it joins one: inkfleet device --broker mqtt://…", kind: "" };
  if (!state.connected) return { title: "Not connected", words: sentence(state.reason) || `Looking for the broker of the fleet ${state.fleet}.`, kind: "off" };
  if (state.activity === "training") return { title: `Training in ${round}`, words: "It learns from your samples now, beside reading.", kind: "busy" };
  if (state.activity === "fetching" && state.phase === "finished") return { title: "Fetching the last weights", words: `The run is finished after ${plural(state.rounds, "round")}.`, kind: "busy" };
  if (state.activity === "fetching") return { title: `Fetching ${round}`, words: "It fetches the model and the fleet's weights.", kind: "busy" };
  if (state.activity === "uploading") return { title: `Sending what it learnt in ${round}`, words: "Weights alone; no picture leaves the device.", kind: "busy" };
  if (state.activity === "failed") return { title: `No part in ${round}`, words: sentence(state.reason), kind: "off" };
  if (state.paused) return { title: "Training is paused", words: "It goes on reading, and takes new weights from the fleet.", kind: "" };
  if (state.activity === "waiting") return { title: `Waiting to train in ${round}`, words: sentence(state.reason), kind: "busy" };
  if (state.phase === "finished") return { title: "The run is finished", words: `After ${plural(state.rounds, "round")}. It waits for the next run of the fleet ${state.fleet}.`, kind: "on" };
  if (state.phase === "open") return { title: `In ${round}`, words: state.invited ? "Its part is done; it waits for the other devices." : "Others train in this round; this device was not chosen.", kind: "on" };
  return { title: "Connected", words: `To the fleet ${state.fleet}. It waits for a round.`, kind: "on" };
}

const legend = (kind, words) => h("span", {}, h("i", { class: kind }), words);

function table(history) {
  const cells = (round) => [
    h("td", {}, String(round.round)), h("td", {}, round.samples?.toLocaleString("en") ?? "–"), h("td", {}, percent(round.holdout_before)), h("td", {}, percent(round.holdout_after)),
    h("td", {}, round.train_s === null || round.train_s === undefined ? "–" : `${round.train_s.toFixed(1)}\u202fs`),
    h("td", { class: "word" }, [round.verdict ?? "on its way", round.reason].filter(Boolean).join(": ")),
  ];
  return h("table", {},
    h("thead", {}, h("tr", {}, ["round", "samples", "before", "after", "trained"].map((name) => h("th", { scope: "col" }, name)), h("th", { class: "word", scope: "col" }, "verdict"))),
    h("tbody", {}, [...history].reverse().slice(0, 12).map((round) => h("tr", {}, cells(round)))));
}
