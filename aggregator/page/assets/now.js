// The round now: what is waited for, how much of it is there, and how long it may take.

import { $, figure, h, plural, sentence } from "./dom.js";

const TICK_MS = 250;

export class Now {
  constructor({ now, rounds }) {
    this.root = $("now");
    this.clock = h("span", { class: "clock", role: "timer" });
    this.title = h("h2", { id: "now-title" });
    this.words = h("p", {});
    this.bar = h("div", { class: "updates" });
    this.root.append(h("div", { class: "now-head" }, this.title, this.clock), this.words, this.bar);
    this.rounds = rounds;
    this.told(now, { gone: false });
    setInterval(() => this.tick(), TICK_MS);
  }

  told(now, { gone }) {
    this.now = now;
    this.gone = gone;
    this.over_ms = now.left_s === null ? null : performance.now() + 1000 * now.left_s;
    const { title, words, kind } = describe(now, { gone });
    this.title.replaceChildren(h("span", { class: `dot ${kind}` }), title);
    this.words.textContent = words;
    this.bar.replaceChildren(...updates(now, { gone }));
    $("notices").replaceChildren(...notices(now));
    this.tick();
    this.figures();
  }

  measured(rounds) {
    this.rounds = rounds;
    this.figures();
  }

  /** Count the time down, from what the aggregator said last. */
  tick() {
    const counts = !this.gone && this.over_ms !== null && ["gathering", "collecting"].includes(this.now.phase) && this.now.connected;
    this.clock.hidden = !counts;
    if (counts) this.clock.textContent = `${countdown((this.over_ms - performance.now()) / 1000)} left`;
  }

  figures() {
    const { now, rounds } = this;
    const last = rounds.at(-1);
    const tested = [...rounds].reverse().find((round) => round.accuracy !== null);
    const own = [...rounds].reverse().find((round) => round.own !== null);
    const shown = tested ?? own;
    const value = tested ? tested.accuracy : own?.own;
    $("figures").replaceChildren(
      figure("round", now.round ? `${now.round} of ${now.rounds.toLocaleString("en")}` : `– of ${now.rounds.toLocaleString("en")}`, now.attempt > 1 ? `attempt ${now.attempt} of ${now.attempts}` : `${plural(now.committed, "round")} done`),
      figure("updates", now.invited ? `${now.received} of ${now.invited}` : "–", now.invited ? `${now.quorum} needed` : "nobody is invited"),
      figure("devices online", now.online.toLocaleString("en"), now.devices ? `of ${now.devices.toLocaleString("en")} known` : "none is known yet"),
      figure("accuracy", exact(value), shown ? `${tested ? "on the test set" : "on the devices' own hold-outs"}, round ${shown.round}` : "measured after the first round"),
      figure("last round took", last?.wall_s === undefined || last.wall_s === null ? "–" : duration(last.wall_s), last ? `${size(last.bytes_up)} up, ${size(last.bytes_down)} down` : "none is done"),
      digest(now));
  }
}

function digest(now) {
  const shown = figure("weights in use", now.weights_sha256 ? now.weights_sha256.slice(0, 10) : "–", now.weights_sha256 ? `${now.committed ? `after ${plural(now.committed, "round")}` : "the first ones"}, ${now.labels}` : "not known yet");
  if (now.weights_sha256) shown.setAttribute("title", `SHA-256 ${now.weights_sha256}`);
  shown.querySelector("dd").classList.add("digest");
  return shown;
}

/** How much of the round is there: a bar with a mark where it has enough. */
function updates(now, { gone }) {
  if (gone || now.phase !== "collecting" || !now.invited) return [];
  const words = `${now.received} of ${plural(now.invited, "update")}; ${now.quorum} needed`;
  const bar = h("progress", { max: now.invited, value: now.received, "aria-label": "updates of this round" }, words);
  const enough = now.quorum < now.invited && h("span", { class: "enough", style: { left: `${(100 * now.quorum) / now.invited}%` }, title: `enough at ${now.quorum}` });
  return [h("div", { class: "track" }, bar, enough)];
}

function notices(now) {
  const lines = [...now.notices];
  if (now.rival) lines.push("Another aggregator was online in this fleet. Two of them disturb each other: stop one, or give it another --fleet.");
  return lines.map((line) => h("p", { class: "notice" }, sentence(line)));
}

/** Say in a title, a sentence and a colour how the run stands. */
export function describe(now, { gone }) {
  if (gone && (now.finished || now.phase === "finished")) return { title: "The run is finished", words: `After ${plural(now.rounds, "round")}. The aggregator has ended; its weights are in its folder.`, kind: "on" };
  if (gone) return { title: "The aggregator does not answer", words: "What is shown is what it said last. A run that was stopped goes on with --resume, and this page with it.", kind: "off" };
  if (now.blocked) return { title: "Something cannot be written", words: `${sentence(now.blocked)}. It is tried again until it can be done; nothing is lost meanwhile.`, kind: "off" };
  if (!now.connected && !now.run) return { title: "Looking for the broker", words: `At ${now.broker}, for the fleet ${now.fleet}.`, kind: "busy" };
  if (!now.connected) return { title: "The broker is gone", words: [sentence(now.offline), "The devices keep what they have learnt, and the round goes on when it is back."].filter(Boolean).join(". ").replace("..", "."), kind: "off" };
  const round = `round ${now.round} of ${now.rounds.toLocaleString("en")}`;
  const attempt = now.attempt > 1 ? `, attempt ${now.attempt} of ${now.attempts}` : "";
  switch (now.phase) {
    case "gathering":
      if (!now.online) return { title: "Waiting for devices", words: `No device is online in the fleet ${now.fleet}.`, kind: "busy" };
      if (now.online < now.need) return { title: "Waiting for devices", words: `${now.online} online; ${round} begins with ${plural(now.need, "device")}${attempt}.`, kind: "busy" };
      return { title: `${sentence(round)} begins`, words: `${plural(now.online, "device")} online${attempt}. Who has just lost the connection is given a moment to come back.`, kind: "busy" };
    case "collecting":
      return { title: `${sentence(round)}${attempt}`, words: collecting(now), kind: "busy" };
    case "aggregating":
      return { title: `Averaging ${round}`, words: `${plural(now.received, "update")} ${now.received === 1 ? "becomes" : "become"} one set of weights (${now.aggregation}).`, kind: "busy" };
    case "committing":
      return { title: `Writing the weights of ${round}`, words: "Then the next round begins with them.", kind: "busy" };
    case "finished":
      return { title: "The run is finished", words: `After ${plural(now.rounds, "round")}. Whoever is still fetching is given the last weights.`, kind: "on" };
    case "failed":
      return { title: "The run has ended early", words: "The aggregator says why, where it was started.", kind: "off" };
    default:
      return { title: "Starting", words: `The fleet ${now.fleet}.`, kind: "busy" };
  }
}

function collecting(now) {
  const there = `${now.received} of ${plural(now.invited, "update")} ${now.received === 1 ? "is" : "are"} there.`;
  if (now.quorum >= now.invited) return `${there} The round needs ${now.invited === 1 ? "it" : "all of them"}.`;
  return `${there} It closes with all of them, or at its deadline with ${now.quorum} or more.`;
}

export const exact = (share) => (share === null || share === undefined ? "–" : `${(100 * share).toFixed(1)}\u202f%`);

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  return bytes < 1e6 ? `${Math.round(bytes / 1e3).toLocaleString("en")}\u202fkB` : `${(bytes / 1e6).toFixed(1)}\u202fMB`;
}

export const duration = (s) => (s < 60 ? `${s.toFixed(1)}\u202fs` : countdown(s));

function countdown(s) {
  const whole = Math.max(0, Math.ceil(s));
  if (whole < 60) return `${whole}\u202fs`;
  const [minutes, seconds] = [Math.floor(whole / 60), whole % 60];
  if (minutes < 60) return `${minutes}:${String(seconds).padStart(2, "0")}\u202fmin`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}\u202fh`;
}
