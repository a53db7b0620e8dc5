// The devices: what each one does, what it last contributed, and what a person should know of it.

import { h, plural, sentence } from "./dom.js";
import { timeOf } from "./log.js";

const SEARCH_FROM = 13;

const LOOKS = {
  training: ["busy", "is training"],
  fetching: ["busy", "is fetching the round"],
  uploading: ["busy", "is sending its update"],
  waiting: ["warn", "waits to train"],
  done: ["on", "its update counts"],
  idle: ["on", "is online"],
  failed: ["off", "cannot take part"],
  resting: ["warn", "rests"],
  paused: ["", "training is paused"],
  offline: ["", "is offline"],
  unseen: ["", "enrolled, not seen yet"],
  revoked: ["off", "is revoked"],
};

const FILTERS = {
  all: ["All", () => true],
  round: ["In this round", (device) => device.invited],
  look: ["To look at", (device) => needsALook(device)],
  away: ["Away", (device) => !device.online],
};

const VERDICTS = { accepted: "counted", rejected: "rejected", stale: "too late", duplicate: "sent twice" };

export class Devices {
  constructor(root) {
    this.filter = "all";
    this.wanted = "";
    this.counts = h("p", { class: "soft" });
    this.buttons = h("div", { class: "filters", role: "group", "aria-label": "Which devices are shown" });
    this.search = h("input", { type: "search", placeholder: "Find a device", "aria-label": "Find a device", maxlength: "64", hidden: true, oninput: () => { this.wanted = this.search.value.trim().toLowerCase(); this.draw(); } });
    this.list = h("ul", { class: "devices" });
    this.empty = h("div", { class: "nothing" });
    root.append(this.counts, h("div", { class: "choose" }, this.buttons, this.search), this.list, this.empty);
    this.state = { devices: [], total: 0, online: 0, counts: {}, enrolled: false };
    for (const [name, [words]] of Object.entries(FILTERS)) {
      this.buttons.append(h("button", { type: "button", class: "filter", "data-filter": name, onclick: () => { this.filter = name; this.draw(); } }, words, h("b", {})));
    }
  }

  round(now) {
    this.now = now;
    if (!this.state.total) this.draw();
  }

  told(state) {
    this.state = state;
    this.draw();
  }

  draw() {
    const { devices, total, online } = this.state;
    this.counts.textContent = total ? [`${online.toLocaleString("en")} of ${plural(total, "device")} online`, total > devices.length && `${devices.length} are shown`].filter(Boolean).join("; ") : "";
    this.search.hidden = devices.length < SEARCH_FROM && !this.wanted;
    this.buttons.hidden = !total;
    for (const button of this.buttons.children) {
      const [, fits] = FILTERS[button.dataset.filter];
      button.setAttribute("aria-pressed", String(button.dataset.filter === this.filter));
      button.querySelector("b").textContent = devices.filter(fits).length.toLocaleString("en");
    }
    const shown = devices.filter((device) => FILTERS[this.filter][1](device) && device.name.toLowerCase().includes(this.wanted));
    this.list.replaceChildren(...shown.map(card));
    this.list.hidden = !shown.length;
    this.empty.hidden = shown.length > 0;
    this.empty.replaceChildren(...(shown.length ? [] : nothing(this.state, this.now)));
  }
}

function nothing(state, now) {
  if (state.total) return [h("p", { class: "soft" }, "No device is like this at the moment.")];
  return [
    h("p", {}, "No device has come yet."),
    h("p", { class: "soft" }, "Start one on a machine that reaches the broker: ", h("code", {}, state.enrolled || now?.enrolled ? "inkfleet device --identity NAME.pem" : `inkfleet device --name kitchen --fleet ${now?.fleet ?? ""} --broker ${now?.broker ?? ""}`)),
  ];
}

function card(device) {
  const [dot, words] = LOOKS[device.state] ?? ["", device.state];
  const said = device.state === "idle" && device.invited ? "is invited" : words;
  return h("li", { class: `device ${device.state}` },
    h("div", { class: "device-head" }, h("span", { class: `dot ${dot}` }), h("span", {}, h("strong", {}, device.name), " ", h("span", { class: "soft" }, said))),
    device.why && h("p", { class: "why" }, sentence(device.why)),
    h("p", { class: "soft" }, [holds(device), last(device)].filter(Boolean).join(" · ")),
    device.last?.verdict === "rejected" && device.last.reason && h("p", { class: "why" }, `Round ${device.last.round}: ${device.last.reason}`),
    validity(device));
}

const holds = (device) => device.samples !== null && (device.samples ? `${plural(device.samples, "sample")} of ${plural(device.labels, "label")}` : "no samples of the model's labels");

function last({ last: update }) {
  if (!update) return "no update yet";
  const when = update.unix_s === null ? "" : ` at ${timeOf(update.unix_s)}`;
  return `round ${update.round} ${VERDICTS[update.verdict] ?? update.verdict}${when}`;
}

function validity({ member }) {
  if (!member || member.validity === "valid") return null;
  return h("p", { class: "why" }, member.validity === "expired" ? `Its credentials expired on ${member.expires}: inkfleet fleet renew.` : `Its credentials expire on ${member.expires}: inkfleet fleet renew.`);
}

/** Whether a person should look at a device. */
const needsALook = (device) => ["failed", "resting", "revoked"].includes(device.state) || device.failures > 0 || device.last?.verdict === "rejected" || (device.member && device.member.validity !== "valid");
