// A small chart: accuracy on the device's own hold-out, before and after each of its rounds.

import { s } from "./dom.js";

const HEIGHT = 220;
const LEFT = 48;
const BOTTOM = 28;
const TOP = 12;
const MOST = 30;
const LOWEST = [0.96, 0.8, 0.6, 0.2, 0]; // with four steps up to 100 % that are read at a glance

/** Draw the rounds, so many pixels wide; those that were not measured leave a gap. */
export function roundsChart(history, { width }) {
  const rounds = history.slice(-MOST);
  const known = rounds.flatMap((round) => [round.holdout_before, round.holdout_after]).filter((value) => value !== null && value !== undefined);
  if (!known.length) return null;
  const low = LOWEST.find((one) => one <= Math.min(...known));
  const x = (at) => LEFT + 24 + (rounds.length === 1 ? 0 : (at * (width - LEFT - 48)) / (rounds.length - 1));
  const y = (value) => TOP + ((1 - value) / (1 - low || 1)) * (HEIGHT - TOP - BOTTOM);
  const chart = s("svg", { class: "chart", viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": summary(rounds) });
  for (let step = 0; step <= 4; step += 1) {
    const value = low + ((1 - low) * step) / 4;
    chart.append(s("line", { class: step ? "grid" : "axis", x1: LEFT, x2: width, y1: y(value), y2: y(value) }));
    const tick = s("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" });
    tick.textContent = `${Math.round(value * 100)}\u202f%`;
    chart.append(tick);
  }
  const every = Math.ceil(rounds.length / 10);
  rounds.forEach((round, at) => {
    if (at % every === 0) {
      const name = s("text", { x: x(at), y: HEIGHT - 8, "text-anchor": "middle" });
      name.textContent = round.round;
      chart.append(name);
    }
    const { holdout_before: before, holdout_after: after } = round;
    if (before === null || before === undefined || after === null || after === undefined) return;
    const worse = after < before ? " worse" : "";
    chart.append(
      s("line", { class: `span${worse}`, x1: x(at), x2: x(at), y1: y(before), y2: y(after) }),
      s("circle", { class: "before", cx: x(at), cy: y(before), r: 4.5 }),
      s("circle", { class: `after${worse}`, cx: x(at), cy: y(after), r: 5 }),
    );
  });
  return chart;
}

function summary(rounds) {
  const last = rounds.at(-1);
  const words = (value) => (value === null || value === undefined ? "unknown" : `${Math.round(value * 100)} per cent`);
  return `Accuracy on the own hold-out by round. In round ${last.round}: before ${words(last.holdout_before)}, after ${words(last.holdout_after)}.`;
}
