// The page: its sections, its keys, and the news from the device.

import { ask, listen } from "./api.js";
import { $, h, toast } from "./dom.js";
import { Draw } from "./draw.js";
import { Learning, describe } from "./learning.js";
import { Live } from "./live.js";
import { Photo } from "./photo.js";
import { Samples } from "./samples.js";

const NAMES = ["live", "draw", "photo", "samples", "learning"];
const TITLES = { live: "Live view", draw: "Draw", photo: "Photo", samples: "My handwriting", learning: "Learning" };

async function start() {
  if (location.search) history.replaceState(null, "", location.pathname + location.hash);
  const device = await ask("/api/device");
  const views = { live: new Live(device), draw: new Draw(device), photo: new Photo(device), samples: new Samples(device), learning: new Learning(device) };
  let current = null;

  const open = ({ moved = true } = {}) => {
    const wanted = location.hash.slice(1);
    const name = NAMES.includes(wanted) ? wanted : device.live.camera ? "live" : "draw";
    if (name === current) return;
    if (current) views[current].hide();
    current = name;
    for (const other of NAMES) {
      $(`view-${other}`).hidden = other !== name;
      const tab = document.querySelector(`.tabs a[href="#${other}"]`);
      if (other === name) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    document.title = `${TITLES[name]} · Inkfleet`;
    scrollTo(0, 0);
    views[name].show();
    if (moved && !document.activeElement?.closest?.(".tabs")) $("main").focus({ preventScroll: true });
  };

  const showState = (state) => {
    const { title, kind } = describe(state);
    $("state-text").textContent = title;
    $("state").querySelector(".dot").className = `dot ${kind}`;
    $("state").setAttribute("aria-label", `${title}; open Learning`);
    $("device-name").textContent = state.device ?? "";
  };

  addEventListener("hashchange", () => open());
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || event.target.closest?.("input, textarea, select")) return;
    if (event.key === "?") {
      $("help").showModal();
      event.preventDefault();
    } else if (views[current].key(event)) event.preventDefault();
  });
  $("theme").addEventListener("click", () => toggleTheme());
  $("help-open").addEventListener("click", () => $("help").showModal());
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close("no"));
  }

  showState(device.learning);
  open({ moved: false });
  listen(
    {
      learning: (state) => {
        showState(state);
        views.learning.told(state);
      },
      samples: (counts) => {
        views.samples.told(counts);
        views.learning.counted(counts);
      },
      live: (news) => views.live.told(news),
    },
    {
      gone: () => {
        $("state-text").textContent = "The device does not answer";
        $("state").querySelector(".dot").className = "dot off";
      },
      back: () => {},
    },
  );
  document.documentElement.dataset.ready = "true";
}

start().catch((error) => {
  toast(error.message, { bad: true });
  $("main").append(h("p", { class: "notice" }, error.message, " ", h("a", { href: "/" }, "Try again")));
});
