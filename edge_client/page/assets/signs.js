// How labels look, and how they are said.

const GLYPHS = {
  times: "×", div: "÷", "-": "−", forward_slash: "/", ascii_124: "|", prime: "′", ldots: "…", rightarrow: "→",
  alpha: "α", beta: "β", gamma: "γ", Delta: "Δ", theta: "θ", lambda: "λ", mu: "μ", pi: "π", sigma: "σ", phi: "φ",
  sqrt: "√", sum: "∑", int: "∫", infty: "∞", pm: "±", neq: "≠", leq: "≤", geq: "≥", lt: "<", gt: ">", in: "∈",
  forall: "∀", exists: "∃",
};

const SPOKEN = {
  "+": "plus", "-": "minus", times: "times", div: "divided by", "=": "equals", "(": "open bracket", ")": "close bracket",
  forward_slash: "slash", ".": "point", ",": "comma", "!": "factorial", lt: "less than", gt: "greater than",
  "[": "open square bracket", "]": "close square bracket", "{": "open brace", "}": "close brace", ascii_124: "bar",
};

const WORDS = new Set(["sin", "cos", "tan", "log", "lim"]);
const INFIX = new Set(["+", "-", "times", "div", "=", "pm", "neq", "leq", "geq", "lt", "gt", "in", "rightarrow"]);
export const OPENING = { "(": ")", "[": "]", "{": "}" };
const CLOSING = new Set(Object.values(OPENING));

export const glyph = (label) => GLYPHS[label] ?? label;

export const spoken = (label) => SPOKEN[label] ?? (/^[A-Z]$/.test(label) ? `capital ${label}` : label);

/** What kind of sign it is, for the space around it and its slant. */
export function kind(label) {
  if (INFIX.has(label)) return "infix";
  if (WORDS.has(label)) return "word";
  if (label in OPENING || CLOSING.has(label)) return "bracket";
  return /^[A-Za-z]$/.test(label) || /^[α-ω]$/.test(glyph(label)) ? "letter" : "plain";
}
