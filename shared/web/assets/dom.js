// Making elements, and telling people things.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: `h("button", {class: "button", onclick}, "Text", child)`. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Make an element of SVG. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const $ = (id) => document.getElementById(id);

export const icon = (name, more = "") => s("svg", { class: `icon ${more}`.trim(), "aria-hidden": "true" }, s("use", { href: `#i-${name}` }));

/** A button with an icon and perhaps its key. */
export function button(text, { name = "", key = "", kind = "", ...rest } = {}) {
  return h("button", { type: "button", class: `button ${kind}`.trim(), ...rest }, name && icon(name), text, key && h("kbd", { "aria-hidden": "true" }, key));
}

/** A share as it is said of a choice: what is next to nothing is not nothing. */
export const fewPercent = (share) => (share < 0.01 ? "<\u202f1\u202f%" : percent(share));

export const percent = (share) => (share === null || share === undefined ? "–" : `${Math.floor(share * 100 + 1e-9)}\u202f%`);

export const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** How sure a reading is, in three steps, the same as on the camera's picture. */
export const sureness = (confidence) => (confidence >= 0.9 ? "sure" : confidence >= 0.6 ? "doubtful" : "unsure");

/** A line of the server's, as a sentence of the page's begins. */
export const sentence = (line) => (line ? line.charAt(0).toUpperCase() + line.slice(1) : "");

/** Tell something in passing. */
export function toast(text, { bad = false, stays_ms = bad ? 6000 : 3200 } = {}) {
  const shown = h("div", { class: bad ? "toast bad" : "toast" }, !bad && icon("check"), text);
  $("toasts").replaceChildren(shown);
  setTimeout(() => shown.remove(), stays_ms);
}

/** Say something to who hears the page. */
export function say(text) {
  if ($("spoken").textContent !== text) $("spoken").textContent = text;
}

/** Run what may fail, and tell why it did. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") toast(error.message, { bad: true });
    return undefined;
  }
}

export const figure = (name, value, note = "") => h("div", {}, h("dt", {}, name), h("dd", {}, value, note && h("small", {}, note)));
