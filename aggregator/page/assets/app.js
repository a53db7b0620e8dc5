// The fleet's page: what is told at its start, and the news as they come.

import { ask, listen } from "./api.js";
import { $, h, say, toast } from "./dom.js";
import { Devices } from "./devices.js";
import { Log } from "./log.js";
import { Now, describe } from "./now.js";
import { Rounds } from "./rounds.js";

async function start() {
  if (location.search) history.replaceState(null, "", location.pathname + location.hash);
  const told = await ask("/api/fleet");
  const devices = new Devices($("devices"));
  const log = new Log($("log"));
  const rounds = new Rounds();
  const now = new Now({ now: told.now, rounds: told.rounds });
  let gone = false;

  const showState = () => {
    const { title, kind } = describe(told.now, { gone });
    $("state-text").textContent = title;
    $("state").querySelector(".dot").className = `dot ${kind}`;
    $("fleet-name").textContent = told.now.fleet;
    document.title = `${title} · ${told.now.fleet} · Inkfleet`;
    document.body.classList.toggle("gone", gone);
    now.told(told.now, { gone });
    say(title);
  };
  const reached = (yes) => {
    if (gone === !yes) return;
    gone = !yes;
    showState();
  };
  const shows = {
    now: () => {
      showState();
      devices.round(told.now);
      rounds.tested(told.now.tested);
    },
    devices: () => devices.told(told.devices),
    rounds: () => {
      rounds.told(told.rounds);
      now.measured(told.rounds);
    },
    log: () => log.told(told.log),
  };

  $("theme").addEventListener("click", () => toggleTheme());
  for (const show of Object.values(shows)) show();
  listen(
    Object.fromEntries(Object.keys(shows).map((name) => [name, (news) => {
      told[name] = news;
      reached(true);
      shows[name]();
    }])),
    { gone: () => reached(false), back: () => reached(true) },
  );
  document.documentElement.dataset.ready = "true";
}

start().catch((error) => {
  toast(error.message, { bad: true });
  $("main").append(h("p", { class: "notice" }, error.message, " ", h("a", { href: "/" }, "Try again")));
});
