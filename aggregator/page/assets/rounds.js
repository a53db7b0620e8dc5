// What the rounds came to: accuracy and updates of each, as curves to look at and as a table to read.

import { $, h, plural } from "./dom.js";
import { Plot } from "./plot.js";
import { duration, exact, size } from "./now.js";

const MOST_ROWS = 200;

export class Rounds {
  constructor() {
    this.rounds = [];
    this.withTest = true;
    this.accuracy = new Plot($("accuracy"), {
      empty: "The first point is drawn when a round is done.",
      words: (round) => `Round ${round.round}: ${measured(round)}`,
      legend: [["k-tested", "on the test set"], ["k-own", "devices' own hold-outs, after training"]],
    });
    this.contributions = new Plot($("contributions"), {
      empty: "Every round adds a bar.",
      words: (round) => `Round ${round.round}: ${plural(round.participants ?? 0, "update")} of ${(round.samples ?? 0).toLocaleString("en")} samples${round.suspects.length ? `; suspected: ${round.suspects.join(", ")}` : ""}`,
      legend: [["k-suspect", "somebody is suspected"]],
    });
    this.table = $("rounds-table");
    this.table.addEventListener("toggle", () => this.tabulate());
    addEventListener("resize", () => this.draw());
  }

  tested(yes) {
    if (this.withTest === yes) return;
    this.withTest = yes;
    this.draw();
  }

  told(rounds) {
    this.rounds = rounds;
    this.table.hidden = !rounds.length;
    this.draw();
    this.tabulate();
  }

  draw() {
    const { rounds } = this;
    const known = (key) => rounds.some((round) => round[key] !== null && round[key] !== undefined);
    const lines = [["own", "own"], ["accuracy", "tested"]].filter(([key]) => known(key));
    this.accuracy.lines(rounds, { lines, legend: lines.length > 1, note: !this.withTest && rounds.length ? "On what the devices keep out of training, after they have trained. With --test-data, every round's weights are tested." : "" });
    this.contributions.bars(rounds, { key: "participants" });
  }

  tabulate() {
    if (!this.table.open) return;
    const head = ["round", "accuracy", "loss", "own hold-outs", "updates", "samples", "time", "up", "down"];
    const rows = [...this.rounds].reverse().slice(0, MOST_ROWS).map((round) => h("tr", {},
      [round.round, exact(round.accuracy), round.loss?.toFixed(3) ?? "–", exact(round.own), round.participants ?? "–", (round.samples ?? 0).toLocaleString("en"),
        round.wall_s === null || round.wall_s === undefined ? "–" : duration(round.wall_s), size(round.bytes_up), size(round.bytes_down)].map((cell) => h("td", {}, String(cell)))));
    this.table.querySelector(".scroll").replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows)));
  }
}

function measured(round) {
  const parts = [round.accuracy !== null && `${exact(round.accuracy)} on the test set`, round.own !== null && `${exact(round.own)} on own hold-outs`].filter(Boolean);
  return parts.length ? parts.join(", ") : "not measured";
}
