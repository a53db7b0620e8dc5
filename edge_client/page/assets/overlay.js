// Boxes over a picture or a drawing, in the picture's own pixels.

import { s, sureness } from "./dom.js";

/** Draw the boxes of a reading into an element that covers its picture. */
export function drawBoxes(element, reading, { chosen = null, partner = null, pick = null } = {}) {
  if (!reading || !reading.lines.length) {
    element.replaceChildren();
    return;
  }
  const boxes = reading.lines.flatMap((line, at) =>
    line.symbols.map((symbol, index) => {
      const [x, y, width, height] = symbol.box;
      const here = (place) => place && place.line === at && place.symbol === index;
      const kinds = [symbol.learnt ? "learnt" : sureness(symbol.confidence), here(chosen) && "chosen", here(partner) && "partner"];
      const margin = Math.max(reading.width, reading.height) / 300;
      const box = s("rect", {
        x: x - margin, y: y - margin, width: width + 2 * margin, height: height + 2 * margin,
        class: kinds.filter(Boolean).join(" "),
      });
      if (pick) box.addEventListener("click", () => pick({ line: at, symbol: index }));
      return [width * height, box];
    }),
  );
  // Small boxes lie above large ones, so that every one of them can be tapped.
  boxes.sort((one, other) => other[0] - one[0]);
  element.replaceChildren(
    s("svg", { viewBox: `0 0 ${reading.width} ${reading.height}`, preserveAspectRatio: "xMidYMid meet", "aria-hidden": "true" }, ...boxes.map((pair) => pair[1])),
  );
}
